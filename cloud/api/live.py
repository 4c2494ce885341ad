"""What changes, as it happens: server-sent events (HTML Living Standard §9.2).

Each event has the change's name, its JSON and an id; a browser that reconnects sends the last id and
hears what it missed. `reload` means that something was missed for good: read again what you show.
The invariant: nobody hears of what they could not read, and nobody goes on listening after their
session has ended.
"""

import asyncio
import logging
from decimal import Decimal
from typing import assert_never

from aiohttp import ClientConnectionResetError, web
from aiohttp_sse import EventSourceResponse, sse_response

from cloud.api.answers import json_bytes
from cloud.api.route import EVENT_STREAM, Call, Nothing, Open, Route, View, view_of
from cloud.api.words import QUALITIES, SEVERITIES, QualityWord, SeverityWord, decimal_or_none
from cloud.domain.access import Action, may
from cloud.domain.change import (
    AlarmAct,
    AlarmChanged,
    Change,
    CommandChanged,
    EventRecorded,
    GatewayChanged,
    InvoiceIssued,
    NoticeWritten,
    PointChange,
    ReadingsChanged,
    RepairChanged,
    RunningChargeChanged,
)
from cloud.domain.user import Role, User
from cloud.keys import LIVE
from cloud.live import Closed, Listener
from cloud.web.identity import actor_anew
from protocol.reading import Quality

log = logging.getLogger(__name__)

HEARTBEAT_S = 15.0  # silence of twice this long is shown as "disconnected"
# How long a stream may outlive the session it was opened with.
RECHECK_S = 30.0
SEND_TIMEOUT_S = 20.0
RETRY_MS = 2_000

# What each change is called on the wire, and which action of the policy lets one read its subject.
NAMES: dict[type[Change], tuple[str, Action]] = {
    AlarmChanged: ("alarm", Action.READ_ALARMS),
    CommandChanged: ("command", Action.READ_COMMANDS),
    EventRecorded: ("event", Action.READ_ALARMS),
    GatewayChanged: ("gateway", Action.READ_GATEWAYS),
    InvoiceIssued: ("invoice", Action.READ_INVOICES),
    NoticeWritten: ("notice", Action.READ_NOTICES),
    ReadingsChanged: ("readings", Action.READ_METERS),
    RepairChanged: ("repair", Action.READ_OWN_REPAIRS),
    RunningChargeChanged: ("running_charge", Action.READ_OWN_ACCOUNTS),
}


class LivePoint(View, frozen=True):
    """One point's newest reading; `value` is None where `quality` says why there is none."""

    series_id: int
    key: str
    measured_at_ms: int
    value: Decimal | None
    quality: QualityWord


class LiveReadings(View, frozen=True):
    """Some points of one gateway say something new."""

    site_id: str
    gateway_id: str
    received_at_ms: int
    points: tuple[LivePoint, ...]


class LiveAlarm(View, frozen=True):
    """An alarm was raised, acknowledged or cleared."""

    site_id: str
    alarm_id: str
    act: AlarmAct
    kind: str
    severity: SeverityWord
    point_key: str
    message: str
    at_ms: int


class LiveEvent(View, frozen=True):
    """An event came in."""

    site_id: str
    gateway_id: str
    event_id: str
    kind: str
    state: str
    severity: SeverityWord
    point_key: str
    message: str
    occurred_at_ms: int
    is_historical: bool


class LiveGateway(View, frozen=True):
    """A gateway came or went."""

    site_id: str
    gateway_id: str
    state: str


class LiveCommand(View, frozen=True):
    """A command to a device was asked for, or came a step further."""

    site_id: str
    gateway_id: str
    command_id: str
    device_code: str
    action: str
    state: str
    detail: str


class LiveInvoice(View, frozen=True):
    """An invoice was issued."""

    site_id: str
    invoice_id: str
    account_id: str
    total_fen: int


class LiveNotice(View, frozen=True):
    """Somebody at a site was told something: look whether it was you."""

    site_id: str


class LiveRepair(View, frozen=True):
    """A repair was told of or came a step further."""

    site_id: str
    repair_id: str
    account_id: str | None
    number: str
    state: str


class LiveRunningCharge(View, frozen=True):
    """An account's charge so far in the running period."""

    site_id: str
    account_id: str
    period_code: str
    total_fen: int
    as_of_ms: int


