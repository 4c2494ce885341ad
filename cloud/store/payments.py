"""Payments, what they were used for, late-fee rules, and who owes since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, InvoiceId, LedgerEntryId, PaymentId, SiteId, UserId
from cloud.domain.invoice import InvoiceKind
from cloud.domain.late_fee import LateFeeRule
from cloud.domain.ledger import PREPAYMENT
from cloud.domain.payment import (
    Method,
    OpenInvoice,
    Receipt,
    Use,
    late_fee_rule_from_json,
    late_fee_rule_to_json,
)
from cloud.store.db import Tx
from cloud.store.schema import account, allocation, invoice, late_fee_rule, payment, posting, space

# Days overdue at which an arrears bucket begins.
BUCKETS = (1, 31, 61, 91)

# A credit note, beside the invoice it takes back. Built once, as are the conditions below: building them
# costs more than asking.
_NOTE = invoice.alias("note")

# A document that may ask for something: an invoice no credit note took back; and a credit note that takes
# back an invoice of less than nothing, whose credit the customer keeps and which is therefore to be paid.
STANDS = sa.or_(
    sa.and_(
        invoice.c.kind == InvoiceKind.INVOICE.value,
        ~sa.exists().where(
            _NOTE.c.tenant_id == invoice.c.tenant_id,
            _NOTE.c.corrects_id == invoice.c.id,
            _NOTE.c.kind == InvoiceKind.CREDIT_NOTE.value,
        ),
    ),
    sa.and_(invoice.c.kind == InvoiceKind.CREDIT_NOTE.value, invoice.c.total_fen > 0),
)

# What was paid of the invoice at hand.
_PAID: sa.ScalarSelect[int] = (
    sa.select(sa.func.coalesce(sa.func.sum(allocation.c.principal_fen), 0))
    .where(allocation.c.tenant_id == invoice.c.tenant_id, allocation.c.invoice_id == invoice.c.id)
    .correlate(invoice)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class Arrears:
    """What an account owes that is overdue, by age: 1-30, 31-60, 61-90 days, and older."""

    account_id: AccountId
    account_number: str
    holder_name: str
    space_code: str
    oldest_due_on: date
    invoice_count: int
    by_age_fen: tuple[int, int, int, int]

    @property
    def total_fen(self) -> int:
        """Return all that is overdue."""
        return sum(self.by_age_fen)


def insert_payment(tx: Tx, receipt: Receipt, recorded_by: UserId | None) -> None:
    """Record a payment."""
    # Add one payment.
    tx.conn.execute(
        tx.insert(payment).values(
            tenant_id=tx.tenant_id,
            id=receipt.payment_id,
            number=receipt.number,
            account_id=receipt.account_id,
            method=receipt.method.value,
            amount_fen=receipt.amount_fen,
            received_on=receipt.received_on,
            provider_reference=receipt.provider_reference,
            reverses_id=receipt.reverses_id,
            memo=receipt.memo,
            recorded_by=recorded_by,
            recorded_at_ms=receipt.recorded_at_ms,
        )
    )


def find_payment(tx: Tx, payment_id: PaymentId) -> Receipt | None:
    """Return one payment, or None."""
    found = _payments(tx, payment.c.id == payment_id)
    return found[0] if found else None


def find_by_number(tx: Tx, number: str) -> Receipt | None:
    """Return the payment of a receipt's number, or None."""
    found = _payments(tx, payment.c.number == number)
    return found[0] if found else None


def find_by_reference(tx: Tx, method: Method, reference: str) -> Receipt | None:
    """Return the payment with the bank's or provider's number, or None."""
    found = _payments(tx, payment.c.method == method.value, payment.c.provider_reference == reference)
    return found[0] if found else None


def find_reversal(tx: Tx, payment_id: PaymentId) -> Receipt | None:
    """Return what took a payment back, or None."""
    found = _payments(tx, payment.c.reverses_id == payment_id)
    return found[0] if found else None


def payments_of(tx: Tx, account_id: AccountId) -> list[Receipt]:
    """Return an account's payments, newest first."""
    return _payments(tx, payment.c.account_id == account_id)


