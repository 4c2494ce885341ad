"""What the agent knows of itself: accounts that must balance, lines, devices, backlog, clock.

Read by the local page, by `gatehouse edge status` and by the Hello. The invariant: nothing is
counted here; every figure is where it arose, and `collect` only looks.
"""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType

import msgspec

from edge.clock import Clock
from edge.field import Field, Unasked, quantities_of
from edge.line import DeviceOnLine, Line
from edge.listener import MqttListener
from edge.poller import Job
from edge.reactions import Duty, Reactions
from edge.reception import PanelReceiver
from edge.standing import device_of
from edge.uplink import Cloud, LaneState
from protocol.event import Event
from protocol.quantity import MICRO, Quantity
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.lines import ListenLine, MqttLine, OnvifLine, OsdpLine

AGENT_VERSION = version("gatehouse")

_AVAILABILITY = "availability"


class StreamHealth(msgspec.Struct, frozen=True):
    """A stream's account. Since start: read = stored + rejected + waiting. Ever: stored = acked +
    pending + evicted + put_aside."""

    read: int
    rejected: int
    stored: int
    acked: int
    pending: int
    evicted: int
    put_aside: int
    oldest_row_at_ms: int | None
    lane_fault: str
    lane_attempts: int
    last_acked_at_ms: int | None


class DeviceHealth(msgspec.Struct, frozen=True):
    """A device on a bus. Round trips in milliseconds, over the last exchanges."""

    id: str
    profile: str
    address: str
    is_online: bool
    asked: int
    answered: int
    refused: int
    no_reply: int
    bad_frame: int
    breaker: str  # "closed", "open", or "probing": its pause is over, the next question decides
    retry_in_s: float | None  # while it is open
    breaker_opened: int
    round_trip_p50_ms: float | None
    round_trip_p95_ms: float | None
    polls: int
    overruns: int
    last_poll_ms: float


class LineHealth(msgspec.Struct, frozen=True):
    """A bus. `utilisation` is the share of the time since start in which it was in use."""

    id: str
    down_reason: str
    utilisation: float
    opened: int
    unsolicited_bytes: int
    held_back: int
    devices: list[DeviceHealth]
    busy_s: float = 0.0


class SpeakerHealth(msgspec.Struct, frozen=True):
    """A device that speaks unasked. `is_online` None: it has no way to say."""

    id: str
    profile: str
    address: str
    is_online: bool | None
    last_heard_at_ms: int | None


class EarHealth(msgspec.Struct, frozen=True):
    """A broker, a port that panels call, or a line of readers."""

    id: str
    kind: str
    is_connected: bool
    down_reason: str
    messages: int
    bad_messages: int
    devices: list[SpeakerHealth]


class OutputHealth(msgspec.Struct, frozen=True):
    """One device's part in a reaction."""

    reaction: str
    device: str
    act: str
    phase: str
    raised_at: str
    failures: int


class EventHealth(msgspec.Struct, frozen=True):
    """Something that was told lately."""

    occurred_at_ms: int
    kind: str
    state: str
    severity: str
    point: str
    message: str


class PointHealth(msgspec.Struct, frozen=True):
    """A point's last reading."""

    key: str
    value_micro: int | None
    unit: str
    state: str  # the name of a state's code, "" for numbers
    quality: str
    reason: str
    measured_at_ms: int


class Health(msgspec.Struct, frozen=True):
    """All of it."""

    gateway: str
    version: str
    boot_id: str
    config_version: str
    now_ms: int
    started_at_ms: int
    clock_quality: str
    epoch: int
    buffer_bytes: int
    buffer_fault: str
    hello_fault: str
    events_seen: int
    streams: dict[str, StreamHealth]
    lines: list[LineHealth]
    points: list[PointHealth]
    ears: list[EarHealth] = []
    outputs: list[OutputHealth] = []
    events: list[EventHealth] = []  # newest first
    undated_rows: int = 0
    tasks: int = 0  # of the event loop


