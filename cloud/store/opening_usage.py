"""What was used in the ladder year before this program billed: ladders count it, no bill charges it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from cloud.domain.ids import AccountId, ServicePointId, SiteId
from cloud.domain.periods import ServicePeriod
from cloud.domain.premises import Commodity
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import account, opening_usage, service_point, supply, usage
from protocol.quantity import decimal_from_micro, micro_from_decimal

_O = opening_usage.c
_AT_POINT = sa.and_(service_point.c.tenant_id == _O.tenant_id, service_point.c.id == _O.service_point_id)


@dataclass(frozen=True, slots=True)
class OpeningUsage:
    """What the system before billed an account at a service point since its ladder year began."""

    opening_id: str
    account_number: str
    commodity: Commodity
    dates: ServicePeriod
    quantity: Decimal


def openings_of(tx: Tx, site_id: SiteId) -> list[OpeningUsage]:
    """Return what was taken over at a site."""
    # What had they used before us?
    rows = tx.conn.execute(
        sa.select(_O.id, account.c.number, service_point.c.commodity, _O.from_on, _O.to_on, _O.quantity_micro)
        .join(account, sa.and_(account.c.tenant_id == _O.tenant_id, account.c.id == _O.account_id))
        .join(service_point, _AT_POINT)
        .where(_O.tenant_id == tx.tenant_id, account.c.site_id == site_id)
    )
    return [
        OpeningUsage(
            row.id,
            row.number,
            Commodity(row.commodity),
            ServicePeriod(row.from_on, row.to_on),
            decimal_from_micro(row.quantity_micro),
        )
        for row in rows
    ]


def points_of(tx: Tx, site_id: SiteId) -> dict[tuple[str, Commodity], list[ServicePointId]]:
    """Return the service points each account is supplied at, by number and commodity."""
    # Where is everybody supplied?
    rows = tx.conn.execute(
        sa.select(account.c.number, service_point.c.commodity, service_point.c.id)
        .distinct()
        .join(supply, sa.and_(supply.c.tenant_id == account.c.tenant_id, supply.c.account_id == account.c.id))
        .join(
            service_point,
            sa.and_(
                service_point.c.tenant_id == supply.c.tenant_id,
                service_point.c.id == supply.c.service_point_id,
            ),
        )
        .where(account.c.tenant_id == tx.tenant_id, account.c.site_id == site_id)
    )
    found: dict[tuple[str, Commodity], list[ServicePointId]] = {}
    for row in rows:
        found.setdefault((row.number, Commodity(row.commodity)), []).append(ServicePointId(row.id))
    return found


def billed_since(tx: Tx, site_id: SiteId) -> dict[ServicePointId, date]:
    """Return the first day that was billed here, by service point."""
    # Since when do we bill?
    rows = tx.conn.execute(
        sa.select(usage.c.service_point_id, sa.func.min(usage.c.start_on).label("first"))
        .join(
            service_point,
            sa.and_(
                service_point.c.tenant_id == usage.c.tenant_id, service_point.c.id == usage.c.service_point_id
            ),
        )
        .where(usage.c.tenant_id == tx.tenant_id, service_point.c.site_id == site_id)
        .group_by(usage.c.service_point_id)
    )
    return {ServicePointId(row.service_point_id): row.first for row in rows}


def points_of_openings(tx: Tx, opening_ids: Sequence[str]) -> dict[str, ServicePointId]:
    """Return the service point of each."""
    # Whose ladders count these?
    rows = tx.conn.execute(
        sa.select(_O.id, _O.service_point_id).where(_O.tenant_id == tx.tenant_id, _O.id.in_(opening_ids))
    )
    return {row.id: ServicePointId(row.service_point_id) for row in rows}


def insert_openings(
    tx: Tx, added: Mapping[tuple[ServicePointId, AccountId], tuple[ServicePeriod, Decimal]]
) -> list[str]:
    """Write down what was used before; return the ids in order."""
    ids = [tx.new_id() for _ in added]
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "id": opening_id,
            "service_point_id": point,
            "account_id": account_id,
            "from_on": dates.start_on,
            "to_on": dates.end_on,
            "quantity_micro": micro_from_decimal(quantity),
        }
        for opening_id, ((point, account_id), (dates, quantity)) in zip(ids, added.items(), strict=True)
    ]
    if rows:
        # Add what was used before us.
        insert_rows(tx, opening_usage, rows)
    return ids
