"""Tier x period price matrix: a price of its own for every time-of-use period in every tier.

"Shanghai: tier 1 peak 0.617 valley 0.307, tier 2 peak 0.677 valley 0.337." No notice says how the
energy of the month that crosses a bound is shared among periods, so the rule must be named:
proportional (every period has the same share in each tier) or chronological (tiers fill in the order
the energy was used, which needs interval readings).
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.ladder import Ladder, climb
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine
from cloud.domain.time_of_use import Calendar


class SplitRule(Enum):
    """How the energy of each period is assigned to tiers."""

    CHRONOLOGICAL = "chronological"
    PROPORTIONAL = "proportional"


class MatrixTier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The block that ends at `to` (null: no end) and its price in each period."""

    to: Decimal | None
    prices: dict[str, UnitPrice]


class Matrix(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="matrix", tag_field="kind"):
    """Tiers in rising order, each with the same periods."""

    component: str
    ladder: Ladder
    tiers: tuple[MatrixTier, ...]
    split_rule: SplitRule
    calendar: Calendar | None = None
    name_zh: str = ""
    name_en: str = ""

    def __post_init__(self) -> None:
        if not self.tiers:
            raise ValueError("a ladder has at least one tier")
        if self.tiers[-1].to is not None or any(tier.to is None for tier in self.tiers[:-1]):
            raise ValueError("the last tier, and only the last, must be open (to: null)")
        self.ladder.check_bounds(self._bounds())
        periods = set(self.tiers[0].prices)
        if self.calendar is not None:
            self.calendar.check_complete()
            periods |= {slot.period for slot in self.calendar.periods}
        for number, tier in enumerate(self.tiers, start=1):
            if missing := sorted(periods ^ set(tier.prices)):
                raise ValueError(f"tier {number}: period {missing[0]!r} must have a price in every tier")

    def breaks(self, period: ServicePeriod) -> list[date]:
        """Return where a ladder year begins."""
        return self.ladder.breaks(period)

    def place(self, basis: Basis, history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return the bounds and the position of the slice's first unit."""
        return self.ladder.place(self._bounds(), basis, history)

    def charge(
        self, basis: Basis, position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge per tier and period reached, tier by tier."""
        assert position is not None, "a tiered rule is always given its place"
        if not basis.by_period and basis.quantity:
            raise Invalid(f"{self.component}: the usage by time-of-use period is not known")
        if self.split_rule is SplitRule.PROPORTIONAL:
            cells = _proportional(basis, position)
        else:
            cells = _chronological(basis, position, self.component)
        order = {period: index for index, period in enumerate(self.tiers[0].prices)}
        charges = []
        for tier, period in sorted(cells, key=lambda cell: (cell[0], order.get(cell[1], -1))):
            price = self.tiers[tier - 1].prices.get(period)
            if price is None:
                raise Invalid(f"{self.component}: period {period!r} has no price in tier {tier}")
            quantity = cells[tier, period]
            amount = price.amount(quantity)
            charge = Charge(self.component, amount, quantity, basis.unit, price.value, tier, period)
            charges.append(charge)
        return charges

    def _bounds(self) -> tuple[Decimal, ...]:
        return tuple(tier.to for tier in self.tiers if tier.to is not None)


def _proportional(basis: Basis, position: LadderPosition) -> dict[tuple[int, str], Decimal]:
    parts = climb(position, basis.quantity)
    weights = [abs(Fraction(part)) for _, part in parts]
    cells: dict[tuple[int, str], Decimal] = {}
    for period, quantity in basis.by_period.items():
        if not quantity:
            continue
        for (tier, _), share in zip(parts, money.split_quantity(quantity, weights), strict=True):
            cells[tier, period] = share
    return cells


def _chronological(basis: Basis, position: LadderPosition, component: str) -> dict[tuple[int, str], Decimal]:
    if not basis.sequence and basis.quantity:
        raise Invalid(f"{component}: a chronological split needs interval readings, and there are none")
    cells: dict[tuple[int, str], Decimal] = {}
    before = position.before
    for period, quantity in basis.sequence:
        here = LadderPosition(position.since_on, before, position.bounds, position.is_counted)
        for tier, part in climb(here, quantity):
            cells[tier, period] = money.EXACT.add(cells.get((tier, period), Decimal(0)), part)
        before = money.EXACT.add(before, quantity)
    return cells
