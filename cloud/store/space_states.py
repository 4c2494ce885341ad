"""What is not normal where: for each space of a building, its meters and alarms counted."""

from collections import Counter
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, BuildingId, SpaceId
from cloud.domain.meter import FRESH_WITHIN_MS
from cloud.domain.premises import Space, SpaceKind, SpaceState
from cloud.store.db import Tx
from cloud.store.holders import HOLDER, holds_on
from cloud.store.schema import alarm, installation, point, point_current, service_point, space
from protocol.reading import Quality

_HOME = space.alias("home")


def list_states(tx: Tx, building_id: BuildingId, today: date) -> list[SpaceState]:
    """Return the spaces of a building, the top floor first, with what is not normal there."""
    meters, alarms = _meters(tx, building_id), _alarms(tx, building_id)
    columns: list[sa.ColumnElement[Any]] = [
        space.c.id,
        space.c.building_id,
        space.c.code,
        space.c.unit_code,
        space.c.floor,
        space.c.kind,
        space.c.built_area_dm2,
        HOLDER.c.id.label("account_id"),
        HOLDER.c.holder_name,
        meters.c.total,
        meters.c.overdue,
        meters.c.held,
    ]
    # How is it in each space?
    rows = tx.conn.execute(
        sa.select(*columns)
        .select_from(
            space.outerjoin(meters, meters.c.space_id == space.c.id).outerjoin(HOLDER, holds_on(today))
        )
        .where(space.c.tenant_id == tx.tenant_id, space.c.building_id == building_id)
        .order_by(space.c.floor.desc(), space.c.code)
    )
    return [_state_from_row(row, alarms[SpaceId(row.id)]) for row in rows]


def _hanging(tx: Tx, building_id: BuildingId) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """Return what hangs in a building's spaces, and the condition that it does; from the spaces on."""
    where = sa.and_(
        _HOME.c.tenant_id == tx.tenant_id,
        _HOME.c.building_id == building_id,
        installation.c.to_at_ms.is_(None),
    )
    joined = _HOME.join(
        service_point,
        sa.and_(service_point.c.tenant_id == _HOME.c.tenant_id, service_point.c.space_id == _HOME.c.id),
    ).join(
        installation,
        sa.and_(
            installation.c.tenant_id == service_point.c.tenant_id,
            installation.c.service_point_id == service_point.c.id,
        ),
    )
    return joined, where


def _meters(tx: Tx, building_id: BuildingId) -> sa.Subquery:
    joined, where = _hanging(tx, building_id)
    valued = sa.func.coalesce(point_current.c.valued_at_ms, 0)
    return (
        sa.select(
            service_point.c.space_id,
            sa.func.count().label("total"),
            sa.func.sum(sa.case((valued < tx.now_ms - FRESH_WITHIN_MS, 1), else_=0)).label("overdue"),
            sa.func.sum(sa.case((point_current.c.quality == int(Quality.HELD), 1), else_=0)).label("held"),
        )
        .select_from(
            joined.outerjoin(
                point_current,
                sa.and_(
                    point_current.c.tenant_id == installation.c.tenant_id,
                    point_current.c.series_id == installation.c.series_id,
                ),
            )
        )
        .where(where)
        .group_by(service_point.c.space_id)
        .subquery("meters")
    )


def _alarms(tx: Tx, building_id: BuildingId) -> Counter[SpaceId]:
    """Return how many alarms are open at the devices that measure each space of a building.

    Few alarms are open: they are asked for first, then which of the building's spaces their devices measure.
    """
    # At which devices is something the matter?
    raised = tx.conn.execute(
        sa.select(point.c.device_id, sa.func.count())
        .select_from(
            alarm.join(
                point,
                sa.and_(point.c.tenant_id == alarm.c.tenant_id, point.c.series_id == alarm.c.series_id),
            )
        )
        .where(alarm.c.tenant_id == tx.tenant_id, alarm.c.cleared_at_ms.is_(None))
        .group_by(point.c.device_id)
    )
    open_at = {row[0]: int(row[1]) for row in raised}
    if not open_at:
        return Counter()
    joined, where = _hanging(tx, building_id)
    # Which of the spaces do they measure?
    measured = tx.conn.execute(
        sa.select(service_point.c.space_id, point.c.device_id)
        .distinct()
        .select_from(
            joined.join(
                point,
                sa.and_(
                    point.c.tenant_id == installation.c.tenant_id,
                    point.c.series_id == installation.c.series_id,
                ),
            )
        )
        .where(where, point.c.device_id.in_(sorted(open_at)))
    )
    found: Counter[SpaceId] = Counter()
    for space_id, device_id in measured:
        found[SpaceId(space_id)] += open_at[device_id]
    return found


def _state_from_row(row: Any, alarms_open: int) -> SpaceState:
    return SpaceState(
        Space(
            SpaceId(row.id),
            BuildingId(row.building_id),
            row.code,
            row.unit_code,
            row.floor,
            SpaceKind(row.kind),
            row.built_area_dm2,
        ),
        None if row.account_id is None else AccountId(row.account_id),
        row.holder_name or "",
        int(row.total or 0),
        int(row.overdue or 0),
        int(row.held or 0),
        alarms_open,
    )
