"""Rate of change: a value that rises or falls faster than it should.

In a manager's words: "tell me when the pressure in the riser falls by more than 50 kPa in a minute".

    kind = "rate_of_change"
    points = ["riser/pressure"]
    falls_per_min = "50"    # or rises_per_min, or both
    over_s = 30             # measured between readings at least so far apart
"""

from collections.abc import Iterable, Sequence

from edge.rule import RuleScope, micro_of, refused
from edge.rules.condition import Conditions, ConditionSettings
from protocol.event import Event
from protocol.quantity import decimal_from_micro
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert

_MINUTE_MS = 60_000


class _Settings(ConditionSettings, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    rises_per_min: str = ""
    falls_per_min: str = ""
    over_s: float = 30


class RateOfChange:
    """Compares each point with itself, a little earlier."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        self.rule_id = entry.rule_id
        self.point_keys: Iterable[str] = scope.matching(entry, settings.points)
        self._rise = micro_of(entry, "rises_per_min", settings.rises_per_min or "0")
        self._fall = micro_of(entry, "falls_per_min", settings.falls_per_min or "0")
        if self._rise <= 0 and self._fall <= 0:
            raise refused(entry, "rises_per_min or falls_per_min: one of them is required, and positive")
        if settings.over_s <= 0:
            raise refused(entry, f"over_s: {settings.over_s:g} is not positive")
        self._over_ms = round(settings.over_s * 1000)
        told = [f"rises {settings.rises_per_min} a minute"] if self._rise > 0 else []
        told += [f"falls {settings.falls_per_min} a minute"] if self._fall > 0 else []
        self._conditions = Conditions(
            entry, scope, self.point_keys, settings, " or ".join(told) + " or faster"
        )
        self._earlier: dict[str, tuple[int, int]] = {}  # value and monotonic time

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Compare with the value some time ago; a gap in between makes the comparison slower, not wrong."""
        key, value = reading.point_key, reading.value_micro
        if value is None:
            return ()
        earlier = self._earlier.get(key)
        if earlier is None:
            self._earlier[key] = (value, now_ms)
            return ()
        before, before_ms = earlier
        elapsed_ms = now_ms - before_ms
        if elapsed_ms < self._over_ms:
            return ()
        self._earlier[key] = (value, now_ms)
        per_min = (value - before) * _MINUTE_MS // elapsed_ms
        is_fast = (self._rise > 0 and per_min >= self._rise) or (self._fall > 0 and per_min <= -self._fall)
        attributes = {"per_min": f"{decimal_from_micro(per_min):f}"}
        return self._conditions.update(key, reading, now_ms, holds=is_fast, attributes=attributes)

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised; the values compared begin anew."""
        return self._conditions.state()

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._conditions.restore(state)
