"""Visits: invited by a home, let in once by a code."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.barring import REASON_LENGTH_MAX, Barring
from cloud.domain.ids import AccountId, BarringId, SiteId, VisitId
from cloud.domain.visit import NAME_LENGTH_MAX, Visit
from cloud.keys import DATABASE
from cloud.services import barrings, visits

Instant = Annotated[int, Meta(ge=0, le=2**48 - 1)]


class NewVisit(Request, frozen=True, kw_only=True):
    """Who is expected, from when until when; a day at most."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    from_ms: Instant
    until_ms: Instant
    plate: Annotated[str, Meta(max_length=20)] = ""


class VisitCode(Request, frozen=True):
    """The eight digits a visitor shows."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class VisitView(View, frozen=True):
    """One visit; `code` is told to its host alone."""

    visit_id: str
    account_id: str
    space_code: str
    name: str
    plate: str
    from_ms: int
    until_ms: int
    code: str
    arrived_at_ms: int | None
    cancelled_at_ms: int | None


class GateVisitView(VisitView, frozen=True):
    """One visit as the gate sees it: `barred_because` is for whoever guards the site, never for the host."""

    barred_because: str


class NewBarring(Request, frozen=True, kw_only=True):
    """Who is not let in: a name, a plate or both; without an end until it is lifted."""

    name: Annotated[str, Meta(max_length=NAME_LENGTH_MAX)] = ""
    plate: Annotated[str, Meta(max_length=20)] = ""
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
    until_ms: Instant | None = None


class BarringView(View, frozen=True):
    """One of the barred; of the plate only enough to recognise it."""

    barring_id: str
    name: str
    plate: str
    reason: str
    until_ms: int | None
    barred_at_ms: int
    barred_by_name: str


async def invite_visitor(call: Call[Nothing, NewVisit]) -> web.Response:
    """Expect somebody at a home."""
    body, account_id = call.body, AccountId(call.id("account_id"))
    return await call.create(
        _view, visits.invite, account_id, body.name, body.from_ms, body.until_ms, body.plate
    )


async def list_visits(call: Call[PageQuery, Nothing]) -> Page[GateVisitView]:
    """List who is expected or came today."""
    found, fits = await call.read(visits.gate_today, SiteId(call.id("site_id")))

    def view(one: Visit) -> GateVisitView:
        fit = fits.get(one.visit_id)
        return view_of(one, GateVisitView, barred_because="" if fit is None else fit.reason)

    return cut(found, call.query, lambda one: one.visit_id, view)


async def bar_visitor(call: Call[Nothing, NewBarring]) -> web.Response:
    """Let somebody in no more."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    return await call.create(
        _barring_view, barrings.bar, site_id, body.name, body.plate, body.reason, body.until_ms
    )


async def list_barrings(call: Call[PageQuery, Nothing]) -> Page[BarringView]:
    """List who is barred now."""
    found = await call.read(barrings.list_barrings, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.barring_id, _barring_view)


async def lift_barring(call: Call[Nothing, Nothing]) -> None:
    """Let somebody in again."""
    await call.write(barrings.lift, BarringId(call.id("barring_id")))


async def admit_visitor(call: Call[Nothing, VisitCode]) -> VisitView:
    """Let in who has this code, once."""
    site_id = SiteId(call.id("site_id"))
    database = call.request.app[DATABASE]
    return _view(await visits.admit_by_code(database, call.actor, site_id, call.body.code))


async def take_back_visit(call: Call[Nothing, Nothing]) -> None:
    """Take a visit back before anybody came."""
    await call.write(visits.take_back, VisitId(call.id("visit_id")))


def _barring_view(one: Barring) -> BarringView:
    return view_of(one, BarringView)


def _view(visit: Visit) -> VisitView:
    return view_of(visit, VisitView)


_BARRINGS = "/api/v1/sites/{site_id}/barrings"

ROUTES = (
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/visits",
        "Invite a visitor",
        Action.INVITE_VISITORS,
        invite_visitor,
        VisitView,
        body=NewVisit,
        status=201,
        creates=True,
        description="The answer holds the code, eight digits, for the visitor to show.",
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/visits",
        "List today's visits",
        Action.ADMIT_VISITORS,
        list_visits,
        Page[GateVisitView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/visits/admission",
        "Let a visitor in",
        Action.ADMIT_VISITORS,
        admit_visitor,
        VisitView,
        body=VisitCode,
        description="A code lets in once, within its time; the host is told.",
    ),
    Route(
        "DELETE",
        "/api/v1/visits/{visit_id}",
        "Take a visit back",
        Action.INVITE_VISITORS,
        take_back_visit,
        None,
    ),
    Route(
        "GET",
        _BARRINGS,
        "List barred visitors",
        Action.ADMIT_VISITORS,
        list_barrings,
        Page[BarringView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _BARRINGS,
        "Bar a visitor",
        Action.BAR_VISITORS,
        bar_visitor,
        BarringView,
        body=NewBarring,
        status=201,
        creates=True,
        description="Holds at the gate and at the doors, also for codes given out before.",
    ),
    Route(
        "DELETE", "/api/v1/barrings/{barring_id}", "Lift a barring", Action.BAR_VISITORS, lift_barring, None
    ),
)
