"""Flat price: every unit costs the same.

"Water resource fee 1.57 yuan per cubic metre." With a quantity factor: "drainage is charged on 90 %
of the water used" (Shanghai).
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from cloud.domain import money
from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Flat(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="flat", tag_field="kind"):
    """One price for the whole quantity times `quantity_factor`."""

    component: str
    price: UnitPrice
    name_zh: str = ""
    name_en: str = ""
    quantity_factor: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not self.quantity_factor.is_finite() or self.quantity_factor <= 0:
            raise ValueError(f"quantity_factor is above zero, not {self.quantity_factor}")

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: the price knows no calendar."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge, also for no usage: the bill shows that there was none."""
        quantity = money.EXACT.multiply(basis.quantity, self.quantity_factor)
        amount = self.price.amount(quantity)
        return [Charge(self.component, amount, quantity, basis.unit, self.price.value)]
