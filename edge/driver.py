"""The driver contract: how one device on a bus is asked, and what its driver owes.

A driver turns a device's profile into requests once, at construction, and polls a group of points
by exchanging them over its `Bus`. The invariants it keeps: every point of the group yields exactly
one reading a poll; a failed exchange fails only its own points, with a quality and a reason; a
reply is believed only if it answers that very request. It owns no I/O and no schedule.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from edge.clock import Clock
from edge.errors import EdgeError, quality_of
from protocol.evidence import Evidence
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.lines import BusSettings
from provisioning.profile import PanelSource, PointProfile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Priority(IntEnum):
    """Who goes first where several want a bus; smaller goes first."""

    COMMAND = 0
    ALARM = 1
    BILLING = 2
    TELEMETRY = 3


class Receiver(Protocol):
    """Listens for the answer to one request. Sans-I/O; used once."""

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived; return the answer's own bytes when complete, None to keep listening."""
        ...

    def failure(self) -> EdgeError:
        """Say what was heard instead of an answer: NoReply or BadFrame."""
        ...


class Ask(msgspec.Struct, frozen=True):
    """One request. A struct, as is what is heard: a hundred are made a second, at a tenth of the cost.

    `identity` is all that an answer shows of its question, `question` what the identity leaves open.
    Where a question can be followed by another of the same identity, a late answer could be taken
    for the other's; the line then keeps the two apart in time. `identity` None: the answer names its
    very request, as a transaction id does.
    """

    address: str  # whom the breaker counts this for
    wire: bytes
    reply_length: int  # bytes expected, for the deadline
    receiver: Receiver
    identity: Hashable = None
    question: Hashable = None
    timeout_ms: int | None = None  # where it differs from the line's


class Heard(msgspec.Struct, frozen=True):
    """A completed exchange. `measured_at_ms` is its middle."""

    request: bytes
    reply: bytes
    measured_at_ms: int
    round_trip_us: int


class Bus(Protocol):
    """The line as a driver sees it."""

    @property
    def settings(self) -> BusSettings:
        """Return what is configured about the bus."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the time by which readings are stamped."""
        ...

    def next_number(self) -> int:
        """Return a number from 1 to 65535 that no recent request on this bus carried."""
        ...

    def turnaround_s(self, address: str) -> float | None:
        """Return how long the device thinks before it answers, None until that is known."""
        ...

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        """Take a turn on the bus; raise NoReply, BadFrame, LineDown or Offline."""
        ...

    async def tell(self, wire: bytes, priority: Priority = Priority.TELEMETRY) -> None:
        """Take a turn and send what nobody answers, a broadcast; raise LineDown."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """What `edge check` prints: one request of a poll, and its bytes both ways."""

    description: str
    points: tuple[str, ...]
    request_bytes: int
    reply_bytes: int


class Driver(Protocol):
    """One polled device."""

    @property
    def device(self) -> DeviceConfig:
        """Return the device as configured."""
        ...

    def plan(self, group: str) -> Sequence[PlannedRequest]:
        """Return the requests a poll of the group makes, as presently known."""
        ...

    async def poll(self, group: str) -> list[Reading]:
        """Return one reading for each point of the group."""
        ...

    async def probe(self) -> None:
        """Ask the device the cheapest question it answers; raise as `exchange` does."""
        ...

    async def read_raw(self, frame: bytes) -> Heard:
        """Send a person's own question to this device; raise as `exchange` does.

        Refused, and nothing sent, for anything but a question that reads this very device.
        """
        ...


def points_of(device: DeviceConfig, group: str) -> tuple[PointProfile, ...]:
    """Return the points of a group in profile order."""
    return tuple(point for point in device.profile.points if point.group == group)


def point_key(device: DeviceConfig, point: PointProfile) -> str:
    """Return the key under which the point's readings travel."""
    return f"{device.device_id}/{point.name}"


def priority_of(device: DeviceConfig, group: str) -> Priority:
    """Return how urgent a poll of the group is: alarms, then billed points, then the rest."""
    points = points_of(device, group)
    if any(point.alarm for point in points):
        return Priority.ALARM
    return Priority.BILLING if any(point.is_billing for point in points) else Priority.TELEMETRY


class EvidenceKeeper:
    """Decides when the raw exchange is kept: for billed points, the first one of each local hour.

    Billing periods begin on local hours, so the first reading at or after a boundary always
    has its frame; so has at least one reading every hour.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._quarter = -1
        self._offset_ms = 0

    def hour_of(self, at_ms: int) -> int:
        """Return the number of the local hour; equal for two instants of the same one."""
        quarter = at_ms // 900_000  # every zone's offset is a multiple of 15 minutes
        if quarter != self._quarter:
            self._quarter = quarter
            self._offset_ms = utc_offset_ms(self._zone, at_ms)
        return (at_ms + self._offset_ms) // 3_600_000


def utc_offset_ms(zone: ZoneInfo, at_ms: int) -> int:
    """Return how far local time is ahead of UTC at that instant."""
    offset = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)


def evidence_of(heard: Heard, protocol: str, line: str) -> Evidence:
    """Return the exchange as evidence."""
    return Evidence(protocol, line, heard.request, heard.reply, heard.measured_at_ms, heard.round_trip_us)


def failed_readings(
    device: DeviceConfig, points: Iterable[PointProfile], failure: Exception, clock: Clock
) -> list[Reading]:
    """Return a reading without value for each point, saying why."""
    quality, at_ms, reason, clock_quality = quality_of(failure), clock.wall_ms(), str(failure), clock.quality
    return [
        Reading(point_key(device, point), at_ms, None, quality, reason, clock_quality) for point in points
    ]


def state_readings(
    device: DeviceConfig, states: Mapping[str, bool], at_ms: int, clock_quality: ClockQuality
) -> list[Reading]:
    """Return the points of a device that speaks unasked whose states are known."""
    readings: list[Reading] = []
    for point in device.profile.points:
        assert isinstance(point.source, PanelSource)
        if point.source.condition not in states:
            continue
        value_micro = states[point.source.condition] * MICRO
        readings.append(
            Reading(point_key(device, point), at_ms, value_micro, Quality.GOOD, "", clock_quality)
        )
    return readings
