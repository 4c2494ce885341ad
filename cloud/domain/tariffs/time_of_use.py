"""Time-of-use price: what a unit costs depends on when it was used.

"Peak 0.568, valley 0.288 yuan per kWh." The quantity by period comes from the meter's own rate
registers, or from interval readings split by `cloud.domain.time_of_use`. Prices may be stated as
factors of a base price ("peak 1.71, valley 0.36 times flat"), and by months of the year.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.season import check_seasons, season_at, season_breaks
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine
from cloud.domain.time_of_use import Calendar


class Factor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period's price as so many times another's: sharp = 1.2 x peak."""

    times: Decimal
    of: str


class PeriodPrices(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The prices of some months, by period: absolute, or as factors of another period's."""

    months: tuple[int, ...] = tuple(range(1, 13))
    prices: dict[str, UnitPrice] = {}
    factors: dict[str, Factor] = {}

    def __post_init__(self) -> None:
        if twice := sorted(set(self.prices) & set(self.factors)):
            raise ValueError(f"{twice[0]} has both a price and a factor")
        for period in self.factors:
            self.price_of(period)

    def price_of(self, period: str) -> Decimal:
        """Return the price of a period; ValueError where it, or what it is a factor of, has none."""
        times = Decimal(1)
        seen: list[str] = []
        at = period
        while at not in self.prices:
            if at in seen:
                raise ValueError(f"the factors of {' and '.join(seen)} refer to each other")
            if at not in self.factors:
                raise ValueError(f"period {at!r} has no price")
            seen.append(at)
            factor = self.factors[at]
            if not factor.times.is_finite() or factor.times <= 0:
                raise ValueError(f"{at}: a factor is above zero, not {factor.times}")
            times = money.EXACT.multiply(times, factor.times)
            at = factor.of
        return self.prices[at].amount(times)


class TimeOfUse(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="time_of_use", tag_field="kind"
):
    """A calendar of periods and what each costs."""

    component: str
    rates: tuple[PeriodPrices, ...]
    calendar: Calendar | None = None
    name_zh: str = ""
    name_en: str = ""

    def __post_init__(self) -> None:
        check_seasons(self.rates)
        periods = set(self.rates[0].prices) | set(self.rates[0].factors)
        if self.calendar is not None:
            self.calendar.check_complete()
            periods |= {period.period for period in self.calendar.periods}
        for rate in self.rates:
            for period in sorted(periods):
                rate.price_of(period)

    def breaks(self, period: ServicePeriod) -> list[date]:
        """Return where other prices begin."""
        return season_breaks(self.rates, period)

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge per period, in the order given; Invalid where the periods are not known."""
        if not basis.by_period and basis.quantity:
            raise Invalid(f"{self.component}: the usage by time-of-use period is not known")
        rate = season_at(self.rates, basis.dates.start_on)
        charges = []
        for period, quantity in basis.by_period.items():
            try:
                price = rate.price_of(period)
            except ValueError as error:
                raise Invalid(f"{self.component}: {error}") from error
            amount = money.EXACT.multiply(price, quantity)
            charges.append(Charge(self.component, amount, quantity, basis.unit, price, period=period))
        return charges
