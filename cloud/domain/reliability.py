"""How reliable equipment is and what it costs: outages, availability, the time between them, money.

The invariant: time during which equipment was out of service for two reasons at once counts once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from cloud.domain.equipment import Equipment
from cloud.domain.errors import Invalid

NOTE_LENGTH_MAX = 200
COST_FEN_MAX = 10_000_000_000


class CostKind(Enum):
    """What was paid for."""

    CONTRACTOR = "contractor"  # the sheets contractors and technicians signed state theirs besides
    LABOUR = "labour"
    PARTS = "parts"


@dataclass(frozen=True, slots=True)
class Outage:
    """Equipment out of service; `until_ms` is None while it still is. From an alarm, or told by a person."""

    from_ms: int
    until_ms: int | None
    reason: str
    is_from_alarm: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """Money spent on equipment; a mistake is answered by an entry of the opposite sign."""

    spent_on: date
    kind: CostKind
    amount_fen: int
    note: str

    def __post_init__(self) -> None:
        if self.amount_fen == 0 or abs(self.amount_fen) > COST_FEN_MAX:
            raise Invalid(
                f"the amount is {self.amount_fen} fen, expected one that is not 0, {COST_FEN_MAX} at most"
            )
        if not 1 <= len(self.note.strip()) <= NOTE_LENGTH_MAX:
            raise Invalid(
                f"the note has {len(self.note.strip())} characters, expected 1 to {NOTE_LENGTH_MAX}"
            )


@dataclass(frozen=True, slots=True)
class Reliability:
    """A stretch of time of one piece of equipment: how often and how long it was out, what was paid."""

    equipment: Equipment
    span_ms: int
    down_ms: int
    failures: int
    is_down: bool
    costs: tuple[tuple[CostKind, int], ...]

    @property
    def availability(self) -> Decimal:
        """Return the part of the time it was in service."""
        return Decimal(self.span_ms - self.down_ms) / self.span_ms

    @property
    def between_failures_ms(self) -> int | None:
        """Return the mean time in service between failures; None where nothing failed."""
        return (self.span_ms - self.down_ms) // self.failures if self.failures else None

    @property
    def to_repair_ms(self) -> int | None:
        """Return the mean time from failure to service again; None where nothing failed."""
        return self.down_ms // self.failures if self.failures else None

    @property
    def cost_fen(self) -> int:
        """Return everything that was paid."""
        return sum(amount for _, amount in self.costs)


def reliability_of(
    one: Equipment,
    outages: Iterable[Outage],
    costs: Sequence[tuple[CostKind, int]],
    from_ms: int,
    until_ms: int,
) -> Reliability:
    """Return how a piece of equipment did in `[from_ms, until_ms)`; outages are cut to it and merged."""
    merged: list[tuple[int, int]] = []
    is_down = False
    for outage in sorted(outages, key=lambda found: found.from_ms):
        is_down = is_down or outage.until_ms is None
        ended_ms = until_ms if outage.until_ms is None else min(outage.until_ms, until_ms)
        start, end = max(outage.from_ms, from_ms), ended_ms
        if end <= start:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    down_ms = sum(end - start for start, end in merged)
    summed = {kind: sum(fen for own, fen in costs if own is kind) for kind in CostKind}
    return Reliability(one, until_ms - from_ms, down_ms, len(merged), is_down, tuple(summed.items()))
