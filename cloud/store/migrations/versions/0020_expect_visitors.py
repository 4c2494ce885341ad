"""Expect visitors: who comes to which home, and the code that lets them in."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "visit",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("host_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("plate_blind", sa.Text(), nullable=True),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code_blind", sa.Text(), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("admitted_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("cancelled_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "arrived_at_ms IS NULL OR cancelled_at_ms IS NULL", name=op.f("ck_visit_let_in_once")
        ),
        sa.CheckConstraint("until_ms > from_ms", name=op.f("ck_visit_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_visit_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "admitted_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_visit_admitted_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "host_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_visit_host_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_visit_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"], ["space.tenant_id", "space.id"], name=op.f("fk_visit_space_id_space")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_visit")),
        sa.UniqueConstraint("tenant_id", "code_blind", name=op.f("uq_visit_code_blind")),
    )
    op.create_index("ix_visit_account", "visit", ["tenant_id", "account_id"], unique=False)
    op.create_index("ix_visit_site", "visit", ["tenant_id", "site_id", "until_ms"], unique=False)
