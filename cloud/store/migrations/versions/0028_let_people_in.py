"""Let people in: entrances, access groups, badges, and the door log."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "site_access",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_site_access_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "site_id", name=op.f("pk_site_access")),
    )
    op.create_table(
        "access_group",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("building_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("windows", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("covers IN ('residents', 'chosen')", name=op.f("ck_access_group_covers")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "building_id"],
            ["building.tenant_id", "building.id"],
            name=op.f("fk_access_group_building_id_building"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_access_group_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_access_group")),
    )
    op.create_index("ix_access_group_site", "access_group", ["tenant_id", "site_id"], unique=False)
    op.create_table(
        "entrance",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("device_code", sa.Text(), nullable=False),
        sa.Column("readers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_entrance_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_entrance_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_entrance")),
    )
    op.create_index("ix_entrance_site", "entrance", ["tenant_id", "site_id"], unique=False)
    op.create_index(
        "uq_entrance_lock",
        "entrance",
        ["tenant_id", "gateway_id", "device_code"],
        unique=True,
        sqlite_where=sa.text("removed_at_ms IS NULL"),
        postgresql_where=sa.text("removed_at_ms IS NULL"),
    )
    op.create_table(
        "access_group_entrance",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("group_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("entrance_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entrance_id"],
            ["entrance.tenant_id", "entrance.id"],
            name=op.f("fk_access_group_entrance_entrance_id_entrance"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["access_group.tenant_id", "access_group.id"],
            name=op.f("fk_access_group_entrance_group_id_access_group"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "group_id", "entrance_id", name=op.f("pk_access_group_entrance")
        ),
    )
    op.create_table(
        "badge",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("code_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("issued_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("lost_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('card', 'code', 'face')", name=op.f("ck_badge_kind")),
        sa.CheckConstraint(
            "until_ms IS NULL OR from_ms IS NULL OR until_ms > from_ms", name=op.f("ck_badge_times")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_badge_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "issued_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_badge_issued_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_badge_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_badge")),
    )
    op.create_index("ix_badge_account", "badge", ["tenant_id", "account_id"], unique=False)
    op.create_index(
        "uq_badge_token",
        "badge",
        ["tenant_id", "site_id", "token"],
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    )
    op.create_table(
        "badge_group",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("badge_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("group_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "badge_id"],
            ["badge.tenant_id", "badge.id"],
            name=op.f("fk_badge_group_badge_id_badge"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "group_id"],
            ["access_group.tenant_id", "access_group.id"],
            name=op.f("fk_badge_group_group_id_access_group"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "badge_id", "group_id", name=op.f("pk_badge_group")),
    )
    op.create_table(
        "passage",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("entrance_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("device_code", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("command_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("badge_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("visit_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("occurred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('granted', 'denied', 'failed')", name=op.f("ck_passage_outcome")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "badge_id"], ["badge.tenant_id", "badge.id"], name=op.f("fk_passage_badge_id_badge")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entrance_id"],
            ["entrance.tenant_id", "entrance.id"],
            name=op.f("fk_passage_entrance_id_entrance"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_passage_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_passage_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_passage_user_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "visit_id"], ["visit.tenant_id", "visit.id"], name=op.f("fk_passage_visit_id_visit")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_passage")),
        sa.UniqueConstraint("tenant_id", "command_id", name=op.f("uq_passage_command_id")),
    )
    op.create_index("ix_passage_site", "passage", ["tenant_id", "site_id", "occurred_at_ms"], unique=False)
