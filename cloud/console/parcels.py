"""Parcels: the shelf at the gate, and a resident's own with their codes."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.errors import Conflict, Invalid, NotFound, TooMany
from cloud.domain.parcel import WAITS_LONG_MS, Parcel
from cloud.keys import DATABASE
from cloud.services import parcels

_TAB = "/home/more"


@dataclass(frozen=True, slots=True)
class ShelfView:
    """What is on the shelf, and the forms."""

    rows: tuple[Parcel, ...]
    typed: Mapping[str, str]
    error: str = ""

    @property
    def waiting(self) -> int:
        """Return how many are there."""
        return sum(one.handed_out_at_ms is None for one in self.rows)

    def is_long(self, one: Parcel, now_ms: int) -> bool:
        """Tell whether somebody should be reminded."""
        return one.handed_out_at_ms is None and now_ms - one.arrived_at_ms > WAITS_LONG_MS


@dataclass(frozen=True, slots=True)
class OwnView:
    """A resident's parcels."""

    rows: tuple[Parcel, ...]


async def show_shelf(desk: Desk) -> web.StreamResponse:
    """Show the shelf."""
    return await desk.page("parcels.html", view=await _shelf(desk, {}))


async def take_in(desk: Desk) -> web.StreamResponse:
    """Put a parcel on the shelf."""
    form = {name: str(value).strip()[:60] for name, value in (await desk.request.post()).items()}
    home, carrier, shelf = (form.get(name, "") for name in ("home", "carrier", "shelf"))
    try:
        added = await desk.write(parcels.take_in, desk.site.site_id, home, carrier, shelf)
    except (Conflict, Invalid, NotFound) as error:
        return await desk.page("parcels.html", status=422, view=await _shelf(desk, form, str(error)))
    return desk.go("/parcels", "parcel-taken-in", place=added.space_code)


async def hand_out(desk: Desk) -> web.StreamResponse:
    """Hand out the parcel of a code, once."""
    form = await desk.request.post()
    try:
        handed = await parcels.hand_out_by_code(
            desk.request.app[DATABASE], desk.actor, desk.site.site_id, str(form.get("code", ""))
        )
    except (Conflict, NotFound, TooMany) as error:
        return await desk.page("parcels.html", status=422, view=await _shelf(desk, {}, str(error)))
    return desk.go("/parcels", "parcel-handed-out", place=handed.space_code, shelf=handed.shelf or "—")


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident's parcels with their codes."""
    rows = await desk.read(parcels.own_parcels)
    return await desk.page("home/parcels.html", tab=_TAB, view=OwnView(tuple(rows)))


async def _shelf(desk: Desk, typed: Mapping[str, str], error: str = "") -> ShelfView:
    rows = await desk.read(parcels.list_shelf, desk.site.site_id)
    return ShelfView(tuple(rows), typed, error)
