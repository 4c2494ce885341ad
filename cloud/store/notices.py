"""Notices, and their deliveries until they are made."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AccountId, NoticeDeliveryId, NoticeId, SiteId, UserId
from cloud.domain.notice import (
    MONEY_TOPICS,
    Channel,
    DueNotice,
    NewNotice,
    NoticeDelivery,
    NoticeState,
    Topic,
)
from cloud.store.db import Tx
from cloud.store.schema import notice, notice_delivery, notice_read

_N, _D, _R = notice.c, notice_delivery.c, notice_read.c


def insert_notice(tx: Tx, new: NewNotice) -> NoticeId | None:
    """Write a notice down; None if its key is known already."""
    # Add one notice, unless it is one already.
    statement = (
        tx.insert(notice)
        .values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            topic=new.topic.value,
            key=new.key,
            about=new.about,
            account_id=new.account_id,
            user_id=new.user_id,
            site_id=new.site_id,
            words=dict(new.values),
            link=new.link,
            is_urgent=new.is_urgent,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
        .returning(_N.id)
    )
    found = tx.conn.execute(statement).scalar_one_or_none()
    return None if found is None else NoticeId(found)


def insert_deliveries(
    tx: Tx, notice_id: NoticeId, deliveries: Sequence[tuple[Channel, str, str, str]], not_before_ms: int
) -> None:
    """Write down where a notice goes: (channel, address, title, text); the same address gets one."""
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "id": tx.new_id(),
            "notice_id": notice_id,
            "channel": channel.value,
            "address": address,
            "title": title,
            "text": text,
            "state": NoticeState.PENDING.value,
            "attempts": 0,
            "created_at_ms": tx.now_ms,
            "next_attempt_at_ms": not_before_ms if channel.rings else tx.now_ms,
            "last_reply": "",
        }
        for channel, address, title, text in deliveries
    ]
    if rows:
        # Add what is to be delivered; two people with one number are rung once.
        tx.conn.execute(
            tx.insert(notice_delivery).on_conflict_do_nothing(
                index_elements=["tenant_id", "notice_id", "channel", "address"]
            ),
            rows,
        )


def has_due(tx: Tx) -> bool:
    """Tell whether a notice should be sent now."""
    # Is there anything to deliver?
    query = (
        sa.select(_D.id)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.state == NoticeState.PENDING.value,
            _D.next_attempt_at_ms <= tx.now_ms,
        )
        .limit(1)
    )
    return tx.conn.execute(query).first() is not None


def claim_due(tx: Tx, lease_ms: int, limit: int) -> list[DueNotice]:
    """Take deliveries that are due; nobody else takes them before the lease is over."""
    # What should be delivered now? Rows somebody else is taking are passed over.
    due = (
        sa.select(_D.id, _N.topic, _D.channel, _D.address, _D.title, _D.text, _N.words)
        .add_columns(_D.attempts, _D.created_at_ms)
        .join_from(notice_delivery, notice, sa.and_(_N.tenant_id == _D.tenant_id, _N.id == _D.notice_id))
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.state == NoticeState.PENDING.value,
            _D.next_attempt_at_ms <= tx.now_ms,
        )
        .order_by(_D.next_attempt_at_ms, _D.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=notice_delivery)
    )
    rows = tx.conn.execute(due).all()
    # Hold them for the time an attempt may take; a process that dies in it loses nothing.
    tx.conn.execute(
        sa.update(notice_delivery)
        .where(_D.tenant_id == tx.tenant_id, _D.id.in_([row.id for row in rows]))
        .values(next_attempt_at_ms=tx.now_ms + lease_ms)
    )
    return [_due_from_row(row) for row in rows]


def finish_attempt(
    tx: Tx, delivery_id: NoticeDeliveryId, state: NoticeState, reply: str, next_attempt_at_ms: int
) -> None:
    """Note how an attempt went; what was withdrawn meanwhile stays withdrawn."""
    # What became of this attempt?
    tx.conn.execute(
        sa.update(notice_delivery)
        .where(_D.tenant_id == tx.tenant_id, _D.id == delivery_id, _D.state == NoticeState.PENDING.value)
        .values(
            state=state.value,
            attempts=_D.attempts + 1,
            last_reply=reply,
            next_attempt_at_ms=next_attempt_at_ms,
            finished_at_ms=None if state is NoticeState.PENDING else tx.now_ms,
        )
    )


def withdraw(tx: Tx, about: str) -> int:
    """Deliver nothing more of what no longer holds; return how many deliveries that stops."""
    # What was this about?
    concerned = sa.select(_N.id).where(_N.tenant_id == tx.tenant_id, _N.about == about)
    # Which of it has not gone out yet?
    stopped = tx.conn.execute(
        sa.update(notice_delivery)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.notice_id.in_(concerned),
            _D.state == NoticeState.PENDING.value,
        )
        .values(state=NoticeState.WITHDRAWN.value, finished_at_ms=tx.now_ms)
    ).rowcount
    # It holds no longer in the console either.
    tx.conn.execute(
        sa.update(notice)
        .where(_N.tenant_id == tx.tenant_id, _N.about == about, _N.withdrawn_at_ms.is_(None))
        .values(withdrawn_at_ms=tx.now_ms)
    )
    return stopped


def notices_for(
    tx: Tx,
    user_id: UserId,
    account_ids: Sequence[AccountId],
    without_bills: Sequence[AccountId],
    site_id: SiteId | None,
    before_id: NoticeId | None,
    limit: int,
) -> list[Any]:
    """Return rows of the notices a reader may see, newest first; withdrawn ones are not among them."""
    # What has this reader been told?
    query = (
        sa.select(_N.id, _N.topic, _N.words, _N.link, _N.created_at_ms)
        .add_columns(sa.func.coalesce(_R.read_at_ms, _N.read_at_ms).label("read_at_ms"))
        .select_from(_read_by(tx, user_id))
        .where(_of_reader(tx, user_id, account_ids, without_bills, site_id))
        .order_by(_N.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(_N.id < before_id)
    return list(tx.conn.execute(query))


def count_unread(
    tx: Tx,
    user_id: UserId,
    account_ids: Sequence[AccountId],
    without_bills: Sequence[AccountId],
    site_id: SiteId | None,
    limit: int,
) -> int:
    """Return how many of a reader's notices they have not looked at, up to a limit."""
    # How much is there to read?
    unread = (
        sa.select(_N.id)
        .select_from(_read_by(tx, user_id))
        .where(
            _of_reader(tx, user_id, account_ids, without_bills, site_id),
            _R.read_at_ms.is_(None),
            _N.read_at_ms.is_(None),
        )
        .limit(limit)
        .subquery()
    )
    return tx.conn.execute(sa.select(sa.func.count()).select_from(unread)).scalar_one()


