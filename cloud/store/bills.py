"""Many documents at once, for printing: which there are, how they are called, what was true when issued."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import InvoiceId, PeriodId
from cloud.store.db import Tx
from cloud.store.schema import invoice


def list_ids(tx: Tx, period_id: PeriodId) -> list[InvoiceId]:
    """Return the documents of a period in order of their numbers."""
    # Which documents does this period have?
    rows = tx.conn.execute(
        sa.select(invoice.c.id)
        .where(invoice.c.tenant_id == tx.tenant_id, invoice.c.period_id == period_id)
        .order_by(invoice.c.number)
    )
    return [InvoiceId(row.id) for row in rows]


def numbers_of(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, str]:
    """Return what people call some documents."""
    if not invoice_ids:
        return {}
    # How are these documents called?
    rows = tx.conn.execute(
        sa.select(invoice.c.id, invoice.c.number).where(
            invoice.c.tenant_id == tx.tenant_id, invoice.c.id.in_(invoice_ids)
        )
    )
    return {InvoiceId(row.id): row.number for row in rows}


def snapshots_of(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, Mapping[str, Any]]:
    """Return what was true of the customers when some documents were issued."""
    if not invoice_ids:
        return {}
    # What was written down with these documents?
    rows = tx.conn.execute(
        sa.select(invoice.c.id, invoice.c.snapshot).where(
            invoice.c.tenant_id == tx.tenant_id, invoice.c.id.in_(invoice_ids)
        )
    )
    return {InvoiceId(row.id): row.snapshot for row in rows}
