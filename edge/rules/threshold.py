"""Threshold: a value above or below a limit, for long enough, and back by a margin.

In a manager's words: "tell me when the pump room draws more than 15 kW for half a minute, and that
it is over when it draws less than 14".

    kind = "threshold"
    points = ["em-pump/active_power"]
    above = "15"            # or below, or both
    hysteresis = "1"        # it is over this far inside the limit
    for_s = 30              # it must have lasted so long
    severity = "major"
    message = "…"
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from edge.config import RuleEntry
from edge.rule import RuleScope, micro_of, refused, severity_named
from protocol.event import Event, EventState
from protocol.reading import Reading
from provisioning.strict import convert


class _Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    above: str = ""
    below: str = ""
    hysteresis: str = "0"
    for_s: float = 0
    severity: str = "major"
    message: str = ""
    event: str = "threshold"


@dataclass(slots=True)
class _Watched:
    """A point's condition: how long it has held, and whether it was told."""

    is_raised: bool = False
    held_ms: int = 0  # when last seen beyond the limit; carried over a restart
    since_ms: int | None = None


class Threshold:
    """Watches each of its points by itself."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        self.rule_id = entry.rule_id
        self._watched = {key: _Watched() for key in scope.matching(entry, settings.points)}
        self._above = micro_of(entry, "above", settings.above) if settings.above else None
        self._below = micro_of(entry, "below", settings.below) if settings.below else None
        if self._above is None and self._below is None:
            raise refused(entry, "above or below: one of them is required")
        if self._above is not None and self._below is not None and self._below >= self._above:
            raise refused(entry, f"below ({settings.below}) must be less than above ({settings.above})")
        self._hysteresis = micro_of(entry, "hysteresis", settings.hysteresis)
        if self._hysteresis < 0:
            raise refused(entry, f"hysteresis: {settings.hysteresis} is negative")
        self._for_ms = round(settings.for_s * 1000)
        self._severity = severity_named(entry, settings.severity)
        self._message = settings.message or _describe(settings)
        self._event = settings.event

    @property
    def point_keys(self) -> Iterable[str]:
        """Return the points it watches."""
        return self._watched

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Raise when the value has been beyond the limit for long enough, clear when it is back."""
        value = reading.value_micro
        if value is None:
            return ()
        watched = self._watched[reading.point_key]
        if self._is_beyond(value, margin=self._hysteresis if watched.is_raised else 0):
            if watched.since_ms is None:
                watched.since_ms = now_ms - watched.held_ms
            watched.held_ms = now_ms - watched.since_ms
            if not watched.is_raised and watched.held_ms >= self._for_ms:
                watched.is_raised = True
                return (self._event_of(reading, EventState.RAISED),)
            return ()
        watched.since_ms, watched.held_ms = None, 0
        if watched.is_raised:
            watched.is_raised = False
            return (self._event_of(reading, EventState.CLEARED),)
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return the points that are raised or on their way to it."""
        kept = {
            key: (watched.is_raised, watched.held_ms // 1000)
            for key, watched in self._watched.items()
            if watched.is_raised or watched.held_ms
        }
        return msgspec.json.encode(kept)

    def restore(self, state: bytes) -> None:
        """Take up the points again; time without us does not count as lasting."""
        for key, (is_raised, held_s) in _state_decoder.decode(state).items():
            if key in self._watched:
                self._watched[key] = _Watched(is_raised, held_s * 1000)

    def _is_beyond(self, value: int, margin: int) -> bool:
        return (self._above is not None and value > self._above - margin) or (
            self._below is not None and value < self._below + margin
        )

    def _event_of(self, reading: Reading, state: EventState) -> Event:
        return Event(
            self._event,
            state,
            self._severity,
            reading.point_key,
            reading.measured_at_ms,
            self._message,
            self.rule_id,
            reading.value_micro,
        )


_state_decoder = msgspec.json.Decoder(dict[str, tuple[bool, int]])


def _describe(settings: _Settings) -> str:
    limits = [
        f"{word} {limit}" for word, limit in (("above", settings.above), ("below", settings.below)) if limit
    ]
    lasting = f" for {settings.for_s:g} s" if settings.for_s else ""
    return f"value {' or '.join(limits)}{lasting}"
