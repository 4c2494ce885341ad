"""Tables of configurations: one row a number of a gateway, and one a step, which is never changed."""

import sqlalchemy as sa

from cloud.store.schema.columns import (
    document,
    identity,
    integer,
    metadata,
    one_of,
    reference,
    refers,
    small,
    tenant,
    text,
    unique,
)
from protocol.configuration import ConfigurationState

configuration = sa.Table(
    "configuration",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    # Rises with every configuration of the gateway, which takes none that does not.
    integer("number"),
    text("state"),
    text("body"),
    document("profiles"),
    text("digest"),
    text("note"),
    small("watch_s"),
    integer("based_on", nullable=True),
    reference("author_id", nullable=True),
    integer("created_at_ms"),
    integer("changed_at_ms"),
    refers("gateway", "gateway_id"),
    refers("app_user", "author_id"),
    unique("gateway_id", "number"),
    one_of("state", ConfigurationState),
    sa.Index("ix_configuration_digest", "tenant_id", "gateway_id", "digest"),
)

configuration_step = sa.Table(
    "configuration_step",
    metadata,
    tenant(),
    sa.Column("configuration_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("step_no", sa.Integer, primary_key=True, autoincrement=False),
    integer("at_ms"),
    text("state"),
    document("reasons"),
    reference("actor_id", nullable=True),
    integer("by_edge_at_ms", nullable=True),
    refers("configuration", "configuration_id"),
    refers("app_user", "actor_id"),
    one_of("state", ConfigurationState),
)
