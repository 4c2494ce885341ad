"""The contract of a tariff: what a charge rule is given, and the charges it gives back.

A tariff version is a list of charge rules (`cloud/domain/tariffs/`), each pricing one component of
the bill: energy, resource fee, sewage, a fixed charge. The invariant every rule keeps: the
quantities of its charges add up to the quantity it was given, or it says which part it does not
price; amounts are exact and are rounded by the caller, once a line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from cloud.domain.money import CNY, Currency, Number
from cloud.domain.periods import ServicePeriod

NO_PERIODS: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PastUsage:
    """A quantity already billed at the service point, for the ladders that add up over a year."""

    dates: ServicePeriod
    quantity: Decimal
    is_same_holder: bool = True


@dataclass(frozen=True, slots=True)
class Basis:
    """What a rule prices: one slice of a service period in which nothing about the price changes.

    `by_period` holds the quantity by time-of-use period where that is known and adds up to
    `quantity`; `sequence` the same in order of time, one entry for each uninterrupted stretch.
    `time_split` says how it is known: "registers" of the meter, "intervals" between readings, or
    "linear" where some interval had to be divided by time.
    `earlier` are the slices of the same bill before this one. `area_m2` and `count` serve charges
    that follow the premises; `holder_since` is when the account took over the service point, and
    `share_key` names the account among those who share a cost.
    """

    dates: ServicePeriod
    whole: ServicePeriod
    quantity: Decimal = Decimal(0)
    unit: str = ""
    currency: Currency = CNY
    by_period: Mapping[str, Decimal] = field(default_factory=lambda: NO_PERIODS)
    sequence: tuple[tuple[str, Decimal], ...] = ()
    earlier: tuple[PastUsage, ...] = ()
    household_size: int | None = None
    area_m2: Decimal | None = None
    count: int = 1
    holder_since: date | None = None
    time_split: str = ""
    share_key: str = ""

    @property
    def is_last(self) -> bool:
        """Tell whether this slice ends the bill: what is charged once a bill is charged here."""
        return self.dates.end_on == self.whole.end_on


@dataclass(frozen=True, slots=True)
class LadderPosition:
    """Where on its ladder a slice begins: the bounds in force and what was used below them before.

    `bounds` are those of this household and this slice. A slice that is not counted (a heating
    season) is priced in the first tier and leaves the ladder where it is.
    """

    since_on: date
    before: Decimal
    bounds: tuple[Decimal, ...]
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Charge:
    """One priced part of a bill, exact and not yet rounded.

    `tier` counts from 1; `period` is the time-of-use period. `unit` is that of the quantity: kWh,
    m3, day, month, percent. A charge without quantity and unit price is an amount by itself.
    """

    component: str
    amount: Number
    quantity: Decimal | None = None
    unit: str = ""
    unit_price: Decimal | None = None
    tier: int | None = None
    period: str | None = None
    is_percent: bool = False


@dataclass(frozen=True, slots=True)
class PricedLine:
    """What a later rule (percent, minimum) sees of the charges before it: rounded, as printed.

    `exact` is the amount before it was rounded, which the rounding of a total is taken from.
    """

    component: str
    amount_fen: int
    is_percent: bool = False
    exact: Number = 0


class ChargeRule(Protocol):
    """One component of a bill and how it is priced. Rules are values: parsed once, then only read."""

    @property
    def component(self) -> str:
        """Return the component's id, unique in its tariff: "energy", "sewage"."""
        ...

    def breaks(self, period: ServicePeriod) -> list[date]:
        """Return the days inside `period` from which it prices otherwise: a season, a ladder year."""
        ...

    def place(self, basis: Basis, history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return where on its ladder the slice begins; None for a rule without a ladder."""
        ...

    def charge(
        self, basis: Basis, position: LadderPosition | None, so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return the slice's charges in the order they are printed; Invalid where it cannot be priced."""
        ...
