"""Bring tables in: imports, and readings by hand taken back with them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "import_run",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_sha256", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("effect", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("started_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("checked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("undone_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('checked', 'done', 'undone')", name=op.f("ck_import_run_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_import_run_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "started_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_import_run_started_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_import_run")),
    )
    op.create_index("ix_import_run_site", "import_run", ["tenant_id", "site_id", "id"])
    op.create_table(
        "withdrawn_reading",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("record_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("withdrawn_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "record_id"],
            ["manual_reading.tenant_id", "manual_reading.id"],
            name=op.f("fk_withdrawn_reading_record_id_manual_reading"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "withdrawn_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_withdrawn_reading_withdrawn_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "record_id", name=op.f("pk_withdrawn_reading")),
    )
    protect(op.get_bind(), ["withdrawn_reading"])
