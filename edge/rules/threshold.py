"""Threshold: a value above or below a limit, for long enough, and back by a margin.

In a manager's words: "tell me when the pump room draws more than 15 kW for half a minute, and that
it is over when it draws less than 14".

    kind = "threshold"
    points = ["em-pump/active_power"]
    above = "15"            # or below, or both
    hysteresis = "1"        # it is over this far inside the limit
    for_s = 30              # it must have lasted so long
    during = { from = "22:00", to = "06:00" }   # only then
    severity = "major"
    message = "…"
"""

from collections.abc import Iterable, Sequence

from edge.rule import RuleScope, micro_of, refused
from edge.rules.condition import Conditions, ConditionSettings
from protocol.event import Event
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert


class _Settings(ConditionSettings, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    above: str = ""
    below: str = ""
    hysteresis: str = "0"


class Threshold:
    """Watches each of its points by itself."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        self.rule_id = entry.rule_id
        self.point_keys: Iterable[str] = scope.matching(entry, settings.points)
        self._above = micro_of(entry, "above", settings.above) if settings.above else None
        self._below = micro_of(entry, "below", settings.below) if settings.below else None
        if self._above is None and self._below is None:
            raise refused(entry, "above or below: one of them is required")
        if self._above is not None and self._below is not None and self._below >= self._above:
            raise refused(entry, f"below ({settings.below}) must be less than above ({settings.above})")
        self._hysteresis = micro_of(entry, "hysteresis", settings.hysteresis)
        if self._hysteresis < 0:
            raise refused(entry, f"hysteresis: {settings.hysteresis} is negative")
        self._conditions = Conditions(entry, scope, self.point_keys, settings, _describe(settings))

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Raise when the value has been beyond the limit for long enough, clear when it is back."""
        key, value = reading.point_key, reading.value_micro
        if value is None:
            return ()
        margin = self._hysteresis if self._conditions.is_raised(key) else 0
        is_beyond = (self._above is not None and value > self._above - margin) or (
            self._below is not None and value < self._below + margin
        )
        return self._conditions.update(key, reading, now_ms, holds=is_beyond)

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return the points that are raised or on their way to it."""
        return self._conditions.state()

    def restore(self, state: bytes) -> None:
        """Take up the points again."""
        self._conditions.restore(state)


def _describe(settings: _Settings) -> str:
    limits = [
        f"{word} {limit}" for word, limit in (("above", settings.above), ("below", settings.below)) if limit
    ]
    lasting = f" for {settings.for_s:g} s" if settings.for_s else ""
    return f"value {' or '.join(limits)}{lasting}"
