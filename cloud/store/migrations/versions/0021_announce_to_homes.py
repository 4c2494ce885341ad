"""Announce to homes: what was said, which homes it was for, who has opened it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "announcement",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("audience", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("written_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "withdrawn_at_ms IS NULL OR withdrawn_at_ms >= published_at_ms",
            name=op.f("ck_announcement_withdrawn_later"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_announcement_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "written_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_announcement_written_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_announcement")),
    )
    op.create_index("ix_announcement_site", "announcement", ["tenant_id", "site_id", "id"], unique=False)

    op.create_table(
        "announcement_read",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("announcement_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("read_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "announcement_id"],
            ["announcement.tenant_id", "announcement.id"],
            name=op.f("fk_announcement_read_announcement_id_announcement"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_announcement_read_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "announcement_id", "user_id", name=op.f("pk_announcement_read")),
    )
    op.create_table(
        "announcement_home",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("announcement_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_announcement_home_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "announcement_id"],
            ["announcement.tenant_id", "announcement.id"],
            name=op.f("fk_announcement_home_announcement_id_announcement"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "announcement_id", "account_id", name=op.f("pk_announcement_home")
        ),
    )
    op.create_index(
        "ix_announcement_home_account", "announcement_home", ["tenant_id", "account_id"], unique=False
    )
    op.create_index(
        "ix_announcement_home_untold",
        "announcement_home",
        ["tenant_id"],
        unique=False,
        sqlite_where=sa.text("told_at_ms IS NULL"),
        postgresql_where=sa.text("told_at_ms IS NULL"),
    )