def count_devices(field: Field) -> tuple[int, int]:
    """Return how many polled devices are online and offline."""
    polled = [device for device in field.config.devices if device.line_id in field.lines]
    offline = sum(
        field.lines[device.line_id].is_down
        or field.lines[device.line_id].device(device.address).breaker.is_open
        for device in polled
    )
    return len(polled) - offline, offline


class Inspector:
    """Looks at the parts of a running agent."""

    def __init__(self, field: Field, cloud: Cloud, clock: Clock, boot_id: str) -> None:
        self._field = field
        self._cloud = cloud
        self._clock = clock
        self._boot_id = boot_id
        self._started_at_ms = clock.wall_ms()
        self._started_mono_ms = clock.monotonic_ms()

    async def collect(self) -> Health:
        """Return the state of everything now."""
        state = await self._field.buffer.state()
        quantities = quantities_of(self._field.config)
        streams: dict[str, StreamHealth] = {}
        for stream, here in state.streams.items():
            sender = self._cloud.lanes.get(stream)
            lane = LaneState() if sender is None else sender.state
            streams[stream.value] = StreamHealth(
                read=self._field.buffer.read[stream],
                rejected=self._field.buffer.rejected[stream],
                stored=here.stored_rows,
                acked=here.acked_rows,
                pending=here.pending_rows,
                evicted=here.evicted_rows,
                put_aside=here.put_aside_rows,
                oldest_row_at_ms=here.oldest_row_at_ms,
                lane_fault=lane.fault,
                lane_attempts=lane.attempts,
                last_acked_at_ms=lane.last_acked_at_ms,
            )
        return Health(
            gateway=self._field.config.gateway_code,
            version=AGENT_VERSION,
            boot_id=self._boot_id,
            config_version=self._field.config.version,
            now_ms=self._clock.wall_ms(),
            started_at_ms=self._started_at_ms,
            clock_quality=self._clock.quality.name.lower(),
            epoch=state.epoch,
            buffer_bytes=state.size_bytes,
            buffer_fault=self._field.buffer.fault,
            hello_fault="" if self._cloud.greeter is None else self._cloud.greeter.fault,
            events_seen=self._field.intake.events_seen,
            tasks=len(asyncio.all_tasks()),
            streams=streams,
            lines=[self._line_health(line_id, line) for line_id, line in self._field.lines.items()],
            points=[
                _point_health(reading, quantities.get(reading.point_key))
                for _, reading in sorted(self._field.intake.latest.items())
            ],
            ears=[self._ear_health(listener) for listener in self._field.listeners],
            outputs=[_output_health(duty, self._field.reactions) for duty in self._field.reactions.duties],
            events=[_event_health(event) for event in reversed(self._field.intake.recent)],
            undated_rows=state.undated_rows,
        )

    def _ear_health(self, listener: Unasked) -> EarHealth:
        latest = self._field.intake.latest
        heard: dict[str, int] = {}
        for key, reading in latest.items():
            if reading.quality is not Quality.OFFLINE:
                device_id = device_of(key)
                heard[device_id] = max(heard.get(device_id, 0), reading.measured_at_ms)
        line = listener.line
        return EarHealth(
            id=line.line_id,
            kind=line.protocol if isinstance(line, ListenLine) else _EAR_KINDS[type(line)],
            is_connected=listener.is_connected,
            down_reason=listener.down_reason,
            messages=listener.messages,
            bad_messages=listener.bad_messages,
            devices=[
                SpeakerHealth(
                    id=device.device_id,
                    profile=device.profile.name,
                    address=device.address,
                    is_online=_is_speaker_online(listener, device, latest),
                    last_heard_at_ms=listener.last_heard_at_ms(device.device_id)
                    if isinstance(listener, PanelReceiver)
                    else heard.get(device.device_id),
                )
                for device in listener.devices
            ],
        )

    def _line_health(self, line_id: str, line: Line) -> LineHealth:
        elapsed_s = max(1, self._clock.monotonic_ms() - self._started_mono_ms) / 1000
        loop_s = asyncio.get_running_loop().time()  # by which breakers count
        jobs: dict[str, list[Job]] = {}
        for job in self._field.poller.jobs:
            if job.device.line_id == line_id:
                jobs.setdefault(job.device.device_id, []).append(job)
        return LineHealth(
            id=line_id,
            down_reason=line.down_reason,
            utilisation=min(1.0, line.counters.busy_s / elapsed_s),
            opened=line.counters.opened,
            unsolicited_bytes=line.counters.unsolicited_bytes,
            held_back=line.counters.held_back,
            busy_s=round(line.counters.busy_s, 3),
            devices=[
                _device_health(here, line.device(here[0].device.address), loop_s, is_down=line.is_down)
                for here in jobs.values()
            ],
        )


