"""Leak: water that runs through the night.

In a manager's words: "tell me when a flat's water meter has moved in every hour between two and
five at night, and by 30 litres at least". A household that sleeps has an hour without flow; a
running cistern or a burst pipe has none. It is over after a night with such an hour.

    kind = "leak"
    points = ["wm-*/water_volume"]
    from_hour = 2           # local hours
    to_hour = 5
    minimum_m3 = "0.03"     # over the whole time
    severity = "major"
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from edge.rule import RuleScope, micro_of, refused, severity_named
from protocol.event import Event, EventState
from protocol.quantity import Kind
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    from_hour: int = 2
    to_hour: int = 5
    minimum_m3: str = "0.03"
    severity: str = "major"
    message: str = "water has been running through the night"
    event: str = "leak_suspected"


@dataclass(slots=True)
class _Night:
    """The meter's first value in each hour of one night, by hour; and whether a leak was told."""

    date: str = ""
    marks: dict[int, int] = field(default_factory=dict)
    is_raised: bool = False


class Leak:
    """Watches cumulative volumes."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        if not 0 <= settings.from_hour < settings.to_hour <= 23:
            raise refused(
                entry,
                f"from_hour and to_hour: {settings.from_hour} and {settings.to_hour} are not two rising "
                "hours from 0 to 23 of one night",
            )
        points = scope.matching(entry, settings.points)
        for key, quantity in points.items():
            if quantity.kind is not Kind.CUMULATIVE or quantity.unit != "m3":
                raise refused(entry, f"points: {key} is {quantity.name}, not a running total of m3")
        self.rule_id = entry.rule_id
        self._zone = scope.time_zone
        self._nights = {key: _Night() for key in points}
        self._from_hour, self._to_hour = settings.from_hour, settings.to_hour
        self._minimum = micro_of(entry, "minimum_m3", settings.minimum_m3)
        self._severity = severity_named(entry, settings.severity)
        self._message = settings.message
        self._event = settings.event

    @property
    def point_keys(self) -> Iterable[str]:
        """Return the meters it watches."""
        return self._nights

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Mark the first value of each hour of the night; judge when the last hour is over."""
        del now_ms
        if reading.quality is not Quality.GOOD or reading.clock_quality is not ClockQuality.SYNCED:
            return ()
        local = (_EPOCH + timedelta(milliseconds=reading.measured_at_ms)).astimezone(self._zone)
        if not self._from_hour <= local.hour <= self._to_hour:
            return ()
        night, value = self._nights[reading.point_key], reading.value_micro
        assert value is not None
        today = local.date().isoformat()
        if night.date != today:
            night.date, night.marks = today, {}
        if local.hour in night.marks:
            return ()
        night.marks[local.hour] = value
        if local.hour < self._to_hour:
            return ()
        return self._judge(night, reading)

    def _judge(self, night: _Night, reading: Reading) -> Sequence[Event]:
        hours = range(self._from_hour, self._to_hour + 1)
        if any(hour not in night.marks for hour in hours):
            return ()  # a night with a gap proves nothing
        marks = [night.marks[hour] for hour in hours]
        is_running = all(later > earlier for earlier, later in pairwise(marks))
        is_leak = is_running and marks[-1] - marks[0] >= self._minimum
        if is_leak == night.is_raised:
            return ()
        night.is_raised = is_leak
        state = EventState.RAISED if is_leak else EventState.CLEARED
        return (
            Event(
                self._event,
                state,
                self._severity,
                reading.point_key,
                reading.measured_at_ms,
                self._message,
                self.rule_id,
                reading.value_micro,
                attributes={"night_volume_l": str((marks[-1] - marks[0]) // 1000)},
            ),
        )

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: a night is judged by its readings."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return the night under way and what is raised."""
        kept = {
            key: (night.date, night.marks, night.is_raised)
            for key, night in self._nights.items()
            if night.date or night.is_raised
        }
        return msgspec.msgpack.encode(kept)

    def restore(self, state: bytes) -> None:
        """Take up the night under way."""
        for key, (date, marks, is_raised) in _state_decoder.decode(state).items():
            if key in self._nights:
                self._nights[key] = _Night(date, marks, is_raised)


_state_decoder = msgspec.msgpack.Decoder(dict[str, tuple[str, dict[int, int], bool]])
