"""The staff's pages of repairs: what is open and late, one repair, and writing down what a caller tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.lists import Filter, link
from cloud.console.repair_sheet import RepairSheet
from cloud.console.repair_view import (
    RepairRow,
    new_key,
    rows_of,
)
from cloud.console.uploads import Sent, read_form
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AlarmId, PhotoId, SiteId, is_uuid
from cloud.domain.repair import (
    UNFINISHED,
    WAITING,
    Channel,
    Repair,
    RepairCategory,
    RepairState,
    Urgency,
)
from cloud.domain.user import User
from cloud.services import premises, repair_work, repairs
from cloud.services.repairs import RepairRequest
from cloud.store.db import Tx

_SHEET = RepairSheet("repairs/repair.html", "/repairs", photos="/repairs")
_ROWS = 50
_COUNTED_MAX = 200  # beyond, a number is no longer read as a number
_OVER = frozenset({RepairState.DONE, RepairState.CONFIRMED, RepairState.CANCELLED})
_E = TypeVar("_E", bound=Enum)
_FIELDS = ("category", "urgency", "channel", "place", "description", "space", "once")


@dataclass(frozen=True, slots=True)
class RepairsView:
    """The list: what is open and what of it is late."""

    rows: tuple[RepairRow, ...]
    open: int
    late: int
    waiting: int
    filters: tuple[Filter, ...]
    query_string: str
    next_href: str


@dataclass(frozen=True, slots=True)
class NewRepairView:
    """The form for what a caller tells."""

    categories: tuple[str, ...]
    spaces: tuple[str, ...]
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the repairs of a site, those under way unless asked otherwise."""
    query = desk.request.query
    view = await desk.read(
        _list, desk.site.site_id, query.get("show", "open"), query.get("after"), desk.format
    )
    if "part" in query:
        return desk.part("repairs/table.html", view=view)
    return await desk.page("repairs/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one repair with everything that may be done to it."""
    return await _SHEET.show(desk)


async def act(desk: Desk) -> web.StreamResponse:
    """Do what a form on a repair's page asks for."""
    return await _SHEET.act(desk)


async def show_photo(desk: Desk) -> web.StreamResponse:
    """Show a photo of a repair."""
    return await photo_response(desk)


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the form for what a caller tells."""
    return await desk.page("repairs/new.html", view=await desk.read(_form, desk.site.site_id, {}, {}))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Write down what a caller tells, or show the form again with what does not fit."""
    typed: dict[str, str] = {}
    try:
        sent = await read_form(desk.request)
        typed = {name: sent.values.get(name, "").strip() for name in _FIELDS}
        added = await desk.write(_record, desk.site.site_id, typed, sent)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, desk.site.site_id, typed, {"": str(error)})
        return await desk.page("repairs/new.html", status=422, view=view)
    return desk.go(f"/repairs/{added.number}", "repair-taken", number=added.number)


async def of_alarm(desk: Desk) -> web.StreamResponse:
    """Have what an alarm is about mended."""
    form = await desk.request.post()
    text = desk.request.match_info["alarm_id"]
    if not is_uuid(text):
        raise NotFound(f"there is no alarm {text!r}")
    category = _word(RepairCategory, str(form.get("category", "")), RepairCategory.OTHER)
    added: Repair = await desk.write(repairs.request_for_alarm, AlarmId(text), category)
    return desk.go(f"/repairs/{added.number}", "repair-taken", number=added.number)


async def photo_response(desk: Desk) -> web.Response:
    """Return a photo the address names, if the actor may see its repair."""
    number, text = desk.request.match_info["repair"], desk.request.match_info["photo"]
    if not is_uuid(text):
        raise NotFound(f"there is no photo {text!r}")
    content = await desk.read(_photo, desk.site.site_id, number, PhotoId(text))
    # A photo never changes; the browser that may see it may keep it.
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return web.Response(body=content, content_type="image/jpeg", headers=headers)


def _photo(tx: Tx, actor: User, site_id: SiteId, number: str, photo_id: PhotoId) -> bytes:
    found = repairs.find_by_number(tx, actor, site_id, number)
    return repairs.photo(tx, actor, found.repair_id, photo_id)


def _list(tx: Tx, actor: User, site_id: SiteId, show: str, after: str | None, fmt: Format) -> RepairsView:
    gettext = fmt.language.gettext
    still = repairs.list_repairs(tx, actor, site_id, UNFINISHED, None, _COUNTED_MAX).items
    open_rows = rows_of(still, fmt.now_ms)
    late = tuple(row for row in open_rows if row.clock.is_any_late)
    waiting = tuple(row for row in open_rows if row.repair.state in WAITING)
    onward = ""
    match show:
        case "late":
            rows = late
        case "waiting":
            rows = waiting
        case "over" | "all":
            states = _OVER if show == "over" else frozenset(RepairState)
            page = repairs.list_repairs(tx, actor, site_id, states, after, _ROWS)
            rows = rows_of(page.items, fmt.now_ms)
            onward = link("/repairs", {"show": show, "after": page.next_cursor}) if page.next_cursor else ""
        case _:
            show, rows = "open", open_rows
    counts = {"open": len(still), "late": len(late), "waiting": len(waiting), "over": None, "all": None}
    labels = {
        "open": gettext("Under way"),
        "late": gettext("Late"),
        "waiting": gettext("Nobody has accepted"),
        "over": gettext("Done"),
        "all": gettext("All"),
    }
    filters = tuple(
        Filter(labels[word], f"/repairs?show={word}", word == show, counts[word]) for word in labels
    )
    return RepairsView(rows, len(still), len(late), len(waiting), filters, f"show={show}", onward)


def _form(
    tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], errors: Mapping[str, str]
) -> NewRepairView:
    spaces = premises.offered_codes(tx, actor, site_id)
    filled = {
        "category": RepairCategory.PLUMBING.value,
        "urgency": Urgency.NORMAL.value,
        "channel": Channel.PHONE.value,
        "once": new_key(),
        **typed,
    }
    return NewRepairView(tuple(one.value for one in RepairCategory), spaces, filled, errors)


def _record(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], sent: Sent) -> Repair:
    space = premises.space_called(tx, actor, site_id, typed["space"])
    if typed["space"] and space is None:
        raise Invalid(f"the site has no flat {typed['space']!r}")
    account = None
    if space is not None:
        found = premises.list_accounts(tx, actor, site_id, space.code, None, 50).items
        account = next(
            (one for one in found if one.space_id == space.space_id and one.closed_on is None), None
        )
    asked = RepairRequest(
        _word(RepairCategory, typed["category"], RepairCategory.OTHER),
        _word(Urgency, typed["urgency"], Urgency.NORMAL),
        _word(Channel, typed["channel"], Channel.PHONE),
        typed["description"],
        typed["place"],
        None if account is None else account.account_id,
        None if space is None else space.space_id,
        request_key=typed["once"] or None,
    )
    added = repairs.request(tx, actor, site_id, asked)
    for photo in sent.photos:
        repair_work.add_photo(tx, actor, added.repair_id, photo)
    return added


def _word(words: type[_E], text: str, default: _E) -> _E:
    try:
        return words(text)
    except ValueError:
        return default
