"""Tables of what there is to serve: sites, buildings, spaces, accounts, and the places billed."""

import sqlalchemy as sa

from cloud.domain.premises import Commodity, ServicePointKind, SpaceKind
from cloud.domain.space_history import Orientation, SpaceStatus, SpaceUse
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
    # Square decimetres: 89.60 m2 is 8960. As it is today; what it was on a day is in `space_version`.
    integer("built_area_dm2"),
    refers("building", "building_id"),
    unique("building_id", "code"),
    one_of("kind", SpaceKind),
    check("area", "built_area_dm2 >= 0"),
)

# What a space is like from a day on. Of several versions of one day the last number counts.
space_version = sa.Table(
    "space_version",
    metadata,
    tenant(),
    sa.Column("space_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    day("from_on"),
    integer("built_area_dm2"),
    integer("inner_area_dm2", nullable=True),
    text("layout"),
    text("orientation", nullable=True),
    text("use"),
    text("title_number"),
    # NULL: it follows from whether an account is open.
    text("status", nullable=True),
    day("handed_over_on", nullable=True),
    text("reason"),
    integer("recorded_at_ms"),
    reference("recorded_by", nullable=True),
    refers("space", "space_id"),
    refers("app_user", "recorded_by"),
    one_of("orientation", Orientation),
    one_of("use", SpaceUse),
    one_of("status", SpaceStatus),
    check("area", "built_area_dm2 >= 0 AND (inner_area_dm2 IS NULL OR inner_area_dm2 <= built_area_dm2)"),
)

# An attachment: a title deed, a manual. Taken back, it is no longer shown and still kept.
attachment = sa.Table(
    "attachment",
    metadata,
    tenant(),
    identity(),
    # Of a list that grows with what may have some, so not CHECKed here.
    text("subject_kind"),
    reference("subject_id"),
    text("title"),
    text("media_type"),
    text("sha256"),
    sa.Column("content", sa.LargeBinary, nullable=False),
    integer("size_bytes"),
    integer("added_at_ms"),
    reference("added_by", nullable=True),
    integer("withdrawn_at_ms", nullable=True),
    reference("withdrawn_by", nullable=True),
    refers("app_user", "added_by"),
    refers("app_user", "withdrawn_by"),
    unique("subject_kind", "subject_id", "sha256"),
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
