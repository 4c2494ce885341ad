"""Refunds and deposits: money that goes back, and money that is only held.

The invariant: whoever asks for a refund does not approve it; what goes back is credit or a deposit of that
very account and never more than there is. A deposit is the customer's and no revenue until it is used.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, DepositId, RefundId, UserId
from cloud.domain.ledger import DEPOSIT, PREPAYMENT, Entry, EntryKind, Posting
from cloud.domain.payment import Method


class RefundSource(Enum):
    """What goes back."""

    CREDIT = "credit"  # prepaid and not used
    DEPOSIT = "deposit"

    @property
    def ledger_account(self) -> str:
        """Return where such money is held."""
        return PREPAYMENT if self is RefundSource.CREDIT else DEPOSIT


class RefundState(Enum):
    """Where a refund stands."""

    REQUESTED = "requested"
    APPROVED = "approved"  # booked; a provider still has to send it
    PAID = "paid"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund: of what, how much, by which way, who asked for it and who decided.

    `order_number` is the order at a provider whose money goes back the way it came; without one it is
    paid out at the desk or by transfer.
    """

    refund_id: RefundId
    number: str
    account_id: AccountId
    source: RefundSource
    amount_fen: int
    method: Method
    order_number: str | None
    reason: str
    state: RefundState
    requested_by: UserId | None
    requested_at_ms: int
    decided_by: UserId | None
    decided_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money held for an account: for a key, a renovation, a tenancy."""

    deposit_id: DepositId
    number: str
    account_id: AccountId
    label: str
    method: Method
    amount_fen: int
    received_on: date
    recorded_at_ms: int


def refund_entry(refund: Refund, paid_on: date) -> Entry:
    """Return the entry of money that goes back."""
    postings = (
        Posting(refund.source.ledger_account, refund.amount_fen, refund.account_id),
        Posting(refund.method.ledger_account, -refund.amount_fen),
    )
    return Entry(EntryKind.REFUND, paid_on, refund.number, postings)


def deposit_entry(deposit: Deposit) -> Entry:
    """Return the entry of a deposit that came in."""
    postings = (
        Posting(deposit.method.ledger_account, deposit.amount_fen),
        Posting(DEPOSIT, -deposit.amount_fen, deposit.account_id),
    )
    return Entry(EntryKind.DEPOSIT, deposit.received_on, deposit.number, postings)


def deposit_used_entry(account_id: AccountId, amount_fen: int, on: date, reason: str) -> Entry:
    """Return the entry of a deposit that becomes credit, to be used for what is owed."""
    postings = (Posting(DEPOSIT, amount_fen, account_id), Posting(PREPAYMENT, -amount_fen, account_id))
    return Entry(EntryKind.DEPOSIT, on, reason, postings)


def refund_number(site_code: str, year: int, serial: int) -> str:
    """Return a refund's number: DG-B2026-000001."""
    return f"{site_code}-B{year}-{serial:06}"


def deposit_number(site_code: str, year: int, serial: int) -> str:
    """Return a deposit's number: DG-D2026-000001."""
    return f"{site_code}-D{year}-{serial:06}"


def checked_text(name: str, text: str, length_max: int = 200) -> str:
    """Return a text that says something; Invalid where it does not."""
    if not text.strip() or len(text) > length_max:
        raise Invalid(f"the {name} has 1 to {length_max} characters")
    return text.strip()
