"""Tables of bill runs: what a period would come to before anything is issued."""

import sqlalchemy as sa

from cloud.domain.bill_run import BillRunState
from cloud.store.schema.columns import (
    check,
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

# One check of a period; the one with the highest number decides whether it may be billed.
bill_run = sa.Table(
    "bill_run",
    metadata,
    tenant(),
    identity(),
    reference("period_id"),
    integer("number"),
    text("state"),
    integer("accounts"),
    reference("begun_by", nullable=True),
    integer("begun_at_ms"),
    integer("checked_at_ms", nullable=True),
    reference("decided_by", nullable=True),
    integer("decided_at_ms", nullable=True),
    text("note"),
    refers("billing_period", "period_id"),
    refers("app_user", "begun_by"),
    refers("app_user", "decided_by"),
    unique("period_id", "number"),
    one_of("state", BillRunState),
    check("decided", "(state IN ('approved', 'refused')) = (decided_at_ms IS NOT NULL)"),
)

# What an account would be billed, or why it cannot be. Written once and never changed.
bill_run_account = sa.Table(
    "bill_run_account",
    metadata,
    tenant(),
    sa.Column("run_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    integer("amount_fen", nullable=True),
    integer("before_fen", nullable=True),
    document("sums"),
    document("doubts"),
    document("problems"),
    refers("bill_run", "run_id"),
    refers("account", "account_id"),
)
