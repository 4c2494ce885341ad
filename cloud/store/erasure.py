"""Forgetting who signed in: what a login keeps of somebody who asked to be deleted.

The row of the login stays, with nothing in it: what they did is told of it by its id.
"""

import sqlalchemy as sa

from cloud.domain.ids import UserId
from cloud.store import second_factors, sessions
from cloud.store.db import Tx
from cloud.store.schema import app_user, contact, household_invitation, invitation, user_account


def erase_login(tx: Tx, user_id: UserId) -> None:
    """Take everything from a login that says whose it was; nobody signs in by it again."""
    # A name nobody types, a password nobody has.
    tx.conn.execute(
        sa.update(app_user)
        .where(app_user.c.tenant_id == tx.tenant_id, app_user.c.id == user_id)
        .values(
            login=f"erased-{user_id}",
            display_name="",
            password_hash="!",  # noqa: S106 - the hash of nothing
            disabled_at_ms=tx.now_ms,
        )
    )
    sessions.delete_user_sessions(tx, user_id)
    second_factors.delete(tx, user_id)
    # Where they were reached.
    tx.conn.execute(
        sa.update(contact)
        .where(contact.c.tenant_id == tx.tenant_id, contact.c.user_id == user_id)
        .values(address="", removed_at_ms=sa.func.coalesce(contact.c.removed_at_ms, tx.now_ms))
    )
    # Which homes they saw.
    tx.conn.execute(
        sa.delete(user_account).where(
            user_account.c.tenant_id == tx.tenant_id, user_account.c.user_id == user_id
        )
    )
    # Secrets by which they could choose a password.
    tx.conn.execute(
        sa.delete(invitation).where(invitation.c.tenant_id == tx.tenant_id, invitation.c.user_id == user_id)
    )
    # The name and number they registered by.
    tx.conn.execute(
        sa.update(household_invitation)
        .where(household_invitation.c.tenant_id == tx.tenant_id, household_invitation.c.taken_by == user_id)
        .values(name="", phone_sealed=None)
    )
