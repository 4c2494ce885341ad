"""What is printed about money: a payment with what it was used for, and what an account has to pay.

The invariant: a receipt's uses and credit add up to its amount; a notice's total is the sum of its items.
"""

from dataclasses import dataclass
from datetime import date

from cloud.domain.authenticity import DocumentKind, code_of
from cloud.domain.errors import Invalid
from cloud.domain.payment import Receipt
from cloud.domain.people import Account
from cloud.domain.premises import Site


@dataclass(frozen=True, slots=True)
class PaidInvoice:
    """What of a payment went to one invoice."""

    number: str
    principal_fen: int
    late_fee_fen: int


@dataclass(frozen=True, slots=True)
class PaidReceipt:
    """A receipt ready to print. `takes_back` is the number of the payment a negative one answers."""

    receipt: Receipt
    site: Site
    account: Account
    uses: tuple[PaidInvoice, ...]
    takes_back: str
    is_taken_back: bool

    @property
    def credit_fen(self) -> int:
        """Return what of it became credit."""
        return self.receipt.amount_fen - sum(use.principal_fen + use.late_fee_fen for use in self.uses)

    @property
    def code(self) -> str:
        """Return what proves a print genuine."""
        return receipt_code(self.receipt)


@dataclass(frozen=True, slots=True)
class NoticeItem:
    """One bill that is not paid in full; `code` is the one printed on the bill itself."""

    number: str
    code: str
    start_on: date
    due_on: date
    left_fen: int
    late_fee_fen: int

    def days_overdue(self, as_of: date) -> int:
        """Return how many days late it is; zero or less while it is not."""
        return (as_of - self.due_on).days


@dataclass(frozen=True, slots=True)
class AccountNotice:
    """What an account has to pay as of a day, first due first; at least one bill."""

    site: Site
    account: Account
    as_of: date
    items: tuple[NoticeItem, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise Invalid(f"account {self.account.number} has nothing to pay as of {self.as_of}")

    @property
    def total_fen(self) -> int:
        """Return what is asked for: what is left of the bills, and the late fees up to the day."""
        return sum(item.left_fen + item.late_fee_fen for item in self.items)


def receipt_code(receipt: Receipt) -> str:
    """Return the code printed on a receipt."""
    return code_of(
        DocumentKind.RECEIPT, receipt.payment_id, receipt.number, receipt.received_on, receipt.amount_fen
    )
