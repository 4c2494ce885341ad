"""Sums for reports: what was billed and paid by month and building, and what by kind of charge."""

import sqlalchemy as sa

from cloud.domain.ids import PeriodId, SiteId
from cloud.domain.report import Collected
from cloud.store.db import Tx
from cloud.store.schema import account, allocation, billing_period, building, invoice, space


def billed_months(tx: Tx, site_id: SiteId) -> list[str]:
    """Return the months that have documents, newest first."""
    # Which months have a bill?
    rows = tx.conn.execute(
        sa.select(billing_period.c.code)
        .where(
            billing_period.c.tenant_id == tx.tenant_id,
            billing_period.c.site_id == site_id,
            sa.exists().where(
                invoice.c.tenant_id == billing_period.c.tenant_id,
                invoice.c.period_id == billing_period.c.id,
            ),
        )
        .order_by(billing_period.c.code.desc())
    )
    return list(rows.scalars())


def collected_by_month(tx: Tx, site_id: SiteId) -> list[Collected]:
    """Return what was billed and paid for each month that has documents, oldest first."""
    # How much of each month's bills was paid?
    rows = tx.conn.execute(
        sa.select(billing_period.c.code, sa.func.sum(invoice.c.total_fen), sa.func.sum(_paid(tx)))
        .select_from(
            invoice.join(
                billing_period,
                sa.and_(
                    billing_period.c.tenant_id == invoice.c.tenant_id,
                    billing_period.c.id == invoice.c.period_id,
                ),
            )
        )
        .where(invoice.c.tenant_id == tx.tenant_id, billing_period.c.site_id == site_id)
        .group_by(billing_period.c.code)
        .order_by(billing_period.c.code)
    )
    return [Collected(row[0], int(row[1]), int(row[2])) for row in rows]


def collected_by_building(tx: Tx, period_id: PeriodId) -> list[Collected]:
    """Return what was billed and paid for a month by building; accounts without a flat have no name."""
    # Which building pays how much of its bills?
    rows = tx.conn.execute(
        sa.select(building.c.name, sa.func.sum(invoice.c.total_fen), sa.func.sum(_paid(tx)))
        .select_from(
            invoice.join(
                account,
                sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id),
            )
            .outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
            .outerjoin(
                building,
                sa.and_(building.c.tenant_id == space.c.tenant_id, building.c.id == space.c.building_id),
            )
        )
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
        .group_by(building.c.code, building.c.name)
        .order_by(building.c.code)
    )
    return [Collected(row[0] or "", int(row[1]), int(row[2])) for row in rows]


def _paid(tx: Tx) -> sa.ColumnElement[int]:
    """Return what was paid of the document at hand."""
    return (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.principal_fen), 0))
        .where(allocation.c.tenant_id == tx.tenant_id, allocation.c.invoice_id == invoice.c.id)
        .correlate(invoice)
        .scalar_subquery()
    )
