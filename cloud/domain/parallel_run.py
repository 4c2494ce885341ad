"""The parallel run (并行核对): what the system before charged for a month, beside what we charge for it.

The invariant: every charge either system makes is in exactly one row with exactly one verdict; the sums of
both sides are those of their bills.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

# A line is rounded once; two systems that round in other places differ by so much at most.
ROUNDING_FEN = 3


class Verdict(Enum):
    """How the two charges compare, and, where they differ, the likeliest reason."""

    EQUAL = "equal"
    ROUNDING = "rounding"  # a few fen: rounded elsewhere
    USAGE = "usage"  # other readings or another multiplier
    PRICE = "price"  # the same usage, or none: another price, tier, area or number of days
    HELD = "held"  # cannot be billed here yet: a reading is missing
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"


VERDICT_NAMES: Mapping[Verdict, tuple[str, str]] = MappingProxyType(
    {
        Verdict.EQUAL: ("一致", "equal"),
        Verdict.ROUNDING: ("舍入差异", "rounding"),
        Verdict.USAGE: ("用量不同", "other usage"),
        Verdict.PRICE: ("单价或规则不同", "other price or rule"),
        Verdict.HELD: ("本系统暂缓出账", "held here"),
        Verdict.MISSING_HERE: ("本系统没有", "missing here"),
        Verdict.MISSING_THERE: ("原系统没有", "missing there"),
    }
)


@dataclass(frozen=True, slots=True)
class Charged:
    """What one system charges an account for one thing; the usage where it says so."""

    amount_fen: int
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An account as people know it."""

    account_number: str
    holder_name: str
    space_code: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One charge of one account in both systems."""

    place: Place
    charge_code: str
    theirs: Charged | None
    ours: Charged | None
    verdict: Verdict

    @property
    def difference_fen(self) -> int:
        """Return how much more we charge than they did."""
        return (self.ours.amount_fen if self.ours else 0) - (self.theirs.amount_fen if self.theirs else 0)


@dataclass(frozen=True, slots=True)
class ParallelRun:
    """A month in both systems. `is_issued` tells whether ours are invoices or what a check came to."""

    month: str
    is_issued: bool
    rows: tuple[Compared, ...]

    @property
    def theirs_fen(self) -> int:
        """Return the sum of what the system before charged."""
        return sum(row.theirs.amount_fen for row in self.rows if row.theirs is not None)

    @property
    def ours_fen(self) -> int:
        """Return the sum of what we charge."""
        return sum(row.ours.amount_fen for row in self.rows if row.ours is not None)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Return how many rows have each verdict; every one is in it."""
        counted = dict.fromkeys(Verdict, 0)
        for row in self.rows:
            counted[row.verdict] += 1
        return counted

    def of(self, verdict: Verdict) -> list[Compared]:
        """Return the rows of a verdict, the largest difference first."""
        found = [row for row in self.rows if row.verdict is verdict]
        return sorted(found, key=lambda row: (-abs(row.difference_fen), row.place.account_number))


# A charge: whose, and for what.
ChargeKey = tuple[str, str]


def compare(
    month: str,
    places: Mapping[str, Place],
    theirs: Mapping[ChargeKey, Charged],
    ours: Mapping[ChargeKey, Charged],
    held: Iterable[str] = (),
    *,
    is_issued: bool,
) -> ParallelRun:
    """Return both systems' charges beside each other, by account number and charge code."""
    waiting = frozenset(held)
    rows = []
    for number, code in sorted({*theirs, *ours}):
        before, now = theirs.get((number, code)), ours.get((number, code))
        verdict = _verdict(before, now, is_held=number in waiting)
        rows.append(Compared(places[number], code, before, now, verdict))
    return ParallelRun(month, is_issued, tuple(rows))


def _verdict(theirs: Charged | None, ours: Charged | None, *, is_held: bool) -> Verdict:
    if theirs is None:
        return Verdict.MISSING_THERE
    if ours is None:
        return Verdict.HELD if is_held else Verdict.MISSING_HERE
    difference = abs(ours.amount_fen - theirs.amount_fen)
    if not difference:
        return Verdict.EQUAL
    if theirs.quantity is not None and ours.quantity is not None and theirs.quantity != ours.quantity:
        return Verdict.USAGE
    return Verdict.ROUNDING if difference <= ROUNDING_FEN else Verdict.PRICE
