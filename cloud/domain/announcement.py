"""An announcement: what a property tells some of its homes, or its staff, and which of them have read it.

The invariant: whom it was for is settled when it is published and kept; who moves in later is not said
to have been told. It is never rewritten: it is taken back, and another is written.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, AnnouncementId, BuildingId, SiteId

TITLE_LENGTH_MAX = 60  # what a phone shows of a message before it is opened
TEXT_LENGTH_MAX = 4000
BUILDINGS_MAX = 200


class Readers(Enum):
    """Who of those in the place is meant."""

    RESIDENTS = "residents"  # every home
    OWNERS = "owners"  # homes an owner is known to belong to
    TENANTS = "tenants"  # homes a tenant is known to belong to
    STAFF = "staff"  # who works for the property; no home


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom it is for: readers, narrowed to buildings, and in one building to a unit or a riser.

    No building means the whole site. A riser is the homes above each other at one number of a landing.
    """

    readers: Readers = Readers.RESIDENTS
    building_ids: frozenset[BuildingId] = frozenset()
    unit_code: str = ""
    riser: str = ""

    def __post_init__(self) -> None:
        if (self.unit_code or self.riser) and len(self.building_ids) != 1:
            raise Invalid("a unit or a riser is part of one building: name exactly one")
        if self.readers is Readers.STAFF and self.building_ids:
            raise Invalid("staff belong to the site: name no building")
        if len(self.building_ids) > BUILDINGS_MAX:
            raise Invalid(f"{len(self.building_ids)} buildings, expected up to {BUILDINGS_MAX}")


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement; `home_count` homes were told, `read_count` of them have opened it."""

    announcement_id: AnnouncementId
    site_id: SiteId
    title: str
    text: str
    audience: Audience
    is_urgent: bool
    written_by: str
    published_at_ms: int
    until_on: date | None
    withdrawn_at_ms: int | None
    home_count: int
    read_count: int


@dataclass(frozen=True, slots=True)
class OwnAnnouncement:
    """An announcement as one of its readers has it."""

    announcement: Announcement
    read_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an audience would reach: homes by code, and those of them nobody signs in for."""

    codes: tuple[str, ...]
    account_ids: tuple[AccountId, ...] = field(repr=False)
    silent_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """One home, and when somebody there first opened the announcement."""

    account_id: AccountId
    number: str
    space_code: str
    read_at_ms: int | None


def riser_of(space_code: str, floor: int) -> str:
    """Return the number of a home's riser: `2-1203` on floor 12 hangs on riser 03; nothing if it has none."""
    door = space_code.rpartition("-")[2]
    level = str(floor)
    if not (door.isascii() and door.isdecimal() and door.startswith(level)):
        return ""
    return door[len(level) :]


def in_natural_order(codes: Iterable[str]) -> list[str]:
    """Return codes of homes as people count them: 1-201 before 1-1001."""
    return sorted(codes, key=lambda code: [(len(part), part) for part in code.split("-")])
