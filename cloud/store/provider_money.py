"""What was booked of a provider's money: payments that stand, and refunds that went out by it."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from cloud.domain.ids import SiteId
from cloud.domain.payment import Method
from cloud.domain.provider_statement import Booked, Direction, Movement
from cloud.domain.refund import RefundState
from cloud.store.db import Tx
from cloud.store.schema import account, payment, refund

# Below the number of parameters a statement takes on either engine.
_AT_ONCE = 500
_back = payment.alias("back")

# A payment that came with the provider's number and was not taken back.
_STANDS = sa.and_(
    payment.c.provider_reference.is_not(None),
    payment.c.reverses_id.is_(None),
    ~sa.exists().where(_back.c.tenant_id == payment.c.tenant_id, _back.c.reverses_id == payment.c.id),
)


def booked_on(tx: Tx, site_id: SiteId, method: Method, on: date, day_ms: tuple[int, int]) -> list[Booked]:
    """Return what a site booked of a provider on a day: received, and refunds that went back that day."""
    paid = _payments(
        tx, account.c.site_id == site_id, payment.c.method == method.value, payment.c.received_on == on
    )
    # What went back?
    rows = tx.conn.execute(
        sa.select(
            refund.c.number, refund.c.order_number, refund.c.amount_fen, account.c.number.label("account")
        )
        .join(
            account, sa.and_(account.c.tenant_id == refund.c.tenant_id, account.c.id == refund.c.account_id)
        )
        .where(
            refund.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            refund.c.method == method.value,
            refund.c.order_number.is_not(None),
            refund.c.state.in_((RefundState.APPROVED.value, RefundState.PAID.value)),
            refund.c.decided_at_ms >= day_ms[0],
            refund.c.decided_at_ms < day_ms[1],
        )
        .order_by(refund.c.number)
    )
    went = [
        Booked(Movement(Direction.OUT, row.number, row.order_number, row.amount_fen), row.number, row.account)
        for row in rows
    ]
    return paid + went


def booked_as(tx: Tx, site_id: SiteId, method: Method, references: Sequence[str]) -> list[Booked]:
    """Return a site's payments with these numbers of the provider, whatever day they were booked for."""
    found: list[Booked] = []
    for some in _chunks(references):
        found += _payments(
            tx,
            account.c.site_id == site_id,
            payment.c.method == method.value,
            payment.c.provider_reference.in_(some),
        )
    return found


def elsewhere(tx: Tx, site_id: SiteId, method: Method, references: Sequence[str]) -> set[str]:
    """Return which of a provider's numbers, or of our refunds', belong to another site of the company."""
    known: set[str] = set()
    for some in _chunks(references):
        for table, column in ((payment, payment.c.provider_reference), (refund, refund.c.number)):
            # Which of these are another site's?
            rows = tx.conn.execute(
                sa.select(column.label("said"))
                .join(
                    account,
                    sa.and_(account.c.tenant_id == table.c.tenant_id, account.c.id == table.c.account_id),
                )
                .where(
                    table.c.tenant_id == tx.tenant_id,
                    table.c.method == method.value,
                    account.c.site_id != site_id,
                    column.in_(some),
                )
            )
            known |= {row.said for row in rows}
    return known


def _payments(tx: Tx, *which: sa.ColumnElement[bool]) -> list[Booked]:
    # What came in by this provider?
    rows = tx.conn.execute(
        sa.select(
            payment.c.number,
            payment.c.provider_reference,
            payment.c.memo,
            payment.c.amount_fen,
            account.c.number.label("account"),
        )
        .join(
            account, sa.and_(account.c.tenant_id == payment.c.tenant_id, account.c.id == payment.c.account_id)
        )
        .where(payment.c.tenant_id == tx.tenant_id, _STANDS, *which)
        .order_by(payment.c.number)
    )
    return [
        Booked(
            Movement(Direction.IN, row.provider_reference, row.memo, row.amount_fen), row.number, row.account
        )
        for row in rows
    ]


def _chunks(references: Sequence[str]) -> list[Sequence[str]]:
    return [references[start : start + _AT_ONCE] for start in range(0, len(references), _AT_ONCE)]
