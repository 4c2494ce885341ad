"""Stale: a point that has given no good value for too long.

In a manager's words: "tell me when a meter has said nothing for a quarter of an hour".

    kind = "stale"
    points = ["em-*/active_energy_import"]
    after_s = 900
    severity = "minor"
"""

from collections.abc import Iterable, Sequence

import msgspec

from edge.rule import RuleScope, refused, severity_named
from protocol.event import Event, EventState
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert


class _Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    after_s: float
    severity: str = "minor"
    message: str = ""
    event: str = "stale"


class Stale:
    """Watches the age of the last value of each of its points."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        if settings.after_s <= 0:
            raise refused(entry, f"after_s: {settings.after_s:g} is not positive")
        self.rule_id = entry.rule_id
        # When each point last gave a value; None until time is known, which counts as just now.
        self._last_ms: dict[str, int | None] = dict.fromkeys(scope.matching(entry, settings.points))
        self._raised: set[str] = set()
        self._after_ms = round(settings.after_s * 1000)
        self._severity = severity_named(entry, settings.severity)
        self._message = settings.message or f"no value for {settings.after_s:g} s"
        self._event = settings.event

    @property
    def point_keys(self) -> Iterable[str]:
        """Return the points it watches."""
        return self._last_ms

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Clear when a value comes."""
        if reading.value_micro is None:
            return ()
        key = reading.point_key
        self._last_ms[key] = now_ms
        if key not in self._raised:
            return ()
        self._raised.discard(key)
        return (self._event_of(key, EventState.CLEARED, reading.measured_at_ms, reading.value_micro),)

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Raise where the last value has grown too old."""
        events: list[Event] = []
        for key, last_ms in self._last_ms.items():
            if last_ms is None:
                self._last_ms[key] = now_ms
            elif now_ms - last_ms >= self._after_ms and key not in self._raised:
                self._raised.add(key)
                events.append(self._event_of(key, EventState.RAISED, wall_ms, None))
        return events

    def state(self) -> bytes:
        """Return the points that are raised."""
        return msgspec.json.encode(sorted(self._raised))

    def restore(self, state: bytes) -> None:
        """Take up what was raised; ages begin anew."""
        self._raised = {key for key in msgspec.json.decode(state, type=list[str]) if key in self._last_ms}

    def _event_of(self, key: str, state: EventState, at_ms: int, value_micro: int | None) -> Event:
        return Event(self._event, state, self._severity, key, at_ms, self._message, self.rule_id, value_micro)
