"""Bind staff to sites and buildings."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    _tie("user_site", "site")
    _tie("user_building", "building")


def _tie(name: str, place: str) -> None:
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(f"{place}_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f(f"fk_{name}_user_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", f"{place}_id"],
            [f"{place}.tenant_id", f"{place}.id"],
            name=op.f(f"fk_{name}_{place}_id_{place}"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", f"{place}_id", name=op.f(f"pk_{name}")),
    )
