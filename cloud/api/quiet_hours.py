"""Quiet hours: when a site's people are rung for nothing that is not urgent."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.errors import Invalid, Problem
from cloud.domain.ids import SiteId
from cloud.domain.quiet_hours import MINUTE_MAX, QuietHours
from cloud.services import quiet_hours

Minute = Annotated[int, Meta(ge=0, le=MINUTE_MAX)]


class NewQuietHours(Request, frozen=True, kw_only=True):
    """Minutes of the local day, `until` itself excluded (over midnight if earlier). Both null: none."""

    from_minute: Annotated[Minute, Meta(examples=[21 * 60])] | None
    until_minute: Annotated[Minute, Meta(examples=[8 * 60])] | None


class QuietHoursView(View, frozen=True):
    """When a site is quiet, in minutes of its local day; both null: never."""

    from_minute: int | None
    until_minute: int | None


async def get_quiet_hours(call: Call[Nothing, Nothing]) -> QuietHoursView:
    """Show when a site is quiet."""
    return _view(await call.read(quiet_hours.get_hours, SiteId(call.id("site_id"))))


async def set_quiet_hours(call: Call[Nothing, NewQuietHours]) -> web.Response:
    """Set when a site is quiet."""
    site_id, hours = SiteId(call.id("site_id")), _hours(call.body)
    return await call.change_seen(
        lambda tx, actor: _view(quiet_hours.get_hours(tx, actor, site_id)),
        lambda tx, actor: quiet_hours.set_hours(tx, actor, site_id, hours),
    )


def _hours(told: NewQuietHours) -> QuietHours | None:
    if told.from_minute is not None and told.until_minute is not None:
        return QuietHours(told.from_minute, told.until_minute)
    if told.from_minute is None and told.until_minute is None:
        return None
    left_out = "from_minute" if told.from_minute is None else "until_minute"
    said = "quiet hours have a beginning and an end, or neither"
    raise Invalid(said, [Problem(f"/{left_out}", said)])


def _view(hours: QuietHours | None) -> QuietHoursView:
    if hours is None:
        return QuietHoursView(from_minute=None, until_minute=None)
    return QuietHoursView(from_minute=hours.from_minute, until_minute=hours.until_minute)


_PATH = "/api/v1/sites/{site_id}/quiet_hours"

ROUTES = (
    Route("GET", _PATH, "Show the quiet hours", Action.MANAGE_NOTIFIERS, get_quiet_hours, QuietHoursView),
    Route(
        "PUT",
        _PATH,
        "Set the quiet hours",
        Action.MANAGE_NOTIFIERS,
        set_quiet_hours,
        None,
        body=NewQuietHours,
        is_guarded=True,
    ),
)
