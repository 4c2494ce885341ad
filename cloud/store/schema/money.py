"""Tables of money: what came in, what it paid for, what goes back, and the ledger."""

import sqlalchemy as sa

from cloud.domain.payment import Method
from cloud.domain.payment_order import OrderState
from cloud.domain.refund import RefundSource, RefundState
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

# Money that came in, or, with `reverses_id`, was taken back because it never had.
payment = sa.Table(
    "payment",
    metadata,
    tenant(),
    identity(),
    text("number"),
    reference("account_id"),
    text("method"),
    integer("amount_fen"),
    day("received_on"),
    # The bank's or the provider's own number of the transfer: the same one again is the same payment.
    text("provider_reference", nullable=True),
    reference("reverses_id", nullable=True),
    text("memo"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("account", "account_id"),
    refers("payment", "reverses_id"),
    refers("app_user", "recorded_by"),
    unique("number"),
    unique("method", "provider_reference"),
    unique("reverses_id"),
    check("method", "method IN ('alipay', 'card', 'cash', 'transfer', 'wechat')"),
    check(
        "amount", "(reverses_id IS NULL AND amount_fen > 0) OR (reverses_id IS NOT NULL AND amount_fen < 0)"
    ),
)

# What somebody is about to pay through a provider; the money itself is a payment.
payment_order = sa.Table(
    "payment_order",
    metadata,
    tenant(),
    identity(),
    text("number"),
    reference("account_id"),
    text("method"),
    integer("amount_fen"),
    text("state"),
    text("pay_url"),
    reference("created_by", nullable=True),
    integer("created_at_ms"),
    integer("expires_at_ms"),
    reference("payment_id", nullable=True),
    refers("account", "account_id"),
    refers("app_user", "created_by"),
    refers("payment", "payment_id"),
    unique("number"),
    check("method", "method IN ('alipay', 'wechat')"),
    check("amount", "amount_fen > 0"),
    one_of("state", OrderState),
    check("paid", "(state = 'paid') = (payment_id IS NOT NULL)"),
    sa.Index("ix_payment_order_account", "tenant_id", "account_id", "id"),
    sa.Index("ix_payment_order_state", "tenant_id", "state", "expires_at_ms"),
)

# What of a payment (or, without one, of prepaid money) went to which invoice; what a document still
# asks for is its total less the sum of these. Taking back is a negative row.
allocation = sa.Table(
    "allocation",
    metadata,
    tenant(),
    identity(),
    reference("account_id"),
    reference("invoice_id"),
    reference("payment_id", nullable=True),
    integer("principal_fen"),
    integer("late_fee_fen"),
    day("allocated_on"),
    reference("entry_id"),
    refers("account", "account_id"),
    refers("invoice", "invoice_id"),
    refers("payment", "payment_id"),
    refers("ledger_entry", "entry_id"),
    # With the sum: what is left of every invoice is added up without a look at the rows.
    sa.Index("ix_allocation_paid", "tenant_id", "invoice_id", "principal_fen"),
    sa.Index("ix_allocation_payment", "tenant_id", "payment_id"),
)

# Money held for an account and no revenue: for a key, a renovation, a tenancy.
deposit = sa.Table(
    "deposit",
    metadata,
    tenant(),
    identity(),
    text("number"),
    reference("account_id"),
    text("label"),
    text("method"),
    integer("amount_fen"),
    day("received_on"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("account", "account_id"),
    refers("app_user", "recorded_by"),
    unique("number"),
    one_of("method", Method),
    check("amount", "amount_fen > 0"),
    sa.Index("ix_deposit_account", "tenant_id", "account_id"),
)

# Money that goes back. Whoever asked for it does not decide on it.
refund = sa.Table(
    "refund",
    metadata,
    tenant(),
    identity(),
    text("number"),
    reference("account_id"),
    text("source"),
    integer("amount_fen"),
    text("method"),
    text("order_number", nullable=True),
    text("reason"),
    text("state"),
    reference("requested_by", nullable=True),
    integer("requested_at_ms"),
    reference("decided_by", nullable=True),
    integer("decided_at_ms", nullable=True),
    reference("entry_id", nullable=True),
    refers("account", "account_id"),
    refers("app_user", "requested_by"),
    refers("app_user", "decided_by"),
    refers("ledger_entry", "entry_id"),
    unique("number"),
    one_of("source", RefundSource),
    one_of("method", Method),
    one_of("state", RefundState),
    check("amount", "amount_fen > 0"),
    check("two_people", "decided_by <> requested_by"),
    check("booked", "(state IN ('approved', 'paid')) = (entry_id IS NOT NULL)"),
    sa.Index("ix_refund_account", "tenant_id", "account_id", "id"),
    sa.Index("ix_refund_state", "tenant_id", "state"),
)

# What a cashier counted at the end of a day, beside what was recorded then.
day_close = sa.Table(
    "day_close",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("on_date", sa.Date, primary_key=True),
    sa.Column("method", sa.Text, primary_key=True),
    integer("recorded_fen"),
    integer("counted_fen"),
    text("note"),
    reference("closed_by", nullable=True),
    integer("closed_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "closed_by"),
    one_of("method", Method),
)

# What being late costs at a site, from a day on; the newest rule up to a due date holds for it.
late_fee_rule = sa.Table(
    "late_fee_rule",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("from_on", sa.Date, primary_key=True),
    document("rule"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "recorded_by"),
)

# On which days overdue a site reminds.
dunning_schedule = sa.Table(
    "dunning_schedule",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    document("days"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "recorded_by"),
)

# Accounts nobody is to remind before a day: a dispute, a promise to pay.
dunning_pause = sa.Table(
    "dunning_pause",
    metadata,
    tenant(),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    day("until_on"),
    text("reason"),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("account", "account_id"),
    refers("app_user", "recorded_by"),
)

ledger_account = sa.Table(
    "ledger_account",
    metadata,
    tenant(),
    sa.Column("code", sa.Text, primary_key=True),
    text("name"),
    refers("tenant", to=()),
)

ledger_entry = sa.Table(
    "ledger_entry",
    metadata,
    tenant(),
    identity(),
    text("kind"),
    day("occurred_on"),
    integer("posted_at_ms"),
    reference("invoice_id", nullable=True),
    text("memo"),
    refers("tenant", to=()),
    refers("invoice", "invoice_id"),
    sa.Index("ix_ledger_entry_invoice", "tenant_id", "invoice_id"),
    sa.Index("ix_ledger_entry_posted", "tenant_id", "posted_at_ms"),
)

posting = sa.Table(
    "posting",
    metadata,
    tenant(),
    sa.Column("entry_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("posting_no", sa.Integer, primary_key=True, autoincrement=False),
    text("ledger_account"),
    reference("account_id", nullable=True),
    # Signed: debit positive, credit negative; the postings of an entry sum to zero.
    integer("amount_fen"),
    refers("ledger_entry", "entry_id"),
    refers("ledger_account", "ledger_account", to=("code",)),
    refers("account", "account_id"),
    check("amount", "amount_fen <> 0"),
    # Both with the sum, so that balances are added up from the index alone.
    sa.Index("ix_posting_balance", "tenant_id", "account_id", "ledger_account", "amount_fen"),
    sa.Index("ix_posting_sum", "tenant_id", "ledger_account", "amount_fen"),
)
