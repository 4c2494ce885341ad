"""Complaints and suggestions, and what was said about them."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from cloud.domain.complaint import (
    ANSWER_WITHIN_MS,
    Complaint,
    ComplaintAct,
    ComplaintEntry,
    ComplaintKind,
    ComplaintState,
    ComplaintSubject,
)
from cloud.domain.ids import AccountId, ComplaintId, SiteId, UserId
from cloud.store.db import Tx
from cloud.store.schema import account, app_user, complaint, complaint_entry, space

_C, _E = complaint.c, complaint_entry.c


def insert_complaint(
    tx: Tx,
    site_id: SiteId,
    number: str,
    kind: ComplaintKind,
    subject: ComplaintSubject,
    words: str,
    account_id: AccountId,
    told_by: UserId,
) -> ComplaintId:
    """Write a complaint down."""
    complaint_id = ComplaintId(tx.new_id())
    # Add one complaint.
    tx.conn.execute(
        tx.insert(complaint).values(
            tenant_id=tx.tenant_id,
            id=complaint_id,
            site_id=site_id,
            number=number,
            kind=kind.value,
            subject=subject.value,
            state=ComplaintState.OPEN.value,
            text=words,
            account_id=account_id,
            told_by=told_by,
            told_at_ms=tx.now_ms,
            waits_since_ms=tx.now_ms,
        )
    )
    return complaint_id


def add_entry(tx: Tx, complaint_id: ComplaintId, act: ComplaintAct, words: str, author_id: UserId) -> None:
    """Write one word down."""
    # Add one entry.
    tx.conn.execute(
        tx.insert(complaint_entry).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            complaint_id=complaint_id,
            act=act.value,
            text=words,
            author_id=author_id,
            at_ms=tx.now_ms,
        )
    )


def set_state(
    tx: Tx, complaint_id: ComplaintId, before: Collection[ComplaintState], after: ComplaintState
) -> bool:
    """Move a complaint on from one of some states; tell whether it was in one."""
    changed: dict[str, Any] = {"state": after.value}
    if after is ComplaintState.OPEN:
        changed["waits_since_ms"] = tx.now_ms
    # Move one complaint on.
    return bool(
        tx.conn.execute(
            sa.update(complaint)
            .where(
                _C.tenant_id == tx.tenant_id,
                _C.id == complaint_id,
                _C.state.in_(sorted(one.value for one in before)),
            )
            .values(changed)
        ).rowcount
    )


def find_complaint(tx: Tx, complaint_id: ComplaintId) -> Complaint | None:
    """Return one complaint, or None."""
    found = _complaints(tx, [_C.id == complaint_id], 1)
    return found[0] if found else None


def find_by_number(tx: Tx, site_id: SiteId, number: str) -> Complaint | None:
    """Return the complaint people call by this number, or None."""
    found = _complaints(tx, [_C.site_id == site_id, _C.number == number], 1)
    return found[0] if found else None


def list_complaints(
    tx: Tx,
    site_id: SiteId | None,
    states: Collection[ComplaintState],
    account_ids: Collection[AccountId] | None,
    before: ComplaintId | None,
    limit: int,
) -> list[Complaint]:
    """Return complaints in some states, newest first; of a site, or of some accounts."""
    which: list[sa.ColumnElement[bool]] = [_C.state.in_(sorted(one.value for one in states))]
    if site_id is not None:
        which.append(_C.site_id == site_id)
    if account_ids is not None:
        which.append(_C.account_id.in_(sorted(account_ids)))
    if before is not None:
        which.append(_C.id < before)
    return _complaints(tx, which, limit)


def entries_of(tx: Tx, complaint_id: ComplaintId) -> list[ComplaintEntry]:
    """Return what was said about a complaint, oldest first."""
    # What was said, and by whom?
    rows = tx.conn.execute(
        sa.select(_E.act, _E.text, app_user.c.display_name, _E.at_ms)
        .select_from(
            complaint_entry.outerjoin(
                app_user, sa.and_(app_user.c.tenant_id == _E.tenant_id, app_user.c.id == _E.author_id)
            )
        )
        .where(_E.tenant_id == tx.tenant_id, _E.complaint_id == complaint_id)
        .order_by(_E.id)
    )
    return [
        ComplaintEntry(ComplaintAct(row.act), row.text, row.display_name or "", row.at_ms) for row in rows
    ]


def count_open(tx: Tx, site_id: SiteId) -> tuple[int, int, int | None]:
    """Return how many of a site wait for an answer, how many of them too long, and since when the first."""
    is_late = sa.case((_C.waits_since_ms < tx.now_ms - ANSWER_WITHIN_MS, 1), else_=0)
    # How many wait?
    row = tx.conn.execute(
        sa.select(
            sa.func.count().label("waiting"),
            sa.func.coalesce(sa.func.sum(is_late), 0).label("late"),
            sa.func.min(_C.waits_since_ms).label("since_ms"),
        ).where(_C.tenant_id == tx.tenant_id, _C.site_id == site_id, _C.state == ComplaintState.OPEN.value)
    ).one()
    return row.waiting, int(row.late), row.since_ms


def _complaints(tx: Tx, which: Collection[sa.ColumnElement[bool]], limit: int) -> list[Complaint]:
    joined = (
        complaint.join(account, sa.and_(account.c.tenant_id == _C.tenant_id, account.c.id == _C.account_id))
        .outerjoin(space, sa.and_(space.c.tenant_id == account.c.tenant_id, space.c.id == account.c.space_id))
        .outerjoin(app_user, sa.and_(app_user.c.tenant_id == _C.tenant_id, app_user.c.id == _C.told_by))
    )
    # Who complained of what?
    rows = tx.conn.execute(
        sa.select(
            complaint,
            account.c.number.label("account_number"),
            space.c.code.label("space_code"),
            app_user.c.display_name,
        )
        .select_from(joined)
        .where(_C.tenant_id == tx.tenant_id, *which)
        .order_by(_C.id.desc())
        .limit(limit)
    )
    return [
        Complaint(
            ComplaintId(row.id),
            SiteId(row.site_id),
            row.number,
            ComplaintKind(row.kind),
            ComplaintSubject(row.subject),
            ComplaintState(row.state),
            row.text,
            AccountId(row.account_id),
            row.account_number,
            row.space_code or "",
            UserId(row.told_by),
            row.display_name or "",
            row.told_at_ms,
            row.waits_since_ms,
        )
        for row in rows
    ]
