"""Lay the first schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from cloud.store.migrations.append_only import keep_rows, protect
from cloud.store.schema.columns import ExactDecimal

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply the step; there is no way back but a backup."""
    op.create_table(
        "audit_entry",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_entry")),
    )
    op.create_index(
        "ix_audit_entry_subject", "audit_entry", ["tenant_id", "subject_kind", "subject_id"], unique=False
    )

    op.create_table(
        "idempotency_key",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("claimed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "(status IS NULL) = (answer IS NULL)", name=op.f("ck_idempotency_key_answered_whole")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(
        "ix_idempotency_key_claimed", "idempotency_key", ["tenant_id", "claimed_at_ms"], unique=False
    )

    op.create_table(
        "rate_limit",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_rate_limit_failures")),
        sa.PrimaryKeyConstraint("tenant_id", "scope", "subject", name=op.f("pk_rate_limit")),
    )
    op.create_index("ix_rate_limit_due", "rate_limit", ["tenant_id", "due_at_ms"], unique=False)

    op.create_table(
        "reading",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("measured_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value_micro", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("clock_quality", sa.SmallInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("evidence_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(value_micro IS NOT NULL) = (quality < 10)", name=op.f("ck_reading_value")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "series_id", "measured_at_ms", "epoch", "seq", name=op.f("pk_reading")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tenant",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant")),
        sa.UniqueConstraint("code", name="uq_tenant_code"),
    )
    op.create_table(
        "app_user",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("locale IN ('zh-CN', 'en')", name=op.f("ck_app_user_locale")),
        sa.CheckConstraint("role <> 'system'", name=op.f("ck_app_user_no_system_login")),
        sa.CheckConstraint(
            "role IN ('auditor', 'company_admin', 'contractor', 'finance', 'guard', 'maintenance', 'manager', 'platform', 'resident', 'system')",
            name=op.f("ck_app_user_role"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_app_user__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("tenant_id", "login", name=op.f("uq_app_user_login")),
    )
    op.create_table(
        "document_number",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("year", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_document_number__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "scope", "kind", "year", name=op.f("pk_document_number")),
    )
    op.create_table(
        "job_run",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("period_key", sa.Text(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_job_run__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "job", "period_key", name=op.f("pk_job_run")),
    )
    op.create_table(
        "ledger_account",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_ledger_account__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "code", name=op.f("pk_ledger_account")),
    )
    op.create_table(
        "meter",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("register_modulus_micro", sa.BigInteger(), nullable=True),
        sa.Column("max_per_day_micro", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("commodity IN ('electricity', 'water')", name=op.f("ck_meter_commodity")),
        sa.CheckConstraint(
            "register_modulus_micro IS NULL OR register_modulus_micro > 0", name=op.f("ck_meter_modulus")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_meter__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_meter")),
        sa.UniqueConstraint("tenant_id", "serial", name=op.f("uq_meter_serial")),
    )
    op.create_table(
        "site",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_site__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_site")),
        sa.UniqueConstraint("tenant_id", "code", name=op.f("uq_site_code")),
    )
    op.create_table(
        "tariff",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("source", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("confidence IN ('high', 'medium', 'low')", name=op.f("ck_tariff_confidence")),
        sa.CheckConstraint("state IN ('draft', 'active', 'retired')", name=op.f("ck_tariff_state")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_tariff_dates")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_tariff__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_tariff")),
        sa.UniqueConstraint("tenant_id", "code", "version", name=op.f("uq_tariff_code_version")),
    )
    op.create_table(
        "billing_period",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closing', 'closed')", name=op.f("ck_billing_period_state")),
        sa.CheckConstraint("end_on > start_on", name=op.f("ck_billing_period_dates")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_billing_period_site_id_site"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_billing_period")),
        sa.UniqueConstraint("tenant_id", "site_id", "code", name=op.f("uq_billing_period_site_id_code")),
    )
    op.create_table(
        "building",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("floors", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_building_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_building")),
        sa.UniqueConstraint("tenant_id", "site_id", "code", name=op.f("uq_building_site_id_code")),
    )
    op.create_table(
        "gateway",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("hello", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("hello_at_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_gateway_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_gateway")),
        sa.UniqueConstraint("tenant_id", "site_id", "code", name=op.f("uq_gateway_site_id_code")),
        sa.UniqueConstraint("tenant_id", "token_hash", name=op.f("uq_gateway_token_hash")),
    )
    op.create_table(
        "session",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session_hash", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
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
        "device",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_device_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_device")),
        sa.UniqueConstraint("tenant_id", "gateway_id", "code", name=op.f("uq_device_gateway_id_code")),
    )
    op.create_table(
        "evidence",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("captured_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("round_trip_us", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("stream IN ('event', 'history')", name=op.f("ck_evidence_stream")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_evidence_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "gateway_id", "stream", "epoch", "seq", name=op.f("pk_evidence")
        ),
    )
    op.create_table(
        "ingest_block",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('taken', 'aside', 'lost')", name=op.f("ck_ingest_block_state")),
        sa.CheckConstraint("stream IN ('event', 'history')", name=op.f("ck_ingest_block_stream")),
        sa.CheckConstraint(
            "last_seq >= first_seq AND row_count = last_seq - first_seq + 1",
            name=op.f("ck_ingest_block_range"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_ingest_block_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "gateway_id", "stream", "epoch", "first_seq", name=op.f("pk_ingest_block")
        ),
    )
    op.create_table(
        "ingest_problem",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("settled_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint("code IN ('conflict', 'malformed')", name=op.f("ck_ingest_problem_code")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_ingest_problem_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "settled_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_ingest_problem_settled_by_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ingest_problem")),
        sa.UniqueConstraint(
            "tenant_id",
            "gateway_id",
            "stream",
            "epoch",
            "first_seq",
            "digest",
            name=op.f("uq_ingest_problem_gateway_id_stream_epoch_first_seq_digest"),
        ),
    )
    op.create_table(
        "ingest_stream",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("acked_through", sa.BigInteger(), nullable=False),
        sa.Column("first_received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stream IN ('event', 'history')", name=op.f("ck_ingest_stream_stream")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_ingest_stream_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "gateway_id", "stream", "epoch", name=op.f("pk_ingest_stream")),
    )
    op.create_table(
        "space",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("building_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit_code", sa.Text(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("built_area_dm2", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('flat', 'parking', 'public', 'shop')", name=op.f("ck_space_kind")),
        sa.CheckConstraint("built_area_dm2 >= 0", name=op.f("ck_space_area")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "building_id"],
            ["building.tenant_id", "building.id"],
            name=op.f("fk_space_building_id_building"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_space")),
        sa.UniqueConstraint("tenant_id", "building_id", "code", name=op.f("uq_space_building_id_code")),
    )
    op.create_table(
        "account",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("household_size", sa.BigInteger(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.CheckConstraint("closed_on IS NULL OR closed_on > opened_on", name=op.f("ck_account_dates")),
        sa.CheckConstraint("household_size >= 0", name=op.f("ck_account_household")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_account_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"], ["space.tenant_id", "space.id"], name=op.f("fk_account_space_id_space")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_account")),
        sa.UniqueConstraint("tenant_id", "site_id", "number", name=op.f("uq_account_site_id_number")),
    )
    op.create_index("ix_account_space", "account", ["tenant_id", "space_id"], unique=False)

    op.create_table(
        "equipment",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("building_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("device_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("serial_number", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('access_control', 'fire_panel', 'lift', 'meter', 'other', 'pump', 'sensor')",
            name=op.f("ck_equipment_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "building_id"],
            ["building.tenant_id", "building.id"],
            name=op.f("fk_equipment_building_id_building"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["device.tenant_id", "device.id"],
            name=op.f("fk_equipment_device_id_device"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_equipment_site_id_site")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"],
            ["space.tenant_id", "space.id"],
            name=op.f("fk_equipment_space_id_space"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_equipment")),
        sa.UniqueConstraint("tenant_id", "site_id", "code", name=op.f("uq_equipment_site_id_code")),
    )
    op.create_table(
        "point",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("device_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["device.tenant_id", "device.id"],
            name=op.f("fk_point_device_id_device"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_point_gateway_id_gateway"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "series_id", name=op.f("pk_point")),
        sa.UniqueConstraint("tenant_id", "gateway_id", "key", name=op.f("uq_point_gateway_id_key")),
    )
    op.create_index("ix_point_device", "point", ["tenant_id", "device_id"], unique=False)

    op.create_table(
        "service_point",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("space_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.CheckConstraint("commodity IN ('electricity', 'water')", name=op.f("ck_service_point_commodity")),
        sa.CheckConstraint(
            "kind <> 'flat' OR space_id IS NOT NULL", name=op.f("ck_service_point_flat_has_space")
        ),
        sa.CheckConstraint("kind IN ('flat', 'master', 'public')", name=op.f("ck_service_point_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["site.tenant_id", "site.id"],
            name=op.f("fk_service_point_site_id_site"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "space_id"],
            ["space.tenant_id", "space.id"],
            name=op.f("fk_service_point_space_id_space"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_service_point")),
        sa.UniqueConstraint("tenant_id", "site_id", "code", name=op.f("uq_service_point_site_id_code")),
    )
    op.create_index("ix_service_point_space", "service_point", ["tenant_id", "space_id"], unique=False)

    op.create_table(
        "alarm",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("point_key", sa.Text(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("is_historical", sa.Boolean(), nullable=False),
        sa.Column("raised_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("cleared_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(acknowledged_at_ms IS NULL) = (acknowledged_by IS NULL)", name=op.f("ck_alarm_acknowledged")
        ),
        sa.CheckConstraint("severity BETWEEN 0 AND 3", name=op.f("ck_alarm_severity")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "acknowledged_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_alarm_acknowledged_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_alarm_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["point.tenant_id", "point.series_id"],
            name=op.f("fk_alarm_series_id_point"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_alarm_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alarm")),
        sa.UniqueConstraint("tenant_id", "site_id", "number", name=op.f("uq_alarm_site_id_number")),
    )
    op.create_index("ix_alarm_raised", "alarm", ["tenant_id", "raised_at_ms", "id"], unique=False)
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["tenant_id", "gateway_id", "point_key", "kind"],
        unique=True,
        sqlite_where=sa.text("cleared_at_ms IS NULL"),
        postgresql_where=sa.text("cleared_at_ms IS NULL"),
    )

    op.create_table(
        "event",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("gateway_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("point_key", sa.Text(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=True),
        sa.Column("occurred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("value_micro", sa.BigInteger(), nullable=True),
        sa.Column("is_historical", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("has_evidence", sa.Boolean(), nullable=False),
        sa.CheckConstraint("state IN ('raised', 'cleared', 'occurred')", name=op.f("ck_event_state")),
        sa.CheckConstraint("severity BETWEEN 0 AND 3", name=op.f("ck_event_severity")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "gateway_id"],
            ["gateway.tenant_id", "gateway.id"],
            name=op.f("fk_event_gateway_id_gateway"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["point.tenant_id", "point.series_id"],
            name=op.f("fk_event_series_id_point"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_event")),
        sa.UniqueConstraint(
            "tenant_id", "gateway_id", "epoch", "seq", name=op.f("uq_event_gateway_id_epoch_seq")
        ),
    )
    op.create_index(
        "ix_event_condition",
        "event",
        ["tenant_id", "gateway_id", "point_key", "kind", "epoch", "seq"],
        unique=False,
    )
    op.create_index("ix_event_occurred", "event", ["tenant_id", "occurred_at_ms", "id"], unique=False)

    op.create_table(
        "installation",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("meter_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=True),
        sa.Column("from_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("opening_value_micro", sa.BigInteger(), nullable=False),
        sa.Column("closing_value_micro", sa.BigInteger(), nullable=True),
        sa.Column("multiplier", ExactDecimal(precision=10, scale=4), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "(to_at_ms IS NULL) = (closing_value_micro IS NULL)", name=op.f("ck_installation_closing")
        ),
        sa.CheckConstraint("to_at_ms IS NULL OR to_at_ms > from_at_ms", name=op.f("ck_installation_times")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "meter_id"],
            ["meter.tenant_id", "meter.id"],
            name=op.f("fk_installation_meter_id_meter"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_installation_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["point.tenant_id", "point.series_id"],
            name=op.f("fk_installation_series_id_point"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "service_point_id"],
            ["service_point.tenant_id", "service_point.id"],
            name=op.f("fk_installation_service_point_id_service_point"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_installation")),
        sa.UniqueConstraint(
            "tenant_id", "meter_id", "from_at_ms", name=op.f("uq_installation_meter_id_from_at_ms")
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "service_point_id",
            "from_at_ms",
            name=op.f("uq_installation_service_point_id_from_at_ms"),
        ),
    )
    op.create_index("ix_installation_series", "installation", ["tenant_id", "series_id"], unique=False)
    op.create_index(
        "uq_installation_meter_open",
        "installation",
        ["tenant_id", "meter_id"],
        unique=True,
        sqlite_where=sa.text("to_at_ms IS NULL"),
        postgresql_where=sa.text("to_at_ms IS NULL"),
    )
    op.create_index(
        "uq_installation_service_point_open",
        "installation",
        ["tenant_id", "service_point_id"],
        unique=True,
        sqlite_where=sa.text("to_at_ms IS NULL"),
        postgresql_where=sa.text("to_at_ms IS NULL"),
    )

    op.create_table(
        "invoice",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("period_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "corrects_id IS NOT NULL OR (kind = 'invoice' AND version = 1)", name=op.f("ck_invoice_corrects")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoice_kind")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_invoice_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "corrects_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_invoice_corrects_id_invoice"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "period_id"],
            ["billing_period.tenant_id", "billing_period.id"],
            name=op.f("fk_invoice_period_id_billing_period"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_invoice")),
        sa.UniqueConstraint(
            "tenant_id",
            "account_id",
            "period_id",
            "version",
            name=op.f("uq_invoice_account_id_period_id_version"),
        ),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_invoice_number")),
    )
    op.create_index("ix_invoice_period", "invoice", ["tenant_id", "period_id", "number"], unique=False)

    op.create_table(
        "maintenance_plan",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("equipment_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("interval_days", sa.BigInteger(), nullable=False),
        sa.Column("lead_days", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.CheckConstraint("interval_days > 0", name=op.f("ck_maintenance_plan_interval")),
        sa.CheckConstraint("lead_days >= 0", name=op.f("ck_maintenance_plan_lead")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "equipment_id"],
            ["equipment.tenant_id", "equipment.id"],
            name=op.f("fk_maintenance_plan_equipment_id_equipment"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_maintenance_plan")),
        sa.UniqueConstraint(
            "tenant_id", "equipment_id", "code", name=op.f("uq_maintenance_plan_equipment_id_code")
        ),
    )
    op.create_table(
        "point_current",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("measured_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("value_micro", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("valued_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_value_micro", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["point.tenant_id", "point.series_id"],
            name=op.f("fk_point_current_series_id_point"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "series_id", name=op.f("pk_point_current")),
    )
    op.create_table(
        "running_charge",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("period_code", sa.Text(), nullable=False),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_running_charge_account_id_account"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "period_code", name=op.f("pk_running_charge")),
    )
    op.create_table(
        "supply",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tariff_code", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.CheckConstraint("to_on IS NULL OR to_on > from_on", name=op.f("ck_supply_dates")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_supply_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "service_point_id"],
            ["service_point.tenant_id", "service_point.id"],
            name=op.f("fk_supply_service_point_id_service_point"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_supply")),
        sa.UniqueConstraint(
            "tenant_id",
            "service_point_id",
            "tariff_code",
            "from_on",
            name=op.f("uq_supply_service_point_id_tariff_code_from_on"),
        ),
    )
    op.create_index("ix_supply_account", "supply", ["tenant_id", "account_id"], unique=False)

    op.create_table(
        "user_account",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_user_account_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_user_account_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "account_id", name=op.f("pk_user_account")),
    )
    op.create_index("ix_user_account_account", "user_account", ["tenant_id", "account_id"], unique=False)

    op.create_table(
        "alarm_entry",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("alarm_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(
            "kind IN ('raised', 'repeated', 'acknowledged', 'cleared')", name=op.f("ck_alarm_entry_kind")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"],
            ["alarm.tenant_id", "alarm.id"],
            name=op.f("fk_alarm_entry_alarm_id_alarm"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"],
            ["event.tenant_id", "event.id"],
            name=op.f("fk_alarm_entry_event_id_event"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_alarm_entry_user_id_app_user"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_alarm_entry")),
    )
    op.create_index("ix_alarm_entry_alarm", "alarm_entry", ["tenant_id", "alarm_id", "id"], unique=False)

    op.create_table(
        "invoice_line",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("line_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("charge_code", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("quantity", ExactDecimal(precision=18, scale=6), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_price", ExactDecimal(precision=14, scale=8), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_point_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("trace", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_invoice_line_invoice_id_invoice"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "service_point_id"],
            ["service_point.tenant_id", "service_point.id"],
            name=op.f("fk_invoice_line_service_point_id_service_point"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "tariff_id"],
            ["tariff.tenant_id", "tariff.id"],
            name=op.f("fk_invoice_line_tariff_id_tariff"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "invoice_id", "line_no", name=op.f("pk_invoice_line")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.Column("posted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_ledger_entry_invoice_id_invoice"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.tenant_id"], name=op.f("fk_ledger_entry__tenant")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_ledger_entry")),
    )
    op.create_index("ix_ledger_entry_invoice", "ledger_entry", ["tenant_id", "invoice_id"], unique=False)

    op.create_table(
        "usage",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invoice_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_point_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("slice_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=False),
        sa.Column("quantity_micro", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("segments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("is_estimated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_usage_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "invoice_id"],
            ["invoice.tenant_id", "invoice.id"],
            name=op.f("fk_usage_invoice_id_invoice"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "service_point_id"],
            ["service_point.tenant_id", "service_point.id"],
            name=op.f("fk_usage_service_point_id_service_point"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "invoice_id", "service_point_id", "slice_no", name=op.f("pk_usage")
        ),
    )
    op.create_index(
        "ix_usage_service_point", "usage", ["tenant_id", "service_point_id", "end_on"], unique=False
    )

    op.create_table(
        "work_order",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("site_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("equipment_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("alarm_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'done') = (completed_at_ms IS NOT NULL)", name=op.f("ck_work_order_completed")
        ),
        sa.CheckConstraint("kind IN ('maintenance', 'repair')", name=op.f("ck_work_order_kind")),
        sa.CheckConstraint(
            "state IN ('open', 'in_progress', 'done', 'cancelled')", name=op.f("ck_work_order_state")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alarm_id"],
            ["alarm.tenant_id", "alarm.id"],
            name=op.f("fk_work_order_alarm_id_alarm"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "equipment_id"],
            ["equipment.tenant_id", "equipment.id"],
            name=op.f("fk_work_order_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["maintenance_plan.tenant_id", "maintenance_plan.id"],
            name=op.f("fk_work_order_plan_id_maintenance_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"], ["site.tenant_id", "site.id"], name=op.f("fk_work_order_site_id_site")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_work_order")),
        sa.UniqueConstraint("tenant_id", "plan_id", "due_on", name=op.f("uq_work_order_plan_id_due_on")),
        sa.UniqueConstraint("tenant_id", "site_id", "number", name=op.f("uq_work_order_site_id_number")),
    )
    op.create_index("ix_work_order_due", "work_order", ["tenant_id", "state", "due_on"], unique=False)

    op.create_table(
        "maintenance_completion",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("plan_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("work_order_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("completed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "plan_id"],
            ["maintenance_plan.tenant_id", "maintenance_plan.id"],
            name=op.f("fk_maintenance_completion_plan_id_maintenance_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "recorded_by"],
            ["app_user.tenant_id", "app_user.id"],
            name=op.f("fk_maintenance_completion_recorded_by_app_user"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "work_order_id"],
            ["work_order.tenant_id", "work_order.id"],
            name=op.f("fk_maintenance_completion_work_order_id_work_order"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_maintenance_completion")),
        sa.UniqueConstraint(
            "tenant_id",
            "plan_id",
            "completed_at_ms",
            name=op.f("uq_maintenance_completion_plan_id_completed_at_ms"),
        ),
    )
    op.create_table(
        "posting",
        sa.Column("tenant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("posting_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ledger_account", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_posting_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("fk_posting_account_id_account"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["ledger_entry.tenant_id", "ledger_entry.id"],
            name=op.f("fk_posting_entry_id_ledger_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ledger_account"],
            ["ledger_account.tenant_id", "ledger_account.code"],
            name=op.f("fk_posting_ledger_account_ledger_account"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", "posting_no", name=op.f("pk_posting")),
    )
    op.create_index(
        "ix_posting_account", "posting", ["tenant_id", "account_id", "ledger_account"], unique=False
    )
    protect(
        op.get_bind(),
        [
            "alarm_entry",
            "audit_entry",
            "event",
            "evidence",
            "invoice",
            "invoice_line",
            "ledger_entry",
            "maintenance_completion",
            "posting",
            "reading",
            "usage",
        ],
    )
    keep_rows(op.get_bind(), ["point"])
