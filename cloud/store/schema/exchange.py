"""Tables of what was brought in from outside: imports, and readings taken back with them."""

import sqlalchemy as sa

from cloud.domain.reconciling import Figure
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

# One uploaded table: judged, then carried out, then perhaps undone. `effect` is what undoing needs.
import_run = sa.Table(
    "import_run",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("kind"),
    text("file_name"),
    text("file_sha256"),
    # Sealed, for it holds people's numbers; gone once the import is undone or a day old.
    sa.Column("body_sealed", sa.LargeBinary, nullable=True),
    text("state"),
    document("counts"),
    document("effect", nullable=True),
    reference("started_by", nullable=True),
    integer("checked_at_ms"),
    integer("done_at_ms", nullable=True),
    integer("undone_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("app_user", "started_by"),
    check("state", "state IN ('checked', 'done', 'undone')"),
    sa.Index("ix_import_run_site", "tenant_id", "site_id", "id"),
)

# What the system before said it had, to be held against what was brought over.
former_figure = sa.Table(
    "former_figure",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("figure", sa.Text, primary_key=True),
    integer("value"),
    reference("noted_by", nullable=True),
    integer("noted_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "noted_by"),
    one_of("figure", Figure),
)

# What the system before charged for a month: for comparing with, booked nowhere.
former_charge = sa.Table(
    "former_charge",
    metadata,
    tenant(),
    identity(),
    reference("account_id"),
    text("month"),
    text("charge_code"),
    integer("amount_fen"),
    integer("quantity_micro", nullable=True),
    refers("account", "account_id"),
    unique("account_id", "month", "charge_code"),
)

# What the system before had billed since the ladder year began: ladders count it, no bill charges it.
opening_usage = sa.Table(
    "opening_usage",
    metadata,
    tenant(),
    identity(),
    reference("service_point_id"),
    reference("account_id"),
    day("from_on"),
    day("to_on"),
    integer("quantity_micro"),
    refers("service_point", "service_point_id"),
    refers("account", "account_id"),
    unique("service_point_id", "account_id"),
    check("dates", "to_on > from_on"),
    check("quantity", "quantity_micro >= 0"),
)

# A reading by hand that was recorded by mistake: it stays, and holds no more.
withdrawn_reading = sa.Table(
    "withdrawn_reading",
    metadata,
    tenant(),
    sa.Column("record_id", sa.Uuid(as_uuid=False), primary_key=True),
    text("reason"),
    reference("withdrawn_by", nullable=True),
    integer("withdrawn_at_ms"),
    refers("manual_reading", "record_id"),
    refers("app_user", "withdrawn_by"),
)

# What a ledger account is in the finance department's own chart; without a row the usual one holds.
subject_mapping = sa.Table(
    "subject_mapping",
    metadata,
    tenant(),
    sa.Column("ledger_account", sa.Text, primary_key=True),
    text("subject_code"),
    text("subject_name"),
    refers("ledger_account", "ledger_account", to=("code",)),
)
