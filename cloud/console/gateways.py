"""The gateways: whether they answer, what waits in them, what their devices last said."""

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.configuration import Configuration
from cloud.domain.errors import NotFound
from cloud.domain.gateway import Gateway, GatewayState, IngestProblem, StreamStatus
from cloud.domain.ids import SiteId, is_uuid
from cloud.domain.series import PointValue
from cloud.domain.user import User
from cloud.services import configurations, gateways
from cloud.store.db import Tx
from protocol.reading import Quality


@dataclass(frozen=True, slots=True)
class GatewaysView:
    """The list of slots."""

    gateways: tuple[Gateway, ...]
    offline: int


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device behind a gateway: `failing` of its points last had no value, `quality` says why."""

    code: str
    title: str
    point_count: int
    failing: int
    quality: Quality
    valued_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Bus:
    """One line of the configuration that runs: what carries it, where, and how many on it are silent."""

    name: str
    transport: str
    where: str
    devices: int
    failing: int


@dataclass(frozen=True, slots=True)
class GatewayView:
    """One gateway's page."""

    gateway: Gateway
    streams: tuple[StreamStatus, ...]
    devices: tuple[DeviceLine, ...]
    problems: tuple[IngestProblem, ...]
    buses: tuple[Bus, ...]
    runs: Configuration | None
    on_its_way: Configuration | None


async def settle(desk: Desk) -> web.StreamResponse:
    """Note that a person has dealt with a block that could not be taken."""
    matched = desk.request.match_info
    await desk.write(gateways.settle_problem, matched["problem_id"])
    return desk.go(f"/gateways/{matched['code']}", "problem-settled")


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the site's gateways."""
    found = tuple(await desk.read(gateways.list_gateways, desk.site.site_id))
    view = GatewaysView(found, sum(gateway.state is GatewayState.OFFLINE for gateway in found))
    if "part" in desk.request.query:
        return desk.part("gateways/table.html", view=view)
    return await desk.page("gateways/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one gateway with its devices and streams; it is named by its code, or by its id."""
    view = await desk.read(_gateway, desk.site.site_id, desk.request.match_info["code"])
    if "part" in desk.request.query:
        return desk.part("gateways/detail.html", view=view)
    return await desk.page("gateways/gateway.html", view=view)


def device_lines(values: Iterable[PointValue]) -> tuple[DeviceLine, ...]:
    """Return the devices that points belong to, the longest silent first."""
    by_device: dict[str, list[PointValue]] = {}
    for value in values:
        by_device.setdefault(value.device_code, []).append(value)
    lines = [_device_line(code, points) for code, points in by_device.items()]
    return tuple(sorted(lines, key=lambda line: (line.failing == 0, line.valued_at_ms or 0, line.code)))


def _device_line(code: str, points: list[PointValue]) -> DeviceLine:
    failing = [p for p in points if p.quality is not None and not p.quality.has_value]
    valued = [p.valued_at_ms for p in points if p.valued_at_ms is not None]
    worst = max((p.quality for p in failing if p.quality is not None), default=Quality.GOOD)
    title = points[0].device_title
    return DeviceLine(code, title, len(points), len(failing), worst, max(valued, default=None))


def find_gateway(tx: Tx, actor: User, site_id: SiteId, code: str) -> Gateway:
    """Return a site's gateway by its code or id."""
    slots = gateways.list_gateways(tx, actor, site_id)
    named = code if not is_uuid(code) else next((g.code for g in slots if g.gateway_id == code), "")
    slot = next((gateway for gateway in slots if gateway.code == named), None)
    if slot is None:
        raise NotFound(f"the site has no gateway {code!r}")
    return slot


def _gateway(tx: Tx, actor: User, site_id: SiteId, code: str) -> GatewayView:
    slot = find_gateway(tx, actor, site_id, code)
    gateway, streams = gateways.get_gateway(tx, actor, slot.gateway_id)
    devices = device_lines(gateways.values(tx, actor, slot.gateway_id))
    runs = configurations.running(tx, actor, slot.gateway_id)
    return GatewayView(
        gateway,
        tuple(streams),
        devices,
        tuple(gateways.list_problems(tx, actor, slot.gateway_id)),
        _buses(runs, {device.code for device in devices if device.failing}),
        runs,
        configurations.under_way(tx, actor, slot.gateway_id),
    )


def _buses(runs: Configuration | None, failing: set[str]) -> tuple[Bus, ...]:
    """Return the lines of what runs, in the file's order."""
    tables = {} if runs is None else runs.document.tables()
    lines, listed = tables.get("lines"), tables.get("devices")
    devices = listed if isinstance(listed, list) else []
    found: list[Bus] = []
    for line in lines if isinstance(lines, list) else []:
        name = str(line.get("id", ""))
        on_it = [str(one.get("id")) for one in devices if one.get("line") == name]
        place = [line.get("path"), line.get("host"), line.get("port")]
        where = ":".join(str(part) for part in place if part)
        silent = len(failing.intersection(on_it))
        found.append(Bus(name, str(line.get("transport", "")), where, len(on_it), silent))
    return tuple(found)
