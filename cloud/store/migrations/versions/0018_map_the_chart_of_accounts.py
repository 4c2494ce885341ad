"""Map the chart of accounts: what a ledger account is in the finance department's own books."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "subject_mapping",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ledger_account", sa.Text(), nullable=False),
        sa.Column("subject_code", sa.Text(), nullable=False),
        sa.Column("subject_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ledger_account"],
            ["ledger_account.tenant_id", "ledger_account.code"],
            name=op.f("fk_subject_mapping_ledger_account_ledger_account"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "ledger_account", name=op.f("pk_subject_mapping")),
    )
