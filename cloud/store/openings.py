"""What was taken over from the system before, and which months were its own."""

import sqlalchemy as sa

from cloud.domain.ids import AccountId, InvoiceId, SiteId
from cloud.domain.invoice import InvoiceKind
from cloud.domain.ledger import DEPOSIT, OPENING, PREPAYMENT, EntryKind
from cloud.domain.opening import OpeningInvoice
from cloud.domain.periods import PeriodCode, PeriodState
from cloud.store.db import Tx
from cloud.store.invoices import INVOICE_IN_PLACE
from cloud.store.payments import STANDS
from cloud.store.schema import account, billing_period, invoice, invoice_line, ledger_entry, posting

# A document of a balance that was taken over.
_IS_OPENING = sa.exists().where(
    invoice_line.c.tenant_id == invoice.c.tenant_id,
    invoice_line.c.invoice_id == invoice.c.id,
    invoice_line.c.charge_code == OPENING,
)


def invoices_of_site(tx: Tx, site_id: SiteId) -> list[OpeningInvoice]:
    """Return the newest invoice of each account and month that was taken over, also where it was undone."""
    # What was owed when we began?
    rows = tx.conn.execute(
        sa.select(
            invoice.c.id,
            invoice.c.account_id,
            invoice.c.total_fen,
            invoice.c.due_on,
            invoice.c.version,
            billing_period.c.code,
            STANDS.label("stands"),
        )
        .select_from(INVOICE_IN_PLACE)
        .where(
            invoice.c.tenant_id == tx.tenant_id,
            account.c.site_id == site_id,
            invoice.c.kind == InvoiceKind.INVOICE.value,
            _IS_OPENING,
        )
        .order_by(invoice.c.version)
    )
    newest = {
        (row.account_id, row.code): OpeningInvoice(
            AccountId(row.account_id),
            InvoiceId(row.id),
            PeriodCode(row.code),
            row.total_fen,
            row.due_on,
            # Its credit note, if there is one, is a document of the month too.
            row.version if row.stands else row.version + 1,
            bool(row.stands),
        )
        for row in rows
    }
    return list(newest.values())


def held_of_site(tx: Tx, site_id: SiteId) -> dict[tuple[AccountId, str, PeriodCode], int]:
    """Return what was prepaid and deposited when we began, by account, ledger account and month."""
    # What stood to whose credit?
    rows = tx.conn.execute(
        sa.select(
            posting.c.account_id,
            posting.c.ledger_account,
            ledger_entry.c.memo,
            sa.func.sum(posting.c.amount_fen).label("fen"),
        )
        .select_from(
            ledger_entry.join(
                posting,
                sa.and_(
                    posting.c.tenant_id == ledger_entry.c.tenant_id, posting.c.entry_id == ledger_entry.c.id
                ),
            ).join(
                account,
                sa.and_(account.c.tenant_id == posting.c.tenant_id, account.c.id == posting.c.account_id),
            )
        )
        .where(
            ledger_entry.c.tenant_id == tx.tenant_id,
            ledger_entry.c.kind == EntryKind.OPENING.value,
            account.c.site_id == site_id,
            posting.c.ledger_account.in_((DEPOSIT, PREPAYMENT)),
        )
        .group_by(posting.c.account_id, posting.c.ledger_account, ledger_entry.c.memo)
        .having(sa.func.sum(posting.c.amount_fen) != 0)
    )
    return {
        (AccountId(row.account_id), row.ledger_account, PeriodCode(row.memo)): -int(row.fen) for row in rows
    }


def months_of_ours(tx: Tx, site_id: SiteId) -> set[PeriodCode]:
    """Return the months that were begun here, or in which anything but a taken-over balance was billed."""
    billed = sa.exists().where(
        invoice.c.tenant_id == billing_period.c.tenant_id,
        invoice.c.period_id == billing_period.c.id,
        ~_IS_OPENING,
    )
    # Which months are our own?
    rows = tx.conn.execute(
        sa.select(billing_period.c.code).where(
            billing_period.c.tenant_id == tx.tenant_id,
            billing_period.c.site_id == site_id,
            sa.or_(billing_period.c.state != PeriodState.CLOSED.value, billed),
        )
    )
    return {PeriodCode(row.code) for row in rows}
