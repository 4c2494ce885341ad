"""Posts that somebody holds in turn, their rotas and swaps."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.dispatch import Shift
from cloud.domain.duty import DutyPost, DutySwap
from cloud.domain.ids import DutyPostId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import duty_post, duty_rota, duty_swap

_P, _R, _S = duty_post.c, duty_rota.c, duty_swap.c


def insert_post(tx: Tx, added: DutyPost) -> None:
    """Add a post and its rota."""
    # Add one post.
    tx.conn.execute(
        tx.insert(duty_post).values(
            tenant_id=tx.tenant_id,
            id=added.post_id,
            site_id=added.site_id,
            name=added.name,
            circle=added.circle,
            weekdays=sorted(added.shift.weekdays),
            from_minute=added.shift.from_minute,
            to_minute=added.shift.to_minute,
            turn_days=added.turn_days,
            starts_on=added.starts_on,
            created_at_ms=tx.now_ms,
        )
    )
    turns = [
        {"tenant_id": tx.tenant_id, "post_id": added.post_id, "position": number, "user_id": user_id}
        for number, user_id in enumerate(added.rota)
    ]
    # Add its rota.
    tx.conn.execute(tx.insert(duty_rota).values(turns))


def end_post(tx: Tx, post_id: DutyPostId) -> bool:
    """Let nobody hold a post any more; tell whether anybody did."""
    # End one post.
    return bool(
        tx.conn.execute(
            sa.update(duty_post)
            .where(_P.tenant_id == tx.tenant_id, _P.id == post_id, _P.ended_at_ms.is_(None))
            .values(ended_at_ms=tx.now_ms)
        ).rowcount
    )


def find_post(tx: Tx, post_id: DutyPostId) -> DutyPost | None:
    """Return a post that is held, or None."""
    found = _posts(tx, _P.id == post_id)
    return found[0] if found else None


def list_posts(tx: Tx, site_id: SiteId) -> list[DutyPost]:
    """Return a site's posts that are held, by circle and name."""
    return _posts(tx, _P.site_id == site_id)


def put_swap(tx: Tx, swap: DutySwap, swapped_by: UserId | None) -> None:
    """Let somebody else hold one day's turn, in place of what was said of it before."""
    said = {
        "user_id": swap.user_id,
        "reason": swap.reason,
        "swapped_by": swapped_by,
        "swapped_at_ms": tx.now_ms,
    }
    # Add or replace one swap.
    tx.conn.execute(
        tx.insert(duty_swap)
        .values(tenant_id=tx.tenant_id, post_id=swap.post_id, turn_on=swap.on, **said)
        .on_conflict_do_update(index_elements=["tenant_id", "post_id", "turn_on"], set_=said)
    )


def delete_swap(tx: Tx, post_id: DutyPostId, on: date) -> None:
    """Let one day's turn be whose it is by the rota."""
    # Forget one swap.
    tx.conn.execute(
        sa.delete(duty_swap).where(_S.tenant_id == tx.tenant_id, _S.post_id == post_id, _S.turn_on == on)
    )


def swaps_between(
    tx: Tx, site_id: SiteId, first_on: date, last_on: date
) -> dict[tuple[DutyPostId, date], DutySwap]:
    """Return the swaps of a site's posts on days from the first to the last, both included."""
    held = sa.and_(_P.tenant_id == _S.tenant_id, _P.id == _S.post_id)
    # Who has swapped what in these days?
    rows = tx.conn.execute(
        sa.select(_S.post_id, _S.turn_on, _S.user_id, _S.reason)
        .select_from(duty_swap.join(duty_post, held))
        .where(_S.tenant_id == tx.tenant_id, _P.site_id == site_id, _S.turn_on.between(first_on, last_on))
    )
    return {
        (DutyPostId(row.post_id), row.turn_on): DutySwap(
            DutyPostId(row.post_id), row.turn_on, UserId(row.user_id), row.reason
        )
        for row in rows
    }


def _posts(tx: Tx, which: sa.ColumnElement[bool]) -> list[DutyPost]:
    # Which posts are held, and by whom in turn?
    rows = tx.conn.execute(
        sa.select(duty_post, _R.user_id)
        .select_from(duty_post.join(duty_rota, sa.and_(_R.tenant_id == _P.tenant_id, _R.post_id == _P.id)))
        .where(_P.tenant_id == tx.tenant_id, _P.ended_at_ms.is_(None), which)
        .order_by(_P.circle, _P.name, _P.id, _R.position)
    )
    gathered: dict[str, tuple[Any, list[UserId]]] = {}
    for row in rows:
        gathered.setdefault(row.id, (row, []))[1].append(UserId(row.user_id))
    return [_post(row, rota) for row, rota in gathered.values()]


def _post(row: Any, rota: list[UserId]) -> DutyPost:
    return DutyPost(
        DutyPostId(row.id),
        SiteId(row.site_id),
        row.name,
        row.circle,
        Shift(frozenset(row.weekdays), row.from_minute, row.to_minute),
        row.turn_days,
        row.starts_on,
        tuple(rota),
    )
