"""The duty roster: posts, whose turn it is, swaps, and who is on duty now."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut
from cloud.domain.access import Action
from cloud.domain.dispatch import MINUTES_A_DAY, Shift
from cloud.domain.duty import NAME_LENGTH_MAX, REASON_LENGTH_MAX, ROTA_LENGTH_MAX, TURN_DAYS_MAX, DutyPost
from cloud.domain.ids import DutyPostId, SiteId, UserId
from cloud.services import duty
from cloud.services.duty import ROSTER_DAYS_MAX, NamedTurn

Minute = Annotated[int, Meta(ge=0, le=MINUTES_A_DAY - 1)]
Weekday = Annotated[int, Meta(ge=0, le=6)]


class NewDutyPost(Request, frozen=True, kw_only=True):
    """A post held in turn; minutes of the local day, weekday 0 is Monday, the same minute twice is 24 h."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
    circle: Annotated[int, Meta(ge=1, le=3)] = 1
    weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = (0, 1, 2, 3, 4, 5, 6)
    from_minute: Minute = 0
    to_minute: Minute = 0
    turn_days: Annotated[int, Meta(ge=1, le=TURN_DAYS_MAX)] = 1
    starts_on: date
    rota: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=ROTA_LENGTH_MAX)]


class DutySwapBody(Request, frozen=True, kw_only=True):
    """Who holds one day's turn instead; whose turn it is by the rota takes a swap back."""

    on: date
    user_id: Id
    reason: Annotated[str, Meta(max_length=REASON_LENGTH_MAX)] = ""


class RosterQuery(PageQuery, frozen=True, kw_only=True):
    """Which days."""

    from_on: date
    days: Annotated[int, Meta(ge=1, le=ROSTER_DAYS_MAX)] = 14


class DutyPostView(View, frozen=True):
    """One post; `rota` are users in the order of their turns."""

    post_id: str
    name: str
    circle: int
    weekdays: tuple[int, ...]
    from_minute: int
    to_minute: int
    turn_days: int
    starts_on: date
    rota: tuple[str, ...]


class DutyTurnView(View, frozen=True):
    """One shift of a post and who holds it; `is_gone`: they can sign in no more, so nobody does."""

    post_id: str
    post_name: str
    circle: int
    on: date
    from_ms: int
    until_ms: int
    user_id: str
    name: str
    instead_of_name: str
    reason: str
    is_gone: bool


async def list_posts(call: Call[PageQuery, Nothing]) -> Page[DutyPostView]:
    """List a site's posts."""
    found = await call.read(duty.list_posts, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.post_id, _post_view)


async def add_post(call: Call[Nothing, NewDutyPost]) -> web.Response:
    """Have a post held in turn."""
    body = call.body
    return await call.create(
        _post_view,
        duty.add_post,
        SiteId(call.id("site_id")),
        body.name,
        body.circle,
        Shift(frozenset(body.weekdays), body.from_minute, body.to_minute),
        body.turn_days,
        body.starts_on,
        tuple(UserId(one) for one in body.rota),
    )


async def end_post(call: Call[Nothing, Nothing]) -> None:
    """Let nobody hold a post any more."""
    await call.write(duty.end_post, DutyPostId(call.id("duty_post_id")))


async def swap_turn(call: Call[Nothing, DutySwapBody]) -> DutyTurnView:
    """Give one day's turn to somebody else."""
    body, post_id = call.body, DutyPostId(call.id("duty_post_id"))
    return _turn_view(await call.write(duty.swap, post_id, body.on, UserId(body.user_id), body.reason))


async def list_turns(call: Call[RosterQuery, Nothing]) -> Page[DutyTurnView]:
    """List whose turn it is, day by day."""
    query = call.query
    found = await call.read(duty.roster, SiteId(call.id("site_id")), query.from_on, query.days)
    return cut(found, query, lambda one: f"{one.turn.on}:{one.turn.post.post_id}", _turn_view)


async def list_on_duty(call: Call[PageQuery, Nothing]) -> Page[DutyTurnView]:
    """List who is on duty now, who is told first first."""
    found = await call.read(duty.on_duty, SiteId(call.id("site_id")))
    return cut(found, call.query, _by_circle, _turn_view)


def _by_circle(one: NamedTurn) -> str:
    return f"{one.turn.post.circle}:{one.turn.post.post_id}:{one.turn.on}"


def _post_view(one: DutyPost) -> DutyPostView:
    return DutyPostView(
        post_id=one.post_id,
        name=one.name,
        circle=one.circle,
        weekdays=tuple(sorted(one.shift.weekdays)),
        from_minute=one.shift.from_minute,
        to_minute=one.shift.to_minute,
        turn_days=one.turn_days,
        starts_on=one.starts_on,
        rota=one.rota,
    )


def _turn_view(one: NamedTurn) -> DutyTurnView:
    turn = one.turn
    return DutyTurnView(
        post_id=turn.post.post_id,
        post_name=turn.post.name,
        circle=turn.post.circle,
        on=turn.on,
        from_ms=turn.from_ms,
        until_ms=turn.until_ms,
        user_id=turn.user_id,
        name=one.name,
        instead_of_name=one.instead_of_name,
        reason=turn.reason,
        is_gone=one.is_gone,
    )


_OF_SITE, _ONE = "/api/v1/sites/{site_id}/duty_posts", "/api/v1/duty_posts/{duty_post_id}"

ROUTES = (
    Route(
        "GET", _OF_SITE, "List duty posts", Action.READ_DUTY, list_posts, Page[DutyPostView], query=PageQuery
    ),
    Route(
        "POST",
        _OF_SITE,
        "Add a duty post",
        Action.MANAGE_DUTY,
        add_post,
        DutyPostView,
        body=NewDutyPost,
        status=201,
        creates=True,
    ),
    Route("DELETE", _ONE, "End a duty post", Action.MANAGE_DUTY, end_post, None),
    Route(
        "POST",
        _ONE + "/swaps",
        "Swap one turn",
        Action.SWAP_DUTY,
        swap_turn,
        DutyTurnView,
        body=DutySwapBody,
        description="Whoever is no manager gives away their own turn only.",
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/duty_turns",
        "List duty turns",
        Action.READ_DUTY,
        list_turns,
        Page[DutyTurnView],
        query=RosterQuery,
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/on_duty",
        "List who is on duty now",
        Action.READ_DUTY,
        list_on_duty,
        Page[DutyTurnView],
        query=PageQuery,
    ),
)
