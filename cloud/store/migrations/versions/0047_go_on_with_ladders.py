"""Go on with ladders: what was used in the ladder year before this program billed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0047"
down_revision: str | None = "0046"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "opening_usage",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("to_on > from_on", name=op.f("ck_opening_usage_dates")),
        sa.CheckConstraint("quantity_micro >= 0", name=op.f("ck_opening_usage_quantity")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_opening_usage_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "service_point_id"],
            ["service_point.tenant_id", "service_point.id"],
            name=op.f("fk_opening_usage_service_point_id_service_point"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_opening_usage")),
        sa.UniqueConstraint(
            "tenant_id",
            "service_point_id",
            "account_id",
            name=op.f("uq_opening_usage_service_point_id_account_id"),
        ),
    )
