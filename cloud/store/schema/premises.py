"""Tables of what there is to serve: sites, buildings, spaces, accounts, and the places billed."""

import sqlalchemy as sa

from cloud.domain.premises import Commodity, ServicePointKind, SpaceKind
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

site = sa.Table(
    "site",
    metadata,
    tenant(),
    identity(),
    text("code"),
    text("name"),
    text("time_zone"),
    text("address"),
    refers("tenant", to=()),
    unique("code"),
)

building = sa.Table(
    "building",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("code"),
    text("name"),
    integer("floors"),
    refers("site", "site_id"),
    unique("site_id", "code"),
)

space = sa.Table(
    "space",
    metadata,
    tenant(),
    identity(),
    reference("building_id"),
    text("code"),
    text("unit_code"),
    integer("floor"),
    text("kind"),
    # Square decimetres: 89.60 m2 is 8960.
    integer("built_area_dm2"),
    refers("building", "building_id"),
    unique("building_id", "code"),
    one_of("kind", SpaceKind),
    check("area", "built_area_dm2 >= 0"),
)

account = sa.Table(
    "account",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    text("number"),
    text("holder_name"),
    reference("space_id", nullable=True),
    integer("household_size"),
    day("opened_on"),
    day("closed_on", nullable=True),
    refers("site", "site_id"),
    refers("space", "space_id"),
    unique("site_id", "number"),
    check("household", "household_size >= 0"),
    check("dates", "closed_on IS NULL OR closed_on > opened_on"),
    sa.Index("ix_account_space", "tenant_id", "space_id"),
)

service_point = sa.Table(
    "service_point",
    metadata,
    tenant(),
    identity(),
    reference("site_id"),
    reference("space_id", nullable=True),
    text("code"),
    text("commodity"),
    text("kind"),
    refers("site", "site_id"),
    refers("space", "space_id"),
    unique("site_id", "code"),
    one_of("commodity", Commodity),
    one_of("kind", ServicePointKind),
    check("flat_has_space", "kind <> 'flat' OR space_id IS NOT NULL"),
    sa.Index("ix_service_point_space", "tenant_id", "space_id"),
)

supply = sa.Table(
    "supply",
    metadata,
    tenant(),
    identity(),
    reference("account_id"),
    reference("service_point_id"),
    text("tariff_code"),
    # Half-open: the day `to_on` is no longer supplied.
    day("from_on"),
    day("to_on", nullable=True),
    refers("account", "account_id"),
    refers("service_point", "service_point_id"),
    unique("service_point_id", "tariff_code", "from_on"),
    check("dates", "to_on IS NULL OR to_on > from_on"),
    sa.Index("ix_supply_account", "tenant_id", "account_id"),
)
