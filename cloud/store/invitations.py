"""Invitations, found by the hash of their secret; the secret itself is nowhere here."""

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.store.db import Tx
from cloud.store.schema import invitation


def insert_invitation(tx: Tx, token_hash: str, user_id: UserId, expires_at_ms: int) -> None:
    """Add an invitation in the place of all the user had."""
    # What was sent before opens nothing any more.
    tx.conn.execute(
        sa.delete(invitation).where(
            invitation.c.tenant_id == tx.tenant_id,
            invitation.c.user_id == user_id,
            invitation.c.used_at_ms.is_(None),
        )
    )
    # Add one invitation.
    tx.conn.execute(
        tx.insert(invitation).values(
            tenant_id=tx.tenant_id, token_hash=token_hash, user_id=user_id, expires_at_ms=expires_at_ms
        )
    )


def find_open(tx: Tx, token_hash: str) -> UserId | None:
    """Return whom an invitation is for that is neither used nor over, or None."""
    # Whom does this secret invite?
    found = tx.conn.scalar(sa.select(invitation.c.user_id).where(*_is_open(tx, token_hash)))
    return None if found is None else UserId(found)


def use(tx: Tx, token_hash: str) -> bool:
    """Use up an invitation; False if it was used or over."""
    # Of two at once, one.
    return bool(
        tx.conn.execute(
            sa.update(invitation).where(*_is_open(tx, token_hash)).values(used_at_ms=tx.now_ms)
        ).rowcount
    )


def _is_open(tx: Tx, token_hash: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        invitation.c.tenant_id == tx.tenant_id,
        invitation.c.token_hash == token_hash,
        invitation.c.used_at_ms.is_(None),
        invitation.c.expires_at_ms > tx.now_ms,
    )
