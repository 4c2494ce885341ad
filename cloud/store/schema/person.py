"""Tables of people: who they are, where they live, their vehicles, what they agreed to and asked for.

Sealed columns hold what `cloud.store.sealing` makes; `_blind` ones find an exact number.
"""

import sqlalchemy as sa

from cloud.domain.person import ConsentPurpose, Relation, RequestKind
from cloud.store.schema.columns import (
    check,
    day,
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


def _sealed(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=True)


# The company's own key, wrapped; without this row everything it sealed is gone.
tenant_key = sa.Table(
    "tenant_key",
    metadata,
    tenant(),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    integer("created_at_ms"),
    refers("tenant", to=()),
)

person = sa.Table(
    "person",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    _sealed("phone_sealed"),
    text("phone_blind", nullable=True),
    _sealed("identity_sealed"),
    text("identity_blind", nullable=True),
    text("note"),
    reference("user_id", nullable=True),
    integer("created_at_ms"),
    integer("erased_at_ms", nullable=True),
    refers("site", "site_id"),
    refers("app_user", "user_id"),
    unique("site_id", "identity_blind"),
    unique("user_id"),
    sa.Index("ix_person_phone", "tenant_id", "phone_blind"),
    sa.Index("ix_person_site", "tenant_id", "site_id", "name"),
)

occupancy = sa.Table(
    "occupancy",
    metadata,
    tenant(),
    identity(),
    reference("person_id"),
    reference("space_id"),
    text("relation"),
    day("from_on"),
    day("to_on", nullable=True),
    refers("person", "person_id"),
    refers("space", "space_id"),
    unique("person_id", "space_id", "from_on"),
    one_of("relation", Relation),
    check("dates", "to_on IS NULL OR to_on >= from_on"),
    sa.Index("ix_occupancy_space", "tenant_id", "space_id"),
)

vehicle = sa.Table(
    "vehicle",
    metadata,
    tenant(),
    identity(),
    reference("person_id"),
    _sealed("plate_sealed"),
    text("plate_blind", nullable=True),
    text("label"),
    integer("removed_at_ms", nullable=True),
    refers("person", "person_id"),
    sa.Index("ix_vehicle_plate", "tenant_id", "plate_blind"),
    sa.Index("ix_vehicle_person", "tenant_id", "person_id"),
)

consent = sa.Table(
    "consent",
    metadata,
    tenant(),
    identity(),
    reference("person_id"),
    text("purpose"),
    integer("given_at_ms"),
    integer("withdrawn_at_ms", nullable=True),
    text("how"),
    reference("recorded_by", nullable=True),
    refers("person", "person_id"),
    refers("app_user", "recorded_by"),
    one_of("purpose", ConsentPurpose),
    sa.Index("ix_consent_person", "tenant_id", "person_id"),
)

privacy_request = sa.Table(
    "privacy_request",
    metadata,
    tenant(),
    identity(),
    reference("person_id"),
    text("kind"),
    integer("asked_at_ms"),
    integer("done_at_ms", nullable=True),
    text("outcome"),
    refers("person", "person_id"),
    one_of("kind", RequestKind),
    sa.Index("ix_privacy_request_open", "tenant_id", "done_at_ms"),
)
