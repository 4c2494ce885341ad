"""A venue residents book by the slot: a meeting room, a court, a barbecue place.

The invariant: a slot belongs to one booking. It is a row with the venue and its instant as key, so two who
book at the same moment cannot both have it, whichever database it is.
"""

from dataclasses import dataclass

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, BookingId, SiteId, UserId, VenueId

NAME_LENGTH_MAX = 40
NOTE_LENGTH_MAX = 500
SLOT_MINUTES = (30, 60, 120)
DAY_MINUTES = 24 * 60
AHEAD_DAYS_MAX = 30
SLOTS_AT_ONCE_MAX = 8
# Of one home, still to come: more would take it from the others.
BOOKINGS_OPEN_MAX = 4


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue; hours are minutes of the local day, slots begin with the first."""

    venue_id: VenueId
    site_id: SiteId
    name: str
    note: str
    opens_minute: int
    closes_minute: int
    slot_minutes: int
    closed_at_ms: int | None

    def __post_init__(self) -> None:
        if self.slot_minutes not in SLOT_MINUTES:
            raise Invalid(f"a slot has {self.slot_minutes} minutes, expected 30, 60 or 120")
        if not 0 <= self.opens_minute < self.closes_minute <= DAY_MINUTES:
            raise Invalid("a venue opens before it closes, within one day")
        if (self.closes_minute - self.opens_minute) % self.slot_minutes:
            raise Invalid("the hours of a venue are whole slots")

    def slots(self) -> range:
        """Return the minutes of the local day at which slots begin."""
        return range(self.opens_minute, self.closes_minute, self.slot_minutes)


@dataclass(frozen=True, slots=True)
class Booking:
    """Consecutive slots of a venue for one home."""

    booking_id: BookingId
    venue_id: VenueId
    venue_name: str
    account_id: AccountId
    space_code: str
    booked_by: UserId
    from_ms: int
    until_ms: int
    cancelled_at_ms: int | None
