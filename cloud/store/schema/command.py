"""Tables of commands: one row a command, and one a step of its life, which is never changed."""

import sqlalchemy as sa

from cloud.domain.command import Purpose
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
    unique,
)
from protocol.command import Action, CommandState

command = sa.Table(
    "command",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("gateway_id"),
    text("device_code"),
    text("action"),
    document("parameters"),
    text("purpose"),
    text("reason"),
    reference("actor_id"),
    # Rises with every command to the gateway; the box refuses one that does not.
    integer("counter"),
    text("state"),
    text("detail"),
    integer("requested_at_ms"),
    integer("sent_at_ms", nullable=True),
    integer("ended_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("gateway", "gateway_id"),
    refers("app_user", "actor_id"),
    unique("gateway_id", "counter"),
    one_of("action", Action),
    one_of("purpose", Purpose),
    one_of("state", CommandState),
    sa.Index("ix_command_site", "tenant_id", "site_id", "requested_at_ms"),
    sa.Index("ix_command_state", "tenant_id", "state", "requested_at_ms"),
)

command_step = sa.Table(
    "command_step",
    metadata,
    tenant(),
    sa.Column("command_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("step_no", sa.Integer, primary_key=True, autoincrement=False),
    integer("at_ms"),
    text("state"),
    text("detail"),
    integer("by_edge_at_ms", nullable=True),
    # The box's signature under the last step; none from a box that does not sign yet.
    text("statement", nullable=True),
    text("signature", nullable=True),
    text("key_hash", nullable=True),
    refers("command", "command_id"),
    one_of("state", CommandState),
)
