"""Placing an order: written down first, then told to the provider.

The invariant: a provider never hears of an order we could forget; one it refuses stays written down
without an address and ends by itself.
"""

import asyncio
from collections.abc import Mapping

from cloud.domain.errors import Conflict, Unavailable
from cloud.domain.ids import AccountId
from cloud.domain.payment import Method
from cloud.domain.payment_order import PaymentOrder
from cloud.domain.user import User
from cloud.providers.provider import Provider, ProviderFault
from cloud.services import payment_orders
from cloud.store.db import Database

# What the payer's bank statement says.
DESCRIPTION = "物业费用 Property charges"


async def place_order(
    database: Database,
    providers: Mapping[Method, Provider],
    actor: User,
    account_id: AccountId,
    method: Method,
    amount_fen: int,
) -> PaymentOrder:
    """Return an order that can be paid at its `pay_url`; Unavailable if the provider does not take it."""
    await database.read(actor.tenant_id, payment_orders.list_orders, actor, account_id)  # it is the actor's
    provider = providers.get(method)
    if provider is None:
        raise Conflict(f"{method.value} is not set up here: pay at the desk")
    order = await database.write(
        actor.tenant_id, payment_orders.begin_order, actor, account_id, method, amount_fen
    )
    if order.pay_url:
        return order
    try:
        pay_url = await asyncio.to_thread(provider.begin, order, DESCRIPTION)
    except ProviderFault as error:
        raise Unavailable(f"{method.value} did not take the order; try again, or pay at the desk",
                          retry_after_s=30) from error  # fmt: skip
    return await database.write(actor.tenant_id, payment_orders.set_pay_url, actor, order.number, pay_url)
