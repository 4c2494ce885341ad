"""Dunning: when a site reminds, whom it leaves alone."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.dunning import DAYS_MAX, STEPS_MAX, DunningSchedule
from cloud.domain.ids import AccountId, SiteId
from cloud.services import dunning

Days = Annotated[tuple[Annotated[int, Meta(ge=1, le=DAYS_MAX)], ...], Meta(max_length=STEPS_MAX)]


class NewSchedule(Request, frozen=True, kw_only=True):
    """The days overdue on which somebody is reminded, rising; none: nobody is."""

    days: Days


class NewPause(Request, frozen=True, kw_only=True):
    """Until which day (itself excluded) an account is reminded of nothing, and why."""

    until_on: date
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class ScheduleView(View, frozen=True):
    """The days overdue on which somebody is reminded."""

    days: tuple[int, ...]


class RemindedView(View, frozen=True):
    """How many accounts were reminded."""

    reminded: int


async def get_schedule(call: Call[Nothing, Nothing]) -> ScheduleView:
    """Show when a site reminds."""
    return _schedule_view(await call.read(dunning.get_schedule, SiteId(call.id("site_id"))))


async def set_schedule(call: Call[Nothing, NewSchedule]) -> web.Response:
    """Set when a site reminds."""
    site_id, schedule = SiteId(call.id("site_id")), DunningSchedule(call.body.days)
    return await call.change_seen(
        lambda tx, actor: _schedule_view(dunning.get_schedule(tx, actor, site_id)),
        lambda tx, actor: dunning.set_schedule(tx, actor, site_id, schedule),
    )


def _schedule_view(found: DunningSchedule) -> ScheduleView:
    return ScheduleView(days=found.days)


async def remind(call: Call[Nothing, Nothing]) -> RemindedView:
    """Remind everybody who has reached a step; again, nobody twice."""
    return RemindedView(reminded=await call.write(dunning.remind, SiteId(call.id("site_id"))))


async def pause(call: Call[Nothing, NewPause]) -> None:
    """Leave an account alone for a while."""
    body = call.body
    await call.write(dunning.pause, AccountId(call.id("account_id")), body.until_on, body.reason)


_SITE = "/api/v1/sites/{site_id}/dunning"

ROUTES = (
    Route("GET", _SITE, "Show the dunning schedule", Action.READ_LEDGER, get_schedule, ScheduleView),
    Route(
        "PUT",
        _SITE,
        "Set the dunning schedule",
        Action.MANAGE_DUNNING,
        set_schedule,
        None,
        body=NewSchedule,
        is_guarded=True,
    ),
    Route("POST", _SITE + "/run", "Remind who is due", Action.MANAGE_DUNNING, remind, RemindedView),
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/dunning_pause",
        "Leave an account alone",
        Action.MANAGE_DUNNING,
        pause,
        None,
        body=NewPause,
    ),
)
