"""Bar visitors."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0039"
down_revision: str | None = "0038"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "barring",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("plate_blind", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("barred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("barred_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("lifted_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("name <> '' OR plate_blind IS NOT NULL", name=op.f("ck_barring_somebody")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "barred_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_barring_barred_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_barring_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_barring")),
    )
    with op.batch_alter_table("barring", schema=None) as batch_op:
        batch_op.create_index("ix_barring_site", ["tenant_id", "site_id"], unique=False)
