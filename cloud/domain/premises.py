"""Places: a site has buildings, a building has spaces, and a service point is where a meter is billed.

The invariant: a place is not a person. An account (who pays) is tied to a service point by a supply
with dates, so that people can change without the place losing its history.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import AccountId, BuildingId, ServicePointId, SiteId, SpaceId


class SpaceKind(Enum):
    """What a space is used for."""

    FLAT = "flat"
    PARKING = "parking"
    PUBLIC = "public"
    SHOP = "shop"


class Commodity(Enum):
    """What is supplied and metered."""

    ELECTRICITY = "electricity"
    WATER = "water"


class ServicePointKind(Enum):
    """Whose usage a service point measures."""

    FLAT = "flat"  # one space's own
    MASTER = "master"  # a whole building's: the sum others must add up to
    PUBLIC = "public"  # the common parts'


@dataclass(frozen=True, slots=True)
class Site:
    """A community. `time_zone` is an IANA name; every local date of the site is meant in it."""

    site_id: SiteId
    code: str
    name: str
    time_zone: str
    address: str


@dataclass(frozen=True, slots=True)
class Building:
    """One building of a site."""

    building_id: BuildingId
    site_id: SiteId
    code: str
    name: str
    floors: int


@dataclass(frozen=True, slots=True)
class Space:
    """A flat, shop, parking place or common part; `code` is what people call it: `1-101`."""

    space_id: SpaceId
    building_id: BuildingId
    code: str
    unit_code: str
    floor: int
    kind: SpaceKind
    built_area_dm2: int


@dataclass(frozen=True, slots=True)
class ServicePoint:
    """A place where one commodity is measured; `space_id` is None for what serves no single space."""

    service_point_id: ServicePointId
    site_id: SiteId
    space_id: SpaceId | None
    code: str
    commodity: Commodity
    kind: ServicePointKind


@dataclass(frozen=True, slots=True)
class SpaceState:
    """A space and what is not normal there, for the picture of a building.

    `meters_overdue` have given no value for longer than they should; `meters_held` show one that a
    person must decide about. `holder_name` is empty where nobody's account belongs to the space.
    """

    space: Space
    account_id: AccountId | None
    holder_name: str
    meters_total: int
    meters_overdue: int
    meters_held: int
    alarms_open: int
