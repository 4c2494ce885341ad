"""Who repairs: skills, buildings and shift of each technician, changed on the spot."""

from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.access import POLICY, Action, may
from cloud.domain.dispatch import Shift, Technician
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import SiteId, UserId, is_uuid
from cloud.domain.repair import RepairCategory
from cloud.domain.user import Role, User
from cloud.services import premises, technicians, users
from cloud.store.db import Tx

_USERS_READ = 500
_ROUND_THE_CLOCK = Shift(frozenset(range(7)), 0, 0)


@dataclass(frozen=True, slots=True)
class TechniciansView:
    """Everybody who may be sent, and what there is to choose from."""

    technicians: tuple[Technician, ...]
    categories: tuple[str, ...]
    buildings: tuple[str, ...]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show who repairs here."""
    return await desk.page("repairs/technicians.html", view=await desk.read(_view, desk.site.site_id, ""))


async def submit(desk: Desk) -> web.StreamResponse:
    """Say what somebody can do, where and when."""
    form = await desk.request.post()
    text = desk.request.match_info["user_id"]
    if not is_uuid(text):
        raise NotFound("there is no such user")
    try:
        shift = Shift(
            frozenset(int(str(day)) for day in form.getall("weekday", []) if str(day).isdecimal()),
            _minute(str(form.get("from", ""))),
            _minute(str(form.get("to", ""))),
        )
        known = {one.value: one for one in RepairCategory}
        skills = [known[str(word)] for word in form.getall("skill", []) if str(word) in known]
        buildings = [str(code) for code in form.getall("building", [])]
        is_away = "away" in form
        done: Technician = await desk.write(
            technicians.set_technician, UserId(text), skills, buildings, shift, is_away=is_away
        )
    except (Conflict, Invalid) as error:
        view = await desk.read(_view, desk.site.site_id, str(error))
        return await desk.page("repairs/technicians.html", status=422, view=view)
    return desk.go("/technicians", "technician-set", name=done.name)


def _view(tx: Tx, actor: User, site_id: SiteId, error: str) -> TechniciansView:
    known = {one.user_id: one for one in technicians.list_technicians(tx, actor)}
    if may(actor, Action.MANAGE_USERS):
        # Whoever could be sent and has nothing said about them yet.
        for record in users.list_users(tx, actor, None, _USERS_READ).items:
            is_fit = record.user.role in POLICY[Action.WORK_REPAIRS] and record.disabled_at_ms is None
            if record.user.role is Role.MAINTENANCE and is_fit:
                blank = Technician(
                    record.user.user_id,
                    record.user.display_name,
                    frozenset(),
                    frozenset(),
                    _ROUND_THE_CLOCK,
                    is_away=False,
                )
                known.setdefault(record.user.user_id, blank)
    return TechniciansView(
        tuple(sorted(known.values(), key=lambda one: one.name)),
        tuple(one.value for one in RepairCategory),
        tuple(building.code for building in premises.list_buildings(tx, actor, site_id)),
        error,
    )


def _minute(text: str) -> int:
    """Return `08:30` as 510; Invalid for what is no time of day."""
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal()):
        raise Invalid(f"a time of day is written 08:30, not {text!r}")
    return int(hours) * 60 + int(minutes)
