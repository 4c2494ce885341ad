"""Tables of what is told to other systems: receivers, and messages until they are heard."""

import sqlalchemy as sa

from cloud.domain.webhook import DeliveryState, WebhookEvent
from cloud.store.schema.columns import (
    document,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    tenant,
    text,
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
