"""Repair what is broken: repairs and their history, technicians, photos."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import protect

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "photo",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("width", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "added_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_photo_added_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_photo")),
        sa.UniqueConstraint(
            "tenant_id",
            "subject_kind",
            "subject_id",
            "sha256",
            name=op.f("uq_photo_subject_kind_subject_id_sha256"),
        ),
    )
    op.create_table(
        "technician",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("skills", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("building_codes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("weekdays", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("from_minute", sa.BigInteger(), nullable=False),
        sa.Column("to_minute", sa.BigInteger(), nullable=False),
        sa.Column("is_away", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_technician_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_technician")),
    )
    op.create_table(
        "repair",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("equipment_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("alarm_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("reported_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("assignee_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("wanted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reported_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("waiting_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("waited_ms", sa.BigInteger(), nullable=False),
        sa.Column("reopen_count", sa.BigInteger(), nullable=False),
        sa.Column("escalation_level", sa.SmallInteger(), nullable=False),
        sa.Column("quote_state", sa.Text(), nullable=False),
        sa.Column("quote_fen", sa.BigInteger(), nullable=False),
        sa.Column("quote_text", sa.Text(), nullable=False),
        sa.Column("rating", sa.SmallInteger(), nullable=True),
        sa.Column("rating_text", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(state = 'waiting_for_parts') = (waiting_since_ms IS NOT NULL)", name=op.f("ck_repair_waiting")
        ),
        sa.CheckConstraint(
            "category IN ('appliance', 'door', 'electrical', 'fire', 'lift', 'plumbing', 'public', 'other')",
            name=op.f("ck_repair_category"),
        ),
        sa.CheckConstraint("channel IN ('alarm', 'counter', 'phone', 'web')", name=op.f("ck_repair_channel")),
        sa.CheckConstraint(
            "quote_state IN ('none', 'offered', 'agreed', 'declined')", name=op.f("ck_repair_quote_state")
        ),
        sa.CheckConstraint(
            "state IN ('reported', 'accepted', 'on_the_way', 'working', 'waiting_for_parts', 'done', 'confirmed', 'reopened', 'cancelled')",
            name=op.f("ck_repair_state"),
        ),
        sa.CheckConstraint("urgency IN ('emergency', 'urgent', 'normal')", name=op.f("ck_repair_urgency")),
        sa.CheckConstraint("quote_fen >= 0", name=op.f("ck_repair_quote")),
        sa.CheckConstraint("rating IS NULL OR rating BETWEEN 1 AND 5", name=op.f("ck_repair_rating")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_repair_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"], ["alarm.tenant_id", "alarm.id"], name=op.f("fk_repair_alarm_id_alarm")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "assignee_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_repair_assignee_id_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "equipment_id"],
            ["equipment.tenant_id", "equipment.id"],
            name=op.f("fk_repair_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "reported_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_repair_reported_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_repair_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"], ["space.tenant_id", "space.id"], name=op.f("fk_repair_space_id_space")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_repair")),
        sa.UniqueConstraint("tenant_id", "request_key", name=op.f("uq_repair_request_key")),
        sa.UniqueConstraint("tenant_id", "site_id", "number", name=op.f("uq_repair_site_id_number")),
    )
    op.create_index("ix_repair_account", "repair", ["tenant_id", "account_id"], unique=False)
    op.create_index("ix_repair_assignee", "repair", ["tenant_id", "assignee_id", "state"], unique=False)
    op.create_index(
        "ix_repair_site", "repair", ["tenant_id", "site_id", "state", "reported_at_ms"], unique=False
    )
    op.create_index(
        "uq_repair_alarm_open",
        "repair",
        ["tenant_id", "alarm_id"],
        unique=True,
        sqlite_where=sa.text("state NOT IN ('done', 'confirmed', 'cancelled')"),
        postgresql_where=sa.text("state NOT IN ('done', 'confirmed', 'cancelled')"),
    )

    op.create_table(
        "repair_entry",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("repair_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "act IN ('reported', 'assigned', 'unassigned', 'moved', 'escalated', 'quoted', 'quote_agreed', 'quote_declined', 'rated', 'noted', 'photo_added')",
            name=op.f("ck_repair_entry_act"),
        ),
        sa.CheckConstraint(
            "state IN ('reported', 'accepted', 'on_the_way', 'working', 'waiting_for_parts', 'done', 'confirmed', 'reopened', 'cancelled')",
            name=op.f("ck_repair_entry_state"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "repair_id"],
            ["repair.tenant_id", "repair.id"],
            name=op.f("fk_repair_entry_repair_id_repair"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_repair_entry_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_repair_entry")),
    )
    op.create_index("ix_repair_entry_repair", "repair_entry", ["tenant_id", "repair_id", "id"], unique=False)
    protect(op.get_bind(), ["repair_entry"])
