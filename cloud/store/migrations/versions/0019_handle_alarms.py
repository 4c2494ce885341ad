"""Handle alarms: given to somebody, noted upon, put aside, escalated."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "alarm_act",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alarm_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("about_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(kind = 'shelved') = (until_ms IS NOT NULL)", name=op.f("ck_alarm_act_until")),
        sa.CheckConstraint(
            "kind IN ('assigned', 'commented', 'escalated', 'shelved', 'unshelved')",
            name=op.f("ck_alarm_act_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "about_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_alarm_act_about_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"],
            ["alarm.tenant_id", "alarm.id"],
            name=op.f("fk_alarm_act_alarm_id_alarm"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_alarm_act_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alarm_act")),
    )
    op.create_index("ix_alarm_act_alarm", "alarm_act", ["tenant_id", "alarm_id", "id"], unique=False)
    protect(op.get_bind(), ["alarm_act"])
