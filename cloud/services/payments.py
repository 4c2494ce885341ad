"""Payments: money recorded, used for what is owed in the legal order, kept as credit, taken back.

The invariant: the same transfer recorded twice is one payment; nothing that came in is lost, what is
not used is credit and clears the next invoice by itself. Arrears are shown and charged; nothing here
or anywhere acts on a valve, a relay or a door because of them (Civil Code 944).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cloud.domain.access import Action, require, require_bills
from cloud.domain.allocation import allocate
from cloud.domain.dunning import dunning_subject
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, InvoiceId, PaymentId, SiteId, UserId
from cloud.domain.late_fee import LateFee, LateFeeRule
from cloud.domain.ledger import LATE_FEE_REVENUE, PREPAYMENT, RECEIVABLE, Entry, EntryKind, Posting
from cloud.domain.payment import (
    Method,
    OpenInvoice,
    Receipt,
    Use,
    application_entry,
    payment_entry,
    receipt_number,
)
from cloud.domain.people import Account
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import Role, User
from cloud.services import notices
from cloud.services.premises import site_of
from cloud.store import audit, ledger, numbers, payments, people
from cloud.store.db import Tx
from cloud.store.invoices import NewInvoice
from cloud.store.payments import Arrears

_TEXT_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payment with what it was used for and what of it became credit."""

    receipt: Receipt
    uses: tuple[Use, ...]
    credit_fen: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An invoice that is not paid in full, with its late fee as of the day asked for."""

    invoice: OpenInvoice
    late_fee: LateFee | None
    late_fee_left_fen: int


@dataclass(frozen=True, slots=True)
class _Books:
    """An account with what payments need to know of its site."""

    account: Account
    site: Site
    today: date
    rules: list[tuple[date, LateFeeRule]]

    def rule_for(self, due_on: date) -> LateFeeRule | None:
        """Return the late-fee rule that held on a due date."""
        held = [rule for from_on, rule in self.rules if from_on <= due_on]
        return held[-1] if held else None


def record_payment(
    tx: Tx,
    actor: User,
    account_id: AccountId,
    method: Method,
    amount_fen: int,
    received_on: date,
    *,
    provider_reference: str | None = None,
    memo: str = "",
    designated: Sequence[InvoiceId] = (),
) -> Recorded:
    """Record money that came in and use it: named invoices first, then by Civil Code 560 and 561.

    A transfer with a reference that is known already is the same payment, returned as it was recorded;
    Conflict where its account or amount differ.
    """
    require(actor, Action.RECORD_PAYMENTS)
    people.lock_account(tx, account_id)
    books = _books(tx, account_id)
    _check_payment(books, amount_fen, received_on, memo, provider_reference)
    if provider_reference is not None:
        known = payments.find_by_reference(tx, method, provider_reference)
        if known is not None:
            return _same_payment(tx, known, account_id, amount_fen)
    ledger.ensure_chart(tx)
    items = payments.open_invoices(tx, [account_id]).get(account_id, [])
    owed = [item.owed(books.rule_for(item.due_on), received_on) for item in items]
    spread = allocate(amount_fen, owed, received_on, designated)
    serial = numbers.next_number(tx, books.site.code, "receipt", str(received_on.year))
    receipt = Receipt(
        PaymentId(tx.new_id()),
        receipt_number(books.site.code, received_on.year, serial),
        account_id,
        method,
        amount_fen,
        received_on,
        provider_reference,
        None,
        memo,
        tx.now_ms,
    )
    payments.insert_payment(tx, receipt, _author(actor))
    uses = [
        Use(InvoiceId(part.debt_id), receipt.payment_id, part.principal_fen, part.interest_fen, received_on)
        for part in spread.parts
    ]
    (entry_id,) = ledger.insert_entries(
        tx, [payment_entry(receipt, spread.parts, spread.credit_fen, received_on)]
    )
    payments.insert_uses(tx, account_id, entry_id, uses)
    # Whoever pays is reminded of nothing: what is still owed is seen when the next reminders are due.
    notices.withdraw(tx, dunning_subject(account_id))
    detail: dict[str, str | int | None] = {
        "account_id": account_id,
        "amount_fen": amount_fen,
        "method": method.value,
    }
    audit.record(tx, actor.user_id, "record_payment", "payment", receipt.payment_id, detail)
    return Recorded(receipt, tuple(uses), spread.credit_fen)


def reverse_payment(tx: Tx, actor: User, payment_id: PaymentId, reason: str) -> Receipt:
    """Take back a payment that never arrived: its invoices are open again.

    Conflict where it was taken back already, or where credit from it has been used since.
    """
    require(actor, Action.RECORD_PAYMENTS)
    known = payments.find_payment(tx, payment_id)
    if known is None:
        raise NotFound(f"there is no payment {payment_id}")
    people.lock_account(tx, known.account_id)
    if known.reverses_id is not None or payments.find_reversal(tx, payment_id) is not None:
        raise Conflict(f"payment {known.number} was taken back already")
    if not reason.strip():
        raise Invalid(f"say why payment {known.number} is taken back")
    books = _books(tx, known.account_id)
    found = payments.uses_of_payment(tx, payment_id)
    # What it paid on an invoice that was taken back since has become credit, and is taken from there.
    released = payments.taken_back(tx, [use.invoice_id for use in found])
    uses = [use for use in found if use.invoice_id not in released]
    principal_fen = sum(use.principal_fen for use in uses)
    late_fee_fen = sum(use.late_fee_fen for use in uses)
    credit_fen = known.amount_fen - principal_fen - late_fee_fen
    prepaid_fen = payments.prepaid_balances(tx, [known.account_id]).get(known.account_id, 0)
    if credit_fen > prepaid_fen:
        raise Conflict(
            f"{credit_fen} fen of payment {known.number} became credit and only {prepaid_fen} fen of it are "
            "unused; take back what it was used for first"
        )
    serial = numbers.next_number(tx, books.site.code, "receipt", str(books.today.year))
    number = receipt_number(books.site.code, books.today.year, serial)
    taken = Receipt(
        PaymentId(tx.new_id()),
        number,
        known.account_id,
        known.method,
        -known.amount_fen,
        books.today,
        None,
        payment_id,
        reason,
        tx.now_ms,
    )
    payments.insert_payment(tx, taken, _author(actor))
    (entry_id,) = ledger.insert_entries(tx, [_reversal_entry(taken, principal_fen, late_fee_fen, credit_fen)])
    back = [
        Use(use.invoice_id, taken.payment_id, -use.principal_fen, -use.late_fee_fen, books.today)
        for use in uses
    ]
    payments.insert_uses(tx, known.account_id, entry_id, back)
    audit.record(tx, actor.user_id, "reverse_payment", "payment", payment_id, {"number": known.number})
    return taken


def apply_prepayments(tx: Tx, account_ids: Sequence[AccountId], on: date) -> dict[AccountId, int]:
    """Use what accounts have prepaid for what they owe, first due first; returns the fen used of each."""
    prepaid = {
        account_id: fen for account_id, fen in payments.prepaid_balances(tx, account_ids).items() if fen > 0
    }
    if not prepaid:
        return {}
    for account_id in sorted(prepaid):
        people.lock_account(tx, account_id)
    prepaid = payments.prepaid_balances(tx, sorted(prepaid))  # now that nobody else uses it
    used: dict[AccountId, int] = {}
    for account_id, items in payments.open_invoices(tx, sorted(prepaid)).items():
        books = _books(tx, account_id)
        owed = [item.owed(books.rule_for(item.due_on), on) for item in items]
        if prepaid.get(account_id, 0) <= 0:
            continue
        spread = allocate(prepaid[account_id], owed, on)
        principal_fen = sum(part.principal_fen for part in spread.parts)
        late_fee_fen = sum(part.interest_fen for part in spread.parts)
        if not principal_fen + late_fee_fen:
            continue
        numbers_used = ", ".join(
            item.number for item in items if item.invoice_id in {part.debt_id for part in spread.parts}
        )
        entry = application_entry(account_id, principal_fen, late_fee_fen, on, numbers_used)
        (entry_id,) = ledger.insert_entries(tx, [entry])
        uses = [
            Use(InvoiceId(part.debt_id), None, part.principal_fen, part.interest_fen, on)
            for part in spread.parts
        ]
        payments.insert_uses(tx, account_id, entry_id, uses)
        used[account_id] = principal_fen + late_fee_fen
    return used


def settle_credits(tx: Tx, issued: Sequence[NewInvoice], on: date) -> None:
    """Turn invoices that come to less than nothing (an estimate was too high) into credit."""
    for one in issued:
        if one.total_fen < 0:
            entry = application_entry(one.account_id, one.total_fen, 0, on, one.number)
            (entry_id,) = ledger.insert_entries(tx, [entry])
            use = Use(one.invoice_id, None, one.total_fen, 0, on)
            payments.insert_uses(tx, one.account_id, entry_id, [use])


def release_invoice(tx: Tx, account_id: AccountId, invoice_id: InvoiceId, number: str, on: date) -> int:
    """Turn what was paid on an invoice that is being taken back into credit; returns the fen."""
    people.lock_account(tx, account_id)
    uses = payments.uses_of_invoices(tx, [invoice_id]).get(invoice_id, [])
    principal_fen = sum(use.principal_fen for use in uses)
    late_fee_fen = sum(use.late_fee_fen for use in uses)
    if not principal_fen and not late_fee_fen:
        return 0
    entry = application_entry(account_id, -principal_fen, -late_fee_fen, on, number)
    (entry_id,) = ledger.insert_entries(tx, [entry])
    payments.insert_uses(tx, account_id, entry_id, [Use(invoice_id, None, -principal_fen, -late_fee_fen, on)])
    return principal_fen + late_fee_fen


def open_items(tx: Tx, actor: User, account_id: AccountId, as_of: date) -> list[OpenItem]:
    """Return what an account has to pay, first due first, with the late fees as of a day, day by day."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    books = _books(tx, account_id)
    items = []
    for found in payments.open_invoices(tx, [account_id]).get(account_id, []):
        rule = books.rule_for(found.due_on)
        left_fen = found.owed(rule, as_of).interest_fen
        items.append(OpenItem(found, found.late_fee(rule, as_of), left_fen))
    return items


