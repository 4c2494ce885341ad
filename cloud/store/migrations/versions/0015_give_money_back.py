"""Give money back: refunds, deposits, and what cashiers counted."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "day_close",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("recorded_fen", sa.BigInteger(), nullable=False),
        sa.Column("counted_fen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "method IN ('alipay', 'card', 'cash', 'transfer', 'wechat')", name=op.f("ck_day_close_method")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "closed_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_day_close_closed_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_day_close_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "on_date", "method", name=op.f("pk_day_close")),
    )
    op.create_table(
        "deposit",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "method IN ('alipay', 'card', 'cash', 'transfer', 'wechat')", name=op.f("ck_deposit_method")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_deposit_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_deposit_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_deposit_recorded_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_deposit")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_deposit_number")),
    )
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.create_index("ix_deposit_account", ["tenant_id", "account_id"], unique=False)

    op.create_table(
        "refund",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("entry_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "(state IN ('approved', 'paid')) = (entry_id IS NOT NULL)", name=op.f("ck_refund_booked")
        ),
        sa.CheckConstraint(
            "method IN ('alipay', 'card', 'cash', 'transfer', 'wechat')", name=op.f("ck_refund_method")
        ),
        sa.CheckConstraint("source IN ('credit', 'deposit')", name=op.f("ck_refund_source")),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'paid', 'refused')", name=op.f("ck_refund_state")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refund_amount")),
        sa.CheckConstraint("decided_by <> requested_by", name=op.f("ck_refund_two_people")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_refund_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decided_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_refund_decided_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["ledger_entry.tenant_id", "ledger_entry.id"],
            name=op.f("fk_refund_entry_id_ledger_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "requested_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_refund_requested_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_refund")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_refund_number")),
    )
    with op.batch_alter_table("refund", schema=None) as batch_op:
        batch_op.create_index("ix_refund_account", ["tenant_id", "account_id", "id"], unique=False)
        batch_op.create_index("ix_refund_state", ["tenant_id", "state"], unique=False)

    protect(op.get_bind(), ["day_close", "deposit"])