async def get_live(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Stream changes until the browser goes, the session ends or the process stops."""
    request, actor = call.request, call.actor
    after = request.headers.get("Last-Event-ID", "")
    with request.app[LIVE].listen(actor.tenant_id, after) as listener:
        async with sse_response(request, ping_interval=HEARTBEAT_S, send_timeout=SEND_TIMEOUT_S) as stream:
            try:
                await stream.send("", event="ready", id=listener.mark, retry=RETRY_MS)
                await _stream(request, stream, listener, actor)
            except (ClientConnectionResetError, ConnectionResetError, TimeoutError):
                log.debug("a reader of live changes has gone")
    return stream


async def _stream(request: web.Request, stream: EventSourceResponse, listener: Listener, actor: User) -> None:
    loop = asyncio.get_running_loop()
    checked_s = loop.time()
    while stream.is_connected():
        if loop.time() - checked_s >= RECHECK_S:
            checked_s = loop.time()
            if await actor_anew(request) is None:
                await stream.send("", event="signed_out")
                return
        if listener.take_lost():
            await stream.send("", event="reload", id=listener.mark)
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                change = await listener.next()
        except TimeoutError:
            # A comment would do for proxies; a page can only hear an event, and its silence.
            await stream.send("", event="beat")
            continue
        except Closed:
            return
        if is_visible(actor, change):
            name, _ = NAMES[type(change)]
            await stream.send(json_bytes(live_view(change)).decode(), event=name, id=listener.mark)


def is_visible(actor: User, change: Change) -> bool:
    """Tell whether the actor could read what changed: of their own sites, a resident's own accounts alone."""
    _, action = NAMES[type(change)]
    if not may(actor, action) or not _is_in_scope(actor, change):
        return False
    if actor.role is not Role.RESIDENT:
        return True
    match change:
        case RepairChanged():
            return change.account_id in actor.account_ids
        case InvoiceIssued() | RunningChargeChanged():
            return change.account_id in actor.bill_account_ids
        case _:
            return False


def _is_in_scope(actor: User, change: Change) -> bool:
    """Tell whether it happened where the actor works; of single homes only who has the whole site hears."""
    scope = actor.scope
    if scope.is_everywhere or change.site_id in scope.site_ids:
        return True
    is_of_a_home = isinstance(change, InvoiceIssued | RepairChanged | RunningChargeChanged)
    return change.site_id in scope.sites_of_buildings and not is_of_a_home


def live_view(change: Change) -> View:
    """Return a change as it is told."""
    match change:
        case ReadingsChanged():
            points = tuple(_live_point(point) for point in change.points)
            return LiveReadings(
                site_id=change.site_id,
                gateway_id=change.gateway_id,
                received_at_ms=change.received_at_ms,
                points=points,
            )
        case AlarmChanged():
            return _live_alarm(change)
        case EventRecorded():
            return _live_event(change)
        case GatewayChanged():
            return view_of(change, LiveGateway)
        case CommandChanged():
            return view_of(change, LiveCommand)
        case InvoiceIssued():
            return view_of(change, LiveInvoice)
        case RepairChanged():
            return view_of(change, LiveRepair)
        case RunningChargeChanged():
            return view_of(change, LiveRunningCharge)
        case NoticeWritten():
            return view_of(change, LiveNotice)
        case _:
            assert_never(change)


def _live_point(point: PointChange) -> LivePoint:
    return LivePoint(
        series_id=point.series_id,
        key=point.key,
        measured_at_ms=point.measured_at_ms,
        value=decimal_or_none(point.value_micro),
        quality=QUALITIES[Quality(point.quality)],
    )


def _live_alarm(change: AlarmChanged) -> LiveAlarm:
    return LiveAlarm(
        site_id=change.site_id,
        alarm_id=change.alarm_id,
        act=change.act,
        kind=change.kind,
        severity=SEVERITIES[change.severity],
        point_key=change.point_key,
        message=change.message,
        at_ms=change.at_ms,
    )


def _live_event(change: EventRecorded) -> LiveEvent:
    return LiveEvent(
        site_id=change.site_id,
        gateway_id=change.gateway_id,
        event_id=change.event_id,
        kind=change.kind,
        state=change.state,
        severity=SEVERITIES[change.severity],
        point_key=change.point_key,
        message=change.message,
        occurred_at_ms=change.occurred_at_ms,
        is_historical=change.is_historical,
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/live",
        "Follow changes as they happen",
        Open.SIGNED_IN,
        get_live,
        EVENT_STREAM,
        description=(
            "Server-sent events `alarm`, `event`, `gateway`, `invoice`, `readings`, `repair`, "
            "`running_charge`; `reload` when some were missed. Send `Last-Event-ID` to go on where you were."
        ),
    ),
)
