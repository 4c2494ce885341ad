"""The resident's announcements: what their homes were told, and reading one."""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.announcements import announcement_id
from cloud.console.desk import Desk
from cloud.domain.announcement import OwnAnnouncement
from cloud.services import announcements

_TAB = "/home/more"


@dataclass(frozen=True, slots=True)
class OwnListView:
    """What the resident's homes were told, newest first."""

    rows: tuple[OwnAnnouncement, ...]

    @property
    def unread(self) -> int:
        """Return how many they have not opened."""
        return sum(row.read_at_ms is None for row in self.rows)


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show what the resident's homes were told."""
    rows = await desk.read(announcements.own_announcements, desk.site.site_id)
    return await desk.page("home/announcements.html", tab=_TAB, view=OwnListView(tuple(rows)))


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one announcement, and note that it was opened."""
    found = await desk.write(announcements.open_own, announcement_id(desk))
    return await desk.page("home/announcement.html", tab=_TAB, view=found)
