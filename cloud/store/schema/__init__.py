"""Every table of the cloud, in six rooms: people, premises, field, billing, upkeep,
and what the doors keep for themselves.

Import the module and name tables through it: `schema.reading`, `schema.invoice_line`.
"""

from cloud.store.schema.billing import (
    billing_hold,
    billing_period,
    invoice,
    invoice_line,
    ledger_account,
    ledger_entry,
    posting,
    running_charge,
    tariff,
    usage,
)
from cloud.store.schema.columns import ExactDecimal, metadata
from cloud.store.schema.doors import idempotency_key, rate_limit
from cloud.store.schema.field import (
    alarm,
    alarm_entry,
    device,
    event,
    evidence,
    gateway,
    ingest_block,
    ingest_problem,
    ingest_stream,
    installation,
    meter,
    point,
    point_current,
    reading,
)
from cloud.store.schema.people import app_user, audit_entry, session, user_account
from cloud.store.schema.people import tenant_table as tenant
from cloud.store.schema.premises import account, building, service_point, site, space, supply
from cloud.store.schema.upkeep import (
    document_number,
    equipment,
    job_run,
    maintenance_completion,
    maintenance_plan,
    work_order,
)

# What was once written in these is never changed or deleted; triggers on both engines refuse it.
APPEND_ONLY_TABLES = (
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
)

__all__ = [
    "APPEND_ONLY_TABLES",
    "ExactDecimal",
    "account",
    "alarm",
    "alarm_entry",
    "app_user",
    "audit_entry",
    "billing_hold",
    "billing_period",
    "building",
    "device",
    "document_number",
    "equipment",
    "event",
    "evidence",
    "gateway",
    "idempotency_key",
    "ingest_block",
    "ingest_problem",
    "ingest_stream",
    "installation",
    "invoice",
    "invoice_line",
    "job_run",
    "ledger_account",
    "ledger_entry",
    "maintenance_completion",
    "maintenance_plan",
    "metadata",
    "meter",
    "point",
    "point_current",
    "posting",
    "rate_limit",
    "reading",
    "running_charge",
    "service_point",
    "session",
    "site",
    "space",
    "supply",
    "tariff",
    "tenant",
    "usage",
    "user_account",
    "work_order",
]
