"""Tiered price: each block of usage has its own unit price.

Graduated (the rule in China): a tier prices only the usage that falls inside it. "The first 2880 kWh
of the year cost 0.4883, up to 4800 kWh 0.5383, beyond 0.7883 yuan." Volume: the whole quantity has
the price of the tier it ends in. A surcharge adds to another component's price, so a tier at zero is
no line of the bill.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum

from msgspec import Struct

from cloud.domain import money
from cloud.domain.ladder import Ladder, climb
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.season import check_seasons, season_at, season_breaks, season_part
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Mode(Enum):
    """Whether a tier prices what falls inside it, or the tier reached prices everything."""

    GRADUATED = "graduated"
    VOLUME = "volume"


class Tier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The block that ends at `to`, inclusive; null for the last, which has no end.

    `over` may be stated for the reader; it must then be where the tier below ends.
    """

    to: Decimal | None
    price: UnitPrice
    over: Decimal | None = None


class TierSeason(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The tiers of some months of the year."""

    id: str
    months: tuple[int, ...]
    tiers: tuple[Tier, ...]


class Tiered(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="tiered", tag_field="kind"):
    """Tiers in rising order, the same all year (`tiers`) or by season (`seasons`)."""

    component: str
    ladder: Ladder
    name_zh: str = ""
    name_en: str = ""
    tiers: tuple[Tier, ...] = ()
    seasons: tuple[TierSeason, ...] = ()
    mode: Mode = Mode.GRADUATED
    is_surcharge: bool = False

    def __post_init__(self) -> None:
        if bool(self.tiers) == bool(self.seasons):
            raise ValueError('give either "tiers" or "seasons"')
        for tiers in [self.tiers] if self.tiers else [season.tiers for season in self.seasons]:
            _check_overs(tiers)
            self.ladder.check_bounds(_bounds(tiers))
        if self.seasons:
            check_seasons(self.seasons)

    def breaks(self, period: ServicePeriod) -> list[date]:
        """Return where a season or a ladder year begins."""
        days = self.ladder.breaks(period)
        return days + season_breaks(self.seasons, period) if self.seasons else days

    def place(self, basis: Basis, history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return the bounds and the position of the slice's first unit."""
        group = None
        if self.seasons:
            group = season_part(self.seasons, basis.whole, basis.dates.start_on)
        return self.ladder.place(_bounds(self._tiers(basis)), basis, history, group)

    def charge(
        self, basis: Basis, position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge per tier reached, lowest first; no usage, no charges."""
        assert position is not None, "a tiered rule is always given its place"
        tiers = self._tiers(basis)
        parts = climb(position, basis.quantity)
        if self.mode is Mode.VOLUME and parts:
            reached = max(tier for tier, _ in parts)
            parts = [(reached, basis.quantity)]
        return [
            self._charge_of(tier, tiers[tier - 1], quantity, basis.unit)
            for tier, quantity in parts
            if not (self.is_surcharge and tiers[tier - 1].price.value == 0)
        ]

    def _charge_of(self, number: int, tier: Tier, quantity: Decimal, unit: str) -> Charge:
        amount = tier.price.amount(quantity)
        return Charge(self.component, amount, quantity, unit, tier.price.value, tier=number)

    def _tiers(self, basis: Basis) -> tuple[Tier, ...]:
        if self.seasons:
            return season_at(self.seasons, basis.dates.start_on).tiers
        return self.tiers


def _bounds(tiers: Sequence[Tier]) -> tuple[Decimal, ...]:
    if not tiers:
        raise ValueError("a ladder has at least one tier")
    bounds = tuple(tier.to for tier in tiers[:-1] if tier.to is not None)
    if len(bounds) != len(tiers) - 1:
        raise ValueError("only the last tier may be open (to: null); one before it has no bound")
    if tiers[-1].to is not None:
        raise ValueError(
            f"usage above {money.plain(tiers[-1].to)} has no price: the last tier must be open (to: null)"
        )
    return bounds


def _check_overs(tiers: Sequence[Tier]) -> None:
    """Refuse (ValueError) a stated lower end that leaves a hole or an overlap."""
    lower = Decimal(0)
    for number, tier in enumerate(tiers, start=1):
        if tier.over is not None and tier.over != lower:
            fault = "has no price" if tier.over > lower else "has two prices"
            span = " to ".join(money.plain(bound) for bound in sorted((lower, tier.over)))
            raise ValueError(f"tier {number} starts over {money.plain(tier.over)}: usage from {span} {fault}")
        lower = lower if tier.to is None else tier.to
