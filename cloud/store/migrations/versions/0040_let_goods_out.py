"""Let goods out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0040"
down_revision: str | None = "0039"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "goods_slip",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("items", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("is_approved", sa.Boolean(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code_blind", sa.Text(), nullable=True),
        sa.Column("released_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("released_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("gate_note", sa.Text(), nullable=False),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(is_approved IS NULL) = (decided_at_ms IS NULL)", name=op.f("ck_goods_slip_decided")
        ),
        sa.CheckConstraint(
            "released_at_ms IS NULL OR (is_approved AND withdrawn_at_ms IS NULL)",
            name=op.f("ck_goods_slip_released"),
        ),
        sa.CheckConstraint("until_ms > from_ms", name=op.f("ck_goods_slip_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_goods_slip_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asked_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_goods_slip_asked_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "decided_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_goods_slip_decided_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "released_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_goods_slip_released_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_goods_slip_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_goods_slip")),
        sa.UniqueConstraint(
            "tenant_id", "site_id", "code_blind", name=op.f("uq_goods_slip_site_id_code_blind")
        ),
    )
    with op.batch_alter_table("goods_slip", schema=None) as batch_op:
        batch_op.create_index("ix_goods_slip_account", ["tenant_id", "account_id"], unique=False)
        batch_op.create_index("ix_goods_slip_site", ["tenant_id", "site_id", "until_ms"], unique=False)
