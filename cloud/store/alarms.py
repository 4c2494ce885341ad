"""Alarms and their history; the database itself keeps at most one open for a condition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.alarm import Alarm, AlarmEntry, AlarmEntryKind, AlarmState
from cloud.domain.ids import AlarmId, DeviceId, EventId, GatewayId, SeriesId, SiteId, UserId
from cloud.store.db import BuiltInsert, Tx
from cloud.store.schema import alarm, alarm_entry, app_user, device, point
from protocol.event import Severity


@dataclass(frozen=True, slots=True)
class NewAlarm:
    """An alarm about to be opened; `cleared_at_ms` is set where its end is already known."""

    site_id: SiteId
    gateway_id: GatewayId
    number: str
    point_key: str
    series_id: SeriesId | None
    kind: str
    severity: Severity
    message: str
    is_historical: bool
    raised_at_ms: int
    cleared_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An open alarm, locked until the end of the transaction."""

    alarm_id: AlarmId
    raised_at_ms: int
    severity: Severity
    message: str


# Is this condition alarmed already?
_LOCK_OPEN = (
    sa.select(alarm.c.id, alarm.c.raised_at_ms, alarm.c.severity, alarm.c.message)
    .where(
        alarm.c.tenant_id == sa.bindparam("of_tenant"),
        alarm.c.gateway_id == sa.bindparam("of_gateway"),
        alarm.c.point_key == sa.bindparam("at_key"),
        alarm.c.kind == sa.bindparam("of_kind"),
        alarm.c.cleared_at_ms.is_(None),
    )
    .with_for_update()
)
# Add one alarm, unless the condition has an open one.
_INSERT_ALARM = BuiltInsert(
    lambda insert: insert(alarm).on_conflict_do_nothing(
        index_elements=["tenant_id", "gateway_id", "point_key", "kind"],
        index_where=sa.text("cleared_at_ms IS NULL"),
    )
)
# End one alarm.
_SET_CLEARED = (
    sa.update(alarm)
    .where(
        alarm.c.tenant_id == sa.bindparam("of_tenant"),
        alarm.c.id == sa.bindparam("of_alarm"),
        alarm.c.cleared_at_ms.is_(None),
    )
    .values(cleared_at_ms=sa.bindparam("at_ms"))
)
# Remember what happened to one alarm.
_INSERT_ENTRY = sa.insert(alarm_entry)


def lock_open(tx: Tx, gateway_id: GatewayId, point_key: str, kind: str) -> OpenAlarm | None:
    """Return the open alarm of a condition and hold it, or None."""
    parameters = {
        "of_tenant": tx.tenant_id,
        "of_gateway": gateway_id,
        "at_key": point_key,
        "of_kind": kind,
    }
    row = tx.conn.execute(_LOCK_OPEN, parameters).one_or_none()
    if row is None:
        return None
    return OpenAlarm(AlarmId(row.id), row.raised_at_ms, Severity(row.severity), row.message)


def open_about_gateways(tx: Tx, kinds: Sequence[str]) -> frozenset[tuple[str, str]]:
    """Return which gateways have an open alarm of one of these kinds about themselves, with the kind."""
    # Which boxes are already complained of?
    rows = tx.conn.execute(
        sa.select(alarm.c.gateway_id, alarm.c.kind).where(
            alarm.c.tenant_id == tx.tenant_id,
            alarm.c.point_key == "",
            alarm.c.cleared_at_ms.is_(None),
            alarm.c.kind.in_(kinds),
        )
    )
    return frozenset((row.gateway_id, row.kind) for row in rows)


def insert_alarm(tx: Tx, new: NewAlarm) -> AlarmId | None:
    """Open an alarm; None if another transaction has just opened one for the condition."""
    alarm_id = AlarmId(tx.new_id())
    parameters = {
        "tenant_id": tx.tenant_id,
        "id": alarm_id,
        "site_id": new.site_id,
        "gateway_id": new.gateway_id,
        "number": new.number,
        "point_key": new.point_key,
        "series_id": new.series_id,
        "kind": new.kind,
        "severity": int(new.severity),
        "message": new.message,
        "is_historical": new.is_historical,
        "raised_at_ms": new.raised_at_ms,
        "received_at_ms": tx.now_ms,
        "acknowledged_at_ms": None,
        "acknowledged_by": None,
        "cleared_at_ms": new.cleared_at_ms,
    }
    return alarm_id if tx.conn.execute(_INSERT_ALARM.of(tx), parameters).rowcount else None


