"""Patrols: routes and their rounds, tags read on the way, and an alarm where a checkpoint was missed.

The invariant: a round is judged once, when its time is over, also after an outage; what is older than a
day then stands in the report and rings nobody.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import date, timedelta

from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import CheckpointId, EntranceId, PatrolRouteId, SiteId
from cloud.domain.patrol import Checkpoint, PatrolRound, PatrolRoute, rounds_between
from cloud.domain.periods import local_date, local_time, midnight_ms, time_zone
from cloud.domain.user import User
from cloud.services import alarms
from cloud.services.premises import site_of
from cloud.store import audit, entrances, gateways, patrols, premises
from cloud.store.db import Tx
from protocol.event import Severity

PATROL_MISSED = "patrol_missed"
REPORT_DAYS_MAX = 31
_ROUTES_MAX = 30
_TAG_BYTES = 12
_DAY_MS = 24 * 3_600_000
_NAMES_TOLD = 5


def add_route(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    name: str,
    weekdays: Collection[int],
    starts: Sequence[int],
    minutes: int,
    places: Sequence[tuple[str, EntranceId | None]],
) -> PatrolRoute:
    """Have a route walked from now on; every checkpoint gets the text of its tag."""
    require(actor, Action.MANAGE_PATROLS)
    site_of(tx, site_id)
    if len(patrols.list_routes(tx, site_id)) >= _ROUTES_MAX:
        raise Conflict(f"there are {_ROUTES_MAX} routes already: end one that is not walked")
    known = {one.entrance_id for one in entrances.entrances_of_site(tx, site_id)}
    for place, entrance_id in places:
        if entrance_id is not None and entrance_id not in known:
            raise NotFound(f"{place}: there is no such entrance")
    checkpoints = tuple(
        Checkpoint(
            CheckpointId(tx.new_id()), " ".join(place.split()), secrets.token_urlsafe(_TAG_BYTES), entrance_id
        )
        for place, entrance_id in places
    )
    route_id = PatrolRouteId(tx.new_id())
    said = " ".join(name.split())
    added = PatrolRoute(
        route_id, site_id, said, frozenset(weekdays), tuple(starts), minutes, checkpoints, tx.now_ms
    )
    patrols.insert_route(tx, added)
    audit.record(tx, actor.user_id, "add_patrol_route", "patrol_route", route_id, {"name": said})
    return added


def end_route(tx: Tx, actor: User, route_id: PatrolRouteId) -> None:
    """Walk a route no more."""
    require(actor, Action.MANAGE_PATROLS)
    if patrols.find_route(tx, route_id) is None or not patrols.end_route(tx, route_id):
        raise NotFound(f"there is no patrol route {route_id}")
    audit.record(tx, actor.user_id, "end_patrol_route", "patrol_route", route_id)


def list_routes(tx: Tx, actor: User, site_id: SiteId) -> list[PatrolRoute]:
    """Return a site's routes with the texts of their tags, by name."""
    require(actor, Action.MANAGE_PATROLS)
    return patrols.list_routes(tx, site_of(tx, site_id).site_id)


def get_route(tx: Tx, actor: User, route_id: PatrolRouteId) -> PatrolRoute:
    """Return one route with the texts of its tags, to print them."""
    require(actor, Action.MANAGE_PATROLS)
    found = patrols.find_route(tx, route_id)
    if found is None:
        raise NotFound(f"there is no patrol route {route_id}")
    return found


def rounds(tx: Tx, actor: User, site_id: SiteId, first_on: date, days: int) -> list[PatrolRound]:
    """Return the rounds that begin within some days and who was where, the latest first."""
    require(actor, Action.READ_PATROLS)
    if not 1 <= days <= REPORT_DAYS_MAX:
        raise Invalid(f"a report of {days} days, expected 1 to {REPORT_DAYS_MAX}")
    found = _rounds(tx, site_id, first_on, days)
    return sorted(found, key=lambda one: (one.from_ms, one.route.name), reverse=True)


def checkpoint_of_tag(tx: Tx, actor: User, site_id: SiteId, tag: str) -> tuple[PatrolRoute, Checkpoint]:
    """Return the route and the checkpoint a tag belongs to."""
    require(actor, Action.WALK_PATROLS)
    site_of(tx, site_id)
    route = patrols.route_of_tag(tx, site_id, tag)
    place = None if route is None else next((one for one in route.checkpoints if one.tag == tag), None)
    if route is None or place is None:
        raise NotFound("no checkpoint has this tag")
    return route, place


def mark(tx: Tx, actor: User, site_id: SiteId, tag: str) -> Checkpoint:
    """Write down that the actor is at the checkpoint whose tag they have read."""
    _, place = checkpoint_of_tag(tx, actor, site_id, tag)
    patrols.insert_mark(tx, place.checkpoint_id, actor.user_id)
    return place


def judge(tx: Tx) -> int:
    """Judge the rounds whose time is over; an alarm says which checkpoints nobody was at. Return how many."""
    judged = 0
    for site in premises.list_sites(tx):
        zone = time_zone(site.time_zone)
        first_on = local_date(tx.now_ms - _DAY_MS, zone) - timedelta(days=1)
        for one in _rounds(tx, site.site_id, first_on, 3):
            if one.until_ms > tx.now_ms or one.until_ms < tx.now_ms - _DAY_MS:
                continue
            if patrols.note_judged(tx, one.route.route_id, one.from_ms, len(one.missing)):
                judged += 1
                _tell(tx, one, f"{local_time(one.from_ms, zone):%H:%M}")
    return judged


def _rounds(tx: Tx, site_id: SiteId, first_on: date, days: int) -> list[PatrolRound]:
    zone = time_zone(site_of(tx, site_id).time_zone)
    routes = patrols.list_routes(tx, site_id)
    if not routes:
        return []
    from_ms = midnight_ms(first_on, zone)
    until_ms = midnight_ms(first_on + timedelta(days=days + 1), zone)
    known = patrols.proofs(tx, routes, from_ms, until_ms)
    return [one for route in routes for one in rounds_between(route, first_on, days, zone, known)]


def _tell(tx: Tx, one: PatrolRound, begun: str) -> None:
    boxes = gateways.list_gateways(tx, one.route.site_id)
    if not boxes:
        return  # an alarm hangs on a box; without one the report alone says it
    box = boxes[0]
    identity = GatewayIdentity(tx.tenant_id, box.gateway_id, one.route.site_id, box.code)
    # Each round that was not whole is an alarm of its own; a whole one ends the last.
    alarms.clear_own(tx, identity, PATROL_MISSED)
    if not one.missing:
        return
    names = ", ".join(place.name for place in one.missing[:_NAMES_TOLD])
    more = "…" if len(one.missing) > _NAMES_TOLD else ""
    message = f"{one.route.name} {begun}: {names}{more}"
    alarms.raise_own(tx, identity, PATROL_MISSED, Severity.MINOR, message, one.until_ms)
