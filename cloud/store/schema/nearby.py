"""The table of what is near a site."""

import sqlalchemy as sa

from cloud.domain.nearby import NearbyCategory
from cloud.store.schema.columns import (
    identity,
    metadata,
    one_of,
    reference,
    refers,
    small,
    tenant,
    text,
)

nearby_service = sa.Table(
    "nearby_service",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("name"),
    text("category"),
    text("phone"),
    text("address"),
    text("hours"),
    text("note"),
    small("position"),
    refers("site", "site_id"),
    one_of("category", NearbyCategory),
    sa.Index("ix_nearby_service_site", "tenant_id", "site_id"),
)
