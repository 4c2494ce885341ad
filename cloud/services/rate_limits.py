"""Making callers wait who try too often; what they have taken outlives a restart.

The invariant: an attempt is counted before it is made, in a transaction of its own, so that a crash or
fifty attempts at once gain nothing.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from cloud.domain.errors import TooMany
from cloud.domain.ids import TenantId
from cloud.domain.rate_limit import Limit, failed, succeeded, take
from cloud.store import rate_limits
from cloud.store.db import Database, Tx

# A limit and whose bucket of it: a login, an address.
Bucket = tuple[Limit, str]

_T = TypeVar("_T")

_DAY_MS = 24 * 3600 * 1000


def take_attempt(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """Take one attempt from every bucket, or none and TooMany with the longest wait."""
    taken = [
        (limit, hashed, take(limit, rate_limits.lock_spent(tx, limit.scope, hashed), tx.now_ms))
        for limit, hashed in _hashed(buckets)
    ]
    wait_ms = max(attempt.wait_ms for _, _, attempt in taken)
    if wait_ms > 0:
        wait_s = -(-wait_ms // 1000)
        raise TooMany(f"too many attempts; the next one is possible in {wait_s} s", retry_after_s=wait_s)
    for limit, hashed, attempt in taken:
        rate_limits.put_spent(tx, limit.scope, hashed, attempt.spent)


def report_attempt(tx: Tx, buckets: Sequence[Bucket], *, was_right: bool) -> None:
    """Say how the attempt that was taken turned out."""
    for limit, hashed in _hashed(buckets):
        spent = rate_limits.lock_spent(tx, limit.scope, hashed)
        rate_limits.put_spent(
            tx, limit.scope, hashed, succeeded(limit, spent) if was_right else failed(spent)
        )


async def guess(
    database: Database,
    tenant_id: TenantId,
    buckets: Sequence[Bucket],
    attempt: Callable[[], Awaitable[_T]],
    wrong: type[Exception] | tuple[type[Exception], ...],
) -> _T:
    """Make an attempt that could be a guess: counted before, and made to wait longer if it raises `wrong`."""
    await database.write(tenant_id, take_attempt, buckets)
    try:
        found = await attempt()
    except wrong:
        await database.write(tenant_id, report_attempt, buckets, was_right=False)
        raise
    await database.write(tenant_id, report_attempt, buckets, was_right=True)
    return found


def forget_old(tx: Tx) -> int:
    """Drop what has been paid back for a day; return how many."""
    return rate_limits.delete_paid_back(tx, tx.now_ms - _DAY_MS)


def _hashed(buckets: Sequence[Bucket]) -> list[Bucket]:
    """Return the buckets in one order (two callers then cannot deadlock), subjects as SHA-256."""
    named = [(limit, hashlib.sha256(subject.encode()).hexdigest()) for limit, subject in buckets]
    return sorted(named, key=lambda bucket: (bucket[0].scope, bucket[1]))
