"""Tables of what must be kept up: equipment, maintenance, work orders; and of our own jobs and numbers."""

import sqlalchemy as sa

from cloud.domain.checklist import Cycle
from cloud.domain.equipment import EquipmentKind
from cloud.domain.maintenance import TriggerKind
from cloud.domain.reliability import CostKind
from cloud.domain.work_order import WorkOrderKind, WorkOrderState
from cloud.store.schema.columns import (
    check,
    day,
    document,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    tenant,
    text,
    unique,
)

equipment = sa.Table(
    "equipment",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("building_id", nullable=True),
    reference("space_id", nullable=True),
    reference("device_id", nullable=True),
    text("code"),
    text("kind"),
    text("name"),
    text("brand"),
    text("model"),
    text("serial_number"),
    text("place"),
    day("purchased_on", nullable=True),
    integer("price_fen", nullable=True),
    text("supplier"),
    day("warranty_until_on", nullable=True),
    day("retired_on", nullable=True),
    refers("site", "site_id"),
    refers("building", "building_id"),
    refers("space", "space_id"),
    refers("device", "device_id"),
    unique("site_id", "code"),
    one_of("kind", EquipmentKind),
    check("price", "price_fen >= 0"),
)

maintenance_plan = sa.Table(
    "maintenance_plan",
    metadata,
    tenant(),
    identity(),
    reference("equipment_id"),
    text("code"),
    text("title"),
    # The rule that sets the interval: a standard's clause or the maker's manual.
    text("basis"),
    integer("interval_days"),
    integer("lead_days"),
    day("starts_on"),
    day("ends_on", nullable=True),
    # Whose items a visit answers, and those of which cycle; NULL for none.
    text("checklist_code", nullable=True),
    text("cycle", nullable=True),
    # What of the equipment's points makes it due earlier; all three or none.
    text("trigger_kind", nullable=True),
    sa.Column("trigger_series_id", sa.Integer, nullable=True),
    integer("trigger_limit_micro", nullable=True),
    refers("equipment", "equipment_id"),
    unique("equipment_id", "code"),
    one_of("cycle", Cycle),
    one_of("trigger_kind", TriggerKind),
    check(
        "trigger",
        "(trigger_kind IS NULL) = (trigger_series_id IS NULL) "
        "AND (trigger_kind IS NULL) = (trigger_limit_micro IS NULL)",
    ),
    check("interval", "interval_days > 0"),
    check("lead", "lead_days >= 0"),
)

# That equipment was out of service, told by a person; what its alarms tell is not written down twice.
equipment_outage = sa.Table(
    "equipment_outage",
    metadata,
    tenant(),
    identity(),
    reference("equipment_id"),
    integer("from_ms"),
    integer("until_ms", nullable=True),
    text("reason"),
    reference("recorded_by", nullable=True),
    reference("ended_by", nullable=True),
    refers("equipment", "equipment_id"),
    refers("app_user", "recorded_by"),
    refers("app_user", "ended_by"),
    check("times", "until_ms IS NULL OR until_ms >= from_ms"),
    sa.Index(
        "ux_equipment_outage_open",
        "tenant_id",
        "equipment_id",
        unique=True,
        sqlite_where=sa.text("until_ms IS NULL"),
        postgresql_where=sa.text("until_ms IS NULL"),
    ),
)

# What was paid for equipment besides what signed sheets state.
equipment_cost = sa.Table(
    "equipment_cost",
    metadata,
    tenant(),
    identity(),
    reference("equipment_id"),
    day("spent_on"),
    text("kind"),
    integer("amount_fen"),
    text("note"),
    integer("recorded_at_ms"),
    reference("recorded_by", nullable=True),
    refers("equipment", "equipment_id"),
    refers("app_user", "recorded_by"),
    one_of("kind", CostKind),
    check("amount", "amount_fen <> 0"),
    sa.Index("ix_equipment_cost_equipment", "tenant_id", "equipment_id", "spent_on"),
)

