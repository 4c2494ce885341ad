"""The driver contract: how one device on a bus is asked, and what its driver owes.

A driver turns a device's profile into requests once, at construction, and polls a group of points
by exchanging them over its `Bus`. The invariants it keeps: every point of the group yields exactly
one reading a poll; a failed exchange fails only its own points, with a quality and a reason; a
reply is believed only if it answers that very request. It owns no I/O and no schedule.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from edge.clock import Clock
from edge.config import BusSettings, DeviceId
from edge.errors import EdgeError, quality_of
from protocol.evidence import Evidence
from protocol.reading import Reading


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


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    `identity` is all that an answer shows of its question. Where two different questions can have
    the same identity, an answer that comes late could be taken for the other's: the line then keeps
    them apart in time. None: the answer names its very request, as a transaction id does.
    """

    address: str  # whom the breaker counts this for
    wire: bytes
    reply_length: int  # bytes expected, for the deadline
    identity: Hashable
    receiver: Receiver


@dataclass(frozen=True, slots=True)
class Heard:
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

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        """Take a turn on the bus; raise NoReply, BadFrame, LineDown or Offline."""
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
    def device_id(self) -> DeviceId:
        """Return the device's id in the configuration."""
        ...

    @property
    def address(self) -> str:
        """Return the address on the bus."""
        ...

    @property
    def priority(self) -> Priority:
        """Return how urgent its polls are."""
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

    def offline(self, group: str, failure: Exception) -> list[Reading]:
        """Return the group's readings for a poll that could not even be tried."""
        ...


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
    from datetime import UTC, datetime, timedelta

    offset = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)


def evidence_of(heard: Heard, protocol: str, line: str) -> Evidence:
    """Return the exchange as evidence."""
    return Evidence(protocol, line, heard.request, heard.reply, heard.measured_at_ms, heard.round_trip_us)


def failed_readings(point_keys: Iterable[str], failure: Exception, clock: Clock) -> list[Reading]:
    """Return a reading without value for each point, saying why."""
    quality, at_ms, reason, clock_quality = quality_of(failure), clock.wall_ms(), str(failure), clock.quality
    return [Reading(key, at_ms, None, quality, reason, clock_quality) for key in point_keys]
