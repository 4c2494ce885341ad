"""Ask cameras for pictures: two actions more."""

from collections.abc import Sequence

from alembic import op

from cloud.store.migrations.append_only import keep_rows

revision: str = "0044"
down_revision: str | None = "0043"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_ACTIONS = (
    "'broadcast_time', 'door_unlock', 'freeze_totals', 'raw_read', 'relay_close', 'relay_open', 'set_point', "
    "'show_live', 'take_picture', 'valve_close', 'valve_open'"
)


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    with op.batch_alter_table("command") as batch:
        batch.drop_constraint(op.f("ck_command_action"), type_="check")
        batch.create_check_constraint(op.f("ck_command_action"), f"action IN ({_ACTIONS})")
    conn = op.get_bind()
    if conn.dialect.name == "sqlite":  # which copied the table, and its trigger not with it
        keep_rows(conn, ["command"])
