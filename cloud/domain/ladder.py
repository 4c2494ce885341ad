"""A ladder: how the bounds of a tiered price follow the calendar, the household and the holder.

The invariant: a tier covers `(lower, upper]`, so usage that ends exactly on a bound stays below it,
and crossing a bound never reprices what lies under it. Where a ladder adds up over a year, its
position is the sum of what was billed since the year began: a late bill resets nothing.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.periods import ServicePeriod, YearStart, month_of, year_start
from cloud.domain.tariff import Basis, LadderPosition, PastUsage

# Bounds of a part of a cycle are stated to four decimals, like quantities.
_BOUND_DECIMALS = 4
# Household rules are checked up to this many persons when a tariff is read.
_PERSONS_CHECKED = 30


class Cycle(Enum):
    """What a ladder adds up over."""

    BILL = "bill"  # every bill starts at the bottom
    YEAR = "year"  # a ladder year, from its start to the day before the next


class Transfer(Enum):
    """What a new holder of a service point finds on its ladder."""

    INHERIT = "inherit"  # the ladder is the household's: it stands where it stood
    RESTART = "restart"  # the new holder starts at the bottom, with whole bounds
    RESTART_BY_MONTHS = "restart_by_months"  # at the bottom, with the bounds of the months left in the year


class ScaleBy(Enum):
    """How the bounds of a bill follow its length."""

    DAYS = "days"
    MONTHS = "months"


class Scale(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds belong to `cycle` days or months; a bill of another length has its proportion of them.

    Hong Kong water: 121.64 days; Taiwan electricity: 1 month, so a two-month bill has twice the
    bounds; Queensland: 365 days, rounded to whole kilolitres (`decimals` 0).
    """

    by: ScaleBy
    cycle: Decimal
    decimals: int = _BOUND_DECIMALS

    def __post_init__(self) -> None:
        if not self.cycle.is_finite() or self.cycle <= 0:
            raise ValueError(f"the cycle is a length above zero, not {self.cycle}")
        if not 0 <= self.decimals <= _BOUND_DECIMALS:
            raise ValueError(f"bounds have 0 to {_BOUND_DECIMALS} decimals, not {self.decimals}")

    def factor(self, whole: ServicePeriod) -> Fraction:
        """Return how many cycles a bill's period is."""
        length = Fraction(whole.days)
        if self.by is ScaleBy.MONTHS:
            length = sum((share for _, share in whole.months()), Fraction(0))
        return length / Fraction(self.cycle)


