"""Corrections: an issued invoice that was wrong is taken back by a credit note and, if need be, replaced.

The invariant: nothing issued is edited. A credit note has the invoice's lines and usage with the sign
turned, so ladders and ledger stand as if it had not been; the replacement is the account assessed anew
from the readings as they are now. What was paid becomes credit and clears the replacement by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from cloud.domain.access import Action, require
from cloud.domain.change import InvoiceIssued
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import InvoiceId
from cloud.domain.invoice import DUE_AFTER_DAYS, Invoice, InvoiceKind, invoice_number
from cloud.domain.ledger import EntryKind, invoice_entry
from cloud.domain.periods import BillingPeriod, local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.services import payments
from cloud.services.assessment import Assessment, assess
from cloud.services.invoice_rows import credit_of, invoice_of, usage_of
from cloud.services.premises import site_of
from cloud.store import audit, invoices, ledger, numbers, periods, subjects, usage
from cloud.store.db import Tx
from cloud.store.invoices import NewInvoice
from cloud.store.usage import BilledUsage

_REASON_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Corrected:
    """The credit note and, unless nothing is charged instead, the replacement."""

    credit_note: Invoice
    replacement: Invoice | None


@dataclass(frozen=True, slots=True)
class _Case:
    """An invoice to be taken back, and where it stands."""

    invoice: Invoice
    documents: list[Invoice]
    period: BillingPeriod
    site: Site
    today: date
    reason: str


def credit(tx: Tx, actor: User, invoice_id: InvoiceId, reason: str) -> Invoice:
    """Take an invoice back whole; what was paid on it becomes the customer's credit.

    Conflict where it is a credit note itself or was taken back already.
    """
    require(actor, Action.CORRECT_INVOICES)
    case = _case(tx, invoice_id, reason)
    note = _credit(tx, actor, case)
    payments.apply_prepayments(tx, [case.invoice.account_id], case.today)
    return _issued(tx, note.invoice_id)


def correct(tx: Tx, actor: User, invoice_id: InvoiceId, reason: str) -> Corrected:
    """Take an invoice back and issue what is right by the readings, tariffs and household as they are now.

    Conflict, and nothing is changed, where the account cannot be assessed: the reason names the meter.
    """
    require(actor, Action.CORRECT_INVOICES)
    case = _case(tx, invoice_id, reason)
    note = _credit(tx, actor, case)
    assessment = _assess_anew(tx, case, [case.invoice.invoice_id, note.invoice_id])
    number = _next_number(tx, case)
    first = invoice_of(
        InvoiceId(tx.new_id()),
        number,
        case.period,
        assessment,
        issued_on=case.today,
        due_on=max(case.invoice.due_on, case.today + timedelta(days=DUE_AFTER_DAYS)),
    )
    added = replace(
        first, version=len(case.documents) + 2, corrects_id=case.invoice.invoice_id, reason=reason
    )
    _write(tx, case, added, list(usage_of(added.invoice_id, assessment)), EntryKind.INVOICE)
    payments.apply_prepayments(tx, [case.invoice.account_id], case.today)
    return Corrected(_issued(tx, note.invoice_id), _issued(tx, added.invoice_id))


def preview(tx: Tx, actor: User, invoice_id: InvoiceId) -> int:
    """Return the fen an invoice would come to if it were issued now; nothing is written."""
    require(actor, Action.CORRECT_INVOICES)
    case = _case(tx, invoice_id, "preview", is_locked=False)
    return _assess_anew(tx, case, [case.invoice.invoice_id]).total_fen


def _credit(tx: Tx, actor: User, case: _Case) -> NewInvoice:
    lines = invoices.stored_lines(tx, case.invoice.invoice_id)
    note = credit_of(
        InvoiceId(tx.new_id()),
        _next_number(tx, case),
        case.invoice,
        invoices.snapshot_of(tx, case.invoice.invoice_id),
        lines,
        version=len(case.documents) + 1,
        reason=case.reason,
        issued_on=case.today,
    )
    used = [
        replace(part, invoice_id=note.invoice_id, quantity=-part.quantity)
        for part in usage.usage_of_invoice(tx, case.invoice.invoice_id)
    ]
    number = case.invoice.number
    # The credit an invoice of less than nothing gave may be used: it stays, and the note is to be paid.
    if case.invoice.total_fen >= 0:
        payments.release_invoice(tx, case.invoice.account_id, case.invoice.invoice_id, number, case.today)
    _write(tx, case, note, used, EntryKind.CREDIT_NOTE)
    detail = {"number": number, "credit_note": note.number, "reason": case.reason}
    audit.record(tx, actor.user_id, "credit_invoice", "invoice", case.invoice.invoice_id, detail)
    return note


def _assess_anew(tx: Tx, case: _Case, taken_back: Sequence[InvoiceId]) -> Assessment:
    zone = time_zone(case.site.time_zone)
    found = subjects.load_subjects(
        tx, [case.invoice.account_id], case.period.dates, case.period.dates.bounds_ms(zone)
    )
    (outcome,) = assess(tx, found, zone, except_invoices=taken_back)
    if not isinstance(outcome, Assessment):
        reasons = "; ".join(f"{problem.meter_serial}: {problem.detail}" for problem in outcome)
        raise Conflict(f"invoice {case.invoice.number} cannot be replaced: {reasons}")
    return outcome


def _write(tx: Tx, case: _Case, added: NewInvoice, used: Sequence[BilledUsage], kind: EntryKind) -> None:
    invoices.insert_invoices(tx, [added])
    usage.insert_usage(tx, [usage.usage_row(tx, part) for part in used])
    by_code: dict[str, int] = {}
    for line in added.lines:
        by_code[line.charge_code] = by_code.get(line.charge_code, 0) + line.amount_fen
    entry = invoice_entry(added.account_id, added.invoice_id, added.number, case.today, by_code, kind)
    ledger.insert_entries(tx, [] if entry is None else [entry])
    tx.announce(
        InvoiceIssued(tx.tenant_id, case.site.site_id, added.invoice_id, added.account_id, added.total_fen)
    )


def _case(tx: Tx, invoice_id: InvoiceId, reason: str, *, is_locked: bool = True) -> _Case:
    found = invoices.find_invoice(tx, invoice_id)
    if found is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    if not reason.strip() or len(reason) > _REASON_LENGTH_MAX:
        raise Invalid(f"say in at most {_REASON_LENGTH_MAX} characters why {found.number} is taken back")
    period = periods.find_period(tx, found.period_id, is_locked=is_locked)
    assert period is not None, "an invoice's period is never deleted"
    if found.kind is InvoiceKind.CREDIT_NOTE:
        raise Conflict(f"{found.number} is a credit note; only an invoice can be taken back")
    documents = invoices.documents_of(tx, found.account_id, found.period_id)
    for other in documents:
        if other.kind is InvoiceKind.CREDIT_NOTE and other.corrects_id == invoice_id:
            raise Conflict(f"invoice {found.number} was taken back already by {other.number}")
    site = site_of(tx, period.site_id)
    today = local_date(tx.now_ms, time_zone(site.time_zone))
    return _Case(found, documents, period, site, today, reason)


def _next_number(tx: Tx, case: _Case) -> str:
    serial = numbers.next_number(tx, case.site.code, "invoice", case.period.code)
    return invoice_number(case.site.code, case.period.code, serial)


def _issued(tx: Tx, invoice_id: InvoiceId) -> Invoice:
    found = invoices.find_invoice(tx, invoice_id)
    assert found is not None, "it was written just now"
    return found
