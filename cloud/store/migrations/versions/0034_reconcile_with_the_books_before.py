"""Reconcile with the books before: what the old system said it had."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0034"
down_revision: str | None = "0033"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "former_figure",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("figure", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("noted_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("noted_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "figure IN ('spaces', 'built_area', 'accounts', 'household_members', 'people', 'relations', "
            "'meters', 'first_registers', 'readings', 'readings_sum', 'owed', 'prepaid', 'equipment')",
            name=op.f("ck_former_figure_figure"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "noted_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_former_figure_noted_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_former_figure_site_id_site"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "figure", name=op.f("pk_former_figure")),
    )
