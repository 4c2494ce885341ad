"""What was seen and told about one alarm: the events of its condition, the doors, the notices."""

import sqlalchemy as sa

from cloud.domain.alarm import Alarm
from cloud.domain.alarm_evidence import DOORS_MAX, EVENTS_MAX, TOLD_MAX, SeenEvent, ToldNotice
from cloud.domain.entry import Passage
from cloud.domain.ids import RepairId
from cloud.domain.notice import Channel, NoticeState, masked
from cloud.store import passages, readings
from cloud.store.db import Tx
from cloud.store.schema import app_user, event, notice, notice_delivery, notice_read, passage, repair
from protocol.event import EventState, Severity
from protocol.sync import Stream

_E, _N, _D = event.c, notice.c, notice_delivery.c


def events_of(tx: Tx, alarm: Alarm, until_ms: int) -> list[SeenEvent]:
    """Return what the box said of the alarm's condition from its beginning on, with the frames, in order."""
    # What was said of this condition?
    rows = tx.conn.execute(
        sa.select(event)
        .where(
            _E.tenant_id == tx.tenant_id,
            _E.gateway_id == alarm.gateway_id,
            _E.point_key == alarm.point_key,
            _E.kind == alarm.kind,
            _E.occurred_at_ms.between(alarm.raised_at_ms, until_ms),
        )
        .order_by(_E.epoch, _E.seq)
        .limit(EVENTS_MAX)
    ).all()
    found = []
    for row in rows:
        kept = None
        if row.has_evidence:
            kept = readings.find_kept_evidence(tx, alarm.gateway_id, row.epoch, row.seq, Stream.EVENT)
        found.append(
            SeenEvent(
                row.occurred_at_ms,
                row.received_at_ms,
                row.kind,
                EventState(row.state),
                Severity(row.severity),
                row.message,
                row.epoch,
                row.seq,
                None if kept is None else kept[0],
                "" if kept is None else kept[1],
            )
        )
    return found


def doors_between(tx: Tx, alarm: Alarm, from_ms: int, until_ms: int) -> list[Passage]:
    """Return what happened at the site's entrances in a span, the last first."""
    within = sa.and_(passage.c.site_id == alarm.site_id, passage.c.occurred_at_ms.between(from_ms, until_ms))
    return passages.list_where(tx, within, DOORS_MAX)


def told_of(tx: Tx, alarm: Alarm) -> list[ToldNotice]:
    """Return who was told of the alarm by which channel, and what became of it, in order."""
    ways = sa.and_(_D.tenant_id == _N.tenant_id, _D.notice_id == _N.id)
    who = sa.and_(app_user.c.tenant_id == _N.tenant_id, app_user.c.id == _N.user_id)
    # Who looked at it first?
    looked = (
        sa.select(sa.func.min(notice_read.c.read_at_ms))
        .where(notice_read.c.tenant_id == _N.tenant_id, notice_read.c.notice_id == _N.id)
        .scalar_subquery()
    )
    # Who was told?
    rows = tx.conn.execute(
        sa.select(
            _N.created_at_ms,
            sa.func.coalesce(looked, _N.read_at_ms).label("read_at_ms"),
            app_user.c.display_name,
            _D.channel,
            _D.address,
            _D.state,
            _D.finished_at_ms,
        )
        .select_from(notice.outerjoin(notice_delivery, ways).outerjoin(app_user, who))
        .where(_N.tenant_id == tx.tenant_id, _N.about == f"alarm:{alarm.alarm_id}")
        .order_by(_N.created_at_ms, _N.id)
        .limit(TOLD_MAX)
    )
    return [
        ToldNotice(
            row.created_at_ms,
            row.display_name or "",
            row.read_at_ms,
            None if row.channel is None else Channel(row.channel),
            "" if row.channel is None else masked(Channel(row.channel), row.address),
            None if row.state is None else NoticeState(row.state),
            row.finished_at_ms,
        )
        for row in rows
    ]


def repairs_of(tx: Tx, alarm: Alarm) -> list[tuple[RepairId, str]]:
    """Return id and number of the repairs the alarm led to, in order."""
    # What was mended because of it?
    rows = tx.conn.execute(
        sa.select(repair.c.id, repair.c.number)
        .where(repair.c.tenant_id == tx.tenant_id, repair.c.alarm_id == alarm.alarm_id)
        .order_by(repair.c.id)
    )
    return [(RepairId(row.id), row.number) for row in rows]
