"""What a month came to: how much of it was paid, for what, by which building; and where energy went.

The invariant: a report is sums of what is in the books; its totals are the totals the books have.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from cloud.domain.apportionment import PublicUsage


@dataclass(frozen=True, slots=True)
class Collected:
    """What was billed under one name (a month, a building) and what of it was paid; late fees not counted."""

    name: str
    billed_fen: int
    paid_fen: int

    @property
    def open_fen(self) -> int:
        """Return what is still open."""
        return self.billed_fen - self.paid_fen

    @property
    def rate(self) -> Decimal | None:
        """Return the share that was paid (收缴率), to four places; None where nothing was billed."""
        if self.billed_fen <= 0:
            return None
        share = Fraction(self.paid_fen, self.billed_fen)
        return Decimal(round(share * 10_000)).scaleb(-4)


@dataclass(frozen=True, slots=True)
class ItemSum:
    """What one kind of charge came to in a month."""

    charge_code: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class EnergyBalance:
    """Where a commodity went in a month: master = Σ sub-meters + public meters + loss.

    `usage` is None while something could not be measured; `missing` names it.
    """

    commodity: str
    unit: str
    usage: PublicUsage | None
    meters: int
    missing: tuple[str, ...]

    @property
    def loss_ratio(self) -> Decimal | None:
        """Return the loss as a share of the master, to four places."""
        if self.usage is None or not self.usage.master:
            return None
        return Decimal(round(self.usage.loss_ratio * 10_000)).scaleb(-4)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """One month's report, with the months up to it for comparison, oldest first."""

    period_code: str
    months: tuple[Collected, ...]
    buildings: tuple[Collected, ...]
    items: tuple[ItemSum, ...]

    @property
    def month(self) -> Collected:
        """Return the month itself."""
        return self.months[-1]
