"""Tables of the doors people pass: entrances, access groups, badges, and what happened at them.

A badge's number is not here: `token` is a keyed hash of it, under a key of each site that is sealed.
"""

import sqlalchemy as sa

from cloud.domain.entry import Covers, PassageOutcome
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
from protocol.access import BadgeKind

# One row a site: the key of its tokens, and the number that rises with every change of who may pass.
site_access = sa.Table(
    "site_access",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("key_sealed", sa.LargeBinary, nullable=False),
    integer("revision"),
    integer("changed_at_ms"),
    refers("site", "site_id"),
)

entrance = sa.Table(
    "entrance",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("gateway_id"),
    text("name"),
    text("device_code"),
    document("readers"),
    integer("created_at_ms"),
    integer("removed_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("gateway", "gateway_id"),
    sa.Index("ix_entrance_site", "tenant_id", "site_id"),
    sa.Index(
        "uq_entrance_lock",
        "tenant_id",
        "gateway_id",
        "device_code",
        unique=True,
        sqlite_where=sa.text("removed_at_ms IS NULL"),
        postgresql_where=sa.text("removed_at_ms IS NULL"),
    ),
)

access_group = sa.Table(
    "access_group",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    text("covers"),
    reference("building_id", nullable=True),
    document("windows"),
    integer("created_at_ms"),
    integer("removed_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("building", "building_id"),
    one_of("covers", Covers),
    sa.Index("ix_access_group_site", "tenant_id", "site_id"),
)

access_group_entrance = sa.Table(
    "access_group_entrance",
    metadata,
    tenant(),
    sa.Column("group_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("entrance_id", sa.Uuid(as_uuid=False), primary_key=True),
    refers("access_group", "group_id"),
    refers("entrance", "entrance_id"),
)

badge = sa.Table(
    "badge",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("kind"),
    text("label"),
    reference("account_id", nullable=True),
    text("token"),
    text("ends"),
    sa.Column("code_sealed", sa.LargeBinary, nullable=True),
    integer("from_ms", nullable=True),
    integer("until_ms", nullable=True),
    reference("issued_by", nullable=True),
    integer("created_at_ms"),
    integer("lost_at_ms", nullable=True),
    integer("ended_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("account", "account_id"),
    refers("app_user", "issued_by"),
    one_of("kind", BadgeKind),
    check("times", "until_ms IS NULL OR from_ms IS NULL OR until_ms > from_ms"),
    sa.Index("ix_badge_account", "tenant_id", "account_id"),
    # A card given back may be given to somebody else.
    sa.Index(
        "uq_badge_token",
        "tenant_id",
        "site_id",
        "token",
        unique=True,
        sqlite_where=sa.text("ended_at_ms IS NULL"),
        postgresql_where=sa.text("ended_at_ms IS NULL"),
    ),
)

badge_group = sa.Table(
    "badge_group",
    metadata,
    tenant(),
    sa.Column("badge_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("group_id", sa.Uuid(as_uuid=False), primary_key=True),
    refers("badge", "badge_id"),
    refers("access_group", "group_id"),
)

passage = sa.Table(
    "passage",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("gateway_id"),
    reference("entrance_id", nullable=True),
    text("device_code"),
    # From the box's event or from a command; once each.
    reference("event_id", nullable=True),
    reference("command_id", nullable=True),
    reference("badge_id", nullable=True),
    reference("visit_id", nullable=True),
    reference("user_id", nullable=True),
    integer("occurred_at_ms"),
    text("outcome"),
    text("reason"),
    text("kind"),
    text("ends"),
    text("token"),
    refers("site", "site_id"),
    refers("gateway", "gateway_id"),
    refers("entrance", "entrance_id"),
    refers("badge", "badge_id"),
    refers("visit", "visit_id"),
    refers("app_user", "user_id"),
    unique("command_id"),
    one_of("outcome", PassageOutcome),
    sa.Index("ix_passage_site", "tenant_id", "site_id", "occurred_at_ms"),
)
