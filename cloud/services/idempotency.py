"""Answering a request once, however often it is sent (draft-ietf-httpapi-idempotency-key-header).

The invariant: what a request changed and the answer to it are committed together, so a crash at any
moment leaves either both or neither, and a repetition gets the first answer, byte for byte.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.user import User
from cloud.store import idempotency
from cloud.store.db import Tx

# A request that has not been answered by then died with its process; its key may be used again.
LEASE_MS = 60_000
# Longer than any client of ours goes on repeating.
KEPT_FOR_MS = 7 * 24 * 3600 * 1000

_T = TypeVar("_T")
_P = ParamSpec("_P")


class KeyReused(Invalid):
    """A key came back with another request than it was first used for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was, or is to be, answered."""

    status: int
    body: bytes


def begin(tx: Tx, actor: User, key: str, request_digest: str, *, is_permanent: bool = False) -> Answer | None:
    """Claim the key, for ever if `is_permanent`; return the earlier answer if there is one.

    Conflict while the same request is being worked on, KeyReused if the key belongs to another one.
    """
    if idempotency.claim(tx, actor.user_id, key, request_digest, is_permanent=is_permanent):
        return None
    kept = idempotency.get(tx, actor.user_id, key)
    assert kept is not None, "a key that could not be claimed is there, and is locked now"
    if kept.request_digest != request_digest:
        raise KeyReused(f"Idempotency-Key {key!r} was used for another request; make a new key")
    if kept.status is not None and kept.answer is not None:
        return Answer(kept.status, kept.answer)
    if tx.now_ms - kept.claimed_at_ms < LEASE_MS:
        raise Conflict(f"the request with Idempotency-Key {key!r} is still being worked on")
    idempotency.claim_again(tx, actor.user_id, key)
    return None


def finish(
    tx: Tx,
    actor: User,
    key: str,
    render: Callable[[_T], Answer],
    work: Callable[Concatenate[Tx, User, _P], _T],
    /,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> Answer:
    """Do the work and keep its answer, in this one transaction."""
    answer = render(work(tx, actor, *args, **kwargs))
    if not idempotency.keep_answer(tx, actor.user_id, key, answer.status, answer.body):
        raise Conflict(f"the request with Idempotency-Key {key!r} was answered by somebody else meanwhile")
    return answer


def release(tx: Tx, actor: User, key: str) -> None:
    """Let go of the key after the work was refused: nothing was changed, so it may be tried again."""
    idempotency.release(tx, actor.user_id, key)


def forget_old(tx: Tx) -> int:
    """Drop keys nobody sends any more; return how many."""
    return idempotency.delete_older(tx, tx.now_ms - KEPT_FOR_MS)
