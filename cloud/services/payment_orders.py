"""Orders at payment providers: asked for, paid, or forgotten.

The invariant: a provider's signed word becomes exactly one payment, however often it comes and by
whichever way (its callback, or our asking); another amount than was asked for books nothing.
"""

from cloud.domain.access import Action, require, require_bills
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId, PaymentOrderId, TenantId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.payment import Method
from cloud.domain.payment_order import (
    EXPIRES_AFTER_MS,
    OrderState,
    Paid,
    PaymentOrder,
    check_paid,
    checked_order,
    order_number,
)
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User, system_user
from cloud.services import notices, payments
from cloud.services.premises import site_of
from cloud.store import audit, numbers, payment_orders, people, tenants
from cloud.store.db import Database, Tx

# A callback usually comes within a second; after this long we ask by ourselves.
ASKED_AFTER_MS = 20_000
ASKED_AT_ONCE = 50
_LISTED_MAX = 20


def begin_order(tx: Tx, actor: User, account_id: AccountId, method: Method, amount_fen: int) -> PaymentOrder:
    """Ask for an amount of an account through a provider; one still open for the same is returned again.

    More than is owed becomes credit, as with any payment. The provider has not heard of a new one yet: its
    `pay_url` is empty until `set_pay_url`.
    """
    require(actor, Action.PAY_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    checked_order(method, amount_fen)
    _, site = _account(tx, account_id)
    known = payment_orders.open_order_of(tx, account_id, method, amount_fen)
    if known is not None:
        return known
    day = local_date(tx.now_ms, time_zone(site.time_zone)).isoformat()
    number = order_number(site.code, day, numbers.next_number(tx, site.code, "order", day))
    order = PaymentOrder(
        PaymentOrderId(tx.new_id()),
        number,
        account_id,
        method,
        amount_fen,
        OrderState.OPEN,
        "",
        tx.now_ms,
        tx.now_ms + EXPIRES_AFTER_MS,
        None,
    )
    payment_orders.insert_order(tx, order, actor.person_id)
    detail: dict[str, str | int | None] = {"number": number, "amount_fen": amount_fen, "method": method.value}
    audit.record(tx, actor.user_id, "begin_payment_order", "account", account_id, detail)
    return order


def set_pay_url(tx: Tx, actor: User, number: str, pay_url: str) -> PaymentOrder:
    """Note where an order is paid, as its provider said."""
    require(actor, Action.PAY_OWN_ACCOUNTS)
    order = find_order(tx, actor, number)
    payment_orders.set_pay_url(tx, order.order_id, pay_url)
    return find_order(tx, actor, number)


def find_order(tx: Tx, actor: User, number: str) -> PaymentOrder:
    """Return an order; to a resident those of others do not exist."""
    require(actor, Action.PAY_OWN_ACCOUNTS)
    order = payment_orders.find_order(tx, number)
    if order is None:
        raise NotFound(f"there is no order {number}")
    require_bills(actor, order.account_id)
    return order


def list_orders(tx: Tx, actor: User, account_id: AccountId) -> list[PaymentOrder]:
    """Return an account's newest orders."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    _account(tx, account_id)
    return payment_orders.orders_of(tx, [account_id], _LISTED_MAX)


async def company_of(database: Database, home: TenantId, number: str) -> TenantId:
    """Return whose order this is; `home` where it is nobody's, which then says so."""
    for tenant_id in await database.read(home, tenants.list_tenants):
        if await database.read(tenant_id, payment_orders.find_order, number) is not None:
            return tenant_id
    return home


def settle(tx: Tx, method: Method, paid: Paid) -> PaymentOrder:
    """Record what a provider says was paid; said again, it changes nothing.

    For whoever has checked the provider's signature. Conflict where the amount is another.
    """
    order = payment_orders.find_order(tx, paid.number, is_locked=True)
    if order is None or order.method is not method:
        raise NotFound(f"{method.value} tells of an order {paid.number}, which is none of ours")
    check_paid(order, paid)
    account, site = _account(tx, order.account_id)
    actor = system_user(tx.tenant_id)
    zone = time_zone(site.time_zone)
    received_on = min(local_date(paid.paid_at_ms, zone), local_date(tx.now_ms, zone))
    recorded = payments.record_payment(
        tx,
        actor,
        order.account_id,
        method,
        paid.amount_fen,
        received_on,
        provider_reference=paid.provider_reference,
        memo=order.number,
    )
    payment_orders.set_paid(tx, order.order_id, recorded.receipt.payment_id)
    values = {
        "site": site.name,
        "space": account.space_code or account.number,
        "account": account.number,
        "amount": f"{paid.amount_fen // 100}.{paid.amount_fen % 100:02}",
        "number": recorded.receipt.number,
    }
    notices.notify(
        tx,
        NewNotice(
            Topic.PAYMENT, f"payment:{recorded.receipt.payment_id}", values, account_id=order.account_id,
            link="/home/bills",
        ),
    )  # fmt: skip
    found = payment_orders.find_order(tx, paid.number)
    assert found is not None, "it was found just now"
    return found


def orders_to_ask(tx: Tx) -> list[PaymentOrder]:
    """Return orders about which a provider should be asked, oldest first."""
    return payment_orders.open_orders(tx, tx.now_ms - ASKED_AFTER_MS, ASKED_AT_ONCE)


def expire_if_over(tx: Tx, order_id: PaymentOrderId) -> None:
    """Forget an order nobody paid in time; should its money come after all, it is booked."""
    payment_orders.set_expired(tx, order_id)


def _account(tx: Tx, account_id: AccountId) -> tuple[Account, Site]:
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    return account, site_of(tx, account.site_id)
