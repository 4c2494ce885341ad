"""Alarms: what somebody has to know of, and who knows."""

from typing import Annotated, Literal

from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of
from cloud.api.words import SEVERITIES, SeverityWord
from cloud.domain.access import Action
from cloud.domain.alarm import Alarm, AlarmEntry, AlarmState
from cloud.domain.ids import AlarmId, SiteId
from cloud.services import alarms

_STATES: dict[str, frozenset[AlarmState]] = {
    "open": alarms.OPEN_STATES,
    "active": frozenset({AlarmState.ACTIVE}),
    "acknowledged": frozenset({AlarmState.ACKNOWLEDGED}),
    "cleared": frozenset({AlarmState.CLEARED}),
    "all": frozenset(AlarmState),
}


class AlarmQuery(PageQuery, frozen=True):
    """Which alarms; without `state` those that are open."""

    site_id: Id | None = None
    state: Literal["open", "active", "acknowledged", "cleared", "all"] = "open"


class Acknowledgement(Request, frozen=True):
    """What the person who knows has to say."""

    note: Annotated[str, Meta(max_length=500)] = ""


class Clearing(Request, frozen=True):
    """Why an alarm is ended by hand."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class AlarmView(View, frozen=True):
    """One alarm; `number` is for people, e.g. DG-A-2026-0001."""

    alarm_id: str
    site_id: str
    gateway_id: str
    number: str
    state: AlarmState
    kind: str
    severity: SeverityWord
    message: str
    point_key: str
    series_id: int | None
    device_title: str
    is_historical: bool
    repeat_count: int
    raised_at_ms: int
    received_at_ms: int
    acknowledged_at_ms: int | None
    acknowledged_by: str | None
    cleared_at_ms: int | None


class AlarmEntryView(View, frozen=True):
    """One line of an alarm's history."""

    at_ms: int
    kind: str
    text: str
    user_id: str | None
    user_name: str


class AlarmHistoryView(View, frozen=True):
    """An alarm and what happened to it, oldest first."""

    alarm: AlarmView
    history: tuple[AlarmEntryView, ...]


async def list_alarms(call: Call[AlarmQuery, Nothing]) -> Page[AlarmView]:
    """List alarms, the last raised first."""
    query = call.query
    site_id = None if query.site_id is None else SiteId(query.site_id)
    found = await call.read(alarms.list_alarms, site_id, _STATES[query.state], query.cursor, query.limit)
    return page_of(found, alarm_view)


async def get_alarm(call: Call[Nothing, Nothing]) -> AlarmHistoryView:
    """Return one alarm and its history."""
    alarm, entries = await call.read(alarms.get_alarm, AlarmId(call.id("alarm_id")))
    return AlarmHistoryView(alarm=alarm_view(alarm), history=tuple(_entry_view(entry) for entry in entries))


async def acknowledge_alarm(call: Call[Nothing, Acknowledgement]) -> AlarmView:
    """Say that somebody knows; again, it changes nothing."""
    alarm_id = AlarmId(call.id("alarm_id"))
    return alarm_view(await call.write(alarms.acknowledge, alarm_id, call.body.note))


async def clear_alarm(call: Call[Nothing, Clearing]) -> AlarmView:
    """End an alarm by a person's word."""
    alarm_id = AlarmId(call.id("alarm_id"))
    return alarm_view(await call.write(alarms.clear, alarm_id, call.body.reason))


def alarm_view(alarm: Alarm) -> AlarmView:
    """Return an alarm as it is told."""
    return AlarmView(
        alarm_id=alarm.alarm_id,
        site_id=alarm.site_id,
        gateway_id=alarm.gateway_id,
        number=alarm.number,
        state=alarm.state,
        kind=alarm.kind,
        severity=SEVERITIES[alarm.severity],
        message=alarm.message,
        point_key=alarm.point_key,
        series_id=alarm.series_id,
        device_title=alarm.device_title,
        is_historical=alarm.is_historical,
        repeat_count=alarm.repeat_count,
        raised_at_ms=alarm.raised_at_ms,
        received_at_ms=alarm.received_at_ms,
        acknowledged_at_ms=alarm.acknowledged_at_ms,
        acknowledged_by=alarm.acknowledged_by,
        cleared_at_ms=alarm.cleared_at_ms,
    )


def _entry_view(entry: AlarmEntry) -> AlarmEntryView:
    return AlarmEntryView(
        at_ms=entry.at_ms,
        kind=entry.kind.value,
        text=entry.text,
        user_id=entry.user_id,
        user_name=entry.user_name,
    )


_ALL, _ONE = "/api/v1/alarms", "/api/v1/alarms/{alarm_id}"

ROUTES = (
    Route("GET", _ALL, "List alarms", Action.READ_ALARMS, list_alarms, Page[AlarmView], query=AlarmQuery),
    Route("GET", _ONE, "Show an alarm and its history", Action.READ_ALARMS, get_alarm, AlarmHistoryView),
    Route(
        "POST",
        _ONE + "/acknowledge",
        "Acknowledge an alarm",
        Action.ACKNOWLEDGE_ALARM,
        acknowledge_alarm,
        AlarmView,
        body=Acknowledgement,
        description="Says that a person knows; only the condition's own end clears the alarm.",
    ),
    Route(
        "POST",
        _ONE + "/clear",
        "End an alarm by hand",
        Action.ACKNOWLEDGE_ALARM,
        clear_alarm,
        AlarmView,
        body=Clearing,
        description=(
            "For an alarm whose end nobody will tell any more: its box was lost or exchanged. "
            "A condition that still holds is raised anew."
        ),
    ),
)
