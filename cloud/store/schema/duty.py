"""Tables of who is on duty: posts, whose turns they are, and swaps."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    check,
    day,
    document,
    identity,
    integer,
    metadata,
    reference,
    refers,
    small,
    tenant,
    text,
)

duty_post = sa.Table(
    "duty_post",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    small("circle"),
    document("weekdays"),
    small("from_minute"),
    small("to_minute"),
    small("turn_days"),
    day("starts_on"),
    integer("created_at_ms"),
    integer("ended_at_ms", nullable=True),
    refers("site", "site_id"),
    check("circle", "circle BETWEEN 1 AND 3"),
    check("turn_days", "turn_days BETWEEN 1 AND 28"),
    sa.Index("ix_duty_post_site", "tenant_id", "site_id"),
)

duty_rota = sa.Table(
    "duty_rota",
    metadata,
    tenant(),
    sa.Column("post_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("position", sa.SmallInteger, primary_key=True, autoincrement=False),
    reference("user_id"),
    refers("duty_post", "post_id"),
    refers("app_user", "user_id"),
)

# One day of a post is swapped once; swapped again, the row says the last word, the audit log all of them.
duty_swap = sa.Table(
    "duty_swap",
    metadata,
    tenant(),
    sa.Column("post_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("turn_on", sa.Date, primary_key=True),
    reference("user_id"),
    reference("swapped_by", nullable=True),
    text("reason"),
    integer("swapped_at_ms"),
    refers("duty_post", "post_id"),
    refers("app_user", "user_id"),
    refers("app_user", "swapped_by"),
)
