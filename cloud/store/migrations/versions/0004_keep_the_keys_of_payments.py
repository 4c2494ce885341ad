"""Keep the idempotency keys of payments for ever."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    with op.batch_alter_table("idempotency_key") as batch:
        batch.add_column(sa.Column("is_permanent", sa.Boolean(), nullable=False, server_default=sa.false()))
    # The default was for rows that were there; from now on every key says it.
    with op.batch_alter_table("idempotency_key") as batch:
        batch.alter_column("is_permanent", server_default=None)