def has_delivery(tx: Tx, delivery_id: NoticeDeliveryId) -> bool:
    """Tell whether there is such a delivery."""
    # Is this one of ours?
    query = sa.select(_D.id).where(_D.tenant_id == tx.tenant_id, _D.id == delivery_id)
    return tx.conn.execute(query).first() is not None


def begin_again(tx: Tx, delivery_id: NoticeDeliveryId) -> bool:
    """Have what was given up tried anew, its tries counted on; False if it is in another state."""
    # Somebody has put right what stood in the way.
    statement = (
        sa.update(notice_delivery)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.id == delivery_id,
            _D.state == NoticeState.GIVEN_UP.value,
        )
        .values(state=NoticeState.PENDING.value, next_attempt_at_ms=tx.now_ms, finished_at_ms=None)
    )
    return tx.conn.execute(statement).rowcount == 1


def mark_read(tx: Tx, user_id: UserId, notice_ids: Sequence[NoticeId]) -> None:
    """Note that a reader has looked at notices; the first look counts."""
    rows = [
        {"tenant_id": tx.tenant_id, "notice_id": one, "user_id": user_id, "read_at_ms": tx.now_ms}
        for one in notice_ids
    ]
    # Which of these has this reader not seen yet?
    tx.conn.execute(
        tx.insert(notice_read).on_conflict_do_nothing(index_elements=["tenant_id", "notice_id", "user_id"]),
        rows,
    )


def list_deliveries(tx: Tx, before_id: NoticeDeliveryId | None, limit: int) -> list[NoticeDelivery]:
    """Return deliveries with their outcome, newest first."""
    # What went out, to whom, and what became of it?
    query = (
        sa.select(_D.id, _N.topic, _D.channel, _D.address, _D.title, _D.state, _D.attempts)
        .add_columns(_D.created_at_ms, _D.next_attempt_at_ms, _D.finished_at_ms, _D.last_reply)
        .join_from(notice_delivery, notice, sa.and_(_N.tenant_id == _D.tenant_id, _N.id == _D.notice_id))
        .where(_D.tenant_id == tx.tenant_id)
        .order_by(_D.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(_D.id < before_id)
    return [_delivery_from_row(row) for row in tx.conn.execute(query)]


def _read_by(tx: Tx, user_id: UserId) -> sa.Join:
    is_theirs = sa.and_(
        _R.tenant_id == tx.tenant_id,
        _R.tenant_id == _N.tenant_id,
        _R.notice_id == _N.id,
        _R.user_id == user_id,
    )
    return sa.outerjoin(notice, notice_read, is_theirs)


def _of_reader(
    tx: Tx,
    user_id: UserId,
    account_ids: Sequence[AccountId],
    without_bills: Sequence[AccountId],
    site_id: SiteId | None,
) -> sa.ColumnElement[bool]:
    of_home: sa.ColumnElement[bool] = _N.account_id.in_(account_ids)
    if without_bills:
        of_money = _N.topic.in_(sorted(topic.value for topic in MONEY_TOPICS))
        of_home = sa.and_(of_home, sa.not_(sa.and_(of_money, _N.account_id.in_(without_bills))))
    mine: list[sa.ColumnElement[bool]] = [_N.user_id == user_id, of_home]
    if site_id is not None:
        mine.append(_N.site_id == site_id)
    return sa.and_(_N.tenant_id == tx.tenant_id, _N.withdrawn_at_ms.is_(None), sa.or_(*mine))


def _due_from_row(row: Any) -> DueNotice:
    return DueNotice(
        NoticeDeliveryId(row.id),
        Topic(row.topic),
        Channel(row.channel),
        row.address,
        row.title,
        row.text,
        row.words,
        row.attempts,
        row.created_at_ms,
    )


def _delivery_from_row(row: Any) -> NoticeDelivery:
    return NoticeDelivery(
        NoticeDeliveryId(row.id),
        Topic(row.topic),
        Channel(row.channel),
        row.address,
        row.title,
        NoticeState(row.state),
        row.attempts,
        row.created_at_ms,
        row.next_attempt_at_ms,
        row.finished_at_ms,
        row.last_reply,
    )
