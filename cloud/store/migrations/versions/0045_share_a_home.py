"""Share a home: who signs in for it, what they see of it, and who was invited to."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0045"
down_revision: str | None = "0044"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "household_invitation",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("taken_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("agrees_to_contact", sa.Boolean(), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(taken_by IS NULL) = (taken_at_ms IS NULL)", name=op.f("ck_household_invitation_taken")
        ),
        sa.CheckConstraint(
            "settled_at_ms IS NULL OR taken_at_ms IS NOT NULL",
            name=op.f("ck_household_invitation_settled_after_taken"),
        ),
        sa.CheckConstraint(
            "relation IN ('owner', 'family', 'tenant', 'other')",
            name=op.f("ck_household_invitation_relation"),
        ),
        sa.CheckConstraint("role IN ('head', 'payer', 'member')", name=op.f("ck_household_invitation_role")),
        *(
            sa.ForeignKeyConstraint(
                ["tenant_id", column],
                [f"{table}.tenant_id", f"{table}.id"],
                name=op.f(f"fk_household_invitation_{column}_{table}"),
            )
            for column, table in (
                ("account_id", "account"),
                ("invited_by", "app_user"),
                ("taken_by", "app_user"),
                ("settled_by", "app_user"),
            )
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_household_invitation")),
        sa.UniqueConstraint("tenant_id", "token_hash", name=op.f("uq_household_invitation_token_hash")),
    )
    op.create_index("ix_household_invitation_account", "household_invitation", ["tenant_id", "account_id"])
    op.create_index(
        "ix_household_invitation_waiting",
        "household_invitation",
        ["tenant_id"],
        sqlite_where=sa.text("taken_at_ms IS NOT NULL AND settled_at_ms IS NULL"),
        postgresql_where=sa.text("taken_at_ms IS NOT NULL AND settled_at_ms IS NULL"),
    )
    with op.batch_alter_table("user_account") as batch:
        batch.add_column(sa.Column("role", sa.Text(), nullable=False, server_default="head"))
        batch.add_column(sa.Column("since_ms", sa.BigInteger(), nullable=True))
        batch.create_check_constraint(op.f("ck_user_account_role"), "role IN ('head', 'payer', 'member')")
    with op.batch_alter_table("consent") as batch:
        batch.drop_constraint(op.f("ck_consent_purpose"), type_="check")
        batch.create_check_constraint(
            op.f("ck_consent_purpose"),
            "purpose IN ('contact', 'face_access', 'meter_detail', 'registration')",
        )
