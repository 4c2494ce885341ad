"""Billed usage by month and commodity: of one account, and of many in one month."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain import money
from cloud.domain.ids import AccountId
from cloud.domain.periods import ServicePeriod, month_of
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.schema import invoice, service_point, usage
from cloud.store.usage import taken_back

_QUANTITY = sa.func.sum(usage.c.quantity_micro).label("quantity_micro")


def months_of(
    tx: Tx, account_id: AccountId, dates: ServicePeriod
) -> dict[tuple[Commodity, str], dict[date, Decimal]]:
    """Return what an account was billed in each month of `dates`, by commodity and unit."""
    # How much was this account billed, and for when?
    rows = tx.conn.execute(
        sa.select(service_point.c.commodity, usage.c.unit, usage.c.start_on, _QUANTITY)
        .select_from(_billed())
        .where(*_in(tx, dates), invoice.c.account_id == account_id)
        .group_by(service_point.c.commodity, usage.c.unit, usage.c.start_on)
    )
    found: dict[tuple[Commodity, str], dict[date, Decimal]] = {}
    for commodity, unit, start_on, micro in rows:
        months = found.setdefault((Commodity(commodity), unit), {})
        month = month_of(start_on).start_on
        months[month] = months.get(month, Decimal(0)) + _from_micro(micro)
    return found


def of_whole_month(
    tx: Tx, account_ids: Sequence[AccountId], commodity: Commodity, month: ServicePeriod
) -> list[Decimal]:
    """Return what each of these accounts that was billed for all of a month was billed; not whose it was."""
    # How much did these homes use in this month?
    rows = tx.conn.execute(
        sa.select(_QUANTITY)
        .select_from(_billed())
        .where(
            *_in(tx, month),
            invoice.c.account_id.in_(account_ids),
            service_point.c.commodity == commodity.value,
        )
        .group_by(invoice.c.account_id)
        # Who moved in or out meanwhile used less than a month's worth.
        .having(sa.func.min(usage.c.start_on) == month.start_on, sa.func.max(usage.c.end_on) == month.end_on)
    )
    return [_from_micro(row.quantity_micro) for row in rows]


def _billed() -> sa.FromClause:
    # From an account's few invoices: usage itself is found by its invoice.
    return invoice.join(
        usage, sa.and_(usage.c.tenant_id == invoice.c.tenant_id, usage.c.invoice_id == invoice.c.id)
    ).join(
        service_point,
        sa.and_(
            service_point.c.tenant_id == usage.c.tenant_id, service_point.c.id == usage.c.service_point_id
        ),
    )


def _in(tx: Tx, dates: ServicePeriod) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        invoice.c.tenant_id == tx.tenant_id,
        invoice.c.id.not_in(taken_back(tx)),
        usage.c.start_on >= dates.start_on,
        usage.c.end_on <= dates.end_on,
    )


def _from_micro(micro: Any) -> Decimal:
    return Decimal(int(micro)).scaleb(-6, money.EXACT)
