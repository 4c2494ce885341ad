"""Complaints and suggestions: told by residents, answered by the property."""

from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.complaint import (
    TEXT_LENGTH_MAX,
    Complaint,
    ComplaintAct,
    ComplaintEntry,
    ComplaintKind,
    ComplaintState,
    ComplaintSubject,
)
from cloud.domain.ids import AccountId, ComplaintId, SiteId
from cloud.services import complaints

Words = Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
_STATES = {"all": frozenset(ComplaintState), **{one.value: frozenset({one}) for one in ComplaintState}}


class ComplaintQuery(PageQuery, frozen=True, kw_only=True):
    """Which complaints."""

    state: Literal["all", "open", "answered", "closed"] = "all"


class NewComplaint(Request, frozen=True, kw_only=True):
    """What is wrong or could be better."""

    kind: ComplaintKind
    text: Words
    subject: ComplaintSubject = ComplaintSubject.OTHER


class ComplaintMove(Request, frozen=True):
    """An answer, a note among staff, that it is settled, or that it is not."""

    act: Literal["answered", "noted", "closed", "reopened"]
    text: Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)] = ""


class ComplaintEntryView(View, frozen=True):
    """One word of either side."""

    act: ComplaintAct
    text: str
    author: str
    at_ms: int


class ComplaintView(View, frozen=True):
    """One complaint; an answer was promised by `answer_by_ms`."""

    complaint_id: str
    number: str
    kind: ComplaintKind
    subject: ComplaintSubject
    state: ComplaintState
    text: str
    account_id: str
    space_code: str
    teller_name: str
    told_at_ms: int
    answer_by_ms: int


class ComplaintDetail(ComplaintView, frozen=True):
    """One complaint with what was said, oldest first."""

    entries: tuple[ComplaintEntryView, ...]


async def tell_complaint(call: Call[Nothing, NewComplaint]) -> web.Response:
    """Tell the property what is wrong or could be better."""
    body, account_id = call.body, AccountId(call.id("account_id"))
    return await call.create(_view, complaints.tell, account_id, body.kind, body.subject, body.text)


async def list_complaints(call: Call[ComplaintQuery, Nothing]) -> Page[ComplaintView]:
    """List a site's complaints, newest first; residents see those of own homes."""
    query = call.query
    found = await call.read(
        complaints.list_complaints,
        SiteId(call.id("site_id")),
        _STATES[query.state],
        query.cursor,
        query.limit,
    )
    return page_of(found, _view)


async def list_own_complaints(call: Call[ComplaintQuery, Nothing]) -> Page[ComplaintView]:
    """List the complaints of one's homes, newest first."""
    return await list_complaints(call)


async def get_complaint(call: Call[Nothing, Nothing]) -> ComplaintDetail:
    """Return one complaint with what was said."""
    return _detail(*await call.read(complaints.get_complaint, ComplaintId(call.id("complaint_id"))))


async def move_complaint(call: Call[Nothing, ComplaintMove]) -> ComplaintView:
    """Answer, note, close or open again; each may do what is theirs."""
    complaint_id, body = ComplaintId(call.id("complaint_id")), call.body
    work = {
        "answered": complaints.answer,
        "closed": complaints.close,
        "noted": complaints.note,
        "reopened": complaints.reopen,
    }[body.act]
    return _view(await call.write(work, complaint_id, body.text))


def _view(found: Complaint) -> ComplaintView:
    return view_of(found, ComplaintView)


def _detail(found: Complaint, entries: list[ComplaintEntry]) -> ComplaintDetail:
    said = tuple(view_of(one, ComplaintEntryView) for one in entries)
    return view_of(found, ComplaintDetail, entries=said)


ROUTES = (
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/complaints",
        "Complain, suggest or praise",
        Action.USE_COMMUNITY,
        tell_complaint,
        ComplaintView,
        body=NewComplaint,
        status=201,
        creates=True,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/complaints",
        "List complaints",
        Action.READ_COMMUNITY,
        list_complaints,
        Page[ComplaintView],
        query=ComplaintQuery,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/own_complaints",
        "List complaints of one's homes",
        Action.USE_COMMUNITY,
        list_own_complaints,
        Page[ComplaintView],
        query=ComplaintQuery,
    ),
    Route(
        "GET",
        "/api/v1/complaints/{complaint_id}",
        "Read a complaint",
        Action.USE_COMMUNITY,
        get_complaint,
        ComplaintDetail,
    ),
    Route(
        "POST",
        "/api/v1/complaints/{complaint_id}/acts",
        "Answer, note, settle or reopen a complaint",
        Action.USE_COMMUNITY,
        move_complaint,
        ComplaintView,
        body=ComplaintMove,
        description="Answers and notes are the managers'; a resident settles or reopens their own.",
    ),
)