def insert_uses(tx: Tx, account_id: AccountId, entry_id: LedgerEntryId, uses: Sequence[Use]) -> None:
    """Record what money was used for."""
    if uses:
        # Add allocations.
        tx.conn.execute(
            sa.insert(allocation),
            [
                {
                    "tenant_id": tx.tenant_id,
                    "id": tx.new_id(),
                    "account_id": account_id,
                    "invoice_id": use.invoice_id,
                    "payment_id": use.payment_id,
                    "principal_fen": use.principal_fen,
                    "late_fee_fen": use.late_fee_fen,
                    "allocated_on": use.allocated_on,
                    "entry_id": entry_id,
                }
                for use in uses
            ],
        )


def uses_of_payment(tx: Tx, payment_id: PaymentId) -> list[Use]:
    """Return what a payment was used for when it came in."""
    return _uses(tx, allocation.c.payment_id == payment_id)


def uses_of_invoices(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, list[Use]]:
    """Return what was used for each invoice, oldest first."""
    by_invoice: dict[InvoiceId, list[Use]] = {}
    if invoice_ids:
        for use in _uses(tx, allocation.c.invoice_id.in_(invoice_ids)):
            by_invoice.setdefault(use.invoice_id, []).append(use)
    return by_invoice


def open_invoices(tx: Tx, account_ids: Sequence[AccountId]) -> dict[AccountId, list[OpenInvoice]]:
    """Return the invoices of accounts that still ask for something, first due first.

    One that a credit note took back asks for nothing.
    """
    by_account: dict[AccountId, list[OpenInvoice]] = {}
    if not account_ids:
        return by_account
    # Which invoices are not paid in full?
    rows = tx.conn.execute(
        sa.select(invoice.c.id, invoice.c.account_id, invoice.c.number, invoice.c.due_on, invoice.c.total_fen)
        .where(
            invoice.c.account_id.in_(account_ids),
            invoice.c.tenant_id == tx.tenant_id,
            STANDS,
            invoice.c.total_fen > _PAID,
        )
        .order_by(invoice.c.due_on, invoice.c.id)
    ).all()
    uses = uses_of_invoices(tx, [InvoiceId(row.id) for row in rows])
    for row in rows:
        found = OpenInvoice(
            InvoiceId(row.id), row.number, row.due_on, row.total_fen, tuple(uses.get(InvoiceId(row.id), ()))
        )
        by_account.setdefault(AccountId(row.account_id), []).append(found)
    return by_account


def taken_back(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> set[InvoiceId]:
    """Return which of these invoices a credit note took back."""
    # What was paid on which of these has become credit?
    rows = tx.conn.execute(
        sa.select(invoice.c.corrects_id).where(
            invoice.c.tenant_id == tx.tenant_id,
            invoice.c.corrects_id.in_(invoice_ids),
            invoice.c.kind == InvoiceKind.CREDIT_NOTE.value,
        )
    )
    return {InvoiceId(row.corrects_id) for row in rows}


def owing_accounts(tx: Tx, site_id: SiteId) -> set[AccountId]:
    """Return the accounts of a site that have an invoice which is not paid in full."""
    # Who has something to pay?
    rows = tx.conn.execute(
        sa.select(invoice.c.account_id)
        .distinct()
        .join(
            account, sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id)
        )
        .where(
            account.c.site_id == site_id,
            invoice.c.tenant_id == tx.tenant_id,
            STANDS,
            invoice.c.total_fen > _PAID,
        )
    )
    return {AccountId(row.account_id) for row in rows}


def prepaid_balances(tx: Tx, account_ids: Sequence[AccountId]) -> dict[AccountId, int]:
    """Return what accounts have prepaid and not used; those without are left out."""
    if not account_ids:
        return {}
    # Whose money is waiting to be used?
    rows = tx.conn.execute(
        sa.select(posting.c.account_id, sa.func.sum(posting.c.amount_fen))
        .where(
            posting.c.tenant_id == tx.tenant_id,
            posting.c.account_id.in_(account_ids),
            posting.c.ledger_account == PREPAYMENT,
        )
        .group_by(posting.c.account_id)
    )
    return {AccountId(row[0]): -int(row[1]) for row in rows if row[1]}


