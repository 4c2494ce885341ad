"""Fixed charge: an amount a bill, a day or a month, whatever was used.

"Standing charge 0.4586 a day"; "refuse 5 yuan a month"; "parking 80 yuan a month and space". A part of
a month costs the share of its days, rounded once.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from msgspec import Struct

from cloud.domain import money
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Per(Enum):
    """What the amount is charged for."""

    BILL = "bill"
    DAY = "day"
    MONTH = "month"


class Fixed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="fixed", tag_field="kind"):
    """`price` per bill, day or month, and per counted thing (a parking space) where `is_counted`."""

    component: str
    price: UnitPrice
    per: Per
    name_zh: str = ""
    name_en: str = ""
    is_counted: bool = False

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: the amount is the same all year."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge; an amount per bill is charged on the bill's last slice."""
        if self.per is Per.BILL and not basis.is_last:
            return []
        times = self._times(basis) * (basis.count if self.is_counted else 1)
        amount = Fraction(self.price.value) * times
        return [Charge(self.component, amount, _stated(times), self.per.value, self.price.value)]

    def _times(self, basis: Basis) -> Fraction:
        match self.per:
            case Per.BILL:
                return Fraction(1)
            case Per.DAY:
                return Fraction(basis.dates.days)
            case Per.MONTH:
                return sum((share for _, share in basis.dates.months()), Fraction(0))


def _stated(times: Fraction) -> Decimal:
    return money.round_quantity(times)
