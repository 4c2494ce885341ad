"""Invoices whose account has not been told of them."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from cloud.domain.ids import AccountId, PeriodId, SiteId
from cloud.domain.invoice import InvoiceKind
from cloud.store.db import Tx
from cloud.store.invoices import INVOICE_IN_PLACE
from cloud.store.schema import account, billing_period, invoice, notice, space

# An invoice's notice is known by this and the invoice's number.
NOTICE_KEY = "invoice:"


@dataclass(frozen=True, slots=True)
class UntoldInvoice:
    """An invoice nobody was told of, with what its notice says."""

    number: str
    account_id: AccountId
    site_id: SiteId
    account_number: str
    space_code: str
    period_code: str
    due_on: date
    total_fen: int


def list_untold(tx: Tx, period_id: PeriodId, limit: int) -> list[UntoldInvoice]:
    """Return some invoices of a period that ask for money and were not told of, by number."""
    told = sa.exists().where(
        notice.c.tenant_id == invoice.c.tenant_id,
        notice.c.key == sa.literal(NOTICE_KEY).concat(invoice.c.number),
    )
    # Whom have we billed and not told?
    rows = tx.conn.execute(
        sa.select(
            invoice.c.number,
            invoice.c.account_id,
            account.c.site_id,
            account.c.number.label("account_number"),
            sa.func.coalesce(space.c.code, "").label("space_code"),
            billing_period.c.code.label("period_code"),
            invoice.c.due_on,
            invoice.c.total_fen,
        )
        .select_from(INVOICE_IN_PLACE)
        .where(
            invoice.c.tenant_id == tx.tenant_id,
            invoice.c.period_id == period_id,
            invoice.c.kind == InvoiceKind.INVOICE.value,
            invoice.c.total_fen > 0,
            ~told,
        )
        .order_by(invoice.c.number)
        .limit(limit)
    )
    return [
        UntoldInvoice(
            row.number,
            AccountId(row.account_id),
            SiteId(row.site_id),
            row.account_number,
            row.space_code,
            row.period_code,
            row.due_on,
            row.total_fen,
        )
        for row in rows
    ]
