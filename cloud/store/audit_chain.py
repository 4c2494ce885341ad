"""Hanging the audit log's entries on its chain, and walking along it.

The invariant: what a transaction records is linked as the last thing before it commits, behind everything
that was committed before, so that two at once make one chain. Links are never changed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.audit_chain import (
    AuditRecord,
    ChainFault,
    ChainVerdict,
    FaultKind,
    Head,
    Link,
    linked,
    walk,
)
from cloud.store.schema import audit_entry, audit_link
from cloud.store.transaction import Tx

# Any number of ours: with the tenant it names the lock of one company's chain.
_POSTGRESQL_LOCK = 7_210_443
# Some megabytes at a time, however long the log.
_BATCH = 5_000


def link_entries(tx: Tx, records: Sequence[AuditRecord]) -> None:
    """Hang what this transaction recorded behind all that was committed."""
    if not records:
        return
    if tx.is_postgresql:
        # Held until the commit, which follows at once: whoever waits then reads our links.
        tx.conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK, tx.tenant_id)))
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "position": link.position,
            "entry_id": link.entry_id,
            "digest": link.digest,
        }
        for link in linked(head_of(tx), records)
    ]
    # Add links.
    tx.conn.execute(sa.insert(audit_link), rows)


def head_of(tx: Tx) -> Head:
    """Return how far the chain goes."""
    # What is the last link?
    row = tx.conn.execute(
        sa.select(audit_link.c.position, audit_link.c.digest)
        .where(audit_link.c.tenant_id == tx.tenant_id)
        .order_by(audit_link.c.position.desc())
        .limit(1)
    ).one_or_none()
    return Head() if row is None else Head(row.position, row.digest)


def digest_at(tx: Tx, position: int) -> str | None:
    """Return the digest at a place of the chain, or None if it does not go that far."""
    # What is kept at this place?
    return tx.conn.scalar(
        sa.select(audit_link.c.digest).where(
            audit_link.c.tenant_id == tx.tenant_id, audit_link.c.position == position
        )
    )


def verify(tx: Tx) -> ChainVerdict:
    """Walk along the whole chain, then look for entries beside it."""
    verdict = walk(Head(), _links(tx))
    if verdict.fault is not None:
        return verdict
    is_linked = sa.exists().where(
        audit_link.c.tenant_id == audit_entry.c.tenant_id, audit_link.c.entry_id == audit_entry.c.id
    )
    # Which entry, the first by its time, hangs on no link?
    beside = tx.conn.scalar(
        sa.select(audit_entry.c.id)
        .where(audit_entry.c.tenant_id == tx.tenant_id, ~is_linked)
        .order_by(audit_entry.c.id)
        .limit(1)
    )
    if beside is None:
        return verdict
    return ChainVerdict(verdict.head, ChainFault(FaultKind.UNCHAINED, 0, beside))


def _links(tx: Tx) -> Iterator[tuple[Link, AuditRecord | None]]:
    after = 0
    while True:
        rows = _batch(tx, after)
        for row in rows:
            after = row.position
            record = None
            if row.id is not None:
                record = AuditRecord(
                    row.id,
                    row.at_ms,
                    row.user_id,
                    row.action,
                    row.subject_kind,
                    row.subject_id,
                    row.detail,
                )
            yield Link(row.position, row.entry_id, row.digest), record
        if len(rows) < _BATCH:
            return


def _batch(tx: Tx, after: int) -> Sequence[Any]:
    own = sa.and_(
        audit_entry.c.tenant_id == audit_link.c.tenant_id, audit_entry.c.id == audit_link.c.entry_id
    )
    # The next links with their entries.
    return tx.conn.execute(
        sa.select(
            audit_link.c.position,
            audit_link.c.entry_id,
            audit_link.c.digest,
            audit_entry.c.id,
            audit_entry.c.at_ms,
            audit_entry.c.user_id,
            audit_entry.c.action,
            audit_entry.c.subject_kind,
            audit_entry.c.subject_id,
            audit_entry.c.detail,
        )
        .select_from(audit_link.outerjoin(audit_entry, own))
        .where(audit_link.c.tenant_id == tx.tenant_id, audit_link.c.position > after)
        .order_by(audit_link.c.position)
        .limit(_BATCH)
    ).all()
