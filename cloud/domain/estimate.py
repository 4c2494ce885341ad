"""Estimates where a reading is missing, and the true-up once there is one.

The invariant: an estimate is flagged and never invents a dial value; once the meter is read, the
periods in between are charged again along the real ladder, so that all bills together come to what
one bill on the actual usage would have been.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from cloud.domain import money
from cloud.domain.errors import Invalid

# The mean of the last three actual cycles.
CYCLES_AVERAGED = 3
# After that many estimates in a row somebody goes and looks.
ESTIMATES_BEFORE_VISIT = 2


class SpreadPolicy(Enum):
    """How the actual usage is assigned to the periods that were estimated."""

    ALL_TO_CURRENT = "all_to_current"  # the settled periods stand, the last takes the difference
    PROPORTIONAL = "proportional"  # in proportion to what was settled, the last takes the residue


@dataclass(frozen=True, slots=True)
class TrueUp:
    """What the meter really measured since the last actual reading, and what was settled meanwhile."""

    actual: Decimal
    settled: tuple[Decimal, ...]

    @property
    def remainder(self) -> Decimal:
        """Return what is still to be charged; negative where too much was estimated."""
        return money.EXACT.subtract(self.actual, money.add(self.settled))

    def spread(self, policy: SpreadPolicy) -> list[Decimal]:
        """Return the actual usage by period, adding up to it exactly."""
        if not self.settled:
            return []
        settled = money.add(self.settled)
        if policy is SpreadPolicy.PROPORTIONAL and settled > 0:
            return money.split_quantity(self.actual, self.settled)
        kept = list(self.settled[:-1])
        return [*kept, money.EXACT.subtract(self.actual, money.add(kept))]


@dataclass(frozen=True, slots=True)
class BilledCycle:
    """What was billed for a cycle; its ends were read, unless an estimate stands there."""

    quantity: Decimal
    begins_estimated: bool
    ends_estimated: bool


def actual_cycles(billed: Sequence[BilledCycle]) -> list[Decimal]:
    """Return what was really used in each cycle, oldest first, as far as readings tell.

    What settles estimates is no cycle by itself (too much may have been estimated, and it is less than
    nothing): together they are what was used between two readings, and each counts with their mean.
    Estimates that nothing has settled yet, or whose beginning is not known here, are left out.
    """
    actual: list[Decimal] = []
    estimated: list[Decimal] | None = []  # since the last reading; None where that is before the first
    for cycle in billed:
        if cycle.begins_estimated and not estimated:
            estimated = None
        elif not cycle.begins_estimated:
            estimated = []
        if estimated is not None:
            estimated.append(cycle.quantity)
        if not cycle.ends_estimated:
            if estimated:
                mean = money.round_quantity(Fraction(money.add(estimated)) / len(estimated))
                actual += [mean] * len(estimated) if len(estimated) > 1 else estimated
            estimated = []
    return actual


def estimate(history: Sequence[Decimal]) -> Decimal:
    """Return the mean of the last three actual cycles (of fewer, if there are no more), to four decimals."""
    if not history:
        raise Invalid("there is no actual cycle to estimate from; enter a reading or an estimate")
    last = history[-CYCLES_AVERAGED:]
    return money.round_quantity(Fraction(money.add(last)) / len(last))


def true_up(anchor: Decimal, actual: Decimal, settled: Sequence[Decimal]) -> TrueUp:
    """Return the true-up between the last actual reading (`anchor`) and the new one.

    A reading below the anchor is not settled by itself: exchanged, reset or misread, a person decides.
    """
    if actual < anchor:
        raise Invalid(f"the reading {actual} is below the last actual one {anchor}; a person must decide")
    return TrueUp(money.EXACT.subtract(actual, anchor), tuple(settled))
