"""Be quiet by site: hours in which nobody is rung, said by each site for itself."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0052"
down_revision: str | None = "0051"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "quiet_hours",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("from_minute", sa.BigInteger(), nullable=True),
        sa.Column("until_minute", sa.BigInteger(), nullable=True),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(from_minute IS NULL) = (until_minute IS NULL)", name=op.f("ck_quiet_hours_both")
        ),
        sa.CheckConstraint(
            "from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439",
            name=op.f("ck_quiet_hours_minutes"),
        ),
        sa.CheckConstraint("from_minute <> until_minute", name=op.f("ck_quiet_hours_apart")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_quiet_hours_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_quiet_hours_site_id_site"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", name=op.f("pk_quiet_hours")),
    )
