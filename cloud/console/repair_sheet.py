"""The page of one repair, as residents, technicians and the office have it: shown, and acted upon.

The invariant: the three differ in their frame and in what they offer, never in how an act is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.repair_view import RepairPage, find_repair, perform, repair_page
from cloud.console.uploads import Sent, read_form
from cloud.domain.access import Action, may
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.repair import UNFINISHED
from cloud.domain.user import User
from cloud.store.db import Tx


@dataclass(frozen=True, slots=True)
class RepairSheet:
    """One frame: its template, its address, where its photos come from, and the tab it belongs to."""

    template: str
    address: str
    photos: str
    tab: str = ""

    async def show(self, desk: Desk) -> web.StreamResponse:
        """Answer the page, or the part of it that moves."""
        view = await self._view(desk)
        if "part" in desk.request.query:
            return desk.part("repairs/progress.html", view=view)
        return await desk.page(self.template, tab=self.tab, view=view)

    async def act(self, desk: Desk) -> web.StreamResponse:
        """Do what a form on the page asks for; what was typed stays if it is refused."""
        number = desk.request.match_info["repair"]
        found = await desk.read(find_repair, desk.site.site_id, number)
        sent = Sent({})
        try:
            sent = await read_form(desk.request)
            await perform(desk, found.repair.repair_id, sent)
        except (Conflict, Invalid) as error:
            view = await self._view(desk, str(error), sent.values)
            return await desk.page(self.template, status=422, tab=self.tab, view=view)
        return desk.go(f"{self.address}/{number}", "repair-changed", number=number)

    async def _view(self, desk: Desk, error: str = "", typed: Mapping[str, str] | None = None) -> RepairPage:
        number = desk.request.match_info["repair"]
        base = f"{self.photos}/{number}"
        return await desk.read(_page, desk.site.site_id, number, desk.format, base, error, typed)


def _page(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    number: str,
    fmt: Format,
    base: str,
    error: str,
    typed: Mapping[str, str] | None,
) -> RepairPage:
    found = find_repair(tx, actor, site_id, number)
    shows = may(actor, Action.MANAGE_REPAIRS) and found.repair.state in UNFINISHED
    return repair_page(tx, actor, found, fmt, base, error, typed, shows_candidates=shows)
