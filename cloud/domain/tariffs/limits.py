"""Minimum and maximum of a bill: "at least 3.00 a month", "at most 50".

The charge is the difference to the limit, positive or negative, and there is none where the lines
before it already keep within.
"""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from msgspec import Struct

from cloud.domain.money import UnitPrice
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Limits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="limits", tag_field="kind"):
    """The least and the most the components `of` (all before it, if empty) may come to in one bill."""

    component: str
    name_zh: str = ""
    name_en: str = ""
    minimum: UnitPrice | None = None
    maximum: UnitPrice | None = None
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError('give "minimum", "maximum" or both')
        if self.minimum and self.maximum and self.minimum.value > self.maximum.value:
            raise ValueError(f"minimum {self.minimum.value} is above maximum {self.maximum.value}")

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: a limit is for the whole bill."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return the difference to the limit once a bill, on its last slice; none within the limits."""
        if not basis.is_last:
            return []
        wanted = [line for line in so_far if not self.of or line.component in self.of]
        subtotal = Fraction(sum(line.amount_fen for line in wanted), basis.currency.fen_per_unit)
        limited = subtotal
        if self.minimum is not None:
            limited = max(limited, Fraction(self.minimum.value))
        if self.maximum is not None:
            limited = min(limited, Fraction(self.maximum.value))
        return [] if limited == subtotal else [Charge(self.component, limited - subtotal)]
