"""Say what to do."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "response_plan",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("steps", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("written_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("written_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('common', 'fire', 'gas', 'intrusion', 'leak', 'lift', 'power', 'trapped')",
            name=op.f("ck_response_plan_kind"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_response_plan_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_response_plan_site_id_site"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "written_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_response_plan_written_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "kind", "version", name=op.f("pk_response_plan")),
    )
    op.create_table(
        "alarm_step",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alarm_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("step_no", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"],
            ["alarm.tenant_id", "alarm.id"],
            name=op.f("fk_alarm_step_alarm_id_alarm"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_alarm_step_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "alarm_id", "step_no", name=op.f("pk_alarm_step")),
    )
    protect(op.get_bind(), ["response_plan"])