def _point_health(reading: Reading, quantity: Quantity | None) -> PointHealth:
    state = ""
    if quantity is not None and quantity.codes and reading.value_micro is not None:
        state = quantity.codes.get(reading.value_micro // MICRO, "")
    return PointHealth(
        key=reading.point_key,
        value_micro=reading.value_micro,
        unit="" if quantity is None else quantity.unit,
        state=state,
        quality=reading.quality.name.lower(),
        reason=reading.reason,
        measured_at_ms=reading.measured_at_ms,
    )


# What listens on lines where nobody has to be asked.
_EAR_KINDS: Mapping[type, str] = MappingProxyType({MqttLine: "mqtt", OnvifLine: "onvif", OsdpLine: "osdp"})


def _is_speaker_online(listener: Unasked, device: DeviceConfig, latest: Mapping[str, Reading]) -> bool | None:
    if not isinstance(listener, MqttListener):
        return listener.is_online(device.device_id)
    point = device.profile.point_named(_AVAILABILITY)
    reading = latest.get(f"{device.device_id}/{_AVAILABILITY}") if point else None
    if reading is not None and reading.value_micro is not None:
        return reading.value_micro == MICRO
    return False if reading is not None and reading.quality is Quality.OFFLINE else None


def _output_health(duty: Duty, reactions: Reactions) -> OutputHealth:
    return OutputHealth(
        reaction=duty.reaction.reaction_id,
        device=duty.device_id,
        act=duty.act.value,
        phase=duty.phase.name.lower(),
        raised_at=reactions.raised_at(duty),
        failures=duty.failures,
    )


def _event_health(event: Event) -> EventHealth:
    severity = event.severity.name.lower()
    state = event.state.value
    return EventHealth(event.occurred_at_ms, event.kind, state, severity, event.point_key, event.message)


def _device_health(jobs: list[Job], known: DeviceOnLine, loop_s: float, *, is_down: bool) -> DeviceHealth:
    device = jobs[0].device
    retry_at = known.breaker.retry_at
    breaker = "closed" if retry_at is None else "open" if retry_at > loop_s else "probing"
    trips = sorted(known.round_trips_us)
    return DeviceHealth(
        id=device.device_id,
        profile=device.profile.name,
        address=device.address,
        is_online=not (is_down or known.breaker.is_open),
        asked=known.asked,
        answered=known.answered,
        refused=known.refused,
        no_reply=known.no_reply,
        bad_frame=known.bad_frame,
        breaker=breaker,
        retry_in_s=None if retry_at is None else round(max(0.0, retry_at - loop_s), 1),
        breaker_opened=known.breaker.opened,
        round_trip_p50_ms=trips[len(trips) // 2] / 1000 if trips else None,
        round_trip_p95_ms=trips[len(trips) * 95 // 100] / 1000 if trips else None,
        polls=sum(job.polls for job in jobs),
        overruns=sum(job.overruns for job in jobs),
        last_poll_ms=round(max(job.last_took_s for job in jobs) * 1000, 1),
    )
