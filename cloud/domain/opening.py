"""Opening balances (期初余额): what accounts owed, had prepaid and had left as deposit in the system before.

The invariant: every opening balance is posted against the one account of the ledger for them, so that the
trial balance of the first day is zero, as it is on every other. What is owed becomes an invoice of the
month it was billed for, and is collected, reminded of and paid like any other.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, InvoiceId
from cloud.domain.ledger import DEPOSIT, OPENING, PREPAYMENT, Entry, EntryKind, Posting
from cloud.domain.periods import PeriodCode


class OpeningKind(Enum):
    """What is taken over."""

    ARREARS = "arrears"
    DEPOSIT = "deposit"
    PREPAYMENT = "prepayment"

    @property
    def ledger_account(self) -> str:
        """Return where a balance in the customer's favour stands in the ledger."""
        if self is OpeningKind.ARREARS:
            raise Invalid("arrears are posted by their invoice")
        return DEPOSIT if self is OpeningKind.DEPOSIT else PREPAYMENT


@dataclass(frozen=True, slots=True)
class Opening:
    """One balance taken over: of an account, for a month; arrears fall, or fell, due on a day."""

    account_id: AccountId
    kind: OpeningKind
    month: PeriodCode
    amount_fen: int
    due_on: date

    def __post_init__(self) -> None:
        if self.amount_fen <= 0:
            raise Invalid(f"an opening balance is more than zero, not {self.amount_fen} fen")


@dataclass(frozen=True, slots=True)
class OpeningInvoice:
    """Arrears as they were taken over last, and whether that was undone since. `version` counts documents."""

    account_id: AccountId
    invoice_id: InvoiceId
    month: PeriodCode
    total_fen: int
    due_on: date
    version: int
    stands: bool


def held_entry(opening: Opening, on: date, *, is_undone: bool = False) -> Entry:
    """Return the entry of a prepayment or deposit that is taken over, or of taking it back."""
    fen = -opening.amount_fen if is_undone else opening.amount_fen
    held = Posting(opening.kind.ledger_account, -fen, opening.account_id)
    return Entry(EntryKind.OPENING, on, opening.month, (Posting(OPENING, fen), held))
