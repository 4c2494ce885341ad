"""Corrections: what becomes of an issued document that was wrong, and of the money paid on it.

The invariant: nothing issued is edited. The original stays, a credit note takes it back whole, a
replacement charges what is right, and what was paid beyond that is the customer's credit.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.allocation import Owed, allocate
from cloud.domain.errors import Invalid


class PaymentState(Enum):
    """How far a document is paid."""

    PAID = "PAID"
    PARTIAL_PAID = "PARTIAL_PAID"
    UNPAID = "UNPAID"


@dataclass(frozen=True, slots=True)
class Correction:
    """The three documents in order, what they come to, and where that leaves the money paid."""

    documents_fen: tuple[int, int, int]
    paid_on_replacement_fen: int
    credit_fen: int

    @property
    def net_fen(self) -> int:
        """Return what the customer is charged in the end."""
        return sum(self.documents_fen)

    @property
    def left_to_pay_fen(self) -> int:
        """Return what the replacement still asks for."""
        return self.documents_fen[-1] - self.paid_on_replacement_fen


def correct(original_fen: int, paid_fen: int, right_fen: int) -> Correction:
    """Return the correction of a document of `original_fen` on which `paid_fen` was paid."""
    if not 0 <= paid_fen <= max(original_fen, 0):
        raise Invalid(f"a document of {original_fen} fen cannot have {paid_fen} fen paid on it")
    used_fen = min(paid_fen, max(right_fen, 0))
    return Correction((original_fen, -original_fen, right_fen), used_fen, paid_fen - used_fen)


@dataclass(frozen=True, slots=True)
class Prepayment:
    """Where money went that was paid on a debt and then stood ready for the next document."""

    applied_to_debt_fen: int
    top_up_fen: int
    applied_to_next_fen: int
    next_left_fen: int

    @property
    def balance_fen(self) -> int:
        """Return what is still prepaid."""
        return self.top_up_fen - self.applied_to_next_fen


def prepay(debt: Owed, paid_fen: int, following: Owed) -> Prepayment:
    """Return how a payment clears the debt first, tops up the prepayment, and that the next document."""
    first = allocate(paid_fen, [debt], debt.due_on)
    second = allocate(first.credit_fen, [following], following.due_on)
    applied_fen = first.credit_fen - second.credit_fen
    return Prepayment(
        paid_fen - first.credit_fen, first.credit_fen, applied_fen, following.total_fen - applied_fen
    )


def payment_state(total_fen: int, paid_fen: int) -> PaymentState:
    """Return how far a document of that total is paid; nothing to pay is paid."""
    if paid_fen >= total_fen:
        return PaymentState.PAID
    return PaymentState.PARTIAL_PAID if paid_fen > 0 else PaymentState.UNPAID
