"""Patrol routes, who was at their checkpoints, and which rounds were judged."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.entry import PassageOutcome
from cloud.domain.ids import CheckpointId, EntranceId, PatrolRouteId, SiteId, UserId
from cloud.domain.patrol import Checkpoint, PatrolRoute, Proof, ProofMeans
from cloud.store.db import Tx
from cloud.store.schema import (
    app_user,
    badge,
    passage,
    patrol_checkpoint,
    patrol_mark,
    patrol_round,
    patrol_route,
)

_R, _C, _M = patrol_route.c, patrol_checkpoint.c, patrol_mark.c


def insert_route(tx: Tx, added: PatrolRoute) -> None:
    """Add a route with its checkpoints."""
    # Add one route.
    tx.conn.execute(
        tx.insert(patrol_route).values(
            tenant_id=tx.tenant_id,
            id=added.route_id,
            site_id=added.site_id,
            name=added.name,
            weekdays=sorted(added.weekdays),
            starts=list(added.starts),
            minutes=added.minutes,
            created_at_ms=added.created_at_ms,
        )
    )
    places = [
        {
            "tenant_id": tx.tenant_id,
            "id": one.checkpoint_id,
            "route_id": added.route_id,
            "position": number,
            "name": one.name,
            "tag": one.tag,
            "entrance_id": one.entrance_id,
        }
        for number, one in enumerate(added.checkpoints)
    ]
    # Add its checkpoints.
    tx.conn.execute(tx.insert(patrol_checkpoint).values(places))


def end_route(tx: Tx, route_id: PatrolRouteId) -> bool:
    """Walk a route no more; tell whether it was walked."""
    # End one route.
    return bool(
        tx.conn.execute(
            sa.update(patrol_route)
            .where(_R.tenant_id == tx.tenant_id, _R.id == route_id, _R.ended_at_ms.is_(None))
            .values(ended_at_ms=tx.now_ms)
        ).rowcount
    )


def find_route(tx: Tx, route_id: PatrolRouteId) -> PatrolRoute | None:
    """Return a route that is walked, or None."""
    found = _routes(tx, _R.id == route_id)
    return found[0] if found else None


def list_routes(tx: Tx, site_id: SiteId) -> list[PatrolRoute]:
    """Return a site's routes that are walked, by name."""
    return _routes(tx, _R.site_id == site_id)


def route_of_tag(tx: Tx, site_id: SiteId, tag: str) -> PatrolRoute | None:
    """Return the route a tag's checkpoint is on, or None."""
    # Which route is this tag on?
    row = tx.conn.execute(
        sa.select(_C.route_id).where(_C.tenant_id == tx.tenant_id, _C.tag == tag)
    ).one_or_none()
    found = None if row is None else find_route(tx, PatrolRouteId(row.route_id))
    return found if found is not None and found.site_id == site_id else None


def insert_mark(tx: Tx, checkpoint_id: CheckpointId, user_id: UserId) -> None:
    """Write down that somebody is at a checkpoint."""
    # Add one mark.
    tx.conn.execute(
        tx.insert(patrol_mark).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            checkpoint_id=checkpoint_id,
            user_id=user_id,
            at_ms=tx.now_ms,
        )
    )


def proofs(tx: Tx, routes: Collection[PatrolRoute], from_ms: int, until_ms: int) -> list[Proof]:
    """Return who was at the checkpoints of routes in a span, by tag or by a badge of the staff at a door."""
    route_ids = [one.route_id for one in routes]
    at = sa.and_(_C.tenant_id == _M.tenant_id, _C.id == _M.checkpoint_id)
    who = sa.and_(app_user.c.tenant_id == _M.tenant_id, app_user.c.id == _M.user_id)
    # Who read which tag?
    by_tag = tx.conn.execute(
        sa.select(_M.checkpoint_id, _M.at_ms, app_user.c.display_name.label("who"))
        .select_from(patrol_mark.join(patrol_checkpoint, at).join(app_user, who))
        .where(
            _M.tenant_id == tx.tenant_id,
            _C.route_id.in_(route_ids),
            _M.at_ms >= from_ms,
            _M.at_ms < until_ms,
        )
    ).all()
    passed = sa.and_(passage.c.tenant_id == _C.tenant_id, passage.c.entrance_id == _C.entrance_id)
    shown = sa.and_(badge.c.tenant_id == passage.c.tenant_id, badge.c.id == passage.c.badge_id)
    # Whose badge, of nobody's home, opened which door?
    by_door = tx.conn.execute(
        sa.select(
            _C.id.label("checkpoint_id"), passage.c.occurred_at_ms.label("at_ms"), badge.c.label.label("who")
        )
        .select_from(patrol_checkpoint.join(passage, passed).join(badge, shown))
        .where(
            _C.tenant_id == tx.tenant_id,
            _C.route_id.in_(route_ids),
            badge.c.account_id.is_(None),
            passage.c.outcome == PassageOutcome.GRANTED.value,
            passage.c.occurred_at_ms >= from_ms,
            passage.c.occurred_at_ms < until_ms,
        )
    ).all()
    return [
        Proof(CheckpointId(row.checkpoint_id), row.at_ms, row.who, means)
        for rows, means in ((by_tag, ProofMeans.TAG), (by_door, ProofMeans.DOOR))
        for row in rows
    ]


def note_judged(tx: Tx, route_id: PatrolRouteId, begins_at_ms: int, missing: int) -> bool:
    """Note that a round was judged; False if it had been."""
    # Judge one round, once.
    return bool(
        tx.conn.execute(
            tx.insert(patrol_round)
            .values(
                tenant_id=tx.tenant_id,
                route_id=route_id,
                begins_at_ms=begins_at_ms,
                missing=missing,
                judged_at_ms=tx.now_ms,
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def _routes(tx: Tx, which: sa.ColumnElement[bool]) -> list[PatrolRoute]:
    on_route = sa.and_(_C.tenant_id == _R.tenant_id, _C.route_id == _R.id)
    # Which routes are walked, past which places?
    rows = tx.conn.execute(
        sa.select(
            patrol_route,
            _C.id.label("checkpoint_id"),
            _C.name.label("checkpoint_name"),
            _C.tag,
            _C.entrance_id,
        )
        .select_from(patrol_route.join(patrol_checkpoint, on_route))
        .where(_R.tenant_id == tx.tenant_id, _R.ended_at_ms.is_(None), which)
        .order_by(_R.name, _R.id, _C.position)
    )
    gathered: dict[str, tuple[Any, list[Checkpoint]]] = {}
    for row in rows:
        entrance_id = None if row.entrance_id is None else EntranceId(row.entrance_id)
        place = Checkpoint(CheckpointId(row.checkpoint_id), row.checkpoint_name, row.tag, entrance_id)
        gathered.setdefault(row.id, (row, []))[1].append(place)
    return [
        PatrolRoute(
            PatrolRouteId(row.id),
            SiteId(row.site_id),
            row.name,
            frozenset(row.weekdays),
            tuple(row.starts),
            row.minutes,
            tuple(places),
            row.created_at_ms,
        )
        for row, places in gathered.values()
    ]
