"""Days that are not like others, told by a weather service or a person; time-of-use tariffs ask for them."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.services import special_days


class DaysQuery(Request, frozen=True, kw_only=True):
    """Which days: `since_on` and after, before `until_on`."""

    since_on: date
    until_on: date


class DayQuery(Request, frozen=True, kw_only=True):
    """Which day."""

    on: date


class NewToldDay(Request, frozen=True, kw_only=True):
    """What kind of day it is ("hot"), as tariffs name it in `days`, and who says so."""

    on: date
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    source: Annotated[str, Meta(min_length=1, max_length=200)]


class ToldDayView(View, frozen=True):
    """One day."""

    on: date
    kind: str
    source: str


class ToldDaysView(View, frozen=True):
    """Days in order."""

    items: tuple[ToldDayView, ...]


async def list_days(call: Call[DaysQuery, Nothing]) -> ToldDaysView:
    """List the days told of."""
    query = call.query
    found = await call.read(
        special_days.list_days, SiteId(call.id("site_id")), query.since_on, query.until_on
    )
    return ToldDaysView(items=tuple(view_of(one, ToldDayView) for one in found))


async def tell_day(call: Call[Nothing, NewToldDay]) -> ToldDayView:
    """Tell what kind of day it is; said again, the last holds."""
    body = call.body
    site_id = SiteId(call.id("site_id"))
    told = await call.write(special_days.tell_day, site_id, body.on, body.kind, body.source)
    return view_of(told, ToldDayView)


async def forget_day(call: Call[DayQuery, Nothing]) -> None:
    """Take back what was told of a day."""
    await call.write(special_days.forget_day, SiteId(call.id("site_id")), call.query.on)


_PATH = "/api/v1/sites/{site_id}/special_days"

ROUTES = (
    Route("GET", _PATH, "List special days", Action.READ_TARIFFS, list_days, ToldDaysView, query=DaysQuery),
    Route(
        "PUT",
        _PATH,
        "Tell of a special day",
        Action.MANAGE_TARIFFS,
        tell_day,
        ToldDayView,
        body=NewToldDay,
        description="Published holidays are known already. What is told here holds before them: heat, a "
        "storm, a local holiday. Charges so far and later bills follow; issued ones stay.",
    ),
    Route(
        "DELETE",
        _PATH,
        "Take a special day back",
        Action.MANAGE_TARIFFS,
        forget_day,
        None,
        query=DayQuery,
        description="It is again what the published calendar says. Issued bills stay.",
    ),
)
