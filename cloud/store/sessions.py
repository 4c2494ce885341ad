"""Sessions, found by the hash of their secret; the secret itself is nowhere here."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.domain.user import Session
from cloud.store.db import Tx
from cloud.store.schema import session


def insert_session(
    tx: Tx,
    session_hash: str,
    user_id: UserId,
    client: str,
    address: str,
    expires_at_ms: int,
    authenticated_at_ms: int | None,
) -> Session:
    """Begin a session now, or half of one."""
    begun = Session(
        tx.new_id(), user_id, client, address, tx.now_ms, authenticated_at_ms, tx.now_ms, expires_at_ms
    )
    # Add one session.
    tx.conn.execute(
        tx.insert(session).values(
            tenant_id=tx.tenant_id,
            session_hash=session_hash,
            id=begun.session_id,
            user_id=user_id,
            client=client,
            address=address,
            created_at_ms=begun.created_at_ms,
            authenticated_at_ms=authenticated_at_ms,
            last_seen_at_ms=begun.last_seen_at_ms,
            expires_at_ms=expires_at_ms,
        )
    )
    return begun


def find_session(tx: Tx, session_hash: str) -> Session | None:
    """Return the session with this hash, or None."""
    # Whose session is this?
    row = tx.conn.execute(_select(tx).where(session.c.session_hash == session_hash)).one_or_none()
    return None if row is None else _session_from_row(row)


def list_sessions(tx: Tx, user_id: UserId) -> list[Session]:
    """Return a user's sessions, last used first; no half ones."""
    # Where is this user signed in?
    rows = tx.conn.execute(
        _select(tx)
        .where(session.c.user_id == user_id, session.c.authenticated_at_ms.is_not(None))
        .order_by(session.c.last_seen_at_ms.desc(), session.c.id)
    )
    return [_session_from_row(row) for row in rows]


def touch_session(tx: Tx, session_hash: str) -> None:
    """Note that the session is in use; never backwards."""
    # A session was used.
    tx.conn.execute(
        sa.update(session)
        .where(
            session.c.tenant_id == tx.tenant_id,
            session.c.session_hash == session_hash,
            session.c.last_seen_at_ms < tx.now_ms,
        )
        .values(last_seen_at_ms=tx.now_ms)
    )


def set_authenticated(tx: Tx, session_hash: str) -> None:
    """Note that the session's holder has just shown again who they are."""
    # Somebody gave their code, or their password, anew.
    tx.conn.execute(
        sa.update(session)
        .where(session.c.tenant_id == tx.tenant_id, session.c.session_hash == session_hash)
        .values(authenticated_at_ms=tx.now_ms)
    )


def delete_session(tx: Tx, session_hash: str) -> None:
    """End the session with this hash, if there is one."""
    # Somebody signs out.
    tx.conn.execute(
        sa.delete(session).where(session.c.tenant_id == tx.tenant_id, session.c.session_hash == session_hash)
    )


def delete_user_session(tx: Tx, user_id: UserId, session_id: str) -> bool:
    """End one of the user's sessions; tell whether there was one."""
    # Somebody ends a session from their list.
    return bool(
        tx.conn.execute(
            sa.delete(session).where(
                session.c.tenant_id == tx.tenant_id, session.c.user_id == user_id, session.c.id == session_id
            )
        ).rowcount
    )


def delete_user_sessions(tx: Tx, user_id: UserId, *, except_hash: str = "") -> int:
    """End all of the user's sessions, but for one if it is named; return how many."""
    # A password was changed or a user disabled: everything signed in before ends.
    return tx.conn.execute(
        sa.delete(session).where(
            session.c.tenant_id == tx.tenant_id,
            session.c.user_id == user_id,
            session.c.session_hash != except_hash,
        )
    ).rowcount


def delete_ended(tx: Tx, idle_before_ms: int) -> int:
    """Forget sessions that are over; return how many."""
    # Sessions past their end, or unused since before then.
    return tx.conn.execute(
        sa.delete(session).where(
            session.c.tenant_id == tx.tenant_id,
            sa.or_(session.c.expires_at_ms <= tx.now_ms, session.c.last_seen_at_ms <= idle_before_ms),
        )
    ).rowcount


def _select(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        session.c.id,
        session.c.user_id,
        session.c.client,
        session.c.address,
        session.c.created_at_ms,
        session.c.authenticated_at_ms,
        session.c.last_seen_at_ms,
        session.c.expires_at_ms,
    ).where(session.c.tenant_id == tx.tenant_id)


def _session_from_row(row: sa.Row[Any]) -> Session:
    return Session(
        row.id,
        UserId(row.user_id),
        row.client,
        row.address,
        row.created_at_ms,
        row.authenticated_at_ms,
        row.last_seen_at_ms,
        row.expires_at_ms,
    )
