"""Finding anything of a site by what people call it; the palette and its page without script."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.navigation import Entry, menu_for
from cloud.domain.finding import SEARCH_LENGTH_MAX, Found, FoundKind
from cloud.services import finding

# Where each kind's own page is.
_PAGES: Mapping[FoundKind, str] = {
    FoundKind.ACCOUNT: "/accounts",
    FoundKind.ALARM: "/alarms",
    FoundKind.COMPLAINT: "/complaints",
    FoundKind.EQUIPMENT: "/equipment",
    FoundKind.GATEWAY: "/gateways",
    FoundKind.INVOICE: "/invoices",
    FoundKind.METER: "/meters",
    FoundKind.PERSON: "/people",
    FoundKind.REPAIR: "/repairs",
    FoundKind.SPACE: "/premises",
}


@dataclass(frozen=True, slots=True)
class FindView:
    """What a search found: things kind by kind, and pages of that name."""

    query: str
    groups: tuple[tuple[FoundKind, tuple[Found, ...]], ...]
    entries: tuple[Entry, ...]
    paths: Mapping[FoundKind, str]


async def show(desk: Desk) -> web.StreamResponse:
    """Show the search as a page of its own."""
    return await desk.page("find.html", view=await _find(desk))


async def show_results(desk: Desk) -> web.StreamResponse:
    """Show what was found, for the palette."""
    return desk.part("find_results.html", view=await _find(desk))


async def _find(desk: Desk) -> FindView:
    query = desk.request.query.get("q", "").strip()[:SEARCH_LENGTH_MAX]
    gettext = desk.language.gettext
    entries = tuple(
        entry
        for group in menu_for(desk.actor)
        for entry in group.entries
        if query.lower() in gettext(entry.label).lower()
    )
    found = await desk.read(finding.find, desk.site.site_id, query)
    groups = tuple((kind, tuple(things)) for kind, things in groupby(found, lambda one: one.kind))
    return FindView(query, groups, entries, _PAGES)