class Household(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A larger household has wider tiers: from `from_persons` on, each bound moves by its own amount.

    `add` moves the bounds once, `add_per_person` for every person from that one on. Beijing water:
    from the sixth person each adds 30 m3 to every bound; Shandong electricity: from five persons the
    first bound moves by 1200 kWh and the second by none.
    """

    from_persons: int
    add: tuple[Decimal, ...] = ()
    add_per_person: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        if self.from_persons < 1:
            raise ValueError(f"a household has at least one person, not {self.from_persons}")
        if not self.add and not self.add_per_person:
            raise ValueError('a household rule needs "add" or "add_per_person"')
        for moved in (*self.add, *self.add_per_person):
            if not moved.is_finite() or moved < 0:
                raise ValueError(f"a household rule widens bounds, it cannot move one by {moved}")

    def widen(self, bounds: tuple[Decimal, ...], persons: int | None) -> tuple[Decimal, ...]:
        """Return the bounds of a household of that size; None (not known) leaves them as they are."""
        if persons is None or persons < self.from_persons:
            return bounds
        beyond = persons - self.from_persons + 1
        zeros = (Decimal(0),) * len(bounds)
        steps = zip(bounds, self.add or zeros, self.add_per_person or zeros, strict=True)
        return tuple(bound + once + each * beyond for bound, once, each in steps)


class Ladder(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a tiered price adds up: over each bill or over a year that starts on `year_start`.

    Energy used in `uncounted_months` is priced in the first tier and does not move the ladder
    (Shaanxi's heating season).
    """

    cycle: Cycle
    year_start: str = "01-01"
    household: Household | None = None
    scale: Scale | None = None
    uncounted_months: tuple[int, ...] = ()
    on_transfer: Transfer = Transfer.INHERIT

    def __post_init__(self) -> None:
        check_months(self.uncounted_months, "uncounted_months")
        try:
            self._year()
        except Invalid as error:
            raise ValueError(str(error)) from error
        if self.cycle is Cycle.YEAR and self.scale is not None:
            raise ValueError("a ladder over a year is not scaled by the length of a bill")
        if self.cycle is Cycle.BILL and (self.year_start != "01-01" or self.uncounted_months):
            raise ValueError("year_start and uncounted_months belong to a ladder over a year")

    def check_bounds(self, bounds: Sequence[Decimal]) -> None:
        """Refuse (ValueError) bounds that do not rise, or that a household size makes fall."""
        check_bounds(bounds)
        if self.household is None:
            return
        for moved in (self.household.add, self.household.add_per_person):
            if moved and len(moved) != len(bounds):
                raise ValueError(
                    f"the household rule moves {len(moved)} bounds and the ladder has {len(bounds)}"
                )
        for persons in range(1, _PERSONS_CHECKED + 1):
            check_bounds(self.household.widen(tuple(bounds), persons))

    def breaks(self, period: ServicePeriod) -> list[date]:
        """Return the days inside `period` on which a ladder year or an uncounted season begins or ends."""
        if self.cycle is Cycle.BILL:
            return []
        days = self._year().starts_in(period)
        months = [part.start_on for part, _ in period.months()]
        days += [b for a, b in pairwise(months) if self._is_counted(a) != self._is_counted(b)]
        return days

    def place(
        self,
        bounds: tuple[Decimal, ...],
        basis: Basis,
        history: Sequence[PastUsage],
        group: ServicePeriod | None = None,
    ) -> LadderPosition:
        """Return where the slice begins. `group` is the part of the bill that has these bounds.

        A bill whose bounds change with the season has, in each season, the days' share of that
        season's bounds, and climbs each from the bottom.
        """
        widened = bounds
        if self.household is not None:
            widened = self.household.widen(bounds, basis.household_size)
        if self.cycle is Cycle.BILL:
            return self._place_in_bill(widened, basis, group or basis.whole)
        return self._place_in_year(widened, basis, history)

    def _place_in_bill(
        self, bounds: tuple[Decimal, ...], basis: Basis, group: ServicePeriod
    ) -> LadderPosition:
        factor = Fraction(group.days, basis.whole.days)
        decimals = _BOUND_DECIMALS
        if self.scale is not None:
            factor *= self.scale.factor(basis.whole)
            decimals = self.scale.decimals
        if factor != 1:
            bounds = tuple(money.round_quantity(Fraction(bound) * factor, decimals) for bound in bounds)
        earlier = [past.quantity for past in basis.earlier if past.dates.start_on >= group.start_on]
        return LadderPosition(group.start_on, money.add(earlier), bounds)

    def _place_in_year(
        self, bounds: tuple[Decimal, ...], basis: Basis, history: Sequence[PastUsage]
    ) -> LadderPosition:
        year = self._year().year_of(basis.dates.start_on)
        is_restarted = self.on_transfer is not Transfer.INHERIT
        since = year.start_on
        if is_restarted and basis.holder_since is not None:
            since = max(since, basis.holder_since)
        if self.on_transfer is Transfer.RESTART_BY_MONTHS and since > year.start_on:
            left = ServicePeriod(month_of(since).start_on, year.end_on)
            whole_months = len(left.months())
            share = Fraction(whole_months, 12)
            bounds = tuple(money.round_quantity(Fraction(bound) * share, _BOUND_DECIMALS) for bound in bounds)
        counted = [
            past.quantity
            for past in (*history, *basis.earlier)
            if past.dates.start_on >= since
            and past.dates.start_on < basis.dates.start_on
            and (past.is_same_holder or not is_restarted)
            and self._is_counted(past.dates.start_on)
        ]
        return LadderPosition(since, money.add(counted), bounds, self._is_counted(basis.dates.start_on))

    def _is_counted(self, on: date) -> bool:
        return on.month not in self.uncounted_months

    def _year(self) -> YearStart:
        return year_start(self.year_start)


def climb(position: LadderPosition, quantity: Decimal) -> list[tuple[int, Decimal]]:
    """Return how a quantity is spread over the tiers it touches: (tier, part), lowest first.

    A negative quantity (a credit) comes off from the top: it undoes the last that was charged.
    """
    if not position.is_counted:
        return [(1, quantity)] if quantity else []
    if quantity < 0:
        below = LadderPosition(position.since_on, money.EXACT.add(position.before, quantity), position.bounds)
        parts = climb(below, -quantity)
        return [(tier, -part) for tier, part in reversed(parts)]
    end = money.EXACT.add(position.before, quantity)
    parts = []
    lower = position.before
    for tier, bound in enumerate((*position.bounds, None), start=1):
        upper = end if bound is None else min(bound, end)
        if upper > lower:
            parts.append((tier, money.EXACT.subtract(upper, lower)))
            lower = upper
    return parts


def check_bounds(bounds: Sequence[Decimal]) -> None:
    """Refuse (ValueError) bounds that are not above zero and rising."""
    for lower, upper in pairwise([Decimal(0), *bounds]):
        if not upper.is_finite():
            raise ValueError(f"a bound is a number, not {upper}")
        if upper <= lower:
            raise ValueError(f"bounds must rise: {money.plain(upper)} comes after {money.plain(lower)}")


def check_months(months: Sequence[int], name: str) -> None:
    """Refuse (ValueError) months that are not 1 to 12, or named twice."""
    for month in months:
        if not 1 <= month <= 12:
            raise ValueError(f"{name}: there is no month {month}")
    if len(set(months)) != len(months):
        raise ValueError(f"{name}: a month is named twice in {list(months)}")
