"""The table of goods slips; a slip's code is sealed and found by its blind index."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    check,
    document,
    identity,
    integer,
    metadata,
    reference,
    refers,
    tenant,
    text,
    unique,
)

goods_slip = sa.Table(
    "goods_slip",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("account_id"),
    # [[what, how many], …]
    document("items"),
    text("note"),
    integer("from_ms"),
    integer("until_ms"),
    integer("asked_at_ms"),
    reference("asked_by", nullable=True),
    integer("decided_at_ms", nullable=True),
    reference("decided_by", nullable=True),
    sa.Column("is_approved", sa.Boolean, nullable=True),
    text("refusal"),
    sa.Column("code_sealed", sa.LargeBinary, nullable=True),
    # Emptied when the goods are out, so that the digits can be given again.
    text("code_blind", nullable=True),
    integer("released_at_ms", nullable=True),
    reference("released_by", nullable=True),
    text("gate_note"),
    integer("withdrawn_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("account", "account_id"),
    refers("app_user", "asked_by"),
    refers("app_user", "decided_by"),
    refers("app_user", "released_by"),
    unique("site_id", "code_blind"),
    check("times", "until_ms > from_ms"),
    check("decided", "(is_approved IS NULL) = (decided_at_ms IS NULL)"),
    check("released", "released_at_ms IS NULL OR (is_approved AND withdrawn_at_ms IS NULL)"),
    sa.Index("ix_goods_slip_site", "tenant_id", "site_id", "until_ms"),
    sa.Index("ix_goods_slip_account", "tenant_id", "account_id"),
)
