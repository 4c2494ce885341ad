"""Charge without a meter, and by time of use."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.schema.columns import ExactDecimal

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "day_type",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_day_type_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", "on_date", name=op.f("pk_day_type")),
    )
    op.create_table(
        "subscription",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tariff_code", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("area_m2", ExactDecimal(precision=10, scale=2), nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.CheckConstraint("count > 0", name=op.f("ck_subscription_count")),
        sa.CheckConstraint("to_on IS NULL OR to_on > from_on", name=op.f("ck_subscription_dates")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_subscription_account_id_account"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "tariff_code",
            "label",
            "from_on",
            name=op.f("uq_subscription_account_id_tariff_code_label_from_on"),
        ),
    )
    op.create_table(
        "installation_register",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("opening_value_micro", sa.BigInteger(), nullable=False),
        sa.Column("closing_value_micro", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "installation_id"],
            ["installation.tenant_id", "installation.id"],
            name=op.f("fk_installation_register_installation_id_installation"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["point.tenant_id", "point.series_id"],
            name=op.f("fk_installation_register_series_id_point"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "installation_id", "period", name=op.f("pk_installation_register")
        ),
    )
