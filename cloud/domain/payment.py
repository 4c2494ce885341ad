"""Payments: money in, what it was used for, and what is still owed.

The invariant: a payment's uses and what became credit add up to it; what an invoice still asks for is
its total less everything ever allocated to it. Nothing is changed: taking back is a negative record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from cloud.domain import money
from cloud.domain.allocation import Allocated, Owed
from cloud.domain.correction import PaymentState, payment_state
from cloud.domain.errors import Invalid, Problem
from cloud.domain.ids import AccountId, InvoiceId, PaymentId
from cloud.domain.late_fee import Debt, LateFee, LateFeeRule, Payment, Step, late_fee
from cloud.domain.ledger import LATE_FEE_REVENUE, PREPAYMENT, RECEIVABLE, Entry, EntryKind, Posting

# How the reference begins that a form makes up where the person names none.
FORM_REFERENCE = "form-"


class Method(Enum):
    """How money came in."""

    ALIPAY = "alipay"
    CARD = "card"
    CASH = "cash"
    TRANSFER = "transfer"
    WECHAT = "wechat"

    @property
    def ledger_account(self) -> str:
        """Return where such money is."""
        return "cash" if self is Method.CASH else "bank"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A payment as recorded. A negative one takes back the one it names, which never arrived."""

    payment_id: PaymentId
    number: str
    account_id: AccountId
    method: Method
    amount_fen: int
    received_on: date
    provider_reference: str | None
    reverses_id: PaymentId | None
    memo: str
    recorded_at_ms: int

    @property
    def reference(self) -> str:
        """Return the reference a person or a provider gave; empty for the word a form made up."""
        given = self.provider_reference or ""
        return "" if given.startswith(FORM_REFERENCE) else given


@dataclass(frozen=True, slots=True)
class Use:
    """What of some money went to one invoice; negative where it was taken back."""

    invoice_id: InvoiceId
    payment_id: PaymentId | None
    principal_fen: int
    late_fee_fen: int
    allocated_on: date


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An invoice that still asks for something, with all that was used for it so far."""

    invoice_id: InvoiceId
    number: str
    due_on: date
    total_fen: int
    uses: tuple[Use, ...] = ()

    @property
    def paid_fen(self) -> int:
        """Return what was paid of its total, late fees not counted."""
        return sum(use.principal_fen for use in self.uses)

    @property
    def left_fen(self) -> int:
        """Return what it still asks for."""
        return self.total_fen - self.paid_fen

    @property
    def state(self) -> PaymentState:
        """Return how far it is paid."""
        return payment_state(self.total_fen, self.paid_fen)

    def late_fee(self, rule: LateFeeRule | None, as_of: date) -> LateFee | None:
        """Return the late fee as of a day, whatever of it was paid; None without a rule."""
        if rule is None:
            return None
        payments = [Payment(use.allocated_on, use.principal_fen) for use in self.uses if use.principal_fen]
        return late_fee(Debt(self.due_on, self.total_fen), payments, rule, as_of)

    def owed(self, rule: LateFeeRule | None, as_of: date) -> Owed:
        """Return it as a debt: late fee not paid yet, and principal."""
        fee = self.late_fee(rule, as_of)
        paid_fee_fen = sum(use.late_fee_fen for use in self.uses)
        interest_fen = 0 if fee is None else max(0, fee.fee_fen - paid_fee_fen)
        return Owed(self.invoice_id, self.due_on, max(0, self.left_fen), interest_fen)


class _StepDocument(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    from_day: int
    daily_rate: str


class _RuleDocument(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    steps: tuple[_StepDocument, ...]
    next_year_rate: str | None = None
    cap: str | None = None
    minimum_fen: int = 0


def late_fee_rule_from_json(document: Mapping[str, Any]) -> LateFeeRule:
    """Return the rule in a document; Invalid says where it is wrong.

    `{"steps": [{"from_day": 1, "daily_rate": "0.001"}], "cap": "1"}`: rates and the cap are shares
    written as text, "0.001" or "1/300".
    """
    try:
        read = convert(document, _RuleDocument)
    except ValidationError as error:
        raise Invalid("the late-fee rule cannot be read", [Problem("", str(error))]) from error
    return LateFeeRule(
        tuple(Step(step.from_day, _share(step.daily_rate)) for step in read.steps),
        next_year_rate=None if read.next_year_rate is None else _share(read.next_year_rate),
        cap=None if read.cap is None else _share(read.cap),
        minimum_fen=read.minimum_fen,
    )


def late_fee_rule_to_json(rule: LateFeeRule) -> dict[str, Any]:
    """Return a rule as the document it is read from."""
    document: dict[str, Any] = to_builtins(
        _RuleDocument(
            steps=tuple(
                _StepDocument(from_day=step.from_day, daily_rate=str(step.daily_rate)) for step in rule.steps
            ),
            next_year_rate=None if rule.next_year_rate is None else str(rule.next_year_rate),
            cap=None if rule.cap is None else str(rule.cap),
            minimum_fen=rule.minimum_fen,
        )
    )
    return document


def payment_entry(receipt: Receipt, parts: Sequence[Allocated], credit_fen: int, occurred_on: date) -> Entry:
    """Return the entry of money that came in: what cleared principal and late fees, and what is credit."""
    principal_fen = sum(part.principal_fen for part in parts)
    late_fee_fen = sum(part.interest_fen for part in parts)
    account_id = receipt.account_id
    postings = [Posting(receipt.method.ledger_account, receipt.amount_fen)]
    if principal_fen:
        postings.append(Posting(RECEIVABLE, -principal_fen, account_id))
    if late_fee_fen:
        postings.append(Posting(LATE_FEE_REVENUE, -late_fee_fen))
    if credit_fen:
        postings.append(Posting(PREPAYMENT, -credit_fen, account_id))
    return Entry(EntryKind.PAYMENT, occurred_on, receipt.number, tuple(postings))


def application_entry(
    account_id: AccountId, principal_fen: int, late_fee_fen: int, occurred_on: date, memo: str
) -> Entry:
    """Return the entry of prepaid money that is used (or, negative, of used money that is free again)."""
    postings = [Posting(PREPAYMENT, principal_fen + late_fee_fen, account_id)]
    if principal_fen:
        postings.append(Posting(RECEIVABLE, -principal_fen, account_id))
    if late_fee_fen:
        postings.append(Posting(LATE_FEE_REVENUE, -late_fee_fen))
    return Entry(EntryKind.ALLOCATION, occurred_on, memo, tuple(postings))


def receipt_number(site_code: str, year: int, serial: int) -> str:
    """Return a receipt's number: DG-R2026-000001. Serials count from 1 per site and year."""
    return f"{site_code}-R{year}-{serial:06}"


def _share(text: str) -> Fraction:
    over, slash, under = text.partition("/")
    share = Fraction(money.decimal(over))
    if not slash:
        return share
    divisor = money.decimal(under)
    if divisor <= 0:
        raise Invalid(f"{text!r} is no share: the part after the stroke is above zero")
    return share / Fraction(divisor)