# The moment a plan's point reached its limit, as its readings tell; of each signature's time the first.
plan_reach = sa.Table(
    "plan_reach",
    metadata,
    tenant(),
    sa.Column("plan_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("reached_at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    integer("value_micro"),
    integer("noted_at_ms"),
    refers("maintenance_plan", "plan_id"),
)

work_order = sa.Table(
    "work_order",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("number"),
    text("kind"),
    reference("equipment_id"),
    reference("plan_id", nullable=True),
    reference("alarm_id", nullable=True),
    text("state"),
    text("title"),
    day("due_on"),
    integer("created_at_ms"),
    integer("completed_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("equipment", "equipment_id"),
    refers("maintenance_plan", "plan_id"),
    refers("alarm", "alarm_id"),
    unique("site_id", "number"),
    unique("plan_id", "due_on"),
    one_of("kind", WorkOrderKind),
    one_of("state", WorkOrderState),
    check("completed", "(state = 'done') = (completed_at_ms IS NOT NULL)"),
    sa.Index("ix_work_order_due", "tenant_id", "state", "due_on"),
)

maintenance_completion = sa.Table(
    "maintenance_completion",
    metadata,
    tenant(),
    identity(),
    reference("plan_id"),
    reference("work_order_id", nullable=True),
    integer("completed_at_ms"),
    reference("recorded_by", nullable=True),
    text("signed_by"),
    text("note"),
    refers("maintenance_plan", "plan_id"),
    refers("work_order", "work_order_id"),
    refers("app_user", "recorded_by"),
    unique("plan_id", "completed_at_ms"),
)

# An item list of a company's own, version by version; the last number counts.
checklist = sa.Table(
    "checklist",
    metadata,
    tenant(),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    document("document"),
    text("reason"),
    integer("recorded_at_ms"),
    reference("recorded_by", nullable=True),
    refers("tenant", to=()),
    refers("app_user", "recorded_by"),
)

# What a visit found, item by item, and the hand it was signed by.
service_sheet = sa.Table(
    "service_sheet",
    metadata,
    tenant(),
    identity(),
    reference("plan_id"),
    reference("work_order_id", nullable=True),
    integer("signed_at_ms"),
    text("signed_by"),
    # The strokes of the signature as an SVG path.
    text("signature"),
    text("checklist_code"),
    text("cycle"),
    document("answers"),
    text("parts"),
    integer("cost_fen"),
    text("note"),
    # SHA-256 of everything above but the ids, as `sheet_digest` writes it.
    text("sha256"),
    reference("recorded_by", nullable=True),
    reference("link_id", nullable=True),
    refers("maintenance_plan", "plan_id"),
    refers("work_order", "work_order_id"),
    refers("app_user", "recorded_by"),
    refers("service_link", "link_id"),
    one_of("cycle", Cycle),
    check("cost", "cost_fen >= 0"),
    sa.Index("ix_service_sheet_plan", "tenant_id", "plan_id", "signed_at_ms"),
)

# A way in for a contractor without a login: to one plan's sheet, until a moment, once.
service_link = sa.Table(
    "service_link",
    metadata,
    tenant(),
    identity(),
    reference("plan_id"),
    text("contractor"),
    # Of the secret in the address, which is kept nowhere.
    text("secret_sha256"),
    integer("created_at_ms"),
    reference("created_by", nullable=True),
    integer("expires_at_ms"),
    integer("used_at_ms", nullable=True),
    integer("revoked_at_ms", nullable=True),
    refers("maintenance_plan", "plan_id"),
    refers("app_user", "created_by"),
    unique("secret_sha256"),
    check("times", "expires_at_ms > created_at_ms"),
    sa.Index("ix_service_link_plan", "tenant_id", "plan_id"),
)

job_run = sa.Table(
    "job_run",
    metadata,
    tenant(),
    sa.Column("job", sa.Text, primary_key=True),
    # What the run is for: a local date, a period code. Once done it is never done again.
    sa.Column("period_key", sa.Text, primary_key=True),
    integer("started_at_ms"),
    integer("finished_at_ms", nullable=True),
    text("outcome"),
    refers("tenant", to=()),
)

document_number = sa.Table(
    "document_number",
    metadata,
    tenant(),
    # Whose numbers: a site's code, or "" for the whole tenant.
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    # The year or period the numbers restart in: "2026", "2026-10", "" for never.
    sa.Column("year", sa.Text, primary_key=True),
    integer("last"),
    refers("tenant", to=()),
)
