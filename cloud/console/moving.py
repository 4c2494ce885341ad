"""Moving in and out: what a day's change of hands would do, then doing all of it or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of, day_or, number_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import SiteId
from cloud.domain.person import MovePlan, Relation
from cloud.domain.premises import Space
from cloud.domain.user import User
from cloud.services import moving, premises
from cloud.services.moving import Arrival, Moved
from cloud.store.db import Tx

_DIAL = "dial-"


@dataclass(frozen=True, slots=True)
class MoveView:
    """The plan of a day, and what was typed."""

    plan: MovePlan
    relations: tuple[str, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show(desk: Desk) -> web.StreamResponse:
    """Show what a change of hands on a day would do."""
    on = day_or(desk.request.query.get("on", ""), desk.format.today)
    view = await desk.read(_view, desk.site.site_id, desk.request.match_info["space"], on, {}, "")
    return await desk.page("people/move.html", view=view)


async def submit(desk: Desk) -> web.StreamResponse:
    """Change hands, or show the plan again with what does not fit."""
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    code = desk.request.match_info["space"]
    try:
        on = day_of(form.get("on", ""), desk.format)
        moved = await desk.write(_move, desk.site.site_id, code, on, form, desk.format)
    except (Conflict, Invalid) as error:
        on = day_or(form.get("on", ""), desk.format.today)
        view = await desk.read(_view, desk.site.site_id, code, on, form, str(error))
        return await desk.page("people/move.html", status=422, view=view)
    if moved.opened is None:
        return desk.go("/premises", "moved-out", code=code)
    return desk.go(f"/people/{moved.person_id}", "moved-in", number=moved.opened.number)


def _view(
    tx: Tx, actor: User, site_id: SiteId, code: str, on: date, typed: Mapping[str, str], error: str
) -> MoveView:
    space = _space(tx, actor, site_id, code)
    planned = moving.plan(tx, actor, space.space_id, on)
    filled = {"relation": Relation.OWNER.value, "household_size": "2", **typed}
    return MoveView(planned, tuple(one.value for one in Relation), filled, error)


def _move(
    tx: Tx, actor: User, site_id: SiteId, code: str, on: date, form: Mapping[str, str], fmt: Format
) -> Moved:
    space = _space(tx, actor, site_id, code)
    arriving = None
    if form.get("way") != "out":
        size = form.get("household_size", "")
        arriving = Arrival(
            None,
            form.get("name", ""),
            form.get("phone", ""),
            Relation(form.get("relation", Relation.OWNER.value)),
            int(size) if size.isdecimal() else 0,
        )
    dials = {
        name.removeprefix(_DIAL): number_of(value, fmt)
        for name, value in form.items()
        if name.startswith(_DIAL) and value
    }
    return moving.move(tx, actor, space.space_id, on, arriving, dials)


def _space(tx: Tx, actor: User, site_id: SiteId, code: str) -> Space:
    found = premises.space_called(tx, actor, site_id, code)
    if found is None:
        raise NotFound(f"the site has no flat {code!r}")
    return found
