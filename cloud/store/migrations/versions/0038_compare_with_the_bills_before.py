"""Compare with the bills before: what the old system charged, for the parallel run."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0038"
down_revision: str | None = "0037"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "former_charge",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("charge_code", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_former_charge_account_id_account"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_former_charge")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "month",
            "charge_code",
            name=op.f("uq_former_charge_account_id_month_charge_code"),
        ),
    )
