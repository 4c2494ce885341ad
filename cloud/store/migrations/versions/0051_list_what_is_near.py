"""List what is near a site."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0051"
down_revision: str | None = "0050"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_CATEGORIES = "'hospital', 'pharmacy', 'police', 'supermarket', 'repair', 'courier', 'school', 'other'"


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "nearby_service",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint(f"category IN ({_CATEGORIES})", name=op.f("ck_nearby_service_category")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_nearby_service_site_id_site"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_nearby_service")),
    )
    op.create_index("ix_nearby_service_site", "nearby_service", ["tenant_id", "site_id"], unique=False)
