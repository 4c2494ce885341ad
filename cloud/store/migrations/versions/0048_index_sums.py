"""Index what is added up, so that sums over a year's bills are read from indices alone."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0048"
down_revision: str | None = "0047"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_index("ix_allocation_paid", "allocation", ["tenant_id", "invoice_id", "principal_fen"])
    op.drop_index("ix_allocation_invoice", "allocation")
    op.create_index(
        "ix_posting_balance", "posting", ["tenant_id", "account_id", "ledger_account", "amount_fen"]
    )
    op.drop_index("ix_posting_account", "posting")
    op.create_index("ix_posting_sum", "posting", ["tenant_id", "ledger_account", "amount_fen"])
    op.create_index("ix_ledger_entry_posted", "ledger_entry", ["tenant_id", "posted_at_ms"])
    op.create_index("ix_invoice_total", "invoice", ["tenant_id", "period_id", "account_id", "total_fen"])
    op.create_index(
        "ix_invoice_due",
        "invoice",
        ["tenant_id", "account_id", "due_on", "kind", "total_fen", "id", "period_id"],
    )
    op.create_index(
        "ix_invoice_corrects",
        "invoice",
        ["tenant_id", "corrects_id"],
        sqlite_where=sa.text("corrects_id IS NOT NULL"),
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    )
    op.create_index(
        "ix_invoice_line_charge", "invoice_line", ["tenant_id", "invoice_id", "charge_code", "amount_fen"]
    )
