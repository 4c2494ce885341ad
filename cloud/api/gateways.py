"""Gateways: slots for the boxes in the buildings, how a box takes one, and how they are."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from cloud.api.readings import PointValuesView, point_value_view
from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.api.words import CLOCK_QUALITIES, ClockWord
from cloud.domain.access import Action
from cloud.domain.gateway import Doubt, Gateway, GatewayHealth, GatewayState, IngestProblem, StreamStatus
from cloud.domain.ids import GatewayId, SiteId
from cloud.services import enrolments, gateways
from cloud.services.enrolments import Offered
from cloud.web.enrolment_token import enrolment_token
from protocol.reading import ClockQuality


class GatewayQuery(Request, frozen=True):
    """Whose gateways."""

    site_id: Id | None = None


class ProblemQuery(Request, frozen=True):
    """Which problems: those nobody has dealt with, or all."""

    state: Literal["open", "all"] = "open"
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class NewGateway(Request, frozen=True):
    """A slot for a box; `code` is what people and the edge's configuration call it."""

    site_id: Id
    code: Annotated[str, Meta(min_length=1, max_length=gateways.CODE_LENGTH_MAX)]
    name: Annotated[str, Meta(max_length=100)] = ""


class EnrolmentView(View, frozen=True):
    """A slot's one-time token, told this once: run `gatehouse provision enrol` with it on the box."""

    gateway_id: str
    token: str  # also what a QR code holds
    fingerprint: str  # SHA-256 of the root the box will trust, 64 hex digits; it is in the token
    expires_at_ms: int


class PaperView(View, frozen=True):
    """The certificate a box speaks with; `doubt`: more than one box may have it."""

    serial: str
    valid_from_ms: int
    expires_at_ms: int
    doubt: Doubt | None
    doubted_at_ms: int | None


class GatewayHealthView(View, frozen=True):
    """What the box last said of itself."""

    at_ms: int
    agent_version: str
    config_version: str
    clock_quality: ClockWord
    backlog_rows: dict[str, int]
    oldest_row_at_ms: int | None
    devices_online: int
    devices_offline: int
    clock_skew_ms: int | None  # its clock less the cloud's when it greeted; none from an older agent
    storage_fault: str  # why its disk takes nothing; empty while all is well


class GatewayView(View, frozen=True):
    """One slot and its state now."""

    gateway_id: str
    site_id: str
    code: str
    name: str
    state: GatewayState
    last_seen_at_ms: int | None
    health: GatewayHealthView | None
    device_count: int
    point_count: int
    problem_count: int
    certificate: PaperView | None  # none until a box has enrolled


class GatewaysView(View, frozen=True):
    """Slots by code."""

    items: tuple[GatewayView, ...]


class StreamView(View, frozen=True):
    """How far one stream has come; `gaps` are closed ranges of rows that are missing above.

    `lost_rows` counts what the gateway had to give up before it was here.
    """

    stream: str
    epoch: int
    acked_through: int
    gaps: tuple[tuple[int, int], ...]
    lost_rows: int
    received_at_ms: int


class GatewayDetailView(View, frozen=True):
    """A slot and its streams."""

    gateway: GatewayView
    streams: tuple[StreamView, ...]


class DeviceView(View, frozen=True):
    """Something with an address on a gateway's line."""

    device_id: str
    gateway_id: str
    code: str
    profile: str
    title: str


class IngestProblemView(View, frozen=True):
    """A block that could not be taken; its bytes are kept until a person has settled it."""

    problem_id: str
    gateway_code: str
    stream: str
    epoch: int
    first_seq: int
    last_seq: int
    code: str
    detail: str
    payload_bytes: int
    received_at_ms: int
    settled_at_ms: int | None


class IngestProblemsView(View, frozen=True):
    """Problems, newest first."""

    items: tuple[IngestProblemView, ...]


