"""The ledger: double entry, where every balance is a sum of postings and nothing is ever changed.

The invariant: the postings of an entry add up to zero (debit positive, credit negative), so the whole
ledger does. A wrong entry is answered by its reversal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import MappingProxyType

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, InvoiceId, LedgerEntryId

DEPOSIT = "deposit"
OPENING = "opening"
RECEIVABLE = "receivable"
PREPAYMENT = "prepayment"
LATE_FEE_REVENUE = "revenue.late_fee"

# The chart of accounts a site starts with: code, and its name in both languages.
CHART: Mapping[str, str] = MappingProxyType(
    {
        "bank": "银行存款 Bank",
        "cash": "库存现金 Cash",
        DEPOSIT: "押金 Deposits held",
        OPENING: "期初结转 Opening balances",
        PREPAYMENT: "预收款 Prepayments",
        RECEIVABLE: "应收账款 Receivables",
        "revenue.electricity": "电费收入 Electricity",
        "revenue.gas": "燃气费收入 Gas",
        "revenue.heat": "采暖费收入 Heat",
        "revenue.hot_water": "热水费收入 Hot water",
        LATE_FEE_REVENUE: "违约金收入 Late fees",
        "revenue.parking": "停车费收入 Parking",
        "revenue.property": "物业费收入 Property fee",
        "revenue.refuse": "垃圾费收入 Refuse",
        "revenue.sewage": "污水处理费收入 Sewage",
        "revenue.water": "水费收入 Water",
        "write_off": "坏账核销 Written off",
    }
)


class EntryKind(Enum):
    """What an entry records."""

    ALLOCATION = "allocation"  # prepaid money is used for a receivable
    CREDIT_NOTE = "credit_note"
    DEPOSIT = "deposit"  # held, or turned into credit
    INVOICE = "invoice"
    LATE_FEE = "late_fee"
    OPENING = "opening"  # balances taken over from the system before
    PAYMENT = "payment"
    PAYMENT_REVERSED = "payment_reversed"  # money that was recorded and never arrived
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of an entry; `account_id` where it concerns one customer."""

    ledger_account: str
    amount_fen: int
    account_id: AccountId | None = None

    def __post_init__(self) -> None:
        if self.ledger_account not in CHART:
            raise Invalid(f"there is no ledger account {self.ledger_account!r}")
        if self.amount_fen == 0:
            raise Invalid(f"a posting to {self.ledger_account} is not zero")


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to money, with its postings."""

    kind: EntryKind
    occurred_on: date
    memo: str
    postings: tuple[Posting, ...]
    invoice_id: InvoiceId | None = None

    def __post_init__(self) -> None:
        total = sum(posting.amount_fen for posting in self.postings)
        if total != 0:
            raise Invalid(f"{self.kind.value} {self.memo}: postings add up to {total} fen, not to zero")


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One entry as the customer sees it: what it did to the balance, and the balance after it."""

    entry_id: LedgerEntryId
    kind: EntryKind
    occurred_on: date
    posted_at_ms: int
    memo: str
    invoice_id: InvoiceId | None
    amount_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every ledger account's sum; `total_fen` of a sound ledger is zero."""

    balances: Mapping[str, int]

    @property
    def total_fen(self) -> int:
        """Return the sum over all ledger accounts."""
        return sum(self.balances.values())


def invoice_entry(
    account_id: AccountId,
    invoice_id: InvoiceId,
    number: str,
    issued_on: date,
    by_charge_code: Mapping[str, int],
    kind: EntryKind = EntryKind.INVOICE,
) -> Entry | None:
    """Return the entry of a document: the customer owes its total, each kind of revenue its part.

    A credit note's amounts are negative and turn the entry round. None where nothing is charged.
    """
    revenue = [
        Posting(revenue_account(code), -amount_fen)
        for code, amount_fen in by_charge_code.items()
        if amount_fen
    ]
    if not revenue:
        return None
    total_fen = -sum(posting.amount_fen for posting in revenue)
    owed = [Posting(RECEIVABLE, total_fen, account_id)] if total_fen else []
    return Entry(kind, issued_on, number, (*owed, *revenue), invoice_id)


def revenue_account(charge_code: str) -> str:
    """Return where what is charged is earned; what was owed before we began was earned then."""
    return OPENING if charge_code == OPENING else f"revenue.{charge_code}"


def running_balance(amounts_fen: Sequence[int], opening_fen: int = 0) -> list[int]:
    """Return the balance after each of the amounts."""
    balances = []
    for amount_fen in amounts_fen:
        opening_fen += amount_fen
        balances.append(opening_fen)
    return balances
