"""Sign service sheets: item lists of a company's own, sheets, contractors' links."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "checklist",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_checklist_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_checklist__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "code", "number", name=op.f("pk_checklist")),
    )
    op.create_table(
        "service_link",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("contractor", sa.Text(), nullable=False),
        sa.Column("secret_sha256", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("expires_at_ms > created_at_ms", name=op.f("ck_service_link_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "created_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_service_link_created_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["maintenance_plan.tenant_id", "maintenance_plan.id"],
            name=op.f("fk_service_link_plan_id_maintenance_plan"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_link")),
        sa.UniqueConstraint("tenant_id", "secret_sha256", name=op.f("uq_service_link_secret_sha256")),
    )
    op.create_index("ix_service_link_plan", "service_link", ["tenant_id", "plan_id"], unique=False)

    op.create_table(
        "service_sheet",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("work_order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("signed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("checklist_code", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("answers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("cost_fen", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("link_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "cycle IN ('', 'day', 'week', 'half_month', 'month', 'quarter', 'half_year', 'year')",
            name=op.f("ck_service_sheet_cycle"),
        ),
        sa.CheckConstraint("cost_fen >= 0", name=op.f("ck_service_sheet_cost")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "link_id"],
            ["service_link.tenant_id", "service_link.id"],
            name=op.f("fk_service_sheet_link_id_service_link"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["maintenance_plan.tenant_id", "maintenance_plan.id"],
            name=op.f("fk_service_sheet_plan_id_maintenance_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_service_sheet_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "work_order_id"],
            ["work_order.tenant_id", "work_order.id"],
            name=op.f("fk_service_sheet_work_order_id_work_order"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_sheet")),
    )
    op.create_index(
        "ix_service_sheet_plan", "service_sheet", ["tenant_id", "plan_id", "signed_at_ms"], unique=False
    )

    # Rather than a copy of the table, to which signatures refer.
    cycles = "'', 'day', 'week', 'half_month', 'month', 'quarter', 'half_year', 'year'"
    op.execute("ALTER TABLE maintenance_plan ADD COLUMN checklist_code TEXT")
    op.execute(
        "ALTER TABLE maintenance_plan ADD COLUMN cycle TEXT "
        f"CONSTRAINT ck_maintenance_plan_cycle CHECK (cycle IN ({cycles}))"
    )
    protect(op.get_bind(), ["checklist", "service_sheet"])
