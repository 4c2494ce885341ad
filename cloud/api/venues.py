"""Venues and their bookings."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, BookingId, SiteId, VenueId
from cloud.domain.venue import (
    DAY_MINUTES,
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    SLOTS_AT_ONCE_MAX,
    Booking,
    Venue,
)
from cloud.services import venues

Minute = Annotated[int, Meta(ge=0, le=DAY_MINUTES)]


class NewVenue(Request, frozen=True, kw_only=True):
    """A venue with its hours in minutes of the local day, in whole slots."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    opens_minute: Minute = 9 * 60
    closes_minute: Minute = 21 * 60
    slot_minutes: Minute = 60
    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


class NewBooking(Request, frozen=True, kw_only=True):
    """Consecutive slots from an instant on."""

    venue_id: Id
    from_ms: Annotated[int, Meta(ge=0, le=2**48 - 1)]
    slots: Annotated[int, Meta(ge=1, le=SLOTS_AT_ONCE_MAX)] = 1


class DayQuery(Request, frozen=True, kw_only=True):
    """A local day."""

    on: date


class VenueView(View, frozen=True):
    """One venue."""

    venue_id: str
    name: str
    note: str
    opens_minute: int
    closes_minute: int
    slot_minutes: int


class BookingView(View, frozen=True):
    """One booking."""

    booking_id: str
    venue_id: str
    venue_name: str
    account_id: str
    space_code: str
    from_ms: int
    until_ms: int


class FreeSlots(View, frozen=True):
    """When slots begin that can still be booked."""

    begins_at_ms: tuple[int, ...]


async def add_venue(call: Call[Nothing, NewVenue]) -> web.Response:
    """Offer a venue."""
    body = call.body
    return await call.create(
        _venue,
        venues.add_venue,
        SiteId(call.id("site_id")),
        body.name,
        body.opens_minute,
        body.closes_minute,
        body.slot_minutes,
        body.note,
    )


async def list_venues(call: Call[PageQuery, Nothing]) -> Page[VenueView]:
    """List a site's venues."""
    found = await call.read(venues.list_venues, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.venue_id, _venue)


async def close_venue(call: Call[Nothing, Nothing]) -> None:
    """Let nobody book a venue any more."""
    await call.write(venues.close_venue, VenueId(call.id("venue_id")))


async def list_free_slots(call: Call[DayQuery, Nothing]) -> FreeSlots:
    """List when a venue is free on a day."""
    found = await call.read(venues.free_slots, VenueId(call.id("venue_id")), call.query.on)
    return FreeSlots(begins_at_ms=tuple(found))


async def book_venue(call: Call[Nothing, NewBooking]) -> web.Response:
    """Book consecutive slots for a home."""
    body, account_id = call.body, AccountId(call.id("account_id"))
    return await call.create(
        _booking, venues.book, account_id, VenueId(body.venue_id), body.from_ms, body.slots
    )


async def take_back_booking(call: Call[Nothing, Nothing]) -> None:
    """Take a booking back before it begins."""
    await call.write(venues.take_back, BookingId(call.id("booking_id")))


def _venue(found: Venue) -> VenueView:
    return view_of(found, VenueView)


def _booking(found: Booking) -> BookingView:
    return view_of(found, BookingView)


_OF_SITE = "/api/v1/sites/{site_id}/venues"

ROUTES = (
    Route(
        "GET", _OF_SITE, "List venues", Action.USE_COMMUNITY, list_venues, Page[VenueView], query=PageQuery
    ),
    Route(
        "POST",
        _OF_SITE,
        "Offer a venue",
        Action.MANAGE_COMMUNITY,
        add_venue,
        VenueView,
        body=NewVenue,
        status=201,
        creates=True,
    ),
    Route(
        "DELETE",
        "/api/v1/venues/{venue_id}",
        "Close a venue",
        Action.MANAGE_COMMUNITY,
        close_venue,
        None,
        description="Nobody books it any more; what is booked stands.",
    ),
    Route(
        "GET",
        "/api/v1/venues/{venue_id}/free_slots",
        "List free slots",
        Action.USE_COMMUNITY,
        list_free_slots,
        FreeSlots,
        query=DayQuery,
    ),
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/bookings",
        "Book a venue",
        Action.USE_COMMUNITY,
        book_venue,
        BookingView,
        body=NewBooking,
        status=201,
        creates=True,
        description="A slot is taken once; of two who ask at the same moment one is refused.",
    ),
    Route(
        "DELETE",
        "/api/v1/bookings/{booking_id}",
        "Take a booking back",
        Action.USE_COMMUNITY,
        take_back_booking,
        None,
    ),
)
