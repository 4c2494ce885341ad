"""What is not normal where: for each space of a building, its meters and alarms counted."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, BuildingId, SpaceId
from cloud.domain.meter import FRESH_WITHIN_MS
from cloud.domain.premises import Space, SpaceKind, SpaceState
from cloud.store.db import Tx
from cloud.store.holders import holder_on
from cloud.store.schema import alarm, installation, point, point_current, service_point, space
from protocol.reading import Quality


def list_states(tx: Tx, building_id: BuildingId, today: date) -> list[SpaceState]:
    """Return the spaces of a building, the top floor first, with what is not normal there."""
    meters, alarms = _meters(tx), _alarms(tx)
    holder = holder_on(tx, today)
    columns: list[sa.ColumnElement[Any]] = [
        space.c.id,
        space.c.building_id,
        space.c.code,
        space.c.unit_code,
        space.c.floor,
        space.c.kind,
        space.c.built_area_dm2,
        holder.c.account_id,
        holder.c.holder_name,
        meters.c.total,
        meters.c.overdue,
        meters.c.held,
        alarms.c.open,
    ]
    # How is it in each space?
    rows = tx.conn.execute(
        sa.select(*columns)
        .select_from(
            space.outerjoin(meters, meters.c.space_id == space.c.id)
            .outerjoin(alarms, alarms.c.space_id == space.c.id)
            .outerjoin(holder, holder.c.space_id == space.c.id)
        )
        .where(space.c.tenant_id == tx.tenant_id, space.c.building_id == building_id)
        .order_by(space.c.floor.desc(), space.c.code)
    )
    return [_state_from_row(row) for row in rows]


def _hanging(tx: Tx) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    where = sa.and_(
        installation.c.tenant_id == tx.tenant_id,
        installation.c.to_at_ms.is_(None),
        service_point.c.space_id.is_not(None),
    )
    joined = installation.join(
        service_point,
        sa.and_(
            service_point.c.tenant_id == installation.c.tenant_id,
            service_point.c.id == installation.c.service_point_id,
        ),
    )
    return joined, where


def _meters(tx: Tx) -> sa.Subquery:
    joined, where = _hanging(tx)
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


def _alarms(tx: Tx) -> sa.Subquery:
    """Return how many alarms are open at the devices that measure each space."""
    joined, where = _hanging(tx)
    register, alarmed = point.alias("register"), point.alias("alarmed")
    return (
        sa.select(service_point.c.space_id, sa.func.count(sa.distinct(alarm.c.id)).label("open"))
        .select_from(
            joined.join(
                register,
                sa.and_(
                    register.c.tenant_id == installation.c.tenant_id,
                    register.c.series_id == installation.c.series_id,
                ),
            )
            .join(
                alarmed,
                sa.and_(
                    alarmed.c.tenant_id == register.c.tenant_id, alarmed.c.device_id == register.c.device_id
                ),
            )
            .join(
                alarm,
                sa.and_(
                    alarm.c.tenant_id == alarmed.c.tenant_id,
                    alarm.c.series_id == alarmed.c.series_id,
                    alarm.c.cleared_at_ms.is_(None),
                ),
            )
        )
        .where(where)
        .group_by(service_point.c.space_id)
        .subquery("alarms")
    )


def _state_from_row(row: Any) -> SpaceState:
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
        int(row.open or 0),
    )
