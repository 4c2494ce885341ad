"""A bill run before anything is issued: checked, previewed, approved by a person, or refused.

The invariant: a period that was checked is billed only after a person approved what its newest check came
to; a later check makes every earlier one void. What was approved is kept, account by account, so that
what was issued can be held beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from cloud.domain.ids import AccountId, BillRunId, PeriodId, UserId
from cloud.domain.usage import UsageProblem

# A meter that counts three times as much a day as it did before is looked at before it is billed.
JUMP_FACTOR = 3
# Below this a day a leap is somebody who came home from a holiday.
JUMP_LEAST_A_DAY = Decimal("0.5")
NOTE_LENGTH_MAX = 500


class BillRunState(Enum):
    """Where a bill run stands."""

    CHECKING = "checking"  # some accounts are assessed, others not yet; it may be taken up again
    CHECKED = "checked"  # everything is there to be looked at
    APPROVED = "approved"  # the period may be billed
    REFUSED = "refused"  # something has to be put right and checked again


class DoubtKind(Enum):
    """What about an account that can be billed is worth a look before it is."""

    ESTIMATED = "estimated"  # no reading at the end: the usage is the mean of the months before
    NO_USAGE = "no_usage"  # a meter that counted before stands still: stuck, or an empty flat
    JUMP = "jump"  # a meter counts several times what it did: a leak, or a wrong reading


@dataclass(frozen=True, slots=True)
class Doubt:
    """A meter whose usage is unusual, with its usage and the usage to be expected."""

    kind: DoubtKind
    meter_serial: str
    quantity: Decimal
    expected: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class BillRun:
    """One check of a period, the newest of which decides."""

    run_id: BillRunId
    period_id: PeriodId
    number: int
    state: BillRunState
    accounts: int
    begun_by: UserId | None
    begun_at_ms: int
    checked_at_ms: int | None
    decided_by: UserId | None
    decided_by_name: str
    decided_at_ms: int | None
    note: str


@dataclass(frozen=True, slots=True)
class CheckedAccount:
    """What an account would be billed, or everything that stands in its way.

    `before_fen` is what the month before came to, None where there was none; `sums` are by charge code.
    """

    account_id: AccountId
    amount_fen: int | None
    before_fen: int | None
    sums: Mapping[str, int]
    doubts: tuple[Doubt, ...] = ()
    problems: tuple[UsageProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A checked account with the names people know it by."""

    checked: CheckedAccount
    account_number: str
    holder_name: str
    building_code: str
    unit_code: str
    space_code: str

    @property
    def change(self) -> Decimal | None:
        """Return the ratio the amount changed by; None where there is nothing to compare."""
        now, before = self.checked.amount_fen, self.checked.before_fen
        if now is None or before is None or before <= 0:
            return None
        return Decimal(now - before) / before


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose invoice is not what was approved: a reading came in between."""

    account_number: str
    space_code: str
    invoice_number: str
    approved_fen: int | None
    issued_fen: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run came to: its rows by number, beside the month before."""

    run: BillRun
    rows: tuple[PreviewRow, ...]
    before: Mapping[str, int]

    @property
    def sums(self) -> dict[str, int]:
        """Return what would be charged, by charge code."""
        sums: dict[str, int] = {}
        for row in self.rows:
            for code, fen in row.checked.sums.items():
                sums[code] = sums.get(code, 0) + fen
        return sums

    @property
    def total_fen(self) -> int:
        """Return what would be billed in all."""
        return sum(row.checked.amount_fen or 0 for row in self.rows)

    @property
    def billable(self) -> int:
        """Return how many accounts can be billed."""
        return sum(row.checked.amount_fen is not None for row in self.rows)

    @property
    def to_visit(self) -> list[PreviewRow]:
        """Return the rows with a meter somebody should look at, in the order one walks: by riser."""
        found = [row for row in self.rows if row.checked.problems or row.checked.doubts]
        return sorted(found, key=lambda r: (r.building_code, r.unit_code, r.space_code, r.account_number))


def is_jump(quantity: Decimal, days: int, before: Decimal, days_before: int) -> bool:
    """Tell whether usage of so many days is several times what it was a day before."""
    if days <= 0 or days_before <= 0 or before <= 0:
        return False
    a_day, a_day_before = Fraction(quantity) / days, Fraction(before) / days_before
    return a_day > JUMP_FACTOR * a_day_before and a_day - a_day_before > Fraction(JUMP_LEAST_A_DAY)
