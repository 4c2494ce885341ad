"""Stuck: a value that does not move although it should.

In a manager's words: "tell me when the master water meter stands still for an hour while the pump
draws power". Without `while_point` the point itself is expected to move all the time.

    kind = "stuck"
    points = ["wm-main/water_volume"]
    after_s = 3600
    while_point = "em-pump/active_power"
    while_above = "0.5"
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge.rule import RuleScope, micro_of, refused
from edge.rules.condition import Conditions, ConditionSettings
from protocol.event import Event
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert

# Between two readings further apart than this it is not known what happened.
_GAP_MAX_MS = 3_600_000


class _Settings(ConditionSettings, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    after_s: float
    while_point: str = ""
    while_above: str = "0"


@dataclass(slots=True)
class _Still:
    """A value, since when it was read, and for how long it should have moved."""

    value_micro: int
    seen_ms: int
    expected_ms: int = 0


class Stuck:
    """Counts the time in which a value should have moved and did not."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        self.rule_id = entry.rule_id
        self._watched = frozenset(scope.matching(entry, settings.points))
        self._companion = settings.while_point
        if self._companion and self._companion not in scope.points:
            raise refused(entry, f"while_point: there is no point {self._companion!r}")
        if settings.after_s <= 0:
            raise refused(entry, f"after_s: {settings.after_s:g} is not positive")
        self.point_keys: Iterable[str] = self._watched | ({self._companion} if self._companion else set())
        self._above = micro_of(entry, "while_above", settings.while_above)
        self._after_ms = round(settings.after_s * 1000)
        told = f"has not moved for {settings.after_s:g} s"
        if self._companion:
            told += f" while {self._companion} was above {settings.while_above}"
        self._conditions = Conditions(entry, scope, self._watched, settings, told)
        self._still: dict[str, _Still] = {}
        self._is_expected = not self._companion

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Clear when the value moves, raise when it has stood still for too long while it should not."""
        key, value = reading.point_key, reading.value_micro
        if key == self._companion:
            self._is_expected = value is not None and value > self._above
        if value is None or key not in self._watched:
            return ()
        still = self._still.get(key)
        if still is None:
            # After a restart what was told stays told until the value is seen to move.
            told_ms = self._after_ms if self._conditions.is_raised(key) else 0
            self._still[key] = _Still(value, now_ms, told_ms)
            return ()
        if still.value_micro != value:
            self._still[key] = _Still(value, now_ms)
            return self._conditions.update(key, reading, now_ms, holds=False)
        if self._is_expected and now_ms - still.seen_ms <= _GAP_MAX_MS:
            still.expected_ms += now_ms - still.seen_ms
        still.seen_ms = now_ms
        is_stuck = still.expected_ms >= self._after_ms
        # Once told it stays so until it moves, also while nobody expects it to.
        return self._conditions.update(key, reading, now_ms, holds=is_stuck)

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised; the time counted begins anew."""
        return self._conditions.state()

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._conditions.restore(state)
