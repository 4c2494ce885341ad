"""Tables of what is billed: tariffs, periods, invoices, what they charge for. Issued things never change."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    ExactDecimal,
    check,
    day,
    document,
    flag,
    identity,
    integer,
    metadata,
    reference,
    refers,
    tenant,
    text,
    unique,
)

tariff = sa.Table(
    "tariff",
    metadata,
    tenant(),
    identity(),
    text("code"),
    integer("version"),
    text("name_zh"),
    text("name_en"),
    text("commodity"),
    # Local dates, half-open.
    day("valid_from"),
    day("valid_to", nullable=True),
    text("state"),
    document("document"),
    document("source"),
    text("confidence"),
    integer("created_at_ms"),
    refers("tenant", to=()),
    unique("code", "version"),
    check("state", "state IN ('draft', 'active', 'retired')"),
    check("confidence", "confidence IN ('high', 'medium', 'low')"),
    check("dates", "valid_to IS NULL OR valid_to > valid_from"),
)

billing_period = sa.Table(
    "billing_period",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("code"),
    # Local dates of the site, half-open.
    day("start_on"),
    day("end_on"),
    text("state"),
    integer("closed_at_ms", nullable=True),
    refers("site", "site_id"),
    unique("site_id", "code"),
    check("state", "state IN ('open', 'closing', 'closed')"),
    check("dates", "end_on > start_on"),
)

invoice = sa.Table(
    "invoice",
    metadata,
    tenant(),
    identity(),
    text("number"),
    reference("account_id"),
    reference("period_id"),
    # Counts the documents of one account and period: the invoice, its credit note, the replacement.
    integer("version"),
    text("kind"),
    # The document this one takes back or replaces, and why.
    reference("corrects_id", nullable=True),
    text("reason"),
    text("currency"),
    day("issued_on"),
    day("due_on"),
    integer("total_fen"),
    document("snapshot"),
    integer("created_at_ms"),
    refers("account", "account_id"),
    refers("billing_period", "period_id"),
    refers("invoice", "corrects_id"),
    unique("account_id", "period_id", "version"),
    unique("number"),
    check("kind", "kind IN ('invoice', 'credit_note')"),
    check("corrects", "corrects_id IS NOT NULL OR (kind = 'invoice' AND version = 1)"),
    sa.Index("ix_invoice_period", "tenant_id", "period_id", "number"),
    # A document carries a snapshot of its customer: what adds up thousands of them reads these instead.
    sa.Index("ix_invoice_total", "tenant_id", "period_id", "account_id", "total_fen"),
    sa.Index("ix_invoice_due", "tenant_id", "account_id", "due_on", "kind", "total_fen", "id", "period_id"),
    sa.Index(
        "ix_invoice_corrects",
        "tenant_id",
        "corrects_id",
        sqlite_where=sa.text("corrects_id IS NOT NULL"),
        postgresql_where=sa.text("corrects_id IS NOT NULL"),
    ),
)

invoice_line = sa.Table(
    "invoice_line",
    metadata,
    tenant(),
    sa.Column("invoice_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("line_no", sa.Integer, primary_key=True, autoincrement=False),
    # What is charged: the commodity or service ("electricity"), the tariff's component ("energy"),
    # and within it the tier and time-of-use period where it has such: "2", "peak", "2 peak".
    text("charge_code"),
    text("component"),
    text("tier"),
    # Null for an amount by itself: a minimum, the rounding of a total.
    sa.Column("quantity", ExactDecimal(18, 6), nullable=True),
    text("unit"),
    sa.Column("unit_price", ExactDecimal(14, 8), nullable=True),
    integer("amount_fen"),
    reference("tariff_id"),
    reference("service_point_id", nullable=True),
    document("trace"),
    refers("invoice", "invoice_id"),
    refers("tariff", "tariff_id"),
    refers("service_point", "service_point_id"),
    sa.Index("ix_invoice_line_charge", "tenant_id", "invoice_id", "charge_code", "amount_fen"),
)

# What was billed at a service point, a row for each slice of the period in which no price changed.
# The position on a ladder is always the sum of these rows, so a credit note has negative ones.
usage = sa.Table(
    "usage",
    metadata,
    tenant(),
    sa.Column("invoice_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("service_point_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("slice_no", sa.Integer, primary_key=True, autoincrement=False),
    reference("account_id"),
    # Local dates, half-open.
    day("start_on"),
    day("end_on"),
    integer("quantity_micro"),
    text("unit"),
    document("segments"),
    flag("is_estimated"),
    refers("invoice", "invoice_id"),
    refers("service_point", "service_point_id"),
    refers("account", "account_id"),
    sa.Index("ix_usage_service_point", "tenant_id", "service_point_id", "end_on"),
)

# The further dials of a meter that counts by time of use, one for each period.
installation_register = sa.Table(
    "installation_register",
    metadata,
    tenant(),
    sa.Column("installation_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("series_id", sa.Integer, nullable=False),
    integer("opening_value_micro"),
    integer("closing_value_micro", nullable=True),
    refers("installation", "installation_id"),
    refers("point", "series_id", to=("series_id",)),
)

# What an account is charged for without a meter: floor area, parking spaces, a fixed fee.
subscription = sa.Table(
    "subscription",
    metadata,
    tenant(),
    identity(),
    reference("account_id"),
    text("tariff_code"),
    text("label"),
    integer("count"),
    # Null: the area of the account's own space.
    sa.Column("area_m2", ExactDecimal(10, 2), nullable=True),
    day("from_on"),
    day("to_on", nullable=True),
    refers("account", "account_id"),
    unique("account_id", "tariff_code", "label", "from_on"),
    check("dates", "to_on IS NULL OR to_on > from_on"),
    check("count", "count > 0"),
)

# Days that are of another kind than the calendar says, told from outside: heat above 35 degrees.
day_type = sa.Table(
    "day_type",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("on_date", sa.Date, primary_key=True),
    text("kind"),
    text("source"),
    refers("site", "site_id"),
)

# A dial as a person read it, corrected it or had it estimated, for one moment. The last one recorded
# for a moment holds; the readings of the wire stay what they are.
manual_reading = sa.Table(
    "manual_reading",
    metadata,
    tenant(),
    identity(),
    reference("installation_id"),
    integer("at_ms"),
    integer("value_micro"),
    text("kind"),
    # For an estimate: the last actual dial it starts from, below which no true-up may lead.
    integer("anchor_value_micro", nullable=True),
    text("reason"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("installation", "installation_id"),
    refers("app_user", "recorded_by"),
    check("kind", "kind IN ('estimate', 'manual', 'rollover')"),
    check("anchor", "(kind = 'estimate') = (anchor_value_micro IS NOT NULL)"),
    sa.Index("ix_manual_reading_installation", "tenant_id", "installation_id", "at_ms"),
)

# Accounts a closing could not bill, and why: the meters somebody must see to. Gone once they are billed.
billing_hold = sa.Table(
    "billing_hold",
    metadata,
    tenant(),
    sa.Column("period_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    document("problems"),
    integer("held_at_ms"),
    refers("billing_period", "period_id"),
    refers("account", "account_id"),
)

running_charge = sa.Table(
    "running_charge",
    metadata,
    tenant(),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("period_code", sa.Text, primary_key=True),
    integer("as_of_ms"),
    integer("total_fen"),
    document("detail"),
    refers("account", "account_id"),
)
