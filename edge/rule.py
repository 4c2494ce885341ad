"""The rule contract: what watches readings and tells when a condition begins and ends.

A rule is pure: it is given readings and the passing of time and returns events. The invariants: for
one point it raises once and clears once, in turn; a reading without a value neither raises nor
clears a condition about values; durations are of monotonic time; and what it must remember to keep
this over a restart is in `state()`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Protocol
from zoneinfo import ZoneInfo

from edge.calendar import WorkingDays
from protocol.event import Event, Severity
from protocol.quantity import MICRO, Quantity
from protocol.reading import Reading
from provisioning.config import RuleEntry
from provisioning.strict import Malformed


class Rule(Protocol):
    """One rule of the configuration, watching some points."""

    @property
    def rule_id(self) -> str:
        """Return the id under which its state is kept and its events are sent."""
        ...

    @property
    def point_keys(self) -> Iterable[str]:
        """Return the points it wants the readings of."""
        ...

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Take a reading; `now_ms` is monotonic."""
        ...

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Take note that time has passed; called about once a second."""
        ...

    def state(self) -> bytes:
        """Return what must survive a restart; equal bytes mean nothing changed."""
        ...

    def restore(self, state: bytes) -> None:
        """Take up where `state` was taken; bytes that make no sense are ignored."""
        ...


@dataclass(frozen=True, slots=True)
class RuleScope:
    """What a rule may know of the gateway it runs in."""

    points: Mapping[str, Quantity]  # by point key
    time_zone: ZoneInfo
    working_days: WorkingDays = field(default_factory=WorkingDays)

    def matching(self, entry: RuleEntry, patterns: Sequence[str]) -> dict[str, Quantity]:
        """Return the points whose key matches one of the patterns; Malformed for one that matches none."""
        found: dict[str, Quantity] = {}
        for i, pattern in enumerate(patterns):
            here = {key: quantity for key, quantity in self.points.items() if fnmatchcase(key, pattern)}
            if not here:
                raise refused(entry, f"points[{i}]: no point matches {pattern!r}")
            found |= here
        if not found:
            raise refused(entry, "points: a rule needs at least one")
        return found


def refused(entry: RuleEntry, problem: str) -> Malformed:
    """Return the error for a rule that cannot be."""
    return Malformed(f"rule {entry.rule_id}", [problem])


def severity_named(entry: RuleEntry, text: str) -> Severity:
    """Return the severity written in lower case."""
    try:
        return Severity[text.upper()]
    except KeyError:
        known = ", ".join(severity.name.lower() for severity in Severity)
        raise refused(entry, f"severity: {text!r} is none of {known}") from None


def micro_of(entry: RuleEntry, key: str, text: str) -> int:
    """Return a decimal number of the configuration in millionths."""
    try:
        scaled = Decimal(text) * MICRO
    except InvalidOperation:
        raise refused(entry, f"{key}: {text!r} is not a decimal number") from None
    if not scaled.is_finite() or scaled != int(scaled):
        raise refused(entry, f"{key}: {text!r} is not a number with at most six decimals")
    return int(scaled)
