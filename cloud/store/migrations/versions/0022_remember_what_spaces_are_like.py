"""Remember what spaces are like from which day on, and keep papers about things."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_values

# What was written down before counts since ever.
_BEGINNING = date(1900, 1, 1)

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "attachment",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("withdrawn_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "added_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_attachment_added_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "withdrawn_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_attachment_withdrawn_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_attachment")),
        sa.UniqueConstraint(
            "tenant_id",
            "subject_kind",
            "subject_id",
            "sha256",
            name=op.f("uq_attachment_subject_kind_subject_id_sha256"),
        ),
    )
    op.create_table(
        "space_version",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("built_area_dm2", sa.BigInteger(), nullable=False),
        sa.Column("inner_area_dm2", sa.BigInteger(), nullable=True),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("orientation", sa.Text(), nullable=True),
        sa.Column("use", sa.Text(), nullable=False),
        sa.Column("title_number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("handed_over_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "orientation IN ('east', 'east_west', 'north', 'northeast', 'northwest', 'south', 'southeast', 'southwest', 'south_north', 'west')",
            name=op.f("ck_space_version_orientation"),
        ),
        sa.CheckConstraint(
            "status IN ('common', 'let', 'not_handed_over', 'occupied', 'renovating', 'vacant')",
            name=op.f("ck_space_version_status"),
        ),
        sa.CheckConstraint(
            "use IN ('commercial', 'office', 'other', 'parking', 'residential', 'storage')",
            name=op.f("ck_space_version_use"),
        ),
        sa.CheckConstraint(
            "built_area_dm2 >= 0 AND (inner_area_dm2 IS NULL OR inner_area_dm2 <= built_area_dm2)",
            name=op.f("ck_space_version_area"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_space_version_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"],
            ["space.tenant_id", "space.id"],
            name=op.f("fk_space_version_space_id_space"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "space_id", "number", name=op.f("pk_space_version")),
    )
    _carry_over(op.get_bind())
    keep_values(op.get_bind(), ["space_version"])


def _carry_over(conn: sa.Connection) -> None:
    """Give every space its first version: what is known of it is its area."""
    space = sa.table("space", *map(sa.column, ("tenant_id", "id", "kind", "built_area_dm2")))
    version = sa.table(
        "space_version",
        *map(
            sa.column,
            (
                "tenant_id",
                "space_id",
                "number",
                "from_on",
                "built_area_dm2",
                "layout",
                "use",
                "title_number",
                "reason",
                "recorded_at_ms",
            ),
        ),
    )
    uses = {"flat": "residential", "parking": "parking", "public": "other", "shop": "commercial"}
    conn.execute(
        sa.insert(version).from_select(
            [column.name for column in version.c],
            sa.select(
                space.c.tenant_id,
                space.c.id,
                sa.literal(1),
                sa.literal(_BEGINNING, sa.Date()),
                space.c.built_area_dm2,
                sa.literal("", sa.Text()),
                sa.case(uses, value=space.c.kind),
                sa.literal("", sa.Text()),
                sa.literal("", sa.Text()),
                sa.literal(0),
            ),
        )
    )
