"""Who did what to which thing: added beside the act, in its transaction, never changed.

`cloud.store.audit_chain` hangs what was recorded on the chain when the transaction ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.audit_chain import AuditRecord
from cloud.domain.ids import UserId
from cloud.store.db import Tx
from cloud.store.schema import app_user, audit_entry


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act; `user_id` is None for acts of the cloud's own jobs."""

    entry_id: str
    at_ms: int
    user_id: UserId | None
    user_name: str
    action: str
    subject_kind: str
    subject_id: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """Which acts: of one kind, by one user, on one thing, from one instant to before another; None: any."""

    action: str | None = None
    user_id: UserId | None = None
    subject_id: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None


def record(
    tx: Tx,
    user_id: UserId | None,
    action: str,
    subject_kind: str,
    subject_id: str,
    detail: Mapping[str, str | int | None] | None = None,
) -> None:
    """Add an entry; `detail` holds ids and values before and after, never a secret or a person's data."""
    added = AuditRecord(tx.new_id(), tx.now_ms, user_id, action, subject_kind, subject_id, dict(detail or {}))
    # Remember one act.
    tx.conn.execute(
        tx.insert(audit_entry).values(
            tenant_id=tx.tenant_id,
            id=added.entry_id,
            at_ms=added.at_ms,
            user_id=user_id,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            detail=added.detail,
        )
    )
    tx.chain(added)


def entries_of(tx: Tx, subject_kind: str, subject_id: str) -> list[AuditEntry]:
    """Return what was done to one thing, oldest first."""
    # What happened to this thing, and by whom?
    query = (
        _select(tx)
        .where(audit_entry.c.subject_kind == subject_kind, audit_entry.c.subject_id == subject_id)
        .order_by(audit_entry.c.id)
    )
    return [_entry_from_row(row) for row in tx.conn.execute(query)]


def list_entries(tx: Tx, search: AuditSearch, before_id: str | None, limit: int) -> list[AuditEntry]:
    """Return the acts looked for, the last first, those before `before_id`."""
    # What was done lately?
    query = _select(tx).order_by(audit_entry.c.id.desc()).limit(limit)
    for column, wanted in (
        (audit_entry.c.action, search.action),
        (audit_entry.c.user_id, search.user_id),
        (audit_entry.c.subject_id, search.subject_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if search.from_ms is not None:
        query = query.where(audit_entry.c.at_ms >= search.from_ms)
    if search.until_ms is not None:
        query = query.where(audit_entry.c.at_ms < search.until_ms)
    if before_id is not None:
        query = query.where(audit_entry.c.id < before_id)
    return [_entry_from_row(row) for row in tx.conn.execute(query)]


def _select(tx: Tx) -> sa.Select[Any]:
    people = sa.and_(app_user.c.tenant_id == audit_entry.c.tenant_id, app_user.c.id == audit_entry.c.user_id)
    return (
        sa.select(
            audit_entry.c.id,
            audit_entry.c.at_ms,
            audit_entry.c.user_id,
            app_user.c.display_name,
            audit_entry.c.action,
            audit_entry.c.subject_kind,
            audit_entry.c.subject_id,
            audit_entry.c.detail,
        )
        .select_from(audit_entry.outerjoin(app_user, people))
        .where(audit_entry.c.tenant_id == tx.tenant_id)
    )


def _entry_from_row(row: Any) -> AuditEntry:
    return AuditEntry(
        row.id,
        row.at_ms,
        None if row.user_id is None else UserId(row.user_id),
        row.display_name or "",
        row.action,
        row.subject_kind,
        row.subject_id,
        row.detail,
    )
