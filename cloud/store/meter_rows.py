"""Meters as lines of a list: the place, who lives there, the register, and how fresh it is.

The invariant: what a line says of the register is `point_current`'s word, with its quality and age.
"""

from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import (
    AccountId,
    InstallationId,
    MeterId,
    SeriesId,
    ServicePointId,
    SiteId,
    SpaceId,
)
from cloud.domain.meter import FRESH_WITHIN_MS, LATE_WITHIN_MS, Freshness, MeterRow, freshness_at
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.store.containing import contains
from cloud.store.db import Tx
from cloud.store.schema import (
    account,
    device,
    gateway,
    installation,
    meter,
    point,
    point_current,
    service_point,
    space,
    supply,
)
from protocol.reading import Quality


def find_row(tx: Tx, installation_id: InstallationId, today: date) -> MeterRow | None:
    """Return one installation as a line of the list, or None; also one that has ended."""
    # How is this meter?
    row = tx.conn.execute(_rows(tx, today).where(installation.c.id == installation_id)).one_or_none()
    return None if row is None else _row_from_row(row, tx.now_ms)


def list_rows(
    tx: Tx,
    site_id: SiteId,
    today: date,
    commodity: Commodity | None,
    freshness: Freshness | None,
    search: str,
    after_code: str,
    limit: int,
) -> list[MeterRow]:
    """Return the meters that hang now by the code of their place, those after `after_code`."""
    query = _rows(tx, today).where(
        service_point.c.site_id == site_id,
        installation.c.to_at_ms.is_(None),
        service_point.c.code > after_code,
    )
    if commodity is not None:
        query = query.where(service_point.c.commodity == commodity.value)
    if freshness is not None:
        query = query.where(_is_of(freshness, tx.now_ms))
    if search:
        wanted = (service_point.c.code, meter.c.serial, space.c.code, device.c.code)
        query = query.where(contains(search, *wanted))
    # Which meters hang here, and how are they?
    rows = tx.conn.execute(query.order_by(service_point.c.code).limit(limit))
    return [_row_from_row(row, tx.now_ms) for row in rows]


def worst_rows(tx: Tx, site_id: SiteId, today: date, limit: int) -> list[MeterRow]:
    """Return the meters that hang now, the longest without a value first."""
    # Which meters should somebody look at?
    rows = tx.conn.execute(
        _rows(tx, today)
        .where(service_point.c.site_id == site_id, installation.c.to_at_ms.is_(None))
        .order_by(sa.func.coalesce(point_current.c.valued_at_ms, 0), service_point.c.code)
        .limit(limit)
    )
    return [_row_from_row(row, tx.now_ms) for row in rows]


def doubtful_rows(tx: Tx, site_id: SiteId, today: date, limit: int) -> list[MeterRow]:
    """Return the meters that hang now and are silent, were never heard or are held, the longest first.

    Few are: they are found by their register alone, and only then told of in full.
    """
    valued = point_current.c.valued_at_ms
    # Which meters would a person look at?
    found = tx.conn.scalars(
        sa.select(installation.c.id)
        .select_from(_registers())
        .where(
            installation.c.tenant_id == tx.tenant_id,
            installation.c.to_at_ms.is_(None),
            service_point.c.site_id == site_id,
            sa.or_(
                valued.is_(None),
                valued < tx.now_ms - LATE_WITHIN_MS,
                point_current.c.quality == int(Quality.HELD),
            ),
        )
        .order_by(sa.func.coalesce(valued, 0), service_point.c.code)
        .limit(limit)
    ).all()
    if not found:
        return []
    # How are they?
    rows = tx.conn.execute(
        _rows(tx, today)
        .where(installation.c.id.in_(found))
        .order_by(sa.func.coalesce(valued, 0), service_point.c.code)
    )
    return [_row_from_row(row, tx.now_ms) for row in rows]


def master_rows(tx: Tx, site_id: SiteId, today: date) -> list[MeterRow]:
    """Return the meters that measure whole buildings now, by the code of their place."""
    # What does everything go through?
    rows = tx.conn.execute(
        _rows(tx, today)
        .where(
            service_point.c.site_id == site_id,
            service_point.c.kind == ServicePointKind.MASTER.value,
            installation.c.to_at_ms.is_(None),
        )
        .order_by(service_point.c.code)
    )
    return [_row_from_row(row, tx.now_ms) for row in rows]


def rows_of_account(tx: Tx, account_id: AccountId, today: date) -> list[MeterRow]:
    """Return the meters an account pays for today, by the code of their place."""
    paid = sa.select(supply.c.service_point_id).where(
        supply.c.tenant_id == tx.tenant_id,
        supply.c.account_id == account_id,
        supply.c.from_on <= today,
        sa.or_(supply.c.to_on.is_(None), supply.c.to_on > today),
    )
    # What is this account measured by?
    rows = tx.conn.execute(
        _rows(tx, today)
        .where(service_point.c.id.in_(paid), installation.c.to_at_ms.is_(None))
        .order_by(service_point.c.code)
    )
    return [_row_from_row(row, tx.now_ms) for row in rows]


