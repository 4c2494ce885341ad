"""Ask devices to act: commands and the steps of their lives."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_rows, protect

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STATES = "'requested', 'sent', 'accepted', 'done', 'refused', 'expired', 'unknown'"
_ACTIONS = (
    "'broadcast_time', 'door_unlock', 'raw_read', 'relay_close', 'relay_open', 'valve_close', 'valve_open'"
)
_PURPOSES = "'access', 'emergency', 'maintenance', 'owner_request', 'test'"


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "command",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("device_code", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"action IN ({_ACTIONS})", name=op.f("ck_command_action")),
        sa.CheckConstraint(f"purpose IN ({_PURPOSES})", name=op.f("ck_command_purpose")),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_command_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "actor_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_command_actor_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_command_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_command_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_command")),
        sa.UniqueConstraint("tenant_id", "gateway_id", "counter", name=op.f("uq_command_gateway_id_counter")),
    )
    op.create_index("ix_command_site", "command", ["tenant_id", "site_id", "requested_at_ms"], unique=False)
    op.create_index("ix_command_state", "command", ["tenant_id", "state", "requested_at_ms"], unique=False)
    op.create_table(
        "command_step",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("command_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("step_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("by_edge_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_command_step_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "command_id"],
            ["command.tenant_id", "command.id"],
            name=op.f("fk_command_step_command_id_command"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "command_id", "step_no", name=op.f("pk_command_step")),
    )
    conn = op.get_bind()
    protect(conn, ["command_step"])
    keep_rows(conn, ["command"])
