"""What a home used month by month, beside what homes alike used.

The invariant: of other homes no figure is ever shown that is one home's own: only the middle of at least
`ALIKE_MIN` others, averaged over the two or three in the middle and rounded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum

from cloud.domain.periods import ServicePeriod, month_of
from cloud.domain.premises import Commodity

# This month so far, and the twelve before: the same month of the year before is the first of them.
MONTHS_SHOWN = 13
ALIKE_MIN = 10
_STEP = Decimal("0.1")


class Likeness(Enum):
    """By what homes are alike."""

    LAYOUT = "layout"
    AREA = "area"  # the same band of built area, where no layout is known or too few homes have it


@dataclass(frozen=True, slots=True)
class MonthUsed:
    """One month; no quantity where nothing was billed, or nothing measured yet."""

    month: date
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class AlikeHomes:
    """How many other homes are alike and what the middle of them used; None where they are too few."""

    by: Likeness
    count: int
    middle: Decimal | None


@dataclass(frozen=True, slots=True)
class UsageHistory:
    """A commodity's months, oldest first; the last is the one that runs.

    `compared` is the last month that was billed, the one homes alike are compared in.
    """

    commodity: Commodity
    unit: str
    months: tuple[MonthUsed, ...]
    compared: MonthUsed | None
    alike: AlikeHomes | None

    @property
    def this_month(self) -> MonthUsed:
        """The month that runs, so far."""
        return self.months[-1]

    @property
    def month_before(self) -> MonthUsed:
        """The whole month before this one."""
        return self.months[-2]

    @property
    def year_before(self) -> MonthUsed:
        """The whole same month of last year."""
        return self.months[0]


def months_until(today: date) -> tuple[ServicePeriod, ...]:
    """Return the months shown on a day, oldest first."""
    months = [month_of(today)]
    while len(months) < MONTHS_SHOWN:
        months.append(month_of(months[-1].start_on - timedelta(days=1)))
    return tuple(reversed(months))


def months_used(
    months: Iterable[ServicePeriod], billed: Mapping[date, Decimal], so_far: Decimal | None
) -> tuple[MonthUsed, ...]:
    """Return every month with what was billed in it, and the last with what was measured so far."""
    *before, running = (month.start_on for month in months)
    return (*(MonthUsed(month, billed.get(month)) for month in before), MonthUsed(running, so_far))


def last_billed(months: tuple[MonthUsed, ...]) -> MonthUsed | None:
    """Return the last whole month with a figure."""
    return next((one for one in reversed(months[:-1]) if one.quantity is not None), None)


def middle_of(quantities: Iterable[Decimal]) -> Decimal | None:
    """Return what the middle of other homes used, never one home's own figure; None for too few homes."""
    ordered = sorted(quantities)
    if len(ordered) < ALIKE_MIN:
        return None
    # Of an odd number the median would be somebody's own figure: its neighbours are averaged in.
    beside = (len(ordered) - 1) // 2 - len(ordered) % 2
    middle = ordered[beside : len(ordered) - beside]
    return (sum(middle, Decimal(0)) / len(middle)).quantize(_STEP, ROUND_HALF_UP)
