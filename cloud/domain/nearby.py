"""A directory of what is near a site: the pharmacy, the school, who mends locks.

The invariant: a phone number has a form that a phone can dial, so a tap calls whoever is named.
"""

import re
from dataclasses import dataclass
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import NearbyServiceId, SiteId

NAME_LENGTH_MAX = 40
TEXT_LENGTH_MAX = 100
NOTE_LENGTH_MAX = 300
POSITION_MAX = 999
# As on a sign: (0769) 2212-3456, +86 138 0013 8000, 110; or none.
PHONE_PATTERN = r"^(\+?[0-9(][0-9 ()-]{1,22}[0-9])?$"


class NearbyCategory(Enum):
    """What kind of service it is, in the order they are listed."""

    HOSPITAL = "hospital"
    PHARMACY = "pharmacy"
    POLICE = "police"
    SUPERMARKET = "supermarket"
    REPAIR = "repair"
    COURIER = "courier"
    SCHOOL = "school"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NearbySaid:
    """What the office says of a service; smaller positions come first within their category."""

    name: str
    category: NearbyCategory
    phone: str = ""
    address: str = ""
    hours: str = ""
    note: str = ""
    position: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= NAME_LENGTH_MAX:
            raise Invalid(
                f"the service's name has {len(self.name)} characters, expected 1 to {NAME_LENGTH_MAX}"
            )
        if not re.fullmatch(PHONE_PATTERN, self.phone):
            raise Invalid(f"{self.phone!r} is no phone number: digits, spaces, hyphens and brackets")
        if not (self.phone or self.address):
            raise Invalid("a nearby service has a phone number or an address, or nobody can reach it")
        if max(len(self.address), len(self.hours)) > TEXT_LENGTH_MAX or len(self.note) > NOTE_LENGTH_MAX:
            raise Invalid(
                f"address and hours have {TEXT_LENGTH_MAX} characters at most, the note {NOTE_LENGTH_MAX}"
            )
        if not 0 <= self.position <= POSITION_MAX:
            raise Invalid(f"the position is {self.position}, expected 0 to {POSITION_MAX}")


@dataclass(frozen=True, slots=True)
class NearbyService:
    """One entry of a site's directory."""

    service_id: NearbyServiceId
    site_id: SiteId
    said: NearbySaid

    @property
    def dialled(self) -> str:
        """Return the number as a phone dials it."""
        return re.sub(r"[^+0-9]", "", self.said.phone)
