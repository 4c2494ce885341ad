"""Ask for a second factor. Sessions begin anew: of those before nobody knows when their holder was last seen."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0036"
down_revision: str | None = "0035"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.drop_table("session")
    op.create_table(
        "session",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session_hash", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("authenticated_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_seen_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_session_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "session_hash", name=op.f("pk_session")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_session_id")),
    )
    op.create_index("ix_session_user", "session", ["tenant_id", "user_id"], unique=False)
    op.create_table(
        "second_factor",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("begun_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_interval", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_second_factor_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["second_factor.tenant_id", "second_factor.user_id"],
            name=op.f("fk_recovery_code_user_id_second_factor"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "code_hash", name=op.f("pk_recovery_code")),
    )
    op.create_table(
        "second_factor_role",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("required_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "role IN ('auditor', 'company_admin', 'contractor', 'finance', 'guard', 'maintenance', 'manager', "
            "'platform', 'resident', 'system')",
            name=op.f("ck_second_factor_role_role"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "role", name=op.f("pk_second_factor_role")),
    )
