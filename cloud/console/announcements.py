"""Announcements: the staff's pages to write one, see whom it reaches first, and who has opened it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of
from cloud.domain.announcement import Announcement, Audience, Reach, Readers, Receipt, riser_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AnnouncementId, BuildingId, SiteId, is_uuid
from cloud.domain.premises import Building, SpaceKind
from cloud.domain.user import User
from cloud.services import announcements, premises
from cloud.store.db import Tx
from cloud.web.workbooks import workbook_response
from cloud.workbook.writing import Sheet, sheets_workbook

_ROWS = 50
_FIELDS = ("title", "text", "readers", "unit", "riser", "until_on", "urgent")


@dataclass(frozen=True, slots=True)
class ListView:
    """A site's announcements, newest first."""

    rows: tuple[Announcement, ...]
    buildings: Mapping[BuildingId, Building]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ComposeView:
    """The form; `reach` is whom it would reach once that was asked for."""

    buildings: tuple[Building, ...]
    chosen: frozenset[str]
    units: tuple[str, ...]
    risers: tuple[str, ...]
    typed: Mapping[str, str]
    reach: Reach | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class OneView:
    """One announcement and every home it was for."""

    announcement: Announcement
    buildings: Mapping[BuildingId, Building]
    receipts: tuple[Receipt, ...]


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show what was announced."""
    view = await desk.read(_list, desk.site.site_id, desk.request.query.get("after"))
    return await desk.page("announcements/list.html", view=view)


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the form; the address may say whom it is for, so that other pages can link to it filled in."""
    query = desk.request.query
    typed = {name: query.get(name, "")[:200] for name in _FIELDS}
    view = await desk.read(_form, desk.site.site_id, typed, frozenset(query.getall("building", ())), None, "")
    return await desk.page("announcements/new.html", view=view)


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Show whom it would reach, then publish; or show the form again with what does not fit."""
    form = await desk.request.post()
    typed = {name: str(form.get(name, "")).strip() for name in _FIELDS}
    chosen = frozenset(str(value) for value in form.getall("building", ()))
    site_id = desk.site.site_id
    try:
        audience = _audience(typed, chosen)
        if form.get("act") != "publish":
            reach = await desk.read(announcements.reach, site_id, audience)
            view = await desk.read(_form, site_id, typed, chosen, reach, "")
            return await desk.page("announcements/new.html", view=view)
        added = await desk.write(
            announcements.publish,
            site_id,
            typed["title"],
            typed["text"],
            audience,
            day_of(typed["until_on"], desk.format) if typed["until_on"] else None,
            is_urgent=bool(typed["urgent"]),
        )
    except (Invalid, NotFound) as error:
        view = await desk.read(_form, site_id, typed, chosen, None, str(error))
        return await desk.page("announcements/new.html", status=422, view=view)
    path = f"/announcements/{added.announcement_id}"
    return desk.go(path, "announcement-published", count=str(added.home_count))


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one announcement and who has opened it."""
    view = await desk.read(_one, desk.site.site_id, announcement_id(desk))
    return await desk.page("announcements/announcement.html", view=view)


async def take_back(desk: Desk) -> web.StreamResponse:
    """Take an announcement back."""
    found_id = announcement_id(desk)
    try:
        await desk.write(announcements.take_back, found_id)
    except Conflict:
        return desk.go(f"/announcements/{found_id}")
    return desk.go(f"/announcements/{found_id}", "announcement-taken-back")


async def export(desk: Desk) -> web.StreamResponse:
    """Return who has opened an announcement as a workbook."""
    view = await desk.read(_one, desk.site.site_id, announcement_id(desk))
    body = await asyncio.to_thread(sheets_workbook, [_sheet(view, desk.format)])
    return workbook_response(body, f"{desk.site.code}-announcement-receipts")


def announcement_id(desk: Desk) -> AnnouncementId:
    """Return the announcement the address names."""
    text = desk.request.match_info["announcement"]
    if not is_uuid(text):
        raise NotFound(f"there is no announcement {text!r}")
    return AnnouncementId(text)


def _list(tx: Tx, actor: User, site_id: SiteId, after: str | None) -> ListView:
    page = announcements.list_announcements(tx, actor, site_id, after, _ROWS)
    return ListView(page.items, _buildings(tx, actor, site_id), page.next_cursor)


def _one(tx: Tx, actor: User, site_id: SiteId, found_id: AnnouncementId) -> OneView:
    found = announcements.get_announcement(tx, actor, found_id)
    receipts = announcements.list_receipts(tx, actor, found_id)
    return OneView(found, _buildings(tx, actor, site_id), tuple(receipts))


def _form(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    typed: Mapping[str, str],
    chosen: frozenset[str],
    reach: Reach | None,
    error: str,
) -> ComposeView:
    buildings = tuple(premises.list_buildings(tx, actor, site_id))
    flats = [one for one in premises.list_spaces(tx, actor, site_id) if one.kind is SpaceKind.FLAT]
    return ComposeView(
        buildings,
        chosen,
        tuple(sorted({one.unit_code for one in flats} - {""})),
        tuple(sorted({riser_of(one.code, one.floor) for one in flats} - {""})),
        {**typed, "readers": typed.get("readers") or Readers.RESIDENTS.value},
        reach,
        error,
    )


def _buildings(tx: Tx, actor: User, site_id: SiteId) -> dict[BuildingId, Building]:
    return {one.building_id: one for one in premises.list_buildings(tx, actor, site_id)}


def _audience(typed: Mapping[str, str], chosen: frozenset[str]) -> Audience:
    readers = next((one for one in Readers if one.value == typed["readers"]), Readers.RESIDENTS)
    buildings = frozenset(BuildingId(one) for one in chosen)
    return Audience(readers, buildings, typed["unit"], typed["riser"])


def _sheet(view: OneView, fmt: Format) -> Sheet:
    gettext = fmt.language.gettext
    return Sheet(
        gettext("Opened by"),
        (gettext("Account"), gettext("Home"), gettext("Opened")),
        [(one.number, one.space_code, fmt.exact(one.read_at_ms)) for one in view.receipts],
        (16, 14, 26),
    )
