"""Venues: a resident books free slots, the office offers venues and sees who comes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_or, minute_of, whole_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import BookingId, SiteId, VenueId, is_uuid
from cloud.domain.people import Account
from cloud.domain.user import User
from cloud.domain.venue import Booking, Venue
from cloud.services import premises, venues
from cloud.store.db import Tx

_TAB = "/home/more"
_DAYS_OFFERED = 14


@dataclass(frozen=True, slots=True)
class VenueRow:
    """A venue and who has booked it on the day shown."""

    venue: Venue
    bookings: tuple[Booking, ...]


@dataclass(frozen=True, slots=True)
class OfficeView:
    """A site's venues on a day, and the form for one more."""

    rows: tuple[VenueRow, ...]
    on: date
    typed: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class OwnView:
    """What a resident has booked, and what of a venue is free on a day."""

    accounts: tuple[Account, ...]
    bookings: tuple[Booking, ...]
    venues: tuple[Venue, ...]
    chosen: Venue | None
    on: date
    days: tuple[date, ...]
    free: tuple[int, ...]
    error: str = ""


async def show_office(desk: Desk) -> web.StreamResponse:
    """Show the venues and their day."""
    view = await desk.read(
        _office, desk.site.site_id, day_or(desk.request.query.get("on", ""), desk.format.today), {}, ""
    )
    return await desk.page("venues.html", view=view)


async def act_office(desk: Desk) -> web.StreamResponse:
    """Offer a venue, close one, or take a booking back."""
    form = {name: str(value).strip()[:500] for name, value in (await desk.request.post()).items()}
    try:
        if form.get("act") == "close":
            await desk.write(venues.close_venue, VenueId(_id(form.get("venue", ""))))
        elif form.get("act") == "take_back":
            await desk.write(venues.take_back, BookingId(_id(form.get("booking", ""))))
        else:
            await desk.write(_add, desk.site.site_id, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_office, desk.site.site_id, desk.format.today, form, str(error))
        return await desk.page("venues.html", status=422, view=view)
    return desk.go("/venues", "venue-changed")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show what is booked and what is free."""
    chosen = desk.request.query.get("venue", "")
    view = await desk.read(
        _own,
        desk.site.site_id,
        chosen,
        day_or(desk.request.query.get("on", ""), desk.format.today),
        desk.format,
        "",
    )
    return await desk.page("home/venues.html", tab=_TAB, view=view)


async def act_own(desk: Desk) -> web.StreamResponse:
    """Book, or take a booking back."""
    form = {name: str(value).strip()[:60] for name, value in (await desk.request.post()).items()}
    try:
        if form.get("act") == "take_back":
            await desk.write(venues.take_back, BookingId(_id(form.get("booking", ""))))
            return desk.go("/home/venues", "booking-taken-back")
        booked = await desk.write(_book, form, desk.format)
    except (Conflict, Invalid) as error:
        on = desk.format.today
        view = await desk.read(_own, desk.site.site_id, form.get("venue", ""), on, desk.format, str(error))
        return await desk.page("home/venues.html", status=422, tab=_TAB, view=view)
    return desk.go("/home/venues", "venue-booked", name=booked.venue_name)


def _id(text: str) -> str:
    if not is_uuid(text):
        raise NotFound(f"there is no venue or booking {text!r}")
    return text


def _office(
    tx: Tx, actor: User, site_id: SiteId, on: date, typed: Mapping[str, str], error: str
) -> OfficeView:
    rows = tuple(
        VenueRow(one, tuple(venues.bookings_on(tx, actor, one.venue_id, on)))
        for one in venues.list_venues(tx, actor, site_id)
    )
    return OfficeView(rows, on, {"opens": "09:00", "closes": "21:00", "slot": "60", **typed}, error)


def _own(tx: Tx, actor: User, site_id: SiteId, chosen: str, on: date, fmt: Format, error: str) -> OwnView:
    offered = tuple(venues.list_venues(tx, actor, site_id))
    venue = next((one for one in offered if one.venue_id == chosen), offered[0] if offered else None)
    free = venues.free_slots(tx, actor, venue.venue_id, on) if venue else []
    return OwnView(
        tuple(premises.own_accounts(tx, actor)),
        tuple(venues.own_bookings(tx, actor)),
        offered,
        venue,
        on,
        tuple(fmt.today + timedelta(days=number) for number in range(_DAYS_OFFERED)),
        tuple(free),
        error,
    )


def _add(tx: Tx, actor: User, site_id: SiteId, form: Mapping[str, str], fmt: Format) -> Venue:
    opens, closes = (minute_of(form.get(name, ""), fmt) for name in ("opens", "closes"))
    slot = whole_of(form.get("slot", ""), fmt)
    name, note = form.get("name", ""), form.get("note", "")
    return venues.add_venue(tx, actor, site_id, name, opens, closes, slot, note)


def _book(tx: Tx, actor: User, form: Mapping[str, str], fmt: Format) -> Booking:
    accounts = premises.own_accounts(tx, actor)
    account = next((one for one in accounts if one.number == form.get("account", "")), None)
    if account is None:
        raise Invalid(fmt.language.gettext("Choose which home it is about."))
    begins, slots = form.get("from", ""), form.get("slots", "1")
    if not (begins.isascii() and begins.isdecimal() and slots.isascii() and slots.isdecimal()):
        raise Invalid(fmt.language.gettext("Choose a time that is free."))
    venue_id = VenueId(_id(form.get("venue", "")))
    return venues.book(tx, actor, account.account_id, venue_id, int(begins), int(slots))
