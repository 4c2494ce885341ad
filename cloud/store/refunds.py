"""Refunds, deposits, and what cashiers counted at the end of a day."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, DepositId, LedgerEntryId, RefundId, SiteId, UserId
from cloud.domain.payment import Method
from cloud.domain.refund import Deposit, Refund, RefundSource, RefundState
from cloud.store.db import Tx
from cloud.store.schema import account, day_close, deposit, payment, refund

_R, _D, _C = refund.c, deposit.c, day_close.c


def insert_refund(tx: Tx, new: Refund) -> None:
    """Write down that a refund was asked for."""
    # Add one refund.
    tx.conn.execute(
        tx.insert(refund).values(
            tenant_id=tx.tenant_id,
            id=new.refund_id,
            number=new.number,
            account_id=new.account_id,
            source=new.source.value,
            amount_fen=new.amount_fen,
            method=new.method.value,
            order_number=new.order_number,
            reason=new.reason,
            state=new.state.value,
            requested_by=new.requested_by,
            requested_at_ms=new.requested_at_ms,
        )
    )


def find_refund(tx: Tx, refund_id: RefundId, *, is_locked: bool = False) -> Refund | None:
    """Return one refund, or None. Locked, it stays as it is until the transaction ends."""
    query = _select(tx).where(_R.id == refund_id)
    # Which refund is this? Two who decide at once wait for each other.
    row = tx.conn.execute(query.with_for_update() if is_locked else query).one_or_none()
    return None if row is None else _refund_from_row(row)


def list_refunds(tx: Tx, site_id: SiteId, limit: int) -> list[Refund]:
    """Return a site's refunds, newest first."""
    own = sa.select(account.c.id).where(account.c.tenant_id == tx.tenant_id, account.c.site_id == site_id)
    # What goes, or went, back here?
    query = _select(tx).where(_R.account_id.in_(own)).order_by(_R.id.desc()).limit(limit)
    return [_refund_from_row(row) for row in tx.conn.execute(query)]


def refunds_to_send(tx: Tx, limit: int) -> list[Refund]:
    """Return refunds that are approved and that a provider still has to send, oldest first."""
    # Which money waits for its provider?
    query = _select(tx).where(_R.state == RefundState.APPROVED.value, _R.order_number.is_not(None))
    return [_refund_from_row(row) for row in tx.conn.execute(query.order_by(_R.id).limit(limit))]


def pending_fen(tx: Tx, account_id: AccountId, source: RefundSource) -> int:
    """Return how much of an account's money is asked back and not decided on."""
    # What is promised already?
    total = tx.conn.execute(
        sa.select(sa.func.coalesce(sa.func.sum(_R.amount_fen), 0)).where(
            _R.tenant_id == tx.tenant_id,
            _R.account_id == account_id,
            _R.source == source.value,
            _R.state == RefundState.REQUESTED.value,
        )
    ).scalar_one()
    return int(total)


def refunded_of_order(tx: Tx, order_number: str) -> int:
    """Return how much of an order goes back already, decided on or not."""
    # What of this order is promised already?
    total = tx.conn.execute(
        sa.select(sa.func.coalesce(sa.func.sum(_R.amount_fen), 0)).where(
            _R.tenant_id == tx.tenant_id,
            _R.order_number == order_number,
            _R.state != RefundState.REFUSED.value,
        )
    ).scalar_one()
    return int(total)


def decide(
    tx: Tx, refund_id: RefundId, state: RefundState, decided_by: UserId | None, entry_id: LedgerEntryId | None
) -> None:
    """Note who decided on a refund, and how it was booked."""
    _update(
        tx,
        refund_id,
        {"state": state.value, "decided_by": decided_by, "decided_at_ms": tx.now_ms, "entry_id": entry_id},
    )


def set_paid(tx: Tx, refund_id: RefundId) -> None:
    """Note that the provider has sent it."""
    _update(tx, refund_id, {"state": RefundState.PAID.value})


def insert_deposit(tx: Tx, new: Deposit, recorded_by: UserId | None) -> None:
    """Record a deposit."""
    # Add one deposit.
    tx.conn.execute(
        tx.insert(deposit).values(
            tenant_id=tx.tenant_id,
            id=new.deposit_id,
            number=new.number,
            account_id=new.account_id,
            label=new.label,
            method=new.method.value,
            amount_fen=new.amount_fen,
            received_on=new.received_on,
            recorded_by=recorded_by,
            recorded_at_ms=new.recorded_at_ms,
        )
    )


