"""The trial balance of a month (科目余额表): what stood on each account, what moved, what stands.

The invariant: before, after, and everything moved add up to nothing; one that does not cannot be built.
"""

from dataclasses import dataclass

from cloud.domain.errors import Invalid
from cloud.domain.journal import Subject


@dataclass(frozen=True, slots=True)
class Turnover:
    """What was on a ledger account before a month, and what was posted to it in the month."""

    ledger_account: str
    opening_fen: int
    debit_fen: int
    credit_fen: int

    @property
    def closing_fen(self) -> int:
        """Return what is on it after the month; debit positive."""
        return self.opening_fen + self.debit_fen - self.credit_fen


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A ledger account in the finance department's chart."""

    turnover: Turnover
    subject: Subject


@dataclass(frozen=True, slots=True)
class MonthTrialBalance:
    """A month's trial balance, by subject."""

    month: str
    rows: tuple[TrialRow, ...]

    def __post_init__(self) -> None:
        before, moved = self.opening_fen, self.debit_fen - self.credit_fen
        if before or moved:
            raise Invalid(f"the books of {self.month} are out of balance by {before or moved} fen")

    @property
    def opening_fen(self) -> int:
        """Return the sum of what stood before, which is nothing."""
        return sum(row.turnover.opening_fen for row in self.rows)

    @property
    def debit_fen(self) -> int:
        """Return everything posted on the left."""
        return sum(row.turnover.debit_fen for row in self.rows)

    @property
    def credit_fen(self) -> int:
        """Return everything posted on the right, which is the same."""
        return sum(row.turnover.credit_fen for row in self.rows)
