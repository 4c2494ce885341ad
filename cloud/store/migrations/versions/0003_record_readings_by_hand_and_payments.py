"""Record readings by hand, payments and what being late costs."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "late_fee_rule",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("rule", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_late_fee_rule_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_late_fee_rule_site_id_site"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "from_on", name=op.f("pk_late_fee_rule")),
    )
    op.create_table(
        "payment",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "method IN ('alipay', 'card', 'cash', 'transfer', 'wechat')", name=op.f("ck_payment_method")
        ),
        sa.CheckConstraint(
            "(reverses_id IS NULL AND amount_fen > 0) OR (reverses_id IS NOT NULL AND amount_fen < 0)",
            name=op.f("ck_payment_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_payment_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_payment_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "reverses_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_payment_reverses_id_payment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_payment")),
        sa.UniqueConstraint(
            "tenant_id", "method", "provider_reference", name=op.f("uq_payment_method_provider_reference")
        ),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_payment_number")),
        sa.UniqueConstraint("tenant_id", "reverses_id", name=op.f("uq_payment_reverses_id")),
    )
    op.create_table(
        "manual_reading",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("installation_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("value_micro", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("anchor_value_micro", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'estimate') = (anchor_value_micro IS NOT NULL)", name=op.f("ck_manual_reading_anchor")
        ),
        sa.CheckConstraint("kind IN ('estimate', 'manual', 'rollover')", name=op.f("ck_manual_reading_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "installation_id"],
            ["installation.tenant_id", "installation.id"],
            name=op.f("fk_manual_reading_installation_id_installation"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_manual_reading_recorded_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_manual_reading")),
    )
    op.create_index(
        "ix_manual_reading_installation",
        "manual_reading",
        ["tenant_id", "installation_id", "at_ms"],
        unique=False,
    )

    op.create_table(
        "allocation",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("invoice_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("payment_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("late_fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("allocated_on", sa.Date(), nullable=False),
        sa.Column("entry_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_allocation_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["ledger_entry.tenant_id", "ledger_entry.id"],
            name=op.f("fk_allocation_entry_id_ledger_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_allocation_invoice_id_invoice"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "payment_id"],
            ["payment.tenant_id", "payment.id"],
            name=op.f("fk_allocation_payment_id_payment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_allocation")),
    )
    op.create_index("ix_allocation_invoice", "allocation", ["tenant_id", "invoice_id"], unique=False)
    op.create_index("ix_allocation_payment", "allocation", ["tenant_id", "payment_id"], unique=False)

    protect(op.get_bind(), ["allocation", "late_fee_rule", "manual_reading", "payment"])
