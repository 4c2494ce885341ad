"""Letting somebody choose their own password, by a secret that is told once.

The invariant: nobody who manages logins ever knows another's password; an invitation is good once, for a
week, and until the next one. Who takes it up is signed in nowhere else.
"""

import secrets
from dataclasses import dataclass, field

from cloud.domain.access import Action, require, require_may_grant, require_recent
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import UserId
from cloud.domain.user import User, UserRecord
from cloud.services.users import TOKEN_BYTES, hash_of
from cloud.store import audit, invitations, sessions, users
from cloud.store.db import Tx

LASTS_MS = 7 * 24 * 3_600_000  # somebody who begins on Monday is invited the week before
_GONE = "this invitation is not good: it was used, replaced or is older than a week; ask for a new one"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is handed to whoever is invited; `token` is told this once."""

    record: UserRecord
    expires_at_ms: int
    token: str = field(repr=False)


def invite(tx: Tx, actor: User, user_id: UserId) -> Invitation:
    """Invite somebody who may sign in to choose a password, the first or, if it is lost, another."""
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    record = users.find_user(tx, user_id)
    if record is None:
        raise NotFound("there is no such user")
    require_may_grant(actor, record.user.role)
    if record.disabled_at_ms is not None:
        raise Conflict(f"{record.login} may not sign in: let them in again first")
    token = f"{tx.tenant_id}.{secrets.token_urlsafe(TOKEN_BYTES)}"
    made = Invitation(record, tx.now_ms + LASTS_MS, token)
    invitations.insert_invitation(tx, hash_of(token), user_id, made.expires_at_ms)
    audit.record(tx, actor.user_id, "invite_user", "user", user_id)
    return made


def invited(tx: Tx, token: str) -> UserRecord:
    """Return whom a secret invites; NotFound if it is not good, whyever."""
    user_id = invitations.find_open(tx, hash_of(token))
    record = None if user_id is None else users.find_user(tx, user_id)
    if record is None or record.disabled_at_ms is not None:
        raise NotFound(_GONE)
    return record


def accept(tx: Tx, token: str, password_hash: str) -> UserRecord:
    """Take up an invitation: the password is set, and every session begun before ends."""
    record = invited(tx, token)
    if not invitations.use(tx, hash_of(token)):
        raise NotFound(_GONE)
    users.set_password_hash(tx, record.user.user_id, password_hash)
    sessions.delete_user_sessions(tx, record.user.user_id)
    audit.record(tx, record.user.user_id, "accept_invitation", "user", record.user.user_id)
    return record
