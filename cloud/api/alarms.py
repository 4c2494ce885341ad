"""Alarms: what somebody has to know of, and who knows."""

from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.api.words import SEVERITIES, SeverityWord
from cloud.domain.access import Action
from cloud.domain.alarm import Alarm, AlarmEntry, AlarmState
from cloud.domain.alarm_handling import AlarmActKind
from cloud.domain.ids import AlarmId, SiteId, UserId
from cloud.domain.user import Locale
from cloud.services import alarm_evidence, alarm_handling, alarms
from cloud.web.alarm_evidence import ZIP, evidence_response

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


class EvidenceQuery(Request, frozen=True):
    """In which language its report is."""

    language: Locale = Locale.CHINESE


class Acknowledgement(Request, frozen=True):
    """What the person who knows has to say."""

    note: Annotated[str, Meta(max_length=500)] = ""


class AcknowledgementOfMany(Request, frozen=True):
    """Which alarms somebody knows of, and what they have to say."""

    alarm_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=alarms.TOGETHER_MAX)]
    note: Annotated[str, Meta(max_length=500)] = ""


class Clearing(Request, frozen=True):
    """Why an alarm is ended by hand."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class AlarmAssignment(Request, frozen=True):
    """Who shall deal with an alarm."""

    user_id: Id


class AlarmComment(Request, frozen=True):
    """Something to note."""

    text: Annotated[str, Meta(min_length=1, max_length=500)]


class Shelving(Request, frozen=True):
    """Until when an alarm is put aside, and why."""

    until_ms: Annotated[int, Meta(ge=0, le=2**48 - 1)]
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


class AlarmsView(View, frozen=True):
    """Several alarms."""

    items: tuple[AlarmView, ...]


class AlarmEntryView(View, frozen=True):
    """One line of an alarm's history."""

    at_ms: int
    kind: str
    text: str
    user_id: str | None
    user_name: str


class AlarmActView(View, frozen=True):
    """What somebody did about an alarm; `about_name` is whom it was given to."""

    at_ms: int
    kind: AlarmActKind
    text: str
    user_name: str
    about_name: str
    until_ms: int | None


class HandlingView(View, frozen=True):
    """Where the handling of an alarm stands."""

    assignee_id: str | None
    assignee_name: str
    shelved_until_ms: int | None
    escalations: int
    next_escalation_at_ms: int | None


class AlarmHistoryView(View, frozen=True):
    """An alarm, what happened to it and what people did about it, oldest first."""

    alarm: AlarmView
    history: tuple[AlarmEntryView, ...]
    handling: HandlingView
    acts: tuple[AlarmActView, ...]


async def list_alarms(call: Call[AlarmQuery, Nothing]) -> Page[AlarmView]:
    """List alarms, the last raised first."""
    query = call.query
    site_id = None if query.site_id is None else SiteId(query.site_id)
    found = await call.read(alarms.list_alarms, site_id, _STATES[query.state], query.cursor, query.limit)
    return page_of(found, alarm_view)


async def get_alarm(call: Call[Nothing, Nothing]) -> AlarmHistoryView:
    """Return one alarm and its history."""
    alarm_id = AlarmId(call.id("alarm_id"))
    alarm, entries = await call.read(alarms.get_alarm, alarm_id)
    handling, acts = await call.read(alarm_handling.handling, alarm_id)
    return AlarmHistoryView(
        alarm=alarm_view(alarm),
        history=tuple(_entry_view(entry) for entry in entries),
        handling=view_of(handling, HandlingView),
        acts=tuple(view_of(act, AlarmActView) for act in acts),
    )


async def assign_alarm(call: Call[Nothing, AlarmAssignment]) -> None:
    """Give an alarm to somebody."""
    user_id = UserId(call.body.user_id)
    await call.write(alarm_handling.assign, AlarmId(call.id("alarm_id")), user_id)


async def comment_alarm(call: Call[Nothing, AlarmComment]) -> None:
    """Note something about an alarm."""
    await call.write(alarm_handling.comment, AlarmId(call.id("alarm_id")), call.body.text)


async def shelve_alarm(call: Call[Nothing, Shelving]) -> None:
    """Put an alarm aside for a while."""
    body = call.body
    await call.write(alarm_handling.shelve, AlarmId(call.id("alarm_id")), body.until_ms, body.reason)


async def unshelve_alarm(call: Call[Nothing, Nothing]) -> None:
    """Take an alarm back from where it was put aside."""
    await call.write(alarm_handling.unshelve, AlarmId(call.id("alarm_id")))


async def acknowledge_alarm(call: Call[Nothing, Acknowledgement]) -> AlarmView:
    """Say that somebody knows; again, it changes nothing."""
    alarm_id = AlarmId(call.id("alarm_id"))
    return alarm_view(await call.write(alarms.acknowledge, alarm_id, call.body.note))


async def acknowledge_alarms(call: Call[Nothing, AcknowledgementOfMany]) -> AlarmsView:
    """Say that somebody knows of many alarms with one cause; again, it changes nothing."""
    ids = [AlarmId(one) for one in call.body.alarm_ids]
    known = await call.write(alarms.acknowledge_all, ids, call.body.note)
    return AlarmsView(items=tuple(alarm_view(alarm) for alarm in known))


async def clear_alarm(call: Call[Nothing, Clearing]) -> AlarmView:
    """End an alarm by a person's word."""
    alarm_id = AlarmId(call.id("alarm_id"))
    return alarm_view(await call.write(alarms.clear, alarm_id, call.body.reason))


async def export_evidence(call: Call[EvidenceQuery, Nothing]) -> web.Response:
    """Hand out everything there is about an alarm."""
    found = await call.write(alarm_evidence.gather, AlarmId(call.id("alarm_id")))
    return await evidence_response(call.request, found, call.query.language)


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
        _ALL + "/acknowledge",
        "Acknowledge many alarms",
        Action.ACKNOWLEDGE_ALARM,
        acknowledge_alarms,
        AlarmsView,
        body=AcknowledgementOfMany,
        description="All or none. What may cost a life or is a crime under way is refused: one by one.",
    ),
    Route(
        "POST",
        _ONE + "/assignee",
        "Give an alarm to somebody",
        Action.ACKNOWLEDGE_ALARM,
        assign_alarm,
        None,
        body=AlarmAssignment,
    ),
    Route(
        "POST",
        _ONE + "/comments",
        "Note something about an alarm",
        Action.ACKNOWLEDGE_ALARM,
        comment_alarm,
        None,
        body=AlarmComment,
    ),
    Route(
        "POST",
        _ONE + "/shelf",
        "Put an alarm aside",
        Action.ACKNOWLEDGE_ALARM,
        shelve_alarm,
        None,
        body=Shelving,
        description="A day at most; it is not escalated meanwhile and comes back by itself.",
    ),
    Route(
        "POST",
        _ONE + "/evidence",
        "Hand out the evidence of an alarm",
        Action.EXPORT_EVIDENCE,
        export_evidence,
        ZIP,
        query=EvidenceQuery,
        description=(
            "One ZIP: frames as they were on the wire, history, acts, plan, notices, door log, photos, a "
            "report, and a manifest with the SHA-256 of each. That it was taken out stands in the audit log."
        ),
    ),
    Route("DELETE", _ONE + "/shelf", "Take an alarm back", Action.ACKNOWLEDGE_ALARM, unshelve_alarm, None),
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