def set_cleared(tx: Tx, alarm_id: AlarmId, at_ms: int) -> None:
    """Note that the condition is over."""
    tx.conn.execute(_SET_CLEARED, {"of_tenant": tx.tenant_id, "of_alarm": alarm_id, "at_ms": at_ms})


def set_acknowledged(tx: Tx, alarm_id: AlarmId, user_id: UserId) -> bool:
    """Note that somebody knows; tell whether nobody had said so before."""
    # Acknowledge one alarm, once.
    return bool(
        tx.conn.execute(
            sa.update(alarm)
            .where(
                alarm.c.tenant_id == tx.tenant_id,
                alarm.c.id == alarm_id,
                alarm.c.acknowledged_at_ms.is_(None),
            )
            .values(acknowledged_at_ms=tx.now_ms, acknowledged_by=user_id)
        ).rowcount
    )


def insert_entry(
    tx: Tx,
    alarm_id: AlarmId,
    kind: AlarmEntryKind,
    at_ms: int,
    text: str,
    event_id: EventId | None = None,
    user_id: UserId | None = None,
) -> None:
    """Add a line to an alarm's history."""
    parameters = {
        "tenant_id": tx.tenant_id,
        "id": tx.new_id(),
        "alarm_id": alarm_id,
        "at_ms": at_ms,
        "kind": kind.value,
        "text": text,
        "event_id": event_id,
        "user_id": user_id,
    }
    tx.conn.execute(_INSERT_ENTRY, parameters)


def find_alarm(tx: Tx, alarm_id: AlarmId) -> Alarm | None:
    """Return one alarm, or None."""
    # Which alarm is this?
    row = tx.conn.execute(_select(tx).where(alarm.c.id == alarm_id)).one_or_none()
    return None if row is None else _alarm_from_row(row)


def list_alarms(
    tx: Tx,
    site_id: SiteId | None,
    states: frozenset[AlarmState],
    worst_first: bool,  # noqa: FBT001 - named at every call
    before: tuple[int, str] | None,
    limit: int,
) -> list[Alarm]:
    """Return alarms in any of `states`: newest first, or the worst open first (then not paged)."""
    query = _select(tx).where(_is_in(states))
    if site_id is not None:
        query = query.where(alarm.c.site_id == site_id)
    if before is not None:
        query = query.where(sa.tuple_(alarm.c.raised_at_ms, alarm.c.id) < before)
    newest = (alarm.c.raised_at_ms.desc(), alarm.c.id.desc())
    # Which alarms are there?
    rows = tx.conn.execute(
        query.order_by(*((alarm.c.severity.desc(), *newest) if worst_first else newest)).limit(limit)
    )
    return [_alarm_from_row(row) for row in rows]


def count_open(tx: Tx, site_id: SiteId) -> tuple[int, int, Severity | None]:
    """Return how many alarms are open, how many of them nobody has acknowledged, and the worst severity."""
    # How bad is it?
    row = tx.conn.execute(
        sa.select(
            sa.func.count(),
            sa.func.sum(sa.case((alarm.c.acknowledged_at_ms.is_(None), 1), else_=0)),
            sa.func.max(alarm.c.severity),
        ).where(
            alarm.c.tenant_id == tx.tenant_id, alarm.c.site_id == site_id, alarm.c.cleared_at_ms.is_(None)
        )
    ).one()
    return row[0], int(row[1] or 0), None if row[2] is None else Severity(row[2])


def count_open_by_device(tx: Tx, site_id: SiteId) -> dict[DeviceId, int]:
    """Return how many alarms are open at each device that has any."""
    is_open = (
        alarm.c.tenant_id == tx.tenant_id,
        alarm.c.site_id == site_id,
        alarm.c.cleared_at_ms.is_(None),
    )
    at_point = sa.and_(point.c.tenant_id == alarm.c.tenant_id, point.c.series_id == alarm.c.series_id)
    at_device = sa.and_(
        device.c.tenant_id == alarm.c.tenant_id,
        device.c.gateway_id == alarm.c.gateway_id,
        device.c.code == alarm.c.point_key,
    )
    # Alarms about a point name its series; those about a device as a whole name its code as their key.
    raised = (
        sa.select(point.c.device_id, alarm.c.id)
        .select_from(alarm.join(point, at_point))
        .where(*is_open)
        .union(sa.select(device.c.id, alarm.c.id).select_from(alarm.join(device, at_device)).where(*is_open))
        .subquery("raised")
    )
    # Where is something the matter?
    rows = tx.conn.execute(
        sa.select(raised.c.device_id, sa.func.count().label("open_count")).group_by(raised.c.device_id)
    )
    return {DeviceId(row.device_id): row.open_count for row in rows}


