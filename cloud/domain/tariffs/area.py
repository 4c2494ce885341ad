"""Charge by floor area: "property fee 2.80 yuan per square metre and month".

A part of a month costs the share of its days; the month's amount is not rounded before it is shared.
"""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Area(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="area", tag_field="kind"):
    """`price` per square metre and month."""

    component: str
    price: UnitPrice
    name_zh: str = ""
    name_en: str = ""

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: the price is the same all year."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge; Invalid where the area of the premises is not known."""
        if basis.area_m2 is None:
            raise Invalid(f"{self.component}: the floor area of the premises is not known")
        months = sum((share for _, share in basis.dates.months()), Fraction(0))
        amount = Fraction(self.price.amount(basis.area_m2)) * months
        quantity = money.round_quantity(Fraction(basis.area_m2) * months)
        return [Charge(self.component, amount, quantity, "m2 month", self.price.value)]