def credit_of(tx: Tx, actor: User, account_id: AccountId) -> int:
    """Return what an account has prepaid and not used, in fen."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return payments.prepaid_balances(tx, [account_id]).get(account_id, 0)


def list_payments(tx: Tx, actor: User, account_id: AccountId) -> list[Receipt]:
    """Return an account's payments, newest first, those taken back and what took them back included."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_bills(actor, account_id)
    return payments.payments_of(tx, _books(tx, account_id).account.account_id)


def list_arrears(tx: Tx, actor: User, site_id: SiteId, as_of: date) -> list[Arrears]:
    """Return who at a site owes something overdue on a day, by age, the most first."""
    require(actor, Action.READ_LEDGER)
    return payments.list_arrears(tx, site_of(tx, site_id).site_id, as_of)


def set_late_fee_rule(tx: Tx, actor: User, site_id: SiteId, from_on: date, rule: LateFeeRule) -> None:
    """Let a rule hold for what falls due at a site from a day on; what fell due before keeps its own.

    Conflict where a rule from that day or a later one is there already.
    """
    require(actor, Action.MANAGE_TARIFFS)
    site = site_of(tx, site_id)
    known = [from_day for from_day, _ in payments.rules_of(tx, site_id)]
    if known and known[-1] >= from_on:
        raise Conflict(f"site {site.code} has a late-fee rule from {known[-1]}; a new one begins after it")
    payments.insert_rule(tx, site_id, from_on, rule, _author(actor))
    audit.record(tx, actor.user_id, "set_late_fee_rule", "site", site_id, {"from_on": from_on.isoformat()})


