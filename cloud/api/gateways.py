"""Gateways: slots for the boxes in the buildings, their tokens, and how they are."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from cloud.api.readings import PointValuesView, point_value_view
from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.api.words import CLOCK_QUALITIES, ClockWord
from cloud.command_key import public_hex
from cloud.domain.access import Action
from cloud.domain.gateway import Gateway, GatewayHealth, GatewayState, IngestProblem, StreamStatus
from cloud.domain.ids import GatewayId, SiteId
from cloud.keys import COMMAND_KEY
from cloud.services import gateways
from protocol.reading import ClockQuality
from provisioning.identity import GatewayToken


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


class GatewayTokenView(View, frozen=True):
    """A slot's token, told this once: put it on the box with `gatehouse provision`."""

    gateway_id: str
    token: str
    command_key: str  # the public key of commands to it, 64 hex digits; goes onto the box with the token


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


async def create_gateway(call: Call[Nothing, NewGateway]) -> GatewayTokenView:
    """Make a slot and its token."""
    new = call.body
    gateway_id, token = await call.write(gateways.create, SiteId(new.site_id), new.code, new.name)
    return _token_view(call, gateway_id, token)


def _token_view(call: Call[Nothing, Any], gateway_id: GatewayId, token: GatewayToken) -> GatewayTokenView:
    command_key = public_hex(call.request.app[COMMAND_KEY])
    return GatewayTokenView(gateway_id=gateway_id, token=str(token), command_key=command_key)


async def get_gateway(call: Call[Nothing, Nothing]) -> GatewayDetailView:
    """Show a slot and how far its streams have come."""
    gateway, streams = await call.read(gateways.get_gateway, GatewayId(call.id("gateway_id")))
    return GatewayDetailView(
        gateway=gateway_view(gateway), streams=tuple(_stream_view(stream) for stream in streams)
    )


async def renew_gateway_token(call: Call[Nothing, Nothing]) -> GatewayTokenView:
    """Make a new token; the old one is worthless from now on."""
    gateway_id = GatewayId(call.id("gateway_id"))
    token = await call.write(gateways.renew_token, gateway_id)
    return _token_view(call, gateway_id, token)


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
        GatewayTokenView,
        body=NewGateway,
        status=201,
        # No Idempotency-Key: a kept answer would hold the secret. A lost answer is mended by a new token.
        description="The token is told this once. If the answer is lost, make a new token.",
    ),
    Route("GET", _ONE, "Show a gateway and its streams", _READ, get_gateway, GatewayDetailView),
    Route(
        "POST",
        _ONE + "/token",
        "Make a gateway a new token",
        _MANAGE,
        renew_gateway_token,
        GatewayTokenView,
        description="The old one is worthless from now on. Also brings back a revoked slot.",
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
