"""Tables the doors keep for themselves: requests already answered, and callers that must wait.

Both outlive a restart, or a crash would be a way round them.
"""

import sqlalchemy as sa

from cloud.store.schema.columns import check, flag, integer, metadata, tenant, text

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    tenant(),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # Method, path and body as one SHA-256: the same key with another request is refused.
    text("request_digest"),
    integer("claimed_at_ms"),
    # Of a payment: however late it is sent again, it is the same payment.
    flag("is_permanent"),
    # Both empty while the request is being worked on.
    integer("status", nullable=True),
    sa.Column("answer", sa.LargeBinary, nullable=True),
    check("answered_whole", "(status IS NULL) = (answer IS NULL)"),
    sa.Index("ix_idempotency_key_claimed", "tenant_id", "claimed_at_ms"),
)

rate_limit = sa.Table(
    "rate_limit",
    metadata,
    tenant(),
    # What is limited ("sign_in_login", "sign_in_address"), and whose; a person's name is kept hashed.
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    # The instant at which everything taken so far is paid back.
    integer("due_at_ms"),
    integer("failures"),
    check("failures", "failures >= 0"),
    sa.Index("ix_rate_limit_due", "tenant_id", "due_at_ms"),
)
