"""Alarms: opened and ended by events, acknowledged by people, listed for whoever must act.

The invariant: at most one alarm is open for a condition, and whether one is open depends only on
which events there are, not on the order they came in. A late event about the past is kept, opens or
ends what it must, and makes no noise.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from cloud.domain.access import Action, require
from cloud.domain.alarm import OPEN_STATES as OPEN_STATES  # doors name the default of `list_alarms` by it
from cloud.domain.alarm import Alarm, AlarmEntry, AlarmEntryKind, AlarmState
from cloud.domain.alarm_group import has_own_line
from cloud.domain.change import AlarmAct, AlarmChanged, EventRecorded
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import AlarmId, CommandId, EventId, SeriesId, SiteId
from cloud.domain.overview import EventLine
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.user import User
from cloud.services import commands, passages
from cloud.store import alarms, audit, events, points, premises, reading_batches
from cloud.store.alarms import NewAlarm
from cloud.store.db import Tx
from cloud.store.numbers import next_number
from protocol.command import COMMAND_RESULT, Report
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream

REASON_LENGTH_MAX = 500
# Somebody told of a command what its box has not signed; it stands until a person has looked.
RESULT_REFUSED_ALARM = "command_result_refused"

# As many as one page of them lists.
TOGETHER_MAX = 500


def take_event(tx: Tx, gateway: GatewayIdentity, epoch: int, seq: int, happened: Event) -> None:
    """Keep an event and do to alarms what it says; its number is known to be free."""
    series_id = _series_of(tx, gateway, happened)
    event_id = events.insert_event(tx, gateway.gateway_id, epoch, seq, series_id, happened)
    if happened.evidence is not None:
        shown = [(seq, happened.evidence)]
        reading_batches.insert_evidence(tx, gateway.gateway_id, Stream.EVENT, epoch, shown)
    if not happened.is_historical:
        tx.announce(_recorded(tx, gateway, event_id, happened))
    if happened.kind == COMMAND_RESULT:
        _show_refused(tx, gateway, commands.take_result(tx, gateway, happened))
    passages.take_event(tx, gateway, event_id, happened)
    if happened.state is EventState.RAISED:
        _raise(tx, gateway, epoch, seq, series_id, event_id, happened)
    elif happened.state is EventState.CLEARED:
        _clear(tx, gateway, epoch, seq, event_id, happened)


def take_report(tx: Tx, gateway: GatewayIdentity, said: Report) -> None:
    """Take what a gateway tells of a command on its channel; a signature that does not hold is an alarm."""
    word = (CommandId(said.command_id), said.state, said.detail, said.at_ms, said.signed)
    _show_refused(tx, gateway, commands.report(tx, gateway, *word))


def raise_own(
    tx: Tx, gateway: GatewayIdentity, kind: str, severity: Severity, message: str, since_ms: int
) -> bool:
    """Open an alarm about a gateway that the cloud itself has noticed; False if it is open already."""
    if alarms.lock_open(tx, gateway.gateway_id, "", kind) is not None:
        return False
    number = _next_number(tx, gateway.site_id)
    alarm_id = alarms.insert_alarm(
        tx,
        NewAlarm(
            gateway.site_id,
            gateway.gateway_id,
            number,
            "",
            None,
            kind,
            severity,
            message,
            is_historical=False,
            raised_at_ms=since_ms,
        ),
    )
    if alarm_id is None:
        return False
    alarms.insert_entry(tx, alarm_id, AlarmEntryKind.RAISED, since_ms, message)
    about = Event(kind, EventState.RAISED, severity, "", tx.now_ms, message)
    _tell(tx, gateway, alarm_id, AlarmAct.RAISED, about)
    return True


def clear_own(tx: Tx, gateway: GatewayIdentity, kind: str) -> bool:
    """End an alarm the cloud itself has raised about a gateway; False if none is open."""
    held = alarms.lock_open(tx, gateway.gateway_id, "", kind)
    if held is None:
        return False
    alarms.set_cleared(tx, held.alarm_id, tx.now_ms)
    alarms.insert_entry(tx, held.alarm_id, AlarmEntryKind.CLEARED, tx.now_ms, "")
    about = Event(kind, EventState.CLEARED, held.severity, "", tx.now_ms, held.message)
    _tell(tx, gateway, held.alarm_id, AlarmAct.CLEARED, about)
    return True


def list_alarms(
    tx: Tx,
    actor: User,
    site_id: SiteId | None = None,
    states: frozenset[AlarmState] = OPEN_STATES,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Alarm]:
    """Return alarms in any of `states`, the last raised first."""
    require(actor, Action.READ_ALARMS)
    checked_limit(limit)
    before = None
    if cursor:
        at_ms, alarm_id = key_from_cursor(cursor, int, UUID)
        before = (int(at_ms), str(alarm_id))
    found = alarms.list_alarms(tx, site_id, states, worst_first=False, before=before, limit=limit + 1)
    return page_of(found, limit, lambda last: (last.raised_at_ms, last.alarm_id))


def worst_alarms(tx: Tx, actor: User, site_id: SiteId, limit: int = 50) -> list[Alarm]:
    """Return the open alarms of a site, the gravest first, the last raised first among equals."""
    require(actor, Action.READ_ALARMS)
    return alarms.list_alarms(tx, site_id, OPEN_STATES, worst_first=True, before=None, limit=limit)


def get_alarm(tx: Tx, actor: User, alarm_id: AlarmId) -> tuple[Alarm, list[AlarmEntry]]:
    """Return one alarm and its history, oldest first."""
    require(actor, Action.READ_ALARMS)
    found = alarms.find_alarm(tx, alarm_id)
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    return found, alarms.entries_of(tx, alarm_id)


def acknowledge(tx: Tx, actor: User, alarm_id: AlarmId, note: str = "") -> Alarm:
    """Say that somebody knows; a second acknowledgement changes nothing, the first one's name stays.

    Acknowledging does not end an alarm: only the condition's own end does.
    """
    require(actor, Action.ACKNOWLEDGE_ALARM)
    if actor.person_id is None:
        raise Forbidden("only a person can say that somebody knows")
    found = alarms.find_alarm(tx, alarm_id)
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    if alarms.set_acknowledged(tx, alarm_id, actor.user_id):
        alarms.insert_entry(
            tx, alarm_id, AlarmEntryKind.ACKNOWLEDGED, tx.now_ms, note[:500], user_id=actor.user_id
        )
        audit.record(tx, actor.user_id, "acknowledge_alarm", "alarm", alarm_id)
        tx.announce(_changed(tx, found, AlarmAct.ACKNOWLEDGED))
    after = alarms.find_alarm(tx, alarm_id)
    assert after is not None, "an alarm is never deleted"
    return after


def acknowledge_all(tx: Tx, actor: User, alarm_ids: Sequence[AlarmId], note: str = "") -> list[Alarm]:
    """Say that somebody knows of many alarms with one cause: all or none.

    Invalid where one of them is about a life or a crime: that is acknowledged by itself.
    """
    require(actor, Action.ACKNOWLEDGE_ALARM)
    if not 1 <= len(set(alarm_ids)) <= TOGETHER_MAX:
        raise Invalid(f"{len(set(alarm_ids))} alarms, expected 1 to {TOGETHER_MAX}")
    known = []
    for alarm_id in sorted(set(alarm_ids)):
        alarm = acknowledge(tx, actor, alarm_id, note)
        if has_own_line(alarm):
            raise Invalid(f"alarm {alarm.number} is too grave to be acknowledged among others")
        known.append(alarm)
    return known


def clear(tx: Tx, actor: User, alarm_id: AlarmId, reason: str) -> Alarm:
    """End an alarm by a person's word, where the box that knew of its end has been lost or exchanged.

    `reason` is required: it stands in the history instead of the device's word. A condition that
    still holds is raised anew as soon as its box says so. Conflict if the alarm is over already.
    """
    require(actor, Action.ACKNOWLEDGE_ALARM)
    if actor.person_id is None:
        raise Forbidden("only a person can end an alarm by hand")
    if not 1 <= len(reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid(f"the reason has {len(reason.strip())} characters, expected 1 to {REASON_LENGTH_MAX}")
    found = alarms.find_alarm(tx, alarm_id)
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    if found.cleared_at_ms is not None:
        raise Conflict(f"alarm {found.number} is over already")
    alarms.set_cleared(tx, alarm_id, tx.now_ms)
    alarms.insert_entry(
        tx, alarm_id, AlarmEntryKind.CLEARED, tx.now_ms, reason.strip(), user_id=actor.person_id
    )
    audit.record(tx, actor.user_id, "clear_alarm", "alarm", alarm_id)
    tx.announce(_changed(tx, found, AlarmAct.CLEARED))
    after = alarms.find_alarm(tx, alarm_id)
    assert after is not None, "an alarm is never deleted"
    return after


def list_events(
    tx: Tx, actor: User, site_id: SiteId | None = None, cursor: str | None = None, limit: int = 50
) -> Page[EventLine]:
    """Return what happened, the last first."""
    require(actor, Action.READ_ALARMS)
    checked_limit(limit)
    before = None
    if cursor:
        at_ms, event_id = key_from_cursor(cursor, int, UUID)
        before = (int(at_ms), str(event_id))
    found = events.list_events(tx, site_id, before, limit + 1)
    return page_of(found, limit, lambda last: (last.occurred_at_ms, last.event_id))


def _show_refused(tx: Tx, gateway: GatewayIdentity, why: str) -> None:
    if why:
        raise_own(tx, gateway, RESULT_REFUSED_ALARM, Severity.CRITICAL, f"{gateway.code}: {why}", tx.now_ms)


def _raise(
    tx: Tx,
    gateway: GatewayIdentity,
    epoch: int,
    seq: int,
    series_id: SeriesId | None,
    event_id: EventId,
    happened: Event,
) -> None:
    # The end may have overtaken its beginning: then this alarm is for the record alone.
    end = events.next_of_condition(tx, gateway.gateway_id, epoch, seq, happened, EventState.CLEARED)
    held = None
    if end is None:
        held = alarms.lock_open(tx, gateway.gateway_id, happened.point_key, happened.kind)
    if held is None:
        new = NewAlarm(
            gateway.site_id,
            gateway.gateway_id,
            _next_number(tx, gateway.site_id),
            happened.point_key,
            series_id,
            happened.kind,
            happened.severity,
            happened.message,
            happened.is_historical,
            happened.occurred_at_ms,
            None if end is None else end[1],
        )
        alarm_id = alarms.insert_alarm(tx, new)
        if alarm_id is None:  # opened by another transaction since we looked
            held = alarms.lock_open(tx, gateway.gateway_id, happened.point_key, happened.kind)
        else:
            at_ms = happened.occurred_at_ms
            alarms.insert_entry(tx, alarm_id, AlarmEntryKind.RAISED, at_ms, happened.message, event_id)
            if end is not None:
                alarms.insert_entry(tx, alarm_id, AlarmEntryKind.CLEARED, end[1], "", end[0])
            if end is None:
                _tell(tx, gateway, alarm_id, AlarmAct.RAISED, happened)
            return
    if held is not None:
        at_ms = happened.occurred_at_ms
        alarms.insert_entry(tx, held.alarm_id, AlarmEntryKind.REPEATED, at_ms, happened.message, event_id)


def _clear(
    tx: Tx, gateway: GatewayIdentity, epoch: int, seq: int, event_id: EventId, happened: Event
) -> None:
    if events.next_of_condition(tx, gateway.gateway_id, epoch, seq, happened, EventState.RAISED):
        # The condition has begun again since; what is open belongs to that beginning.
        return
    held = alarms.lock_open(tx, gateway.gateway_id, happened.point_key, happened.kind)
    if held is None:
        return
    # A gateway whose clock was set back between the two must not end an alarm before it began.
    at_ms = max(happened.occurred_at_ms, held.raised_at_ms)
    alarms.set_cleared(tx, held.alarm_id, at_ms)
    alarms.insert_entry(tx, held.alarm_id, AlarmEntryKind.CLEARED, at_ms, happened.message, event_id)
    # What has ended is told in the words it began with.
    ended = replace(happened, severity=held.severity, message=held.message)
    _tell(tx, gateway, held.alarm_id, AlarmAct.CLEARED, ended)


def _changed(tx: Tx, alarm: Alarm, act: AlarmAct) -> AlarmChanged:
    """Return what to tell of a person's act on an alarm."""
    return AlarmChanged(
        tx.tenant_id,
        alarm.site_id,
        alarm.alarm_id,
        act,
        alarm.kind,
        alarm.severity,
        alarm.point_key,
        alarm.message,
        tx.now_ms,
    )


