"""Tables of what is told: other systems and their messages, people and their notices, until heard."""

import sqlalchemy as sa

from cloud.domain.notice import Channel, NoticeState, Topic
from cloud.domain.user import Locale
from cloud.domain.webhook import DeliveryState, WebhookEvent
from cloud.store.schema.columns import (
    check,
    document,
    flag,
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

webhook = sa.Table(
    "webhook",
    metadata,
    tenant(),
    identity(),
    reference("site_id", nullable=True),
    text("url"),
    document("events"),
    text("secret"),
    # Signs beside the new one for a day after an exchange.
    text("previous_secret", nullable=True),
    integer("previous_until_ms", nullable=True),
    integer("created_at_ms"),
    integer("disabled_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("tenant", to=()),
)

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    tenant(),
    identity(),
    reference("webhook_id"),
    text("event"),
    text("state"),
    # The bytes as they are sent, every time.
    sa.Column("body", sa.LargeBinary, nullable=False),
    integer("attempts"),
    integer("created_at_ms"),
    integer("next_attempt_at_ms"),
    integer("finished_at_ms", nullable=True),
    integer("last_status", nullable=True),
    text("last_reply"),
    refers("webhook", "webhook_id"),
    one_of("event", WebhookEvent),
    one_of("state", DeliveryState),
    sa.Index("ix_webhook_delivery_due", "tenant_id", "state", "next_attempt_at_ms"),
    sa.Index("ix_webhook_delivery_webhook", "tenant_id", "webhook_id", "id"),
)

# Where a person can be reached: of an account's people, or of one user.
contact = sa.Table(
    "contact",
    metadata,
    tenant(),
    identity(),
    reference("account_id", nullable=True),
    reference("user_id", nullable=True),
    text("channel"),
    text("address"),
    text("locale"),
    integer("created_at_ms"),
    integer("removed_at_ms", nullable=True),
    refers("account", "account_id"),
    refers("app_user", "user_id"),
    check("owner", "(account_id IS NULL) <> (user_id IS NULL)"),
    check("channel", "channel IN ('email', 'sms')"),
    one_of("locale", Locale),
    sa.Index("ix_contact_account", "tenant_id", "account_id"),
    sa.Index("ix_contact_user", "tenant_id", "user_id"),
)

# Where a site's staff hear of some topics; without a site, of every site's.
notifier = sa.Table(
    "notifier",
    metadata,
    tenant(),
    identity(),
    reference("site_id", nullable=True),
    text("name"),
    text("channel"),
    text("address"),
    document("topics"),
    text("locale"),
    integer("created_at_ms"),
    integer("disabled_at_ms", nullable=True),
    refers("site", "site_id"),
    one_of("channel", Channel),
    one_of("locale", Locale),
)

# When a site rings nobody for what is not urgent, in minutes of its day; without values never.
quiet_hours = sa.Table(
    "quiet_hours",
    metadata,
    tenant(),
    sa.Column("site_id", sa.Uuid(as_uuid=False), primary_key=True),
    integer("from_minute", nullable=True),
    integer("until_minute", nullable=True),
    reference("recorded_by", nullable=True),
    integer("recorded_at_ms"),
    refers("site", "site_id"),
    refers("app_user", "recorded_by"),
    check("both", "(from_minute IS NULL) = (until_minute IS NULL)"),
    check("minutes", "from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439"),
    check("apart", "from_minute <> until_minute"),
)

# What somebody should hear of, once: the key is made by whoever sends it.
notice = sa.Table(
    "notice",
    metadata,
    tenant(),
    identity(),
    text("topic"),
    text("key"),
    # Groups what is withdrawn together once it no longer holds.
    text("about"),
    reference("account_id", nullable=True),
    reference("user_id", nullable=True),
    reference("site_id", nullable=True),
    document("words"),
    text("link"),
    flag("is_urgent"),
    integer("created_at_ms"),
    # Of the time before readers were told apart: then somebody had looked at it. Written no more.
    integer("read_at_ms", nullable=True),
    integer("withdrawn_at_ms", nullable=True),
    refers("account", "account_id"),
    refers("app_user", "user_id"),
    refers("site", "site_id"),
    unique("key"),
    one_of("topic", Topic),
    sa.Index("ix_notice_about", "tenant_id", "about"),
    sa.Index("ix_notice_account", "tenant_id", "account_id", "id"),
    sa.Index("ix_notice_user", "tenant_id", "user_id", "id"),
    sa.Index("ix_notice_site", "tenant_id", "site_id", "id"),
)

# Who has looked at it, each for themselves: what one guard has read is news to the next.
notice_read = sa.Table(
    "notice_read",
    metadata,
    tenant(),
    sa.Column("notice_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("user_id", sa.Uuid(as_uuid=False), primary_key=True),
    integer("read_at_ms"),
    refers("notice", "notice_id"),
    refers("app_user", "user_id"),
)

notice_delivery = sa.Table(
    "notice_delivery",
    metadata,
    tenant(),
    identity(),
    reference("notice_id"),
    text("channel"),
    text("address"),
    # As it is said, every time.
    text("title"),
    text("text"),
    text("state"),
    integer("attempts"),
    integer("created_at_ms"),
    integer("next_attempt_at_ms"),
    integer("finished_at_ms", nullable=True),
    text("last_reply"),
    refers("notice", "notice_id"),
    one_of("channel", Channel),
    one_of("state", NoticeState),
    unique("notice_id", "channel", "address"),
    sa.Index("ix_notice_delivery_due", "tenant_id", "state", "next_attempt_at_ms"),
)
