"""Issued documents and their lines: written once, in bulk, and only read afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, InvoiceId, PeriodId, ServicePointId, SiteId, TariffId
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceSummary
from cloud.domain.periods import PeriodCode, ServicePeriod
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import account, billing_period, invoice, invoice_line, space

# An invoice with whose it is, for which period, and the space where there is one.
INVOICE_IN_PLACE = (
    invoice.join(
        account,
        sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id),
    )
    .join(
        billing_period,
        sa.and_(
            billing_period.c.tenant_id == invoice.c.tenant_id,
            billing_period.c.id == invoice.c.period_id,
        ),
    )
    .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
)


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be written; `trace` is what it follows from beside usage and tariff."""

    charge_code: str
    component: str
    tier: str
    quantity: Decimal | None
    unit: str
    unit_price: Decimal | None
    amount_fen: int
    tariff_id: TariffId
    service_point_id: ServicePointId | None
    trace: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """A document to be written. Its total is the sum of its lines."""

    invoice_id: InvoiceId
    number: str
    account_id: AccountId
    period_id: PeriodId
    version: int
    kind: InvoiceKind
    corrects_id: InvoiceId | None
    reason: str
    currency: str
    issued_on: date
    due_on: date
    snapshot: Mapping[str, Any]
    lines: tuple[NewLine, ...]

    @property
    def total_fen(self) -> int:
        """Return the sum of the lines."""
        return sum(line.amount_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line with what it follows from, for its trace."""

    line: InvoiceLine
    trace: Mapping[str, Any]


def insert_invoices(tx: Tx, added: Sequence[NewInvoice]) -> None:
    """Write documents with their lines."""
    if not added:
        return
    # Add documents.
    insert_rows(tx, invoice, [_invoice_row(tx, one) for one in added])
    lines = [
        _line_row(tx, one.invoice_id, number, line)
        for one in added
        for number, line in enumerate(one.lines, start=1)
    ]
    if lines:
        # Add their lines.
        insert_rows(tx, invoice_line, lines)


def billed_accounts(
    tx: Tx, period_id: PeriodId, account_ids: Sequence[AccountId] | None = None
) -> set[AccountId]:
    """Return who already has a document for the period: of these accounts, or of all.

    All of a large site are more than a statement can name.
    """
    query = (
        sa.select(invoice.c.account_id)
        .distinct()
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
    )
    if account_ids is not None:
        query = query.where(invoice.c.account_id.in_(account_ids))
    # Who has been billed already?
    return {AccountId(row.account_id) for row in tx.conn.execute(query)}


def documents_of(tx: Tx, account_id: AccountId, period_id: PeriodId) -> list[Invoice]:
    """Return everything issued to an account for a period, in order of version."""
    return _invoices(tx, invoice.c.account_id == account_id, invoice.c.period_id == period_id)


def billed_until(tx: Tx, account_id: AccountId) -> date | None:
    """Return the day after the last period an account has a document for; None if it has none."""
    # How far has this account been billed?
    until: date | None = tx.conn.execute(
        sa.select(sa.func.max(billing_period.c.end_on))
        .join(
            invoice,
            sa.and_(
                invoice.c.tenant_id == billing_period.c.tenant_id, invoice.c.period_id == billing_period.c.id
            ),
        )
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.account_id == account_id)
    ).scalar_one_or_none()
    return until


def count_of_period(tx: Tx, period_id: PeriodId) -> tuple[int, int]:
    """Return how many documents a period has, and what they come to."""
    # How much was billed?
    row = tx.conn.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(invoice.c.total_fen), 0)).where(
            invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id
        )
    ).one()
    return int(row[0]), int(row[1])


def totals_by_account(tx: Tx, period_id: PeriodId) -> dict[AccountId, int]:
    """Return what each account was charged for a period in fen, corrections and all."""
    # Who was charged how much?
    rows = tx.conn.execute(
        sa.select(invoice.c.account_id, sa.func.sum(invoice.c.total_fen).label("total_fen"))
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
        .group_by(invoice.c.account_id)
    )
    return {AccountId(row.account_id): int(row.total_fen) for row in rows}


def numbers_of_period(tx: Tx, period_id: PeriodId) -> tuple[str, str, date] | None:
    """Return the first and the last number of a period's documents, and when the last is due; None: none."""
    of_period = (
        sa.select(invoice.c.number, invoice.c.due_on)
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
        .limit(1)
    )
    # From where to where do they run?
    last = tx.conn.execute(of_period.order_by(invoice.c.number.desc())).one_or_none()
    if last is None:
        return None
    first = tx.conn.execute(of_period.order_by(invoice.c.number)).one()
    return first.number, last.number, last.due_on


def sums_by_charge(tx: Tx, period_id: PeriodId) -> dict[str, int]:
    """Return what was charged in a period by charge code, in fen; credit notes count against it."""
    # Not a join: SQLite would go through the lines of all months to find those of one.
    of_period = sa.select(invoice.c.id).where(
        invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id
    )
    # How much of a period's invoices is electricity, how much water?
    rows = tx.conn.execute(
        sa.select(invoice_line.c.charge_code, sa.func.sum(invoice_line.c.amount_fen).label("amount_fen"))
        .where(invoice_line.c.tenant_id == tx.tenant_id, invoice_line.c.invoice_id.in_(of_period))
        .group_by(invoice_line.c.charge_code)
        .order_by(invoice_line.c.charge_code)
    )
    return {row.charge_code: int(row.amount_fen) for row in rows}


def find_invoice(tx: Tx, invoice_id: InvoiceId) -> Invoice | None:
    """Return one document with its lines, or None."""
    found = _invoices(tx, invoice.c.id == invoice_id)
    return found[0] if found else None


def find_invoices(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> list[Invoice]:
    """Return documents with their lines, by number; ids nobody has are left out."""
    found = _invoices(tx, invoice.c.id.in_(invoice_ids)) if invoice_ids else []
    return sorted(found, key=lambda one: one.number)


def find_by_number(tx: Tx, number: str) -> Invoice | None:
    """Return the document people call by that number, or None."""
    found = _invoices(tx, invoice.c.number == number)
    return found[0] if found else None


def find_line(tx: Tx, invoice_id: InvoiceId, line_no: int) -> StoredLine | None:
    """Return one line with what it follows from, or None."""
    found = _lines(tx, [invoice_id], invoice_line.c.line_no == line_no).get(invoice_id)
    return found[0] if found else None


def snapshot_of(tx: Tx, invoice_id: InvoiceId) -> Mapping[str, Any]:
    """Return what was true of the customer when a document was issued."""
    # What was written down with this document?
    snapshot: Mapping[str, Any] = tx.conn.execute(
        sa.select(invoice.c.snapshot).where(invoice.c.tenant_id == tx.tenant_id, invoice.c.id == invoice_id)
    ).scalar_one()
    return snapshot


def stored_lines(tx: Tx, invoice_id: InvoiceId) -> list[StoredLine]:
    """Return a document's lines with what they follow from, in order."""
    return _lines(tx, [invoice_id]).get(invoice_id, [])


def stored_lines_of(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, list[StoredLine]]:
    """Return the lines of several documents with what they follow from, in order."""
    return _lines(tx, invoice_ids)


def list_summaries(
    tx: Tx,
    *,
    site_id: SiteId | None,
    account_ids: Sequence[AccountId] | None,
    period_code: str | None,
    before_id: InvoiceId | None,
    limit: int | None,
) -> list[InvoiceSummary]:
    """Return documents, newest first, those issued before `before_id`; None filters nothing."""
    query = _select(tx)
    if site_id is not None:
        query = query.where(account.c.site_id == site_id)
    if account_ids is not None:
        query = query.where(invoice.c.account_id.in_(account_ids))
    if period_code is not None:
        # By the period and not by the order of issue, which would lead through all later months.
        of_code = sa.select(billing_period.c.id).where(
            billing_period.c.tenant_id == tx.tenant_id, billing_period.c.code == period_code
        )
        query = query.where(invoice.c.period_id.in_(of_code))
    if before_id is not None:
        query = query.where(invoice.c.id < before_id)
    # One page of documents.
    rows = tx.conn.execute(query.order_by(invoice.c.id.desc()).limit(limit))
    return [
        InvoiceSummary(
            InvoiceId(row.id),
            row.number,
            InvoiceKind(row.kind),
            AccountId(row.account_id),
            row.account_number,
            row.snapshot["holder_name"],
            row.snapshot["space_code"],
            PeriodCode(row.period_code),
            row.version,
            row.issued_on,
            row.due_on,
            row.total_fen,
            row.currency,
        )
        for row in rows
    ]


def _select(tx: Tx) -> sa.Select[Any]:
    return (
        sa.select(
            invoice.c.id,
            invoice.c.number,
            invoice.c.kind,
            invoice.c.account_id,
            account.c.number.label("account_number"),
            invoice.c.period_id,
            billing_period.c.code.label("period_code"),
            billing_period.c.start_on,
            billing_period.c.end_on,
            invoice.c.version,
            invoice.c.corrects_id,
            invoice.c.reason,
            invoice.c.currency,
            invoice.c.issued_on,
            invoice.c.due_on,
            invoice.c.total_fen,
            invoice.c.snapshot,
        )
        .select_from(INVOICE_IN_PLACE)
        .where(invoice.c.tenant_id == tx.tenant_id)
    )


def _invoices(tx: Tx, *which: sa.ColumnElement[bool]) -> list[Invoice]:
    # Which documents are these?
    rows = tx.conn.execute(_select(tx).where(*which).order_by(invoice.c.version)).all()
    lines = _lines(tx, [InvoiceId(row.id) for row in rows])
    return [
        Invoice(
            InvoiceId(row.id),
            row.number,
            InvoiceKind(row.kind),
            AccountId(row.account_id),
            row.account_number,
            row.snapshot["holder_name"],
            row.snapshot["space_code"],
            PeriodId(row.period_id),
            PeriodCode(row.period_code),
            ServicePeriod(row.start_on, row.end_on),
            row.version,
            None if row.corrects_id is None else InvoiceId(row.corrects_id),
            row.reason,
            row.currency,
            row.issued_on,
            row.due_on,
            row.total_fen,
            tuple(stored.line for stored in lines.get(InvoiceId(row.id), [])),
        )
        for row in rows
    ]


def _lines(
    tx: Tx, invoice_ids: Sequence[InvoiceId], *which: sa.ColumnElement[bool]
) -> dict[InvoiceId, list[StoredLine]]:
    by_invoice: dict[InvoiceId, list[StoredLine]] = {}
    if not invoice_ids:
        return by_invoice
    # Which lines do these documents have?
    rows = tx.conn.execute(
        sa.select(
            invoice_line.c.invoice_id,
            invoice_line.c.line_no,
            invoice_line.c.charge_code,
            invoice_line.c.component,
            invoice_line.c.tier,
            invoice_line.c.quantity,
            invoice_line.c.unit,
            invoice_line.c.unit_price,
            invoice_line.c.amount_fen,
            invoice_line.c.tariff_id,
            invoice_line.c.service_point_id,
            invoice_line.c.trace,
        )
        .where(invoice_line.c.tenant_id == tx.tenant_id, invoice_line.c.invoice_id.in_(invoice_ids), *which)
        .order_by(invoice_line.c.invoice_id, invoice_line.c.line_no)
    )
    for row in rows:
        name_zh, name_en = row.trace["names"]
        line = InvoiceLine(
            row.line_no,
            row.charge_code,
            row.component,
            name_zh,
            name_en,
            row.tier,
            row.quantity,
            row.unit,
            row.unit_price,
            row.amount_fen,
            TariffId(row.tariff_id),
            None if row.service_point_id is None else ServicePointId(row.service_point_id),
        )
        by_invoice.setdefault(InvoiceId(row.invoice_id), []).append(StoredLine(line, row.trace))
    return by_invoice


def _invoice_row(tx: Tx, one: NewInvoice) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant_id,
        "id": one.invoice_id,
        "number": one.number,
        "account_id": one.account_id,
        "period_id": one.period_id,
        "version": one.version,
        "kind": one.kind.value,
        "corrects_id": one.corrects_id,
        "reason": one.reason,
        "currency": one.currency,
        "issued_on": one.issued_on,
        "due_on": one.due_on,
        "total_fen": one.total_fen,
        "snapshot": dict(one.snapshot),
        "created_at_ms": tx.now_ms,
    }


def _line_row(tx: Tx, invoice_id: InvoiceId, line_no: int, line: NewLine) -> dict[str, Any]:
    return {
        "tenant_id": tx.tenant_id,
        "invoice_id": invoice_id,
        "line_no": line_no,
        "charge_code": line.charge_code,
        "component": line.component,
        "tier": line.tier,
        "quantity": line.quantity,
        "unit": line.unit,
        "unit_price": line.unit_price,
        "amount_fen": line.amount_fen,
        "tariff_id": line.tariff_id,
        "service_point_id": line.service_point_id,
        "trace": dict(line.trace),
    }
