"""Watch what equipment says: plans due by running hours, trips or a condition."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    with op.batch_alter_table("maintenance_plan") as batch:
        batch.add_column(sa.Column("trigger_kind", sa.Text(), nullable=True))
        batch.add_column(sa.Column("trigger_series_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("trigger_limit_micro", sa.BigInteger(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_maintenance_plan_trigger_kind"), "trigger_kind IN ('above', 'below', 'usage')"
        )
        batch.create_check_constraint(
            op.f("ck_maintenance_plan_trigger"),
            "(trigger_kind IS NULL) = (trigger_series_id IS NULL) "
            "AND (trigger_kind IS NULL) = (trigger_limit_micro IS NULL)",
        )
    op.create_table(
        "plan_reach",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("reached_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value_micro", sa.BigInteger(), nullable=False),
        sa.Column("noted_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["maintenance_plan.tenant_id", "maintenance_plan.id"],
            name=op.f("fk_plan_reach_plan_id_maintenance_plan"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "plan_id", "reached_at_ms", name=op.f("pk_plan_reach")),
    )
    protect(op.get_bind(), ["plan_reach"])
