"""Preview bills: what a period would come to, approved by a person before anything is issued."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_rows, protect

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "bill_run",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("period_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("accounts", sa.BigInteger(), nullable=False),
        sa.Column("begun_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("begun_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("checked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('approved', 'refused')) = (decided_at_ms IS NOT NULL)",
            name=op.f("ck_bill_run_decided"),
        ),
        sa.CheckConstraint(
            "state IN ('checking', 'checked', 'approved', 'refused')", name=op.f("ck_bill_run_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "begun_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_bill_run_begun_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decided_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_bill_run_decided_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "period_id"],
            ["billing_period.tenant_id", "billing_period.id"],
            name=op.f("fk_bill_run_period_id_billing_period"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_bill_run")),
        sa.UniqueConstraint("tenant_id", "period_id", "number", name=op.f("uq_bill_run_period_id_number")),
    )
    op.create_table(
        "bill_run_account",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("before_fen", sa.BigInteger(), nullable=True),
        sa.Column("sums", sa.JSON(), nullable=False),
        sa.Column("doubts", sa.JSON(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_bill_run_account_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["bill_run.tenant_id", "bill_run.id"],
            name=op.f("fk_bill_run_account_run_id_bill_run"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "account_id", name=op.f("pk_bill_run_account")),
    )
    keep_rows(op.get_bind(), ["bill_run"])
    protect(op.get_bind(), ["bill_run_account"])
