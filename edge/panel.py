"""The contract of panels: devices that call us and want every message confirmed.

A fire panel's transmitter or an alarm panel reports by itself, repeats what is not confirmed, and
takes a confirmation as a promise. The invariants: the confirmation leaves only after the events are
on disk; a message sent twice is told once; what a panel holds raised survives our restart, so that
the end of a condition is told even where its beginning was another day's.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from edge.driver import point_key
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import PanelSource


@dataclass(frozen=True, slots=True)
class Condition:
    """What a panel says of one place: a component, a zone, the system as a whole.

    `kind` is the event's; `is_active` whether it is so now; None means it only happened.
    """

    kind: str
    severity: Severity
    place: str
    is_active: bool | None
    message: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """One message of a panel, ready to be stored; `answer` goes out afterwards, `undo` if that failed.

    `device_id` is "" where nobody knows the panel. `stored` is to be called once it is on disk.
    """

    device_id: str
    rule_id: str
    readings: Sequence[Reading]
    events: Sequence[Event]
    answer: bytes
    stored: Callable[[], None]
    undo: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Round:
    """What a station does by itself: bytes for a panel if it is connected, events to store."""

    device_id: str
    rule_id: str
    wire: bytes
    events: Sequence[Event] = ()


class Conversation(Protocol):
    """One connection of a panel, sans-I/O."""

    def feed(self, data: bytes) -> Sequence[Report]:
        """Take what arrived; return the complete messages in order."""
        ...


class Station(Protocol):
    """What answers on a port: all panels of one line that speak one protocol."""

    @property
    def panels(self) -> "Sequence[Panel]":
        """Return what is remembered of each panel."""
        ...

    def prepare(self) -> None:
        """Read what is in files of their own, off the event loop; LineDown says what is wrong."""
        ...

    def conversation(self) -> Conversation:
        """Return a new connection's conversation."""
        ...

    def rounds(self, connected: Collection[str]) -> "Sequence[Round]":
        """Return what is to be asked of the connected devices now, and told of those that did not answer."""
        ...


# Of one kind at one panel: ten times the points a controller may have (GB 50116 §3.1.5).
PLACES_MAX = 32_000


class Panel:
    """One panel and what it holds raised. Kept by the intake as a rule's state is."""

    point_keys: Iterable[str] = ()

    def __init__(self, device: DeviceConfig, line: str, protocol: str) -> None:
        self.device = device
        self.rule_id = f"panel:{device.device_id}"
        self._line = line
        self._protocol = protocol
        self._raised: dict[str, set[str]] = {}  # kind -> places

    def take(
        self, conditions: Sequence[Condition], wire: bytes, at_ms: int, clock_quality: ClockQuality
    ) -> tuple[list[Reading], list[Event]]:
        """Return the events of a message and the panel's points as they are then.

        A condition that is raised again is told again, since its words may differ; one that ends is
        told only if it was raised.
        """
        evidence = Evidence(self._protocol, self._line, b"", wire, at_ms, 0)
        events: list[Event] = []
        for condition in conditions:
            places = self._raised.setdefault(condition.kind, set())
            state = EventState.OCCURRED
            if condition.is_active:
                state = EventState.RAISED
                if len(places) < PLACES_MAX:
                    places.add(condition.place)
            elif condition.is_active is False:
                if condition.place not in places:
                    continue
                state = EventState.CLEARED
                places.discard(condition.place)
            key = f"{self.device.device_id}/{condition.place}"
            events.append(
                Event(
                    condition.kind,
                    state,
                    condition.severity,
                    key,
                    at_ms,
                    condition.message,
                    attributes=condition.attributes,
                    evidence=evidence,
                )
            )
        return self._readings(at_ms, clock_quality), events

    def clear_all(self, message: str) -> list[Condition]:
        """Return the end of everything that is raised: a panel was reset."""
        return [
            Condition(kind, Severity.INFO, place, is_active=False, message=message)
            for kind, places in sorted(self._raised.items())
            for place in sorted(places)
        ]

    def _readings(self, at_ms: int, clock_quality: ClockQuality) -> list[Reading]:
        readings: list[Reading] = []
        for point in self.device.profile.points:
            assert isinstance(point.source, PanelSource)
            is_active = bool(self._raised.get(point.source.condition))
            key = point_key(self.device, point)
            readings.append(Reading(key, at_ms, is_active * MICRO, Quality.GOOD, "", clock_quality))
        return readings

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Do nothing: a panel is not derived from readings."""
        del reading, now_ms
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: only the panel knows."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised."""
        return msgspec.json.encode({kind: sorted(p) for kind, p in sorted(self._raised.items()) if p})

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._raised = {k: set(p) for k, p in msgspec.json.decode(state, type=dict[str, list[str]]).items()}


class Strangers:
    """Who calls and is not configured: each is told once, and beyond a number of them nobody."""

    # A line has a handful of panels; somebody who makes addresses up must fill neither memory nor alarms.
    TOLD_MAX = 64

    def __init__(self) -> None:
        self._told: set[str] = set()

    def is_to_be_told(self, address: str) -> bool:
        """Note a stranger; tell whether people are to hear of it."""
        if address in self._told or len(self._told) >= self.TOLD_MAX:
            return False
        self._told.add(address)
        return True

    def forget(self, address: str) -> None:
        """Take back that people have heard of it: that could not be stored."""
        self._told.discard(address)


class RecentMessages:
    """The last messages of a panel, to know a repetition by. Only stored ones are kept."""

    # Three repetitions within half a minute are usual; a panel sends a handful a minute at most.
    KEPT = 64

    def __init__(self) -> None:
        self._known: dict[object, None] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def add(self, key: object) -> None:
        """Remember a message that is on disk."""
        self._known[key] = None
        if len(self._known) > self.KEPT:
            del self._known[next(iter(self._known))]