def list_arrears(tx: Tx, site_id: SiteId, as_of: date) -> list[Arrears]:
    """Return who at a site owes something overdue, the most first."""
    # What is left of each document is summed once; a bucket of ageing then only asks for its days.
    overdue = (
        sa.select(
            invoice.c.account_id,
            invoice.c.due_on,
            (invoice.c.total_fen - _PAID).label("left_fen"),
            account.c.number,
            account.c.holder_name,
            space.c.code.label("space_code"),
        )
        .select_from(
            invoice.join(
                account,
                sa.and_(account.c.tenant_id == invoice.c.tenant_id, account.c.id == invoice.c.account_id),
            ).outerjoin(
                space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id)
            )
        )
        .where(
            account.c.site_id == site_id,
            invoice.c.tenant_id == tx.tenant_id,
            STANDS,
            invoice.c.due_on < as_of,
        )
        .subquery("overdue")
    )
    edges = [as_of - timedelta(days=days) for days in BUCKETS]
    # Who owes how much, and since when?
    rows = tx.conn.execute(
        sa.select(overdue).where(overdue.c.left_fen > 0).order_by(overdue.c.account_id, overdue.c.due_on)
    )
    found = []
    for account_id, of_account in groupby(rows, lambda row: row.account_id):
        open_rows = list(of_account)
        ages = [0] * len(edges)
        for row in open_rows:
            # The youngest bucket ends the day before; the last one has no beginning.
            bucket = max(number for number, newest in enumerate(edges) if row.due_on <= newest)
            ages[bucket] += int(row.left_fen)
        first = open_rows[0]
        found.append(
            Arrears(
                AccountId(account_id),
                first.number,
                first.holder_name,
                first.space_code or "",
                first.due_on,
                len(open_rows),
                (ages[0], ages[1], ages[2], ages[3]),
            )
        )
    return sorted(found, key=lambda one: (-one.total_fen, one.account_number))


def insert_rule(
    tx: Tx, site_id: SiteId, from_on: date, rule: LateFeeRule, recorded_by: UserId | None
) -> None:
    """Add a site's late-fee rule; one of that day already there is a Conflict of its key."""
    # Add one rule.
    tx.conn.execute(
        tx.insert(late_fee_rule).values(
            tenant_id=tx.tenant_id,
            site_id=site_id,
            from_on=from_on,
            rule=late_fee_rule_to_json(rule),
            recorded_by=recorded_by,
            recorded_at_ms=tx.now_ms,
        )
    )


def rules_of(tx: Tx, site_id: SiteId) -> list[tuple[date, LateFeeRule]]:
    """Return a site's late-fee rules with the day each begins, oldest first."""
    # What does being late cost here?
    rows = tx.conn.execute(
        sa.select(late_fee_rule.c.from_on, late_fee_rule.c.rule)
        .where(late_fee_rule.c.tenant_id == tx.tenant_id, late_fee_rule.c.site_id == site_id)
        .order_by(late_fee_rule.c.from_on)
    )
    return [(row.from_on, late_fee_rule_from_json(row.rule)) for row in rows]


def _uses(tx: Tx, which: sa.ColumnElement[bool]) -> list[Use]:
    # What was this money used for?
    rows = tx.conn.execute(
        sa.select(
            allocation.c.invoice_id,
            allocation.c.payment_id,
            allocation.c.principal_fen,
            allocation.c.late_fee_fen,
            allocation.c.allocated_on,
        )
        .where(allocation.c.tenant_id == tx.tenant_id, which)
        .order_by(allocation.c.allocated_on, allocation.c.id)
    )
    return [
        Use(
            InvoiceId(row.invoice_id),
            None if row.payment_id is None else PaymentId(row.payment_id),
            row.principal_fen,
            row.late_fee_fen,
            row.allocated_on,
        )
        for row in rows
    ]


def _payments(tx: Tx, *which: sa.ColumnElement[bool]) -> list[Receipt]:
    # Which payments are these?
    rows = tx.conn.execute(
        sa.select(
            payment.c.id,
            payment.c.number,
            payment.c.account_id,
            payment.c.method,
            payment.c.amount_fen,
            payment.c.received_on,
            payment.c.provider_reference,
            payment.c.reverses_id,
            payment.c.memo,
            payment.c.recorded_at_ms,
        )
        .where(payment.c.tenant_id == tx.tenant_id, *which)
        .order_by(payment.c.id.desc())
    )
    return [_receipt_from_row(row) for row in rows]


def _receipt_from_row(row: Any) -> Receipt:
    return Receipt(
        PaymentId(row.id),
        row.number,
        AccountId(row.account_id),
        Method(row.method),
        row.amount_fen,
        row.received_on,
        row.provider_reference,
        None if row.reverses_id is None else PaymentId(row.reverses_id),
        row.memo,
        row.recorded_at_ms,
    )