def count_by_freshness(tx: Tx, site_id: SiteId) -> dict[Freshness, int]:
    """Return how many of the meters that hang now are how fresh."""
    grade = sa.case(
        *(
            (_is_of(freshness, tx.now_ms), freshness.value)
            for freshness in Freshness
            if freshness is not Freshness.NEVER
        ),
        else_=Freshness.NEVER.value,
    )
    # How many meters are how fresh?
    rows = tx.conn.execute(
        sa.select(grade.label("grade"), sa.func.count())
        .select_from(_registers())
        .where(
            installation.c.tenant_id == tx.tenant_id,
            service_point.c.site_id == site_id,
            installation.c.to_at_ms.is_(None),
        )
        .group_by("grade")
    )
    counted = {Freshness(name): number for name, number in rows}
    return {freshness: counted.get(freshness, 0) for freshness in Freshness}


def _is_of(freshness: Freshness, now_ms: int) -> sa.ColumnElement[bool]:
    valued = point_current.c.valued_at_ms
    match freshness:
        case Freshness.FRESH:
            return valued >= now_ms - FRESH_WITHIN_MS
        case Freshness.LATE:
            return sa.and_(valued < now_ms - FRESH_WITHIN_MS, valued >= now_ms - LATE_WITHIN_MS)
        case Freshness.SILENT:
            return valued < now_ms - LATE_WITHIN_MS
        case Freshness.NEVER:
            return valued.is_(None)


def _registers() -> sa.FromClause:
    """Return installations with their places and what their registers say, and nothing else."""
    return installation.join(
        service_point,
        sa.and_(
            service_point.c.tenant_id == installation.c.tenant_id,
            service_point.c.id == installation.c.service_point_id,
        ),
    ).outerjoin(
        point_current,
        sa.and_(
            point_current.c.tenant_id == installation.c.tenant_id,
            point_current.c.series_id == installation.c.series_id,
        ),
    )


def _hanging() -> sa.FromClause:
    """Return installations with everything around them, all within one tenant."""
    return (
        installation.join(
            service_point,
            sa.and_(
                service_point.c.tenant_id == installation.c.tenant_id,
                service_point.c.id == installation.c.service_point_id,
            ),
        )
        .join(
            meter,
            sa.and_(meter.c.tenant_id == installation.c.tenant_id, meter.c.id == installation.c.meter_id),
        )
        .outerjoin(
            space,
            sa.and_(space.c.tenant_id == service_point.c.tenant_id, space.c.id == service_point.c.space_id),
        )
        .outerjoin(
            point,
            sa.and_(
                point.c.tenant_id == installation.c.tenant_id, point.c.series_id == installation.c.series_id
            ),
        )
        .outerjoin(device, sa.and_(device.c.tenant_id == point.c.tenant_id, device.c.id == point.c.device_id))
        .outerjoin(
            gateway, sa.and_(gateway.c.tenant_id == point.c.tenant_id, gateway.c.id == point.c.gateway_id)
        )
        .outerjoin(
            point_current,
            sa.and_(
                point_current.c.tenant_id == point.c.tenant_id,
                point_current.c.series_id == point.c.series_id,
            ),
        )
    )


def _rows(tx: Tx, today: date) -> sa.Select[Any]:
    holder = (
        sa.select(account.c.holder_name)
        .join(supply, sa.and_(supply.c.tenant_id == account.c.tenant_id, supply.c.account_id == account.c.id))
        .where(
            supply.c.tenant_id == tx.tenant_id,
            supply.c.service_point_id == service_point.c.id,
            supply.c.from_on <= today,
            sa.or_(supply.c.to_on.is_(None), supply.c.to_on > today),
        )
        .order_by(supply.c.from_on.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns: list[sa.ColumnElement[Any]] = [
        installation.c.id,
        installation.c.service_point_id,
        service_point.c.code.label("service_point_code"),
        service_point.c.commodity,
        service_point.c.kind,
        service_point.c.space_id,
        space.c.code.label("space_code"),
        holder.label("holder_name"),
        installation.c.meter_id,
        meter.c.serial,
        meter.c.model,
        installation.c.series_id,
        gateway.c.code.label("gateway_code"),
        device.c.code.label("device_code"),
        point.c.unit,
        installation.c.multiplier,
        point_current.c.last_value_micro,
        point_current.c.valued_at_ms,
        point_current.c.measured_at_ms,
        point_current.c.quality,
        point_current.c.reason,
    ]
    return sa.select(*columns).select_from(_hanging()).where(installation.c.tenant_id == tx.tenant_id)


def _row_from_row(row: Any, now_ms: int) -> MeterRow:
    return MeterRow(
        InstallationId(row.id),
        ServicePointId(row.service_point_id),
        row.service_point_code,
        Commodity(row.commodity),
        ServicePointKind(row.kind),
        None if row.space_id is None else SpaceId(row.space_id),
        row.space_code or "",
        row.holder_name or "",
        MeterId(row.meter_id),
        row.serial,
        row.model,
        None if row.series_id is None else SeriesId(row.series_id),
        row.gateway_code or "",
        row.device_code or "",
        row.unit or "",
        row.multiplier,
        row.last_value_micro,
        row.valued_at_ms,
        row.measured_at_ms,
        None if row.quality is None else Quality(row.quality),
        row.reason or "",
        freshness_at(now_ms, row.valued_at_ms),
    )