async def list_gateways(call: Call[GatewayQuery, Nothing]) -> GatewaysView:
    """List slots by code."""
    site_id = None if call.query.site_id is None else SiteId(call.query.site_id)
    found = await call.read(gateways.list_gateways, site_id)
    return GatewaysView(items=tuple(gateway_view(gateway) for gateway in found))


async def create_gateway(call: Call[Nothing, NewGateway]) -> EnrolmentView:
    """Make a slot and a token for its box."""
    new = call.body
    offered = await call.write(enrolments.create, SiteId(new.site_id), new.code, new.name)
    return _enrolment_view(call, offered)


def _enrolment_view(call: Call[Nothing, Any], offered: Offered) -> EnrolmentView:
    token = enrolment_token(call.request.app, offered, call.actor.tenant_id)
    return EnrolmentView(
        gateway_id=offered.gateway_id,
        token=str(token),
        fingerprint=token.fingerprint,
        expires_at_ms=offered.expires_at_ms,
    )


async def get_gateway(call: Call[Nothing, Nothing]) -> GatewayDetailView:
    """Show a slot and how far its streams have come."""
    gateway, streams = await call.read(gateways.get_gateway, GatewayId(call.id("gateway_id")))
    return GatewayDetailView(
        gateway=gateway_view(gateway), streams=tuple(_stream_view(stream) for stream in streams)
    )


async def offer_enrolment(call: Call[Nothing, Nothing]) -> EnrolmentView:
    """Make a token for a slot that may have a box already."""
    offered = await call.write(enrolments.offer, GatewayId(call.id("gateway_id")))
    return _enrolment_view(call, offered)


async def withdraw_enrolment(call: Call[Nothing, Nothing]) -> None:
    """Take back a token nobody has used."""
    await call.write(enrolments.withdraw, GatewayId(call.id("gateway_id")))


async def trust_gateway(call: Call[Nothing, Nothing]) -> None:
    """Note that one box speaks for the slot after all."""
    await call.write(gateways.trust_again, GatewayId(call.id("gateway_id")))


async def revoke_gateway(call: Call[Nothing, Nothing]) -> None:
    """Let nobody speak for the slot any more."""
    await call.write(gateways.revoke, GatewayId(call.id("gateway_id")))


async def list_gateway_devices(call: Call[PageQuery, Nothing]) -> Page[DeviceView]:
    """List what hangs on a gateway's lines, by code."""
    found = await call.read(gateways.list_devices, GatewayId(call.id("gateway_id")))
    return cut(found, call.query, lambda device: device.code, lambda device: view_of(device, DeviceView))


async def list_gateway_values(call: Call[Nothing, Nothing]) -> PointValuesView:
    """List what all points of a gateway say now."""
    found = await call.read(gateways.values, GatewayId(call.id("gateway_id")))
    return PointValuesView(items=tuple(point_value_view(value) for value in found))


async def list_gateway_problems(call: Call[ProblemQuery, Nothing]) -> IngestProblemsView:
    """List blocks that could not be taken."""
    found = await call.read(
        gateways.list_problems,
        GatewayId(call.id("gateway_id")),
        only_open=call.query.state == "open",
        limit=call.query.limit,
    )
    return IngestProblemsView(items=tuple(_problem_view(problem) for problem in found))


async def settle_ingest_problem(call: Call[Nothing, Nothing]) -> None:
    """Note that a person has dealt with it."""
    await call.write(gateways.settle_problem, call.id("problem_id"))


def gateway_view(gateway: Gateway) -> GatewayView:
    """Return a slot as it is told."""
    return GatewayView(
        gateway_id=gateway.gateway_id,
        site_id=gateway.site_id,
        code=gateway.code,
        name=gateway.name,
        state=gateway.state,
        last_seen_at_ms=gateway.last_seen_at_ms,
        health=None if gateway.health is None else _health_view(gateway.health),
        device_count=gateway.device_count,
        point_count=gateway.point_count,
        problem_count=gateway.problem_count,
        certificate=None if gateway.paper is None else view_of(gateway.paper, PaperView),
    )