def _reversal_entry(taken: Receipt, principal_fen: int, late_fee_fen: int, credit_fen: int) -> Entry:
    account_id = taken.account_id
    postings = [Posting(taken.method.ledger_account, taken.amount_fen)]
    if principal_fen:
        postings.append(Posting(RECEIVABLE, principal_fen, account_id))
    if late_fee_fen:
        postings.append(Posting(LATE_FEE_REVENUE, late_fee_fen))
    if credit_fen:
        postings.append(Posting(PREPAYMENT, credit_fen, account_id))
    return Entry(EntryKind.PAYMENT_REVERSED, taken.received_on, taken.number, tuple(postings))


def _same_payment(tx: Tx, known: Receipt, account_id: AccountId, amount_fen: int) -> Recorded:
    if (known.account_id, known.amount_fen) != (account_id, amount_fen):
        raise Conflict(
            f"the transfer {known.provider_reference!r} is recorded as {known.number} over "
            f"{known.amount_fen} fen, with another account or amount"
        )
    uses = tuple(payments.uses_of_payment(tx, known.payment_id))
    used_fen = sum(use.principal_fen + use.late_fee_fen for use in uses)
    return Recorded(known, uses, known.amount_fen - used_fen)


def _check_payment(
    books: _Books, amount_fen: int, received_on: date, memo: str, provider_reference: str | None
) -> None:
    if amount_fen <= 0:
        raise Invalid(f"a payment is more than zero, not {amount_fen} fen")
    if received_on > books.today:
        raise Invalid(f"money cannot have come in on {received_on}; today is {books.today}")
    for name, text in (("memo", memo), ("reference", provider_reference or "")):
        if len(text) > _TEXT_LENGTH_MAX:
            raise Invalid(f"the {name} has {len(text)} characters, at most {_TEXT_LENGTH_MAX} are kept")
    if provider_reference is not None and not provider_reference.strip():
        raise Invalid("an empty reference names no transfer; leave it out")


def _books(tx: Tx, account_id: AccountId) -> _Books:
    account = people.find_account(tx, account_id)
    if account is None:
        raise NotFound("there is no such account")
    site = site_of(tx, account.site_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    return _Books(account, site, today, payments.rules_of(tx, site.site_id))


def _author(actor: User) -> UserId | None:
    return None if actor.role is Role.SYSTEM else actor.user_id