def deposits_of(tx: Tx, account_id: AccountId) -> list[Deposit]:
    """Return an account's deposits, newest first."""
    # What is held for this account?
    query = (
        sa.select(
            _D.id,
            _D.number,
            _D.account_id,
            _D.label,
            _D.method,
            _D.amount_fen,
            _D.received_on,
            _D.recorded_at_ms,
        )
        .where(_D.tenant_id == tx.tenant_id, _D.account_id == account_id)
        .order_by(_D.id.desc())
    )
    return [
        Deposit(
            DepositId(row.id),
            row.number,
            AccountId(row.account_id),
            row.label,
            Method(row.method),
            row.amount_fen,
            row.received_on,
            row.recorded_at_ms,
        )
        for row in tx.conn.execute(query)
    ]


def taken_on(tx: Tx, site_id: SiteId, on: date, day_ms: tuple[int, int]) -> dict[Method, int]:
    """Return by method what was taken on a day, less what was paid out; methods without either have zero."""
    own = sa.select(account.c.id).where(account.c.tenant_id == tx.tenant_id, account.c.site_id == site_id)
    # What came in on that day?
    came = sa.select(payment.c.method, payment.c.amount_fen).where(
        payment.c.tenant_id == tx.tenant_id, payment.c.received_on == on, payment.c.account_id.in_(own)
    )
    held = sa.select(_D.method, _D.amount_fen).where(
        _D.tenant_id == tx.tenant_id, _D.received_on == on, _D.account_id.in_(own)
    )
    went = sa.select(_R.method, -_R.amount_fen).where(
        _R.tenant_id == tx.tenant_id,
        _R.account_id.in_(own),
        _R.state.in_((RefundState.APPROVED.value, RefundState.PAID.value)),
        _R.decided_at_ms >= day_ms[0],
        _R.decided_at_ms < day_ms[1],
    )
    every = sa.union_all(came, held, went).subquery()
    method, amount = every.c
    rows = tx.conn.execute(sa.select(method, sa.func.sum(amount)).group_by(method))
    return dict.fromkeys(Method, 0) | {Method(row[0]): int(row[1]) for row in rows}


def insert_day_close(
    tx: Tx, site_id: SiteId, on: date, method: Method, recorded_fen: int, counted_fen: int, note: str,
    closed_by: UserId | None,
) -> bool:  # fmt: skip
    """Write down what was counted; False if that day's was written down already."""
    # Close one day of one method.
    statement = (
        tx.insert(day_close)
        .values(
            tenant_id=tx.tenant_id,
            site_id=site_id,
            on_date=on,
            method=method.value,
            recorded_fen=recorded_fen,
            counted_fen=counted_fen,
            note=note,
            closed_by=closed_by,
            closed_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "site_id", "on_date", "method"])
    )
    return tx.conn.execute(statement).rowcount == 1


def closes_of(tx: Tx, site_id: SiteId, on: date) -> Mapping[Method, Any]:
    """Return by method the rows of what was counted on a day."""
    # Whose drawer was counted that day?
    rows = tx.conn.execute(
        sa.select(_C.method, _C.recorded_fen, _C.counted_fen, _C.note, _C.closed_at_ms).where(
            _C.tenant_id == tx.tenant_id, _C.site_id == site_id, _C.on_date == on
        )
    )
    return {Method(row.method): row for row in rows}


def _update(tx: Tx, refund_id: RefundId, values: dict[str, Any]) -> None:
    # What became of this refund?
    tx.conn.execute(
        sa.update(refund).where(_R.tenant_id == tx.tenant_id, _R.id == refund_id).values(**values)
    )


def _select(tx: Tx) -> sa.Select[Any]:
    return sa.select(*(column for column in _R if column.name not in ("tenant_id", "entry_id"))).where(
        _R.tenant_id == tx.tenant_id
    )


def _refund_from_row(row: Any) -> Refund:
    return Refund(
        RefundId(row.id),
        row.number,
        AccountId(row.account_id),
        RefundSource(row.source),
        row.amount_fen,
        Method(row.method),
        row.order_number,
        row.reason,
        RefundState(row.state),
        None if row.requested_by is None else UserId(row.requested_by),
        row.requested_at_ms,
        None if row.decided_by is None else UserId(row.decided_by),
        row.decided_at_ms,
    )
