"""The table of visits; codes and plates are sealed, and found by their blind index."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    check,
    identity,
    integer,
    metadata,
    reference,
    refers,
    tenant,
    text,
    unique,
)

visit = sa.Table(
    "visit",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("account_id"),
    reference("space_id", nullable=True),
    reference("host_id"),
    text("name"),
    sa.Column("plate_sealed", sa.LargeBinary, nullable=True),
    text("plate_blind", nullable=True),
    sa.Column("code_sealed", sa.LargeBinary, nullable=True),
    text("code_blind", nullable=True),
    integer("from_ms"),
    integer("until_ms"),
    integer("created_at_ms"),
    integer("arrived_at_ms", nullable=True),
    reference("admitted_by", nullable=True),
    integer("cancelled_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("account", "account_id"),
    refers("space", "space_id"),
    refers("app_user", "host_id"),
    refers("app_user", "admitted_by"),
    unique("code_blind"),
    check("times", "until_ms > from_ms"),
    check("let_in_once", "arrived_at_ms IS NULL OR cancelled_at_ms IS NULL"),
    sa.Index("ix_visit_site", "tenant_id", "site_id", "until_ms"),
    sa.Index("ix_visit_account", "tenant_id", "account_id"),
)
