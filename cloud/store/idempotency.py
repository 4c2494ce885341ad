"""Requests that create something, and what was answered to them."""

from dataclasses import dataclass

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.store import schema
from cloud.store.db import Tx

_table = schema.idempotency_key


@dataclass(frozen=True, slots=True)
class Kept:
    """A key as it is kept; without `answer` while its request is being worked on."""

    request_digest: str
    claimed_at_ms: int
    status: int | None
    answer: bytes | None


def claim(tx: Tx, user_id: UserId, key: str, request_digest: str, *, is_permanent: bool) -> bool:
    """Take the key for a request; False if it is already there."""
    # Whoever comes first has the key; a second one at the same moment waits here, then sees it.
    statement = (
        tx.insert(_table)
        .values(
            tenant_id=tx.tenant_id,
            user_id=user_id,
            key=key,
            request_digest=request_digest,
            claimed_at_ms=tx.now_ms,
            is_permanent=is_permanent,
        )
        .on_conflict_do_nothing()
    )
    return tx.conn.execute(statement).rowcount == 1


def get(tx: Tx, user_id: UserId, key: str) -> Kept | None:
    """Return the key as it is kept, holding it until the end of the transaction."""
    # What is known of this key?
    query = (
        sa.select(_table.c.request_digest, _table.c.claimed_at_ms, _table.c.status, _table.c.answer)
        .where(_is(tx, user_id, key))
        .with_for_update()
    )
    row = tx.conn.execute(query).one_or_none()
    if row is None:
        return None
    return Kept(row.request_digest, row.claimed_at_ms, row.status, row.answer)


def claim_again(tx: Tx, user_id: UserId, key: str) -> None:
    """Take over a key whose request was never answered."""
    # Begin the lease anew.
    tx.conn.execute(sa.update(_table).where(_is(tx, user_id, key)).values(claimed_at_ms=tx.now_ms))


def keep_answer(tx: Tx, user_id: UserId, key: str, status: int, answer: bytes) -> bool:
    """Keep the answer beside its key; False if the key is not claimed, or already answered."""
    # An answer is kept once.
    statement = sa.update(_table).where(_is(tx, user_id, key), _table.c.answer.is_(None))
    return tx.conn.execute(statement.values(status=status, answer=answer)).rowcount == 1


def release(tx: Tx, user_id: UserId, key: str) -> None:
    """Let go of a key whose request was refused, so that it may be sent again, corrected or not."""
    # Only what has no answer may be forgotten.
    tx.conn.execute(sa.delete(_table).where(_is(tx, user_id, key), _table.c.answer.is_(None)))


def delete_older(tx: Tx, before_ms: int) -> int:
    """Forget keys claimed before then, unless they are kept for ever; return how many."""
    # Which keys has nobody reason to send again?
    statement = sa.delete(_table).where(
        _table.c.tenant_id == tx.tenant_id,
        _table.c.claimed_at_ms < before_ms,
        _table.c.is_permanent.is_(False),
    )
    return tx.conn.execute(statement).rowcount


def _is(tx: Tx, user_id: UserId, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(_table.c.tenant_id == tx.tenant_id, _table.c.user_id == user_id, _table.c.key == key)
