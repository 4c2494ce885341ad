"""Venues: a manager offers them, residents book slots for their homes; nobody books what is taken."""

from datetime import date, timedelta

from cloud.domain.access import Action, may, require, require_account
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, BookingId, SiteId, VenueId
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.user import User
from cloud.domain.venue import (
    AHEAD_DAYS_MAX,
    BOOKINGS_OPEN_MAX,
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    SLOTS_AT_ONCE_MAX,
    Booking,
    Venue,
)
from cloud.services.premises import site_of
from cloud.store import audit, people, venues
from cloud.store.db import Tx

_VENUES_MAX = 50
_MINUTE_MS = 60_000


def add_venue(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    opens_minute: int,
    closes_minute: int,
    slot_minutes: int,
    note: str = "",
) -> Venue:
    """Offer a venue."""
    require(actor, Action.MANAGE_COMMUNITY)
    site_of(tx, site_id)
    said = " ".join(name.split())
    if not 1 <= len(said) <= NAME_LENGTH_MAX or len(note) > NOTE_LENGTH_MAX:
        raise Invalid(
            f"a venue's name has 1 to {NAME_LENGTH_MAX} characters, its note {NOTE_LENGTH_MAX} at most"
        )
    if len(venues.list_venues(tx, site_id)) >= _VENUES_MAX:
        raise Conflict(f"there are {_VENUES_MAX} venues already: close one that is not used")
    venue_id = VenueId(tx.new_id())
    added = Venue(venue_id, site_id, said, note.strip(), opens_minute, closes_minute, slot_minutes, None)
    venues.insert_venue(tx, added)
    audit.record(tx, actor.user_id, "add_venue", "venue", added.venue_id, {"name": said})
    return added


def close_venue(tx: Tx, actor: User, venue_id: VenueId) -> None:
    """Let nobody book it any more; what is booked stands."""
    require(actor, Action.MANAGE_COMMUNITY)
    _found(tx, venue_id)
    if not venues.close_venue(tx, venue_id):
        raise Conflict("the venue was closed already")
    audit.record(tx, actor.user_id, "close_venue", "venue", venue_id)


def list_venues(tx: Tx, actor: User, site_id: SiteId) -> list[Venue]:
    """Return a site's venues by name."""
    require(actor, Action.USE_COMMUNITY if not may(actor, Action.READ_COMMUNITY) else Action.READ_COMMUNITY)
    site_of(tx, site_id)
    return venues.list_venues(tx, site_id)


def bookings_on(tx: Tx, actor: User, venue_id: VenueId, on: date) -> list[Booking]:
    """Return who has booked a venue on a day."""
    require(actor, Action.READ_COMMUNITY)
    found = _found(tx, venue_id)
    return venues.bookings_of_venue(tx, venue_id, *_day_ms(tx, found, on))


def free_slots(tx: Tx, actor: User, venue_id: VenueId, on: date) -> list[int]:
    """Return the instants at which slots begin that can still be booked on a day."""
    require(actor, Action.USE_COMMUNITY)
    found = _found(tx, venue_id)
    taken = [
        (one.from_ms, one.until_ms) for one in venues.bookings_of_venue(tx, venue_id, *_day_ms(tx, found, on))
    ]
    return [
        at_ms
        for at_ms in _slots_ms(tx, found, on)
        if at_ms > tx.now_ms and not any(begin <= at_ms < end for begin, end in taken)
    ]


def book(tx: Tx, actor: User, account_id: AccountId, venue_id: VenueId, from_ms: int, slots: int) -> Booking:
    """Book consecutive slots for a home."""
    require(actor, Action.USE_COMMUNITY)
    require_account(actor, account_id)
    account = people.find_account(tx, account_id)
    found = _found(tx, venue_id)
    if account is None or account.site_id != found.site_id:
        raise NotFound("there is no such account")
    if found.closed_at_ms is not None:
        raise Conflict("the venue was closed already")
    if not 1 <= slots <= SLOTS_AT_ONCE_MAX:
        raise Invalid(f"{slots} slots, expected 1 to {SLOTS_AT_ONCE_MAX}")
    today = _today(tx, found)
    on = local_date(from_ms, time_zone(site_of(tx, found.site_id).time_zone))
    if from_ms <= tx.now_ms or on > today + timedelta(days=AHEAD_DAYS_MAX):
        raise Invalid(f"a venue is booked for the next {AHEAD_DAYS_MAX} days")
    of_day = _slots_ms(tx, found, on)
    if from_ms not in of_day or of_day.index(from_ms) + slots > len(of_day):
        raise Invalid("these are no slots of the venue: it is closed then, or they begin at another minute")
    begin = of_day.index(from_ms)
    wanted = of_day[begin : begin + slots]
    if len(venues.bookings_of_accounts(tx, {account_id}, BOOKINGS_OPEN_MAX)) >= BOOKINGS_OPEN_MAX:
        raise Conflict(f"{BOOKINGS_OPEN_MAX} bookings of this home are to come already: take one back first")
    until_ms = wanted[-1] + found.slot_minutes * _MINUTE_MS
    booking_id = venues.insert_booking(tx, venue_id, account_id, actor.user_id, wanted, until_ms)
    if booking_id is None:
        raise Conflict("one of these slots is taken: choose another time")
    audit.record(tx, actor.user_id, "book_venue", "booking", booking_id)
    return _booking(tx, booking_id)


def own_bookings(tx: Tx, actor: User) -> list[Booking]:
    """Return what the actor's homes have booked and is to come."""
    require(actor, Action.USE_COMMUNITY)
    return venues.bookings_of_accounts(tx, actor.account_ids, 200) if actor.account_ids else []


def take_back(tx: Tx, actor: User, booking_id: BookingId) -> None:
    """Take a booking back before it begins: the home's own, or a manager any."""
    require(actor, Action.USE_COMMUNITY)
    found = _booking(tx, booking_id)
    require_account(actor, found.account_id)
    if not venues.cancel_booking(tx, booking_id):
        raise Conflict("the booking has begun, or was taken back already")
    audit.record(tx, actor.user_id, "take_back_booking", "booking", booking_id)


def _slots_ms(tx: Tx, found: Venue, on: date) -> list[int]:
    begin_ms, _ = _day_ms(tx, found, on)
    return [begin_ms + minute * _MINUTE_MS for minute in found.slots()]


def _day_ms(tx: Tx, found: Venue, on: date) -> tuple[int, int]:
    zone = time_zone(site_of(tx, found.site_id).time_zone)
    return midnight_ms(on, zone), midnight_ms(on + timedelta(days=1), zone)


def _today(tx: Tx, found: Venue) -> date:
    return local_date(tx.now_ms, time_zone(site_of(tx, found.site_id).time_zone))


def _booking(tx: Tx, booking_id: BookingId) -> Booking:
    found = venues.find_booking(tx, booking_id)
    if found is None:
        raise NotFound(f"there is no booking {booking_id}")
    return found


def _found(tx: Tx, venue_id: VenueId) -> Venue:
    found = venues.find_venue(tx, venue_id)
    if found is None:
        raise NotFound(f"there is no venue {venue_id}")
    return found
