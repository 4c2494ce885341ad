"""Money that goes back: asked for by one person, approved by another, sent once.

The invariant: what is refunded is credit or a deposit of that account, not more than there is when it is
approved; the entry and the approval are one transaction. A provider is asked to send it afterwards, under
the refund's own number, until it has.
"""

from cloud.domain.access import Action, require, require_recent
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import AccountId, RefundId, SiteId
from cloud.domain.notice import NewNotice, Topic
from cloud.domain.payment import Method
from cloud.domain.payment_order import ONLINE_METHODS, OrderState, PaymentOrder
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.refund import (
    Refund,
    RefundSource,
    RefundState,
    checked_text,
    refund_entry,
    refund_number,
)
from cloud.domain.user import User
from cloud.services import notices
from cloud.services.premises import site_of
from cloud.store import audit, ledger, numbers, payment_orders, people, refunds
from cloud.store.db import Tx

_LISTED_MAX = 200
_SENT_AT_ONCE = 20


def request_refund(
    tx: Tx,
    actor: User,
    account_id: AccountId,
    source: RefundSource,
    amount_fen: int,
    method: Method,
    reason: str,
    order_number: str | None = None,
) -> Refund:
    """Ask for money to go back; Conflict where there is less, what is asked for already counted."""
    require(actor, Action.RECORD_PAYMENTS)
    people.lock_account(tx, account_id)
    account, site = account_and_site(tx, account_id)
    checked_text("reason", reason)
    if amount_fen <= 0:
        raise Invalid(f"a refund is more than zero, not {amount_fen} fen")
    if (method in ONLINE_METHODS) != (order_number is not None):
        raise Invalid(f"{method.value} goes back by the order it came with: name it, and only then")
    if order_number is not None:
        _check_order(tx, account_id, method, order_number, amount_fen)
    _check_there_is(tx, account, source, amount_fen + refunds.pending_fen(tx, account_id, source))
    year = local_date(tx.now_ms, time_zone(site.time_zone)).year
    serial = numbers.next_number(tx, site.code, "refund", str(year))
    new = Refund(
        RefundId(tx.new_id()),
        refund_number(site.code, year, serial),
        account_id,
        source,
        amount_fen,
        method,
        order_number,
        reason.strip(),
        RefundState.REQUESTED,
        actor.person_id,
        tx.now_ms,
        None,
        None,
    )
    refunds.insert_refund(tx, new)
    _record(tx, actor, "request_refund", new)
    return new


def get_refund(tx: Tx, actor: User, refund_id: RefundId) -> Refund:
    """Return one refund."""
    require(actor, Action.READ_LEDGER)
    return _found(tx, refund_id)


def approve(tx: Tx, actor: User, refund_id: RefundId) -> Refund:
    """Book a refund somebody else asked for; Conflict where the money is not there any more."""
    require_recent(actor, tx.now_ms)
    found = _to_decide(tx, actor, refund_id)
    people.lock_account(tx, found.account_id)
    account, site = account_and_site(tx, found.account_id)
    _check_there_is(tx, account, found.source, found.amount_fen)
    ledger.ensure_chart(tx)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    (entry_id,) = ledger.insert_entries(tx, [refund_entry(found, today)])
    state = RefundState.PAID if found.order_number is None else RefundState.APPROVED
    refunds.decide(tx, refund_id, state, actor.person_id, entry_id)
    _record(tx, actor, "approve_refund", found)
    values = {
        "site": site.name,
        "space": account.space_code or account.number,
        "account": account.number,
        "amount": f"{found.amount_fen // 100}.{found.amount_fen % 100:02}",
        "number": found.number,
    }
    notices.notify(tx, NewNotice(Topic.REFUND, f"refund:{refund_id}", values, account_id=found.account_id))
    return _found(tx, refund_id)


def refuse(tx: Tx, actor: User, refund_id: RefundId) -> Refund:
    """Refuse a refund: nothing was booked, nothing is."""
    found = _to_decide(tx, actor, refund_id)
    refunds.decide(tx, refund_id, RefundState.REFUSED, actor.person_id, None)
    _record(tx, actor, "refuse_refund", found)
    return _found(tx, refund_id)


def list_refunds(tx: Tx, actor: User, site_id: SiteId) -> list[Refund]:
    """Return a site's refunds, newest first."""
    require(actor, Action.READ_LEDGER)
    return refunds.list_refunds(tx, site_of(tx, site_id).site_id, _LISTED_MAX)


def refunds_to_send(tx: Tx) -> list[tuple[Refund, PaymentOrder]]:
    """Return what providers still have to send, with the order it came by."""
    found = []
    for one in refunds.refunds_to_send(tx, _SENT_AT_ONCE):
        order = payment_orders.find_order(tx, one.order_number or "")
        assert order is not None, "it was there when the refund was asked for"
        found.append((one, order))
    return found


def note_sent(tx: Tx, refund_id: RefundId) -> None:
    """Note that a provider has sent it."""
    refunds.set_paid(tx, refund_id)


def account_and_site(tx: Tx, account_id: AccountId) -> tuple[Account, Site]:
    """Return an account with its site; NotFound if there is none."""
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    return account, site_of(tx, account.site_id)


def _to_decide(tx: Tx, actor: User, refund_id: RefundId) -> Refund:
    require(actor, Action.APPROVE_REFUNDS)
    found = _found(tx, refund_id, is_locked=True)
    if found.state is not RefundState.REQUESTED:
        raise Conflict(f"refund {found.number} is {found.state.value} already")
    if found.requested_by == actor.person_id:
        raise Forbidden(f"refund {found.number} was asked for by yourself: somebody else decides on it")
    return found


def _check_there_is(tx: Tx, account: Account, source: RefundSource, amount_fen: int) -> None:
    there_fen = -ledger.balance_of(tx, account.account_id, [source.ledger_account])
    if amount_fen > there_fen:
        raise Conflict(
            f"account {account.number} has {there_fen} fen of {source.value}; {amount_fen} are asked back"
        )


def _check_order(tx: Tx, account_id: AccountId, method: Method, order_number: str, amount_fen: int) -> None:
    order = payment_orders.find_order(tx, order_number, is_locked=True)
    if order is None or order.account_id != account_id or order.method is not method:
        raise NotFound(f"the account has no {method.value} order {order_number}")
    if order.state is not OrderState.PAID:
        raise Conflict(f"order {order_number} was never paid")
    left_fen = order.amount_fen - refunds.refunded_of_order(tx, order_number)
    if amount_fen > left_fen:
        raise Conflict(f"of order {order_number} {left_fen} fen can go back, not {amount_fen}")


def _found(tx: Tx, refund_id: RefundId, *, is_locked: bool = False) -> Refund:
    found = refunds.find_refund(tx, refund_id, is_locked=is_locked)
    if found is None:
        raise NotFound(f"there is no refund {refund_id}")
    return found


def _record(tx: Tx, actor: User, act: str, refund: Refund) -> None:
    detail: dict[str, str | int | None] = {"number": refund.number, "amount_fen": refund.amount_fen}
    audit.record(tx, actor.user_id, act, "refund", refund.refund_id, detail)
