"""Complaints and suggestions: the staff's list with its clock, one with every word, the resident's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.lists import Filter, link
from cloud.domain.complaint import (
    Complaint,
    ComplaintEntry,
    ComplaintKind,
    ComplaintState,
    ComplaintSubject,
)
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import SiteId
from cloud.domain.people import Account
from cloud.domain.user import User
from cloud.services import complaints, premises
from cloud.store.db import Tx

_TAB = "/home/more"
_ROWS = 50
_SHOWN = {
    "open": frozenset({ComplaintState.OPEN}),
    "answered": frozenset({ComplaintState.ANSWERED}),
    "all": frozenset(ComplaintState),
}
_ACTS = {
    "answer": complaints.answer,
    "close": complaints.close,
    "note": complaints.note,
    "reopen": complaints.reopen,
}


@dataclass(frozen=True, slots=True)
class ListView:
    """A site's complaints, and how many wait."""

    rows: tuple[Complaint, ...]
    waiting: int
    late: int
    filters: tuple[Filter, ...]
    next_cursor: str | None
    shown: str


@dataclass(frozen=True, slots=True)
class OneView:
    """One complaint with what was said."""

    complaint: Complaint
    entries: tuple[ComplaintEntry, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class OwnView:
    """A resident's complaints and the form for one more."""

    rows: tuple[Complaint, ...]
    accounts: tuple[Account, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show what waits for an answer, unless asked for more."""
    query = desk.request.query
    shown = query.get("show", "open")
    view = await desk.read(_list, desk.site.site_id, shown, query.get("after"), desk.format)
    return await desk.page("complaints/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one complaint."""
    return await desk.page("complaints/complaint.html", view=await _read(desk))


async def act(desk: Desk) -> web.StreamResponse:
    """Answer, note or close."""
    return await _do(desk, "complaints/complaint.html", "/complaints")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident's complaints."""
    view = await desk.read(_own, desk.site.site_id, {}, "")
    return await desk.page("home/complaints.html", tab=_TAB, view=view)


async def tell(desk: Desk) -> web.StreamResponse:
    """Tell the property, or show the form again with what does not fit."""
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    try:
        added = await desk.write(_tell, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_own, desk.site.site_id, form, str(error))
        return await desk.page("home/complaints.html", status=422, tab=_TAB, view=view)
    return desk.go(f"/home/complaints/{added.number}", "complaint-told", number=added.number)


async def show_own_one(desk: Desk) -> web.StreamResponse:
    """Show a resident one of their complaints."""
    return await desk.page("home/complaint.html", tab=_TAB, view=await _read(desk))


async def act_own(desk: Desk) -> web.StreamResponse:
    """Close or open again."""
    return await _do(desk, "home/complaint.html", "/home/complaints", tab=_TAB)


async def _do(desk: Desk, template: str, path: str, **view: object) -> web.StreamResponse:
    form = await desk.request.post()
    number = desk.request.match_info["complaint"]
    work = _ACTS.get(str(form.get("act", "")))
    if work is None:
        raise NotFound("a complaint has no such act")
    found = await desk.read(complaints.find_by_number, desk.site.site_id, number)
    try:
        await desk.write(work, found.complaint_id, str(form.get("text", "")))
    except (Conflict, Invalid) as error:
        return await desk.page(template, status=422, view=await _read(desk, str(error)), **view)
    return desk.go(f"{path}/{number}", "complaint-noted", number=number)


async def _read(desk: Desk, error: str = "") -> OneView:
    return await desk.read(_one, desk.site.site_id, desk.request.match_info["complaint"], error)


def _list(tx: Tx, actor: User, site_id: SiteId, shown: str, after: str | None, fmt: Format) -> ListView:
    gettext = fmt.language.gettext
    waiting, late = complaints.count_open(tx, actor, site_id)
    page = complaints.list_complaints(tx, actor, site_id, _SHOWN.get(shown, _SHOWN["open"]), after, _ROWS)
    words = (
        ("open", gettext("Waiting for an answer"), waiting),
        ("answered", gettext("Answered"), None),
        ("all", gettext("All"), None),
    )
    filters = tuple(
        Filter(word, link("/complaints", {"show": name}), name == shown, number)
        for name, word, number in words
    )
    return ListView(page.items, waiting, late, filters, page.next_cursor, shown)


def _one(tx: Tx, actor: User, site_id: SiteId, number: str, error: str) -> OneView:
    found = complaints.find_by_number(tx, actor, site_id, number)
    complaint, entries = complaints.get_complaint(tx, actor, found.complaint_id)
    return OneView(complaint, tuple(entries), error)


def _own(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], error: str) -> OwnView:
    rows = complaints.list_complaints(tx, actor, site_id, limit=_ROWS).items
    return OwnView(rows, tuple(premises.own_accounts(tx, actor)), typed, error)


def _tell(tx: Tx, actor: User, form: Mapping[str, str], fmt: Format) -> Complaint:
    gettext = fmt.language.gettext
    accounts = premises.own_accounts(tx, actor)
    account = next((one for one in accounts if one.number == form.get("account", "")), None)
    if account is None:
        raise Invalid(gettext("Choose which home it is about."))
    try:
        kind, subject = ComplaintKind(form.get("kind", "")), ComplaintSubject(form.get("subject", ""))
    except ValueError as error:
        raise Invalid(gettext("Choose what it is and what it is about.")) from error
    return complaints.tell(tx, actor, account.account_id, kind, subject, form.get("text", ""))
