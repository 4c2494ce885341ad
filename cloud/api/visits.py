"""Visits: invited by a home, let in once by a code."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, SiteId, VisitId
from cloud.domain.visit import NAME_LENGTH_MAX, Visit
from cloud.keys import DATABASE
from cloud.services import visits

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


async def invite_visitor(call: Call[Nothing, NewVisit]) -> web.Response:
    """Expect somebody at a home."""
    body, account_id = call.body, AccountId(call.id("account_id"))
    return await call.create(
        _view, visits.invite, account_id, body.name, body.from_ms, body.until_ms, body.plate
    )


async def list_visits(call: Call[PageQuery, Nothing]) -> Page[VisitView]:
    """List who is expected or came today."""
    found = await call.read(visits.visits_today, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.visit_id, _view)


async def admit_visitor(call: Call[Nothing, VisitCode]) -> VisitView:
    """Let in who has this code, once."""
    site_id = SiteId(call.id("site_id"))
    database = call.request.app[DATABASE]
    return _view(await visits.admit_by_code(database, call.actor, site_id, call.body.code))


async def take_back_visit(call: Call[Nothing, Nothing]) -> None:
    """Take a visit back before anybody came."""
    await call.write(visits.take_back, VisitId(call.id("visit_id")))


def _view(visit: Visit) -> VisitView:
    return view_of(visit, VisitView)


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
        Page[VisitView],
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
)
