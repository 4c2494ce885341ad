"""Keep cameras and their pictures, and commands to see what goes on."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_rows

revision: str = "0046"
down_revision: str | None = "0045"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_PURPOSES = "'access', 'emergency', 'maintenance', 'owner_request', 'test', 'watch'"


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    with op.batch_alter_table("command") as batch:
        batch.drop_constraint(op.f("ck_command_purpose"), type_="check")
        batch.create_check_constraint(op.f("ck_command_purpose"), f"purpose IN ({_PURPOSES})")
    op.create_table(
        "camera",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("device_code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("building_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("sees", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("keep_days", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_camera_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_camera_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "building_id"],
            ["building.tenant_id", "building.id"],
            name=op.f("fk_camera_building_id_building"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_camera")),
    )
    op.create_index("ix_camera_site", "camera", ["tenant_id", "site_id"])
    op.create_index(
        "uq_camera_device",
        "camera",
        ["tenant_id", "gateway_id", "device_code"],
        unique=True,
        sqlite_where=sa.text("removed_at_ms IS NULL"),
        postgresql_where=sa.text("removed_at_ms IS NULL"),
    )
    op.create_table(
        "camera_picture",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("camera_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("point_key", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_clock_set", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("erased_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("cause IN ('alarm', 'asked', 'live')", name=op.f("ck_camera_picture_cause")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "camera_id"],
            ["camera.tenant_id", "camera.id"],
            name=op.f("fk_camera_picture_camera_id_camera"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asked_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_camera_picture_asked_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_camera_picture")),
    )
    op.create_index("ix_camera_picture_taken", "camera_picture", ["tenant_id", "camera_id", "taken_at_ms"])
    op.create_index("ix_camera_picture_point", "camera_picture", ["tenant_id", "point_key", "kind"])
    conn = op.get_bind()
    if conn.dialect.name == "sqlite":  # which copied the table, and its trigger not with it
        keep_rows(conn, ["command"])