def _health_view(health: GatewayHealth) -> GatewayHealthView:
    return GatewayHealthView(
        at_ms=health.at_ms,
        agent_version=health.agent_version,
        config_version=health.config_version,
        clock_quality=CLOCK_QUALITIES[ClockQuality(health.clock_quality)],
        backlog_rows=health.backlog_rows,
        oldest_row_at_ms=health.oldest_row_at_ms,
        devices_online=health.devices_online,
        devices_offline=health.devices_offline,
        clock_skew_ms=health.clock_skew_ms,
        storage_fault=health.storage_fault,
    )


def _stream_view(status: StreamStatus) -> StreamView:
    return StreamView(
        stream=status.stream,
        epoch=status.epoch,
        acked_through=status.acked_through,
        gaps=status.gaps,
        lost_rows=status.lost_rows,
        received_at_ms=status.received_at_ms,
    )


def _problem_view(problem: IngestProblem) -> IngestProblemView:
    return IngestProblemView(
        problem_id=problem.problem_id,
        gateway_code=problem.gateway_code,
        stream=problem.stream,
        epoch=problem.epoch,
        first_seq=problem.first_seq,
        last_seq=problem.last_seq,
        code=problem.code,
        detail=problem.detail,
        payload_bytes=problem.payload_bytes,
        received_at_ms=problem.received_at_ms,
        settled_at_ms=problem.settled_at_ms,
    )


_ALL, _ONE = "/api/v1/gateways", "/api/v1/gateways/{gateway_id}"
_READ, _MANAGE = Action.READ_GATEWAYS, Action.MANAGE_GATEWAYS

ROUTES = (
    Route("GET", _ALL, "List gateways", _READ, list_gateways, GatewaysView, query=GatewayQuery),
    Route(
        "POST",
        _ALL,
        "Make a slot for a gateway",
        _MANAGE,
        create_gateway,
        EnrolmentView,
        body=NewGateway,
        status=201,
        # No Idempotency-Key: a kept answer would hold the secret. A lost answer is mended by a new token.
        description="The token is told this once, and works once, for a day. If it is lost, make another.",
    ),
    Route("GET", _ONE, "Show a gateway and its streams", _READ, get_gateway, GatewayDetailView),
    Route(
        "POST",
        _ONE + "/enrolment",
        "Offer a gateway's slot to a box",
        _MANAGE,
        offer_enrolment,
        EnrolmentView,
        description=(
            "The box that has the slot goes on until another enrols with the token; then it is over at "
            "once. Tokens made before no longer work. Also brings back a revoked slot."
        ),
    ),
    Route("DELETE", _ONE + "/enrolment", "Withdraw an enrolment token", _MANAGE, withdraw_enrolment, None),
    Route(
        "POST",
        _ONE + "/trust",
        "Note that only one box speaks for a gateway",
        _MANAGE,
        trust_gateway,
        None,
        description="After `certificate.doubt`. If two boxes do speak, it is in doubt again within a minute.",
    ),
    Route("POST", _ONE + "/revoke", "Revoke a gateway", _MANAGE, revoke_gateway, None),
    Route(
        "GET",
        _ONE + "/devices",
        "List a gateway's devices",
        _READ,
        list_gateway_devices,
        Page[DeviceView],
        query=PageQuery,
    ),
    Route(
        "GET", _ONE + "/values", "List what a gateway says now", _READ, list_gateway_values, PointValuesView
    ),
    Route(
        "GET",
        _ONE + "/problems",
        "List what could not be taken from a gateway",
        _READ,
        list_gateway_problems,
        IngestProblemsView,
        query=ProblemQuery,
    ),
    Route(
        "POST",
        "/api/v1/ingest_problems/{problem_id}/settle",
        "Note that a problem was dealt with",
        _MANAGE,
        settle_ingest_problem,
        None,
    ),
)
