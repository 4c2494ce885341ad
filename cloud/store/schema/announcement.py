"""Tables of announcements: what was said, which homes it was for, and who has opened it."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
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
)

announcement = sa.Table(
    "announcement",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("title"),
    text("text"),
    # Readers, buildings, unit, riser: as it was chosen; whom that meant then is in the homes below.
    document("audience"),
    flag("is_urgent"),
    reference("written_by", nullable=True),
    integer("published_at_ms"),
    day("until_on", nullable=True),
    integer("withdrawn_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("app_user", "written_by"),
    check("withdrawn_later", "withdrawn_at_ms IS NULL OR withdrawn_at_ms >= published_at_ms"),
    sa.Index("ix_announcement_site", "tenant_id", "site_id", "id"),
)

announcement_home = sa.Table(
    "announcement_home",
    metadata,
    tenant(),
    sa.Column("announcement_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("account_id", sa.Uuid(as_uuid=False), primary_key=True),
    # When its notice was handed to the outbox; None: still to come.
    integer("told_at_ms", nullable=True),
    refers("announcement", "announcement_id"),
    refers("account", "account_id"),
    sa.Index("ix_announcement_home_account", "tenant_id", "account_id"),
    sa.Index(
        "ix_announcement_home_untold",
        "tenant_id",
        sqlite_where=sa.text("told_at_ms IS NULL"),
        postgresql_where=sa.text("told_at_ms IS NULL"),
    ),
)

announcement_read = sa.Table(
    "announcement_read",
    metadata,
    tenant(),
    sa.Column("announcement_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    integer("read_at_ms"),
    refers("announcement", "announcement_id"),
    refers("app_user", "user_id"),
)
