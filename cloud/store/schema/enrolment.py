"""Tables of who a gateway is: one-time tokens, certificates given, and which of them still count."""

import sqlalchemy as sa

from cloud.domain.gateway import Doubt
from cloud.store.schema.columns import (
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

gateway_enrolment = sa.Table(
    "gateway_enrolment",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    text("secret_hash"),  # SHA-256 hex; the secret is told once
    reference("offered_by", nullable=True),
    integer("offered_at_ms"),
    integer("expires_at_ms"),
    integer("withdrawn_at_ms", nullable=True),
    small("failures"),
    integer("used_at_ms", nullable=True),
    text("key_hash", nullable=True),  # SHA-256 hex of the public key that used it
    refers("gateway", "gateway_id"),
    sa.Index("ix_gateway_enrolment_gateway", "tenant_id", "gateway_id", "offered_at_ms"),
)

gateway_certificate = sa.Table(
    "gateway_certificate",
    metadata,
    tenant(),
    identity(),
    reference("gateway_id"),
    text("serial"),
    text("key_hash"),
    text("pem"),
    integer("issued_at_ms"),
    integer("not_before_ms"),
    integer("expires_at_ms"),
    refers("gateway", "gateway_id"),
    unique("serial"),
    sa.Index("ix_gateway_certificate_key", "tenant_id", "gateway_id", "key_hash"),
)

# One row a gateway that has enrolled. A certificate counts by when it begins, not by being listed: after
# a restore from a backup one that was given since is still ours, and newer than what we know.
gateway_identity = sa.Table(
    "gateway_identity",
    metadata,
    tenant(),
    sa.Column("gateway_id", sa.Uuid(as_uuid=False), primary_key=True),
    text("serial"),
    integer("floor_ms"),  # when the box enrolled: what begins before was another box's
    integer("newest_ms"),  # when the newest that was used begins; older ones have a short time left
    integer("newest_since_ms"),
    integer("expires_at_ms"),
    text("lease", nullable=True),
    text("lease_before"),
    text("boot_id"),
    text("boot_id_before"),
    integer("leased_at_ms"),
    text("doubt", nullable=True),
    integer("doubted_at_ms", nullable=True),
    refers("gateway", "gateway_id"),
    one_of("doubt", Doubt),
)
