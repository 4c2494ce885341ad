"""Percentage of other components: "a surcharge of 5 % on everything else".

It is taken from the lines as they are printed, so that a reader can check it with the bill in hand.
Percentages never apply to percentages unless they are named in `of`.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine


class Percent(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="percent", tag_field="kind"):
    """`percent` of the components `of`, or of everything before it that is no percentage."""

    component: str
    percent: Decimal
    name_zh: str = ""
    name_en: str = ""
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.percent.is_finite() or self.percent == 0:
            raise ValueError(f"a percentage is a number other than zero, not {self.percent}")

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: a percentage knows no calendar."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge once a bill, on its last slice."""
        if not basis.is_last:
            return []
        wanted = [line for line in so_far if self._applies_to(line)]
        base = Fraction(sum(line.amount_fen for line in wanted), basis.currency.fen_per_unit)
        amount = base * Fraction(self.percent) / 100
        return [Charge(self.component, amount, self.percent, "%", None, is_percent=True)]

    def _applies_to(self, line: PricedLine) -> bool:
        return line.component in self.of if self.of else not line.is_percent
