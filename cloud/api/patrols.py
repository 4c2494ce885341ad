"""Patrols: routes, the tags of their checkpoints, and which rounds were walked."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut
from cloud.domain.access import Action
from cloud.domain.ids import EntranceId, PatrolRouteId, SiteId
from cloud.domain.patrol import (
    CHECKPOINTS_MAX,
    MINUTES_MAX,
    MINUTES_MIN,
    NAME_LENGTH_MAX,
    STARTS_MAX,
    Checkpoint,
    PatrolRound,
    PatrolRoute,
    ProofMeans,
    RoundState,
)
from cloud.keys import CLOCK
from cloud.services import patrols

Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Minute = Annotated[int, Meta(ge=0, le=24 * 60 - 1)]
Weekday = Annotated[int, Meta(ge=0, le=6)]


class NewCheckpoint(Request, frozen=True):
    """One place; at an entrance a badge of the staff proves it as the tag does."""

    name: Name
    entrance_id: Id | None = None


class NewPatrolRoute(Request, frozen=True, kw_only=True):
    """A way round: when its rounds begin (minutes of the local day) and how long each may take."""

    name: Name
    weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = (0, 1, 2, 3, 4, 5, 6)
    starts: Annotated[tuple[Minute, ...], Meta(min_length=1, max_length=STARTS_MAX)]
    minutes: Annotated[int, Meta(ge=MINUTES_MIN, le=MINUTES_MAX)] = 60
    checkpoints: Annotated[tuple[NewCheckpoint, ...], Meta(min_length=1, max_length=CHECKPOINTS_MAX)]


class TagRead(Request, frozen=True):
    """What a checkpoint's tag says."""

    tag: Annotated[str, Meta(min_length=1, max_length=60)]


class RoundsQuery(PageQuery, frozen=True, kw_only=True):
    """Which days."""

    from_on: date
    days: Annotated[int, Meta(ge=1, le=patrols.REPORT_DAYS_MAX)] = 7


class CheckpointView(View, frozen=True):
    """One place and what its tag says."""

    checkpoint_id: str
    name: str
    tag: str
    entrance_id: str | None


class PatrolRouteView(View, frozen=True):
    """One route."""

    route_id: str
    name: str
    weekdays: tuple[int, ...]
    starts: tuple[int, ...]
    minutes: int
    checkpoints: tuple[CheckpointView, ...]


class ProofView(View, frozen=True):
    """Who was at a checkpoint first."""

    checkpoint_id: str
    at_ms: int
    who: str
    means: ProofMeans


class PatrolRoundView(View, frozen=True):
    """One round: who was where, and where nobody was."""

    route_id: str
    route_name: str
    on: date
    from_ms: int
    until_ms: int
    state: RoundState
    proofs: tuple[ProofView, ...]
    missing: tuple[str, ...]


class MarkView(View, frozen=True):
    """The checkpoint somebody is at."""

    checkpoint_id: str
    name: str


async def list_routes(call: Call[PageQuery, Nothing]) -> Page[PatrolRouteView]:
    """List a site's routes."""
    found = await call.read(patrols.list_routes, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.route_id, _route_view)


async def add_route(call: Call[Nothing, NewPatrolRoute]) -> web.Response:
    """Have a route walked."""
    body = call.body
    places = [
        (one.name, None if one.entrance_id is None else EntranceId(one.entrance_id))
        for one in body.checkpoints
    ]
    return await call.create(
        _route_view,
        patrols.add_route,
        SiteId(call.id("site_id")),
        body.name,
        body.weekdays,
        body.starts,
        body.minutes,
        places,
    )


async def end_route(call: Call[Nothing, Nothing]) -> None:
    """Walk a route no more."""
    await call.write(patrols.end_route, PatrolRouteId(call.id("patrol_route_id")))


async def mark_checkpoint(call: Call[Nothing, TagRead]) -> MarkView:
    """Say that one is at the checkpoint whose tag one has read."""
    place = await call.write(patrols.mark, SiteId(call.id("site_id")), call.body.tag)
    return MarkView(checkpoint_id=place.checkpoint_id, name=place.name)


async def list_rounds(call: Call[RoundsQuery, Nothing]) -> Page[PatrolRoundView]:
    """List which rounds were walked."""
    query, now_ms = call.query, call.request.app[CLOCK]()
    found = await call.read(patrols.rounds, SiteId(call.id("site_id")), query.from_on, query.days)

    def view(one: PatrolRound) -> PatrolRoundView:
        return _round_view(one, now_ms)

    return cut(found, query, lambda one: f"{one.from_ms:015}:{one.route.route_id}", view)


def _route_view(one: PatrolRoute) -> PatrolRouteView:
    return PatrolRouteView(
        route_id=one.route_id,
        name=one.name,
        weekdays=tuple(sorted(one.weekdays)),
        starts=one.starts,
        minutes=one.minutes,
        checkpoints=tuple(_checkpoint_view(place) for place in one.checkpoints),
    )


def _checkpoint_view(one: Checkpoint) -> CheckpointView:
    return CheckpointView(
        checkpoint_id=one.checkpoint_id, name=one.name, tag=one.tag, entrance_id=one.entrance_id
    )


def _round_view(one: PatrolRound, now_ms: int) -> PatrolRoundView:
    return PatrolRoundView(
        route_id=one.route.route_id,
        route_name=one.route.name,
        on=one.on,
        from_ms=one.from_ms,
        until_ms=one.until_ms,
        state=one.state_at(now_ms),
        proofs=tuple(
            ProofView(checkpoint_id=proof.checkpoint_id, at_ms=proof.at_ms, who=proof.who, means=proof.means)
            for proof in one.proofs.values()
        ),
        missing=tuple(place.name for place in one.missing),
    )


_OF_SITE = "/api/v1/sites/{site_id}"

ROUTES = (
    Route(
        "GET",
        _OF_SITE + "/patrol_routes",
        "List patrol routes",
        Action.MANAGE_PATROLS,
        list_routes,
        Page[PatrolRouteView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _OF_SITE + "/patrol_routes",
        "Add a patrol route",
        Action.MANAGE_PATROLS,
        add_route,
        PatrolRouteView,
        body=NewPatrolRoute,
        status=201,
        creates=True,
    ),
    Route(
        "DELETE",
        "/api/v1/patrol_routes/{patrol_route_id}",
        "End a patrol route",
        Action.MANAGE_PATROLS,
        end_route,
        None,
    ),
    Route(
        "POST",
        _OF_SITE + "/patrol_marks",
        "Say that one is at a checkpoint",
        Action.WALK_PATROLS,
        mark_checkpoint,
        MarkView,
        body=TagRead,
    ),
    Route(
        "GET",
        _OF_SITE + "/patrol_rounds",
        "List patrol rounds",
        Action.READ_PATROLS,
        list_rounds,
        Page[PatrolRoundView],
        query=RoundsQuery,
        description="A checkpoint nobody was at raises an alarm when the round's time is over.",
    ),
)
