"""The table of who is not let in; plates are sealed, and found by the same blind index as visits'."""

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
)

barring = sa.Table(
    "barring",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    sa.Column("plate_sealed", sa.LargeBinary, nullable=True),
    text("plate_blind", nullable=True),
    text("reason"),
    integer("until_ms", nullable=True),
    integer("barred_at_ms"),
    reference("barred_by", nullable=True),
    integer("lifted_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("app_user", "barred_by"),
    check("somebody", "name <> '' OR plate_blind IS NOT NULL"),
    sa.Index("ix_barring_site", "tenant_id", "site_id"),
)
