"""Tables of patrols: routes, their checkpoints, who was there, and the rounds that were judged."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    check,
    document,
    identity,
    integer,
    metadata,
    reference,
    refers,
    small,
    tenant,
    text,
    unique,
)

patrol_route = sa.Table(
    "patrol_route",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    document("weekdays"),
    document("starts"),
    small("minutes"),
    integer("created_at_ms"),
    integer("ended_at_ms", nullable=True),
    refers("site", "site_id"),
    check("minutes", "minutes BETWEEN 5 AND 480"),
    sa.Index("ix_patrol_route_site", "tenant_id", "site_id"),
)

patrol_checkpoint = sa.Table(
    "patrol_checkpoint",
    metadata,
    tenant(),
    identity(),
    reference("route_id"),
    small("position"),
    text("name"),
    # What the sticker says: long enough that nobody makes one up.
    text("tag"),
    reference("entrance_id", nullable=True),
    refers("patrol_route", "route_id"),
    refers("entrance", "entrance_id"),
    unique("tag"),
    unique("route_id", "position"),
)

patrol_mark = sa.Table(
    "patrol_mark",
    metadata,
    tenant(),
    identity(),
    reference("checkpoint_id"),
    reference("user_id"),
    integer("at_ms"),
    refers("patrol_checkpoint", "checkpoint_id"),
    refers("app_user", "user_id"),
    sa.Index("ix_patrol_mark_checkpoint", "tenant_id", "checkpoint_id", "at_ms"),
)

# A round is judged once, so that what was missed is told once.
patrol_round = sa.Table(
    "patrol_round",
    metadata,
    tenant(),
    sa.Column("route_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("begins_at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    small("missing"),
    integer("judged_at_ms"),
    refers("patrol_route", "route_id"),
)
