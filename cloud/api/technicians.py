"""Technicians: what they can do, where and when."""

from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut
from cloud.domain.access import Action
from cloud.domain.dispatch import MINUTES_A_DAY, Shift, Technician
from cloud.domain.ids import UserId
from cloud.domain.repair import RepairCategory
from cloud.services import technicians

Minute = Annotated[int, Meta(ge=0, le=MINUTES_A_DAY - 1)]
Weekday = Annotated[int, Meta(ge=0, le=6)]


class TechnicianBody(Request, frozen=True, kw_only=True):
    """What somebody can do; no buildings means all. Minutes of the local day; weekday 0 is Monday."""

    skills: Annotated[tuple[RepairCategory, ...], Meta(max_length=20)]
    building_codes: Annotated[tuple[str, ...], Meta(max_length=200)] = ()
    weekdays: Annotated[tuple[Weekday, ...], Meta(max_length=7)] = (0, 1, 2, 3, 4, 5, 6)
    from_minute: Minute = 0
    to_minute: Minute = 0
    is_away: bool = False


class TechnicianView(View, frozen=True):
    """One technician and how many repairs they have under way."""

    user_id: str
    name: str
    skills: tuple[RepairCategory, ...]
    building_codes: tuple[str, ...]
    weekdays: tuple[int, ...]
    from_minute: int
    to_minute: int
    is_away: bool
    open_jobs: int


async def list_technicians(call: Call[PageQuery, Nothing]) -> Page[TechnicianView]:
    """List who repairs here."""
    found = await call.read(technicians.list_technicians)
    return cut(found, call.query, lambda one: one.user_id, _view)


async def set_technician(call: Call[Nothing, TechnicianBody]) -> TechnicianView:
    """Say what somebody can do, where and when."""
    body = call.body
    shift = Shift(frozenset(body.weekdays), body.from_minute, body.to_minute)
    user_id = UserId(call.id("user_id"))
    return _view(
        await call.write(
            technicians.set_technician,
            user_id,
            body.skills,
            body.building_codes,
            shift,
            is_away=body.is_away,
        )
    )


def _view(one: Technician) -> TechnicianView:
    return TechnicianView(
        user_id=one.user_id,
        name=one.name,
        skills=tuple(sorted(one.skills, key=lambda skill: skill.value)),
        building_codes=tuple(sorted(one.building_codes)),
        weekdays=tuple(sorted(one.shift.weekdays)),
        from_minute=one.shift.from_minute,
        to_minute=one.shift.to_minute,
        is_away=one.is_away,
        open_jobs=one.open_jobs,
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/technicians",
        "List technicians",
        Action.READ_REPAIRS,
        list_technicians,
        Page[TechnicianView],
        query=PageQuery,
    ),
    Route(
        "PUT",
        "/api/v1/technicians/{user_id}",
        "Say what a technician can do",
        Action.MANAGE_REPAIRS,
        set_technician,
        TechnicianView,
        body=TechnicianBody,
    ),
)