def _tell(tx: Tx, gateway: GatewayIdentity, alarm_id: AlarmId, act: AlarmAct, about: Event) -> None:
    """Tell of a change to an alarm, if it is of the present."""
    if not about.is_historical:
        tx.announce(
            AlarmChanged(
                tx.tenant_id,
                gateway.site_id,
                alarm_id,
                act,
                about.kind,
                about.severity,
                about.point_key,
                about.message,
                about.occurred_at_ms,
            )
        )


def _recorded(tx: Tx, gateway: GatewayIdentity, event_id: EventId, happened: Event) -> EventRecorded:
    return EventRecorded(
        tx.tenant_id,
        gateway.site_id,
        gateway.gateway_id,
        event_id,
        happened.kind,
        happened.state.value,
        happened.severity,
        happened.point_key,
        happened.message,
        happened.occurred_at_ms,
        happened.is_historical,
    )


def _series_of(tx: Tx, gateway: GatewayIdentity, happened: Event) -> SeriesId | None:
    """Return the point an event is about, made if it is new; None for a device or the gateway itself."""
    key = happened.point_key
    if "/" not in key:
        if key:
            points.ensure_devices(tx, gateway.gateway_id, {key})
        return None
    known = points.series_of_keys(tx, gateway.gateway_id, [key])
    return (known or points.register_keys(tx, gateway.gateway_id, [key]))[key]


def _next_number(tx: Tx, site_id: SiteId) -> str:
    """Return the next number people call an alarm by, restarting each local year: `DG-A-2026-0001`."""
    site = premises.find_site(tx, site_id)
    assert site is not None, "a gateway belongs to a site"
    year = str(local_date(tx.now_ms, time_zone(site.time_zone)).year)
    return f"{site.code}-A-{year}-{next_number(tx, site.code, 'alarm', year):04d}"
