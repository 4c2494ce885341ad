"""Keep the boxes' signatures: what a box signed of how a command ended."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0053"
down_revision: str | None = "0052"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    for name in ("statement", "signature", "key_hash"):
        op.add_column("command_step", sa.Column(name, sa.Text(), nullable=True))
