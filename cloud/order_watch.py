"""Asking after orders nobody has told us about, and sending refunds: a call may be lost, money may not.

The invariant: an order that was paid is booked, at the latest when we ask; one that nobody paid in time is
forgotten only after its provider has said so.
"""

import asyncio
import logging
from collections.abc import Mapping

from cloud.domain.errors import GatehouseError
from cloud.domain.ids import TenantId
from cloud.domain.payment import Method
from cloud.domain.payment_order import PaymentOrder
from cloud.domain.refund import Refund
from cloud.providers.provider import Provider, ProviderFault
from cloud.services import payment_orders, refunds, tenants
from cloud.store.db import Database

log = logging.getLogger(__name__)

LOOK_EVERY_S = 30.0
_NOBODY = TenantId(0)


class OrderWatch:
    """Asks the providers after open orders of all tenants."""

    def __init__(self, database: Database, providers: Mapping[Method, Provider]) -> None:
        self._database = database
        self._providers = providers

    async def run(self) -> None:
        """Ask now and again until the process ends; without a provider there is nothing to ask."""
        while self._providers:
            for tenant_id in await self._database.read(_NOBODY, tenants.list_tenants):
                for order in await self._database.read(tenant_id, payment_orders.orders_to_ask):
                    await self._ask_after(tenant_id, order)
                for refund, order in await self._database.read(tenant_id, refunds.refunds_to_send):
                    await self._send_back(tenant_id, refund, order)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ask_after(self, tenant_id: TenantId, order: PaymentOrder) -> None:
        provider = self._providers.get(order.method)
        if provider is None:
            return
        try:
            paid = await asyncio.to_thread(provider.look_up, order.number)
            if paid is not None:
                await self._database.write(tenant_id, payment_orders.settle, order.method, paid)
            else:
                await self._database.write(tenant_id, payment_orders.expire_if_over, order.order_id)
        except ProviderFault as error:
            log.warning("a provider was asked in vain", extra={"number": order.number, "error": str(error)})
        except GatehouseError as error:
            log.error(  # noqa: TRY400 - the message says all there is; money waits for a person
                "a payment a provider tells of was not booked",
                extra={"method": order.method.value, "error": str(error)},
            )

    async def _send_back(self, tenant_id: TenantId, refund: Refund, order: PaymentOrder) -> None:
        """Let the provider send money back; under one number it does so once, however often it is asked."""
        provider = self._providers.get(order.method)
        if provider is None:
            return
        try:
            await asyncio.to_thread(provider.refund, order, refund.number, refund.amount_fen, refund.reason)
        except ProviderFault as error:
            log.warning("a refund was not taken", extra={"number": refund.number, "error": str(error)})
            return
        await self._database.write(tenant_id, refunds.note_sent, refund.refund_id)
