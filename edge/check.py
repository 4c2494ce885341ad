"""A dry run of a configuration: everything is parsed, planned and added up, nothing is opened."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge.clock import Clock
from edge.driver import Ask, Driver, EvidenceKeeper, Heard, PlannedRequest, Priority
from edge.drivers import DRIVERS
from edge.errors import EdgeError
from edge.field import scope_of
from edge.rules import load_rules
from provisioning.config import Config, DeviceConfig
from provisioning.lines import (
    BusLine,
    BusSettings,
    DialInLine,
    LineConfig,
    ListenLine,
    MqttLine,
    OnvifLine,
    OsdpLine,
    SerialLine,
    UdpLine,
)
from provisioning.strict import Malformed

# What a typical meter takes before it answers, where nothing has been measured yet.
TURNAROUND_MS = 20.0
# A network round trip to a device in the same building.
_NETWORK_MS = 5.0


class _PaperBus:
    """A bus to plan on; asking on it is an error of ours."""

    def __init__(self, settings: BusSettings) -> None:
        self.settings = settings

    @property
    def clock(self) -> Clock:
        raise EdgeError("a dry run has no clock")

    def next_number(self) -> int:
        return 1

    def turnaround_s(self, address: str) -> float | None:
        del address
        return None

    async def tell(self, wire: bytes, priority: Priority = Priority.TELEMETRY) -> None:
        del wire, priority
        raise EdgeError("a dry run says nothing")

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        del ask, priority
        raise EdgeError("a dry run asks nothing")


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """A group of a device: its requests and the bus time they take."""

    device: DeviceConfig
    group: str
    interval_s: float
    requests: tuple[PlannedRequest, ...]
    bus_ms: float


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A line and what is polled on it. `utilisation` is the share of time the bus will be in use."""

    line_id: str
    description: str
    plans: tuple[DevicePlan, ...]
    utilisation: float


def plan(config: Config) -> list[LinePlan]:
    """Return the plan of every line; Malformed lists what only shows when drivers and rules are made."""
    problems: list[str] = []
    try:
        load_rules(config.rules, scope_of(config))
    except Malformed as error:
        problems += error.problems
    plans: list[LinePlan] = []
    for line_id, line in config.lines.items():
        if not isinstance(line, BusLine):
            plans.append(LinePlan(line_id, _describe(line), (), 0.0))
            continue
        bus = _PaperBus(line.bus)
        found: list[DevicePlan] = []
        for device in config.devices:
            if device.line_id != line_id:
                continue
            try:
                driver = DRIVERS[device.profile.protocol](device, bus, EvidenceKeeper(config.time_zone))
            except Malformed as error:
                problems += error.problems
                continue
            found += _device_plans(driver, line.bus)
        utilisation = sum(one.bus_ms / 1000 / one.interval_s for one in found)
        plans.append(LinePlan(line_id, _describe(line), tuple(found), utilisation))
    if problems:
        raise Malformed(str(config.origin), problems)
    return plans


def _device_plans(driver: Driver, bus: BusSettings) -> Iterator[DevicePlan]:
    for group, interval_s in driver.device.intervals_s.items():
        requests = tuple(driver.plan(group))
        bus_ms = sum(_request_ms(request, bus) for request in requests)
        yield DevicePlan(driver.device, group, interval_s, requests, bus_ms)


def _request_ms(request: PlannedRequest, bus: BusSettings) -> float:
    if not bus.baud:
        return _NETWORK_MS
    characters = request.request_bytes + request.reply_bytes
    return characters * 1000 * bus.bits_per_character / bus.baud + bus.gap_ms + TURNAROUND_MS


def _describe(line: LineConfig) -> str:
    if isinstance(line, SerialLine):
        return f"serial {line.path} {line.bus.baud} baud, parity {line.parity.value}"
    if isinstance(line, MqttLine):
        return f"MQTT broker {line.host}:{line.port}, below {line.base_topic}/"
    if isinstance(line, ListenLine):
        return f"port {line.port} of {line.host}, where {line.protocol} panels call"
    if isinstance(line, OnvifLine):
        return f"ONVIF cameras, as user {line.username}"
    if isinstance(line, OsdpLine):
        how = "over a secure channel" if line.key_file else "in the clear: there is no key_file"
        return f"OSDP readers on {line.path}, {line.baud} baud, {how}"
    if isinstance(line, UdpLine):
        return f"serial server {line.host}:{line.port} by datagrams, {line.bus.baud} baud behind it"
    if isinstance(line, DialInLine):
        who = f" as {line.registration!r}" if line.registration else ""
        return f"serial server that calls port {line.port}{who}, {line.bus.baud} baud behind it"
    if line.bus.baud:
        return f"serial server {line.host}:{line.port}, {line.bus.baud} baud behind it"
    return f"Modbus TCP {line.host}:{line.port}"


def report(config: Config, plans: list[LinePlan]) -> Iterator[str]:
    """Yield the lines of the report."""
    cloud = str(config.credential_file) if config.credential_file else "none: rows stay in the buffer"
    yield f"gateway {config.gateway_code}, time zone {config.time_zone.key}, cloud credential: {cloud}"
    yield f"buffer {config.buffer.path}, at most {config.buffer.size_max_bytes // 1024 // 1024} MiB"
    for line in plans:
        yield ""
        yield f"line {line.line_id}: {line.description}"
        listening = [device for device in config.devices if device.line_id == line.line_id]
        if not line.plans:
            for device in listening:
                profile = device.profile
                yield f"  {device.device_id:<12} {profile.name}: {len(profile.points)} points, unasked"
            continue
        for one in line.plans:
            yield (
                f"  {one.device.device_id:<12} {one.device.profile.name} at {one.device.address}, group "
                f"{one.group} every {one.interval_s:g} s: {len(one.requests)} requests, {one.bus_ms:.0f} ms"
            )
            for request in one.requests:
                size = f"{request.request_bytes}+{request.reply_bytes} bytes"
                yield f"      {request.description}: {size}, {', '.join(request.points)}"
        per_minute = sum(len(one.requests) * 60 / one.interval_s for one in line.plans)
        yield f"  {per_minute:.1f} requests a minute, the bus is in use {line.utilisation:.1%} of the time"
        if line.utilisation > 1:
            yield "  WARNING: more than the bus can carry; polls will be late and counted as overruns"
    yield from _remarks(config)
    point_count = sum(len(device.profile.points) for device in config.devices)
    yield ""
    yield (
        f"{len(config.devices)} devices, {point_count} points, {len(config.rules)} rules: "
        "the configuration is good"
    )


def _remarks(config: Config) -> Iterator[str]:
    """Yield what is good and a person should know all the same."""
    for device in config.devices:
        if device.profile.partial:
            yield f"\n{device.device_id}: profile {device.profile.name} is partial: {device.profile.partial}"
        if device.relay is not None and not device.relay.password_file.is_file():
            path = device.relay.password_file
            yield f"\n{device.device_id}: WARNING: {path} is not there: no relay is switched"