def entries_of(tx: Tx, alarm_id: AlarmId) -> list[AlarmEntry]:
    """Return an alarm's history, oldest first."""
    # What happened to this alarm?
    rows = tx.conn.execute(
        sa.select(
            alarm_entry.c.at_ms,
            alarm_entry.c.kind,
            alarm_entry.c.text,
            alarm_entry.c.user_id,
            app_user.c.display_name,
        )
        .select_from(
            alarm_entry.outerjoin(
                app_user,
                sa.and_(
                    app_user.c.tenant_id == alarm_entry.c.tenant_id, app_user.c.id == alarm_entry.c.user_id
                ),
            )
        )
        .where(alarm_entry.c.tenant_id == tx.tenant_id, alarm_entry.c.alarm_id == alarm_id)
        .order_by(alarm_entry.c.id)
    )
    return [
        AlarmEntry(
            row.at_ms,
            AlarmEntryKind(row.kind),
            row.text,
            None if row.user_id is None else UserId(row.user_id),
            row.display_name or "",
        )
        for row in rows
    ]


def _is_in(states: frozenset[AlarmState]) -> sa.ColumnElement[bool]:
    is_open, is_known = alarm.c.cleared_at_ms.is_(None), alarm.c.acknowledged_at_ms.is_not(None)
    conditions = {
        AlarmState.ACTIVE: sa.and_(is_open, ~is_known),
        AlarmState.ACKNOWLEDGED: sa.and_(is_open, is_known),
        AlarmState.CLEARED: ~is_open,
    }
    return sa.or_(sa.false(), *(conditions[state] for state in sorted(states, key=lambda s: s.value)))


def _select(tx: Tx) -> sa.Select[Any]:
    repeats = (
        sa.select(sa.func.count())
        .where(
            alarm_entry.c.tenant_id == tx.tenant_id,
            alarm_entry.c.alarm_id == alarm.c.id,
            alarm_entry.c.kind == AlarmEntryKind.REPEATED.value,
        )
        .scalar_subquery()
    )
    columns: list[sa.ColumnElement[Any]] = [
        alarm.c.id,
        alarm.c.site_id,
        alarm.c.gateway_id,
        alarm.c.number,
        alarm.c.point_key,
        alarm.c.series_id,
        alarm.c.kind,
        alarm.c.severity,
        alarm.c.message,
        alarm.c.is_historical,
        alarm.c.raised_at_ms,
        alarm.c.received_at_ms,
        alarm.c.acknowledged_at_ms,
        alarm.c.acknowledged_by,
        alarm.c.cleared_at_ms,
        device.c.title,
        repeats.label("repeat_count"),
    ]
    return (
        sa.select(*columns)
        .select_from(
            alarm.outerjoin(
                point,
                sa.and_(point.c.tenant_id == alarm.c.tenant_id, point.c.series_id == alarm.c.series_id),
            ).outerjoin(
                device, sa.and_(device.c.tenant_id == point.c.tenant_id, device.c.id == point.c.device_id)
            )
        )
        .where(alarm.c.tenant_id == tx.tenant_id)
    )


def _alarm_from_row(row: Any) -> Alarm:
    return Alarm(
        AlarmId(row.id),
        SiteId(row.site_id),
        GatewayId(row.gateway_id),
        row.number,
        row.point_key,
        None if row.series_id is None else SeriesId(row.series_id),
        row.title or row.point_key.partition("/")[0],
        row.kind,
        Severity(row.severity),
        row.message,
        row.is_historical,
        row.repeat_count,
        row.raised_at_ms,
        row.received_at_ms,
        row.acknowledged_at_ms,
        None if row.acknowledged_by is None else UserId(row.acknowledged_by),
        row.cleared_at_ms,
    )
