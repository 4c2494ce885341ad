"""Patrols: the rounds of the last days, the routes, the tags to print, and a tag read on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web
from markupsafe import Markup
from multidict import MultiDict

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import minute_of, whole_of
from cloud.domain.access import Action, may
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import EntranceId, PatrolRouteId, SiteId, is_uuid
from cloud.domain.patrol import Checkpoint, PatrolRound, PatrolRoute, RoundState
from cloud.domain.user import User
from cloud.services import entrances, patrols
from cloud.store.db import Tx
from cloud.web.origin import own_origin

_DAYS_SHOWN = 7
_FIELD_LENGTH_MAX = 3_000
_EVERY_DAY = tuple(str(number) for number in range(7))


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round and where it stands."""

    round: PatrolRound
    state: RoundState


@dataclass(frozen=True, slots=True)
class PatrolsView:
    """The rounds of the last days, and for managers the routes and the form for one more."""

    rows: tuple[RoundRow, ...]
    routes: tuple[PatrolRoute, ...]
    entrances: tuple[str, ...]
    typed: Mapping[str, str] = field(default_factory=dict)
    weekdays: tuple[str, ...] = _EVERY_DAY
    error: str = ""

    @property
    def missed(self) -> int:
        """Return how many of them were missed."""
        return sum(row.state is RoundState.MISSED for row in self.rows)

    @property
    def is_any_over(self) -> bool:
        """Tell whether there is a round to speak of."""
        return any(row.state in (RoundState.DONE, RoundState.MISSED) for row in self.rows)


@dataclass(frozen=True, slots=True)
class TagsView:
    """A route's tags to print: each with the picture of its address."""

    route: PatrolRoute
    tags: tuple[tuple[Checkpoint, Markup], ...]


@dataclass(frozen=True, slots=True)
class TagView:
    """The checkpoint whose tag was read."""

    route: PatrolRoute
    checkpoint: Checkpoint


async def show(desk: Desk) -> web.StreamResponse:
    """Show the rounds of the last days."""
    view = await desk.read(_view, desk.site.site_id, desk.format, None)
    return await desk.page("patrols/rounds.html", view=view)


async def act(desk: Desk) -> web.StreamResponse:
    """Add a route, or end one."""
    posted = await desk.request.post()
    form = MultiDict((name, str(value).strip()[:_FIELD_LENGTH_MAX]) for name, value in posted.items())
    try:
        if form.get("act") == "end":
            await desk.write(patrols.end_route, _route_id(form.get("route", "")))
        else:
            await desk.write(_add, desk.site.site_id, form, desk.format)
    except (Conflict, Invalid, NotFound) as error:
        view = await desk.read(_view, desk.site.site_id, desk.format, (form, str(error)))
        return await desk.page("patrols/rounds.html", status=422, view=view)
    return desk.go("/patrols", "patrol-changed")


async def show_tags(desk: Desk) -> web.StreamResponse:
    """Show a route's tags, to be printed and put up."""
    route = await desk.read(patrols.get_route, _route_id(desk.request.match_info["route"]))
    origin = own_origin(desk.request)
    tags = tuple((one, picture_of_code(f"{origin}/patrol/{one.tag}")) for one in route.checkpoints)
    return await desk.page("patrols/tags.html", view=TagsView(route, tags))


async def show_tag(desk: Desk) -> web.StreamResponse:
    """Show the checkpoint whose tag was read, with the button that says one is there."""
    route, place = await desk.read(
        patrols.checkpoint_of_tag, desk.site.site_id, desk.request.match_info["tag"]
    )
    return await desk.page("patrols/tag.html", view=TagView(route, place))


async def mark(desk: Desk) -> web.StreamResponse:
    """Say that one is at a checkpoint."""
    place = await desk.write(patrols.mark, desk.site.site_id, desk.request.match_info["tag"])
    return desk.go("/patrols", "patrol-marked", name=place.name)


def _view(
    tx: Tx, actor: User, site_id: SiteId, fmt: Format, refused: tuple[MultiDict[str], str] | None
) -> PatrolsView:
    first_on = fmt.today - timedelta(days=_DAYS_SHOWN - 1)
    found = patrols.rounds(tx, actor, site_id, first_on, _DAYS_SHOWN)
    rows = tuple(RoundRow(one, one.state_at(fmt.now_ms)) for one in found)
    is_manager = may(actor, Action.MANAGE_PATROLS)
    routes = tuple(patrols.list_routes(tx, actor, site_id)) if is_manager else ()
    doors = tuple(one.name for one in entrances.list_entrances(tx, actor, site_id)) if is_manager else ()
    if refused is None:
        return PatrolsView(rows, routes, doors)
    form, error = refused
    return PatrolsView(rows, routes, doors, dict(form), tuple(form.getall("weekday", [])), error)


def _add(tx: Tx, actor: User, site_id: SiteId, form: MultiDict[str], fmt: Format) -> PatrolRoute:
    doors = {one.name: one.entrance_id for one in entrances.list_entrances(tx, actor, site_id)}
    times = form.get("starts", "").replace("，", " ").replace(",", " ").split()
    starts = [minute_of(one, fmt) for one in times]
    minutes = whole_of(form.get("minutes", ""), fmt)
    weekdays = [int(one) for one in form.getall("weekday", []) if one in _EVERY_DAY]
    places = [_place(line, doors) for line in form.get("places", "").splitlines() if line.strip()]
    return patrols.add_route(tx, actor, site_id, form.get("name", ""), weekdays, starts, minutes, places)


def _place(line: str, doors: Mapping[str, EntranceId]) -> tuple[str, EntranceId | None]:
    """Return a checkpoint written as its name, or as `name = entrance`."""
    name, equals, door = (part.strip() for part in line.partition("="))
    if not equals:
        return name, None
    if door not in doors:
        raise Invalid(f"{name}: there is no entrance {door!r}")
    return name, doors[door]


def _route_id(text: str) -> PatrolRouteId:
    if not is_uuid(text):
        raise NotFound(f"there is no patrol route {text!r}")
    return PatrolRouteId(text)
