"""People who sign in: their passwords, sessions and accounts.

The invariant: a session's secret exists only with its holder; the store has its hash. A wrong login,
a wrong password and a disabled user are one answer that takes one time. Disabling a user or changing a
password ends every session begun before.

`sign_in` and `actor_of_session` are async because they stand between a password thread and the database;
the rest are transactions like everywhere.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from cloud.domain.access import Action, require, require_may_grant, require_recent
from cloud.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from cloud.domain.ids import AccountId, TenantId, UserId, tenant_numbered
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.user import Locale, Role, Session, SessionLimits, User, UserRecord
from cloud.services import second_factors
from cloud.services.passwords import Passwords, checked_password, needs_rehash
from cloud.store import audit, sessions, users
from cloud.store import people as people_store
from cloud.store.db import Database, Tx

TOKEN_BYTES = 32  # 256 bits: not guessable, so its hash needs no salt and no slow function
CLIENT_LENGTH_MAX = 200  # of what a browser calls itself; for a person to recognise theirs by
DISPLAY_NAME_LENGTH_MAX = 100
# A session in use is noted as used this often, not at every request: a write a minute, not a hundred.
TOUCH_INTERVAL_MS = 60_000

# How long the code after the password may take: the telephone is upstairs.
HALF_LASTS_MS = 10 * 60_000

_LOGIN = re.compile(r"[^\s\x00-\x1f\x7f]{1,64}")
_TOKEN = re.compile(r"([1-9][0-9]{0,9})\.[A-Za-z0-9_-]{43}")
_WRONG = "the login or the password is wrong"


class Awaited(Enum):
    """What a sign-in lacks after the password."""

    NOTHING = "nothing"
    CODE = "code"
    COMPANY = "company"  # the password is right in several, and one is to be chosen
    SET_UP = "set_up"  # the company requires a second factor, and they have none yet


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun, or half of one; `token` is its secret, told this once."""

    user: User
    session: Session
    token: str = field(repr=False)
    awaited: Awaited = Awaited.NOTHING


async def sign_in(
    database: Database,
    passwords: Passwords,
    limits: SessionLimits,
    tenant_id: TenantId,
    login: str,
    password: str,
    client: str,
    address: str = "",
) -> SignedIn:
    """Check a password and begin a session; Unauthenticated says no more than that it was wrong.

    Half a session where a second factor is asked: `services.authentication` completes it.

    The caller counts attempts (`services.rate_limits`) before calling.
    """
    credential = await database.read(tenant_id, users.find_credential, login)
    is_right = await passwords.matches(None if credential is None else credential.password_hash, password)
    if credential is None or not is_right or credential.is_disabled:
        raise Unauthenticated(_WRONG)
    fresh_hash = await passwords.hash(password) if needs_rehash(credential.password_hash) else None
    return await database.write(
        tenant_id, begin_session, credential.user_id, limits, client, fresh_hash, address
    )


async def actor_of_session(database: Database, limits: SessionLimits, token: str) -> User | None:
    """Return whose session this is, with its secret's use noted; None if it is nobody's or over."""
    tenant_id = tenant_of_token(token)
    if tenant_id is None:
        return None
    found = await database.read(tenant_id, find_session, limits, token)
    if found is None:
        return None
    actor, is_due = found
    if is_due:
        await database.write(tenant_id, sessions.touch_session, hash_of(token))
    return actor


def tenant_of_token(token: str) -> TenantId | None:
    """Return the tenant a session's secret names; None for what is not such a secret."""
    matched = _TOKEN.fullmatch(token)
    return None if matched is None else tenant_numbered(int(matched[1]))


def hash_of(token: str) -> str:
    """Return what the store keeps of a session's secret: SHA-256, 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def begin_session(
    tx: Tx,
    user_id: UserId,
    limits: SessionLimits,
    client: str,
    fresh_hash: str | None = None,
    address: str = "",
) -> SignedIn:
    """Begin a session for somebody whose password was right; `fresh_hash` replaces an outdated one."""
    record = _who_signs_in(tx, user_id)
    if fresh_hash is not None:
        users.set_password_hash(tx, user_id, fresh_hash)
    if second_factors.is_asked(tx, user_id):
        return _begin(tx, record, client, address, tx.now_ms + HALF_LASTS_MS, Awaited.CODE)
    if second_factors.is_required(tx, record.user.role):
        second_factors.begin(tx, record.user)
        return _begin(tx, record, client, address, tx.now_ms + HALF_LASTS_MS, Awaited.SET_UP)
    return begin_whole_session(tx, user_id, limits, client, address)


def begin_half_session(tx: Tx, user_id: UserId, client: str, address: str) -> SignedIn:
    """Begin half a session of somebody whose password was right in several companies."""
    record = _who_signs_in(tx, user_id)
    return _begin(tx, record, client, address, tx.now_ms + HALF_LASTS_MS, Awaited.COMPANY)


def begin_whole_session(
    tx: Tx, user_id: UserId, limits: SessionLimits, client: str, address: str
) -> SignedIn:
    """Begin the session of somebody who has shown all that is asked of them."""
    begun = _begin(
        tx, _who_signs_in(tx, user_id), client, address, tx.now_ms + limits.absolute_ms, Awaited.NOTHING
    )
    audit.record(tx, user_id, "sign_in", "user", user_id, {"session_id": begun.session.session_id})
    return begun


def find_session(tx: Tx, limits: SessionLimits, token: str) -> tuple[User, bool] | None:
    """Return whose session it is and whether its use should be noted; None if there is none or it is over."""
    session = sessions.find_session(tx, hash_of(token))
    if session is None or session.authenticated_at_ms is None or limits.is_over(session, tx.now_ms):
        return None
    record = users.find_user(tx, session.user_id)
    if record is None or record.disabled_at_ms is not None:
        return None
    actor = replace(record.user, authenticated_at_ms=session.authenticated_at_ms)
    return actor, tx.now_ms - session.last_seen_at_ms >= TOUCH_INTERVAL_MS


def sign_out(tx: Tx, token: str) -> None:
    """End the session with this secret; a session that is already over is no error."""
    session = sessions.find_session(tx, hash_of(token))
    if session is not None:
        sessions.delete_session(tx, hash_of(token))
        audit.record(tx, session.user_id, "sign_out", "user", session.user_id)


def list_sessions(tx: Tx, actor: User, limits: SessionLimits) -> list[Session]:
    """Return the actor's own sessions that are not over, last used first."""
    found = sessions.list_sessions(tx, actor.user_id)
    return [session for session in found if not limits.is_over(session, tx.now_ms)]


def current_session(tx: Tx, token: str) -> Session | None:
    """Return the session with this secret, to mark it in the list of sessions."""
    return sessions.find_session(tx, hash_of(token))


def revoke_session(tx: Tx, actor: User, session_id: str) -> None:
    """End one of the actor's own sessions; NotFound if they have no such session."""
    if not sessions.delete_user_session(tx, actor.user_id, session_id):
        raise NotFound("there is no such session")
    audit.record(tx, actor.user_id, "revoke_session", "user", actor.user_id, {"session_id": session_id})


def revoke_others(tx: Tx, actor: User, token: str) -> int:
    """End all of the actor's own sessions but the one that asks; return how many."""
    ended = sessions.delete_user_sessions(tx, actor.user_id, except_hash=hash_of(token))
    audit.record(tx, actor.user_id, "revoke_sessions", "user", actor.user_id, {"ended": str(ended)})
    return ended


def own_record(tx: Tx, actor: User) -> UserRecord:
    """Return the actor as they sign in."""
    record = users.find_user(tx, actor.user_id)
    if record is None:
        raise NotFound("there is no such user")
    return record


def forget_ended_sessions(tx: Tx, limits: SessionLimits) -> int:
    """Delete sessions that are over; return how many."""
    return sessions.delete_ended(tx, tx.now_ms - limits.idle_ms)


async def change_password(
    database: Database, passwords: Passwords, actor: User, token: str, old: str, new: str
) -> None:
    """Replace the actor's own password and end all their other sessions.

    `token` is the session that asks, which goes on. Unauthenticated if `old` is not the password.
    """
    checked_password(new)
    credential = await database.read(actor.tenant_id, users.credential_of, actor.user_id)
    if not await passwords.matches(None if credential is None else credential.password_hash, old):
        raise Unauthenticated("the present password is wrong")
    new_hash = await passwords.hash(new)
    await database.write(actor.tenant_id, _replace_password, actor.user_id, new_hash, hash_of(token))


def create_user(
    tx: Tx,
    actor: User,
    login: str,
    display_name: str,
    role: Role,
    password_hash: str,
    locale: Locale = Locale.CHINESE,
    account_ids: Iterable[AccountId] = (),
) -> UserId:
    """Add somebody who may sign in; Conflict if the login is taken.

    `password_hash` comes from `Passwords.hash`, which is too slow to be called in a transaction.
    """
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    checked_login(login)
    if not 1 <= len(display_name) <= DISPLAY_NAME_LENGTH_MAX:
        raise Invalid(f"the display name has {len(display_name)} characters, expected 1 to 100")
    if role is Role.SYSTEM:
        raise Invalid("the role 'system' is the cloud's own and signs in nowhere")
    require_may_grant(actor, role)
    wanted = frozenset(account_ids)
    if wanted and role is not Role.RESIDENT:
        raise Invalid(f"a {role.value} sees every account; only residents are tied to some")
    for account_id in wanted:
        if people_store.find_account(tx, account_id) is None:
            raise NotFound(f"there is no account {account_id}")
    user_id = users.insert_user(tx, login, display_name, role, locale, password_hash)
    if user_id is None:
        raise Conflict(f"the login {login!r} is taken")
    users.add_accounts(tx, user_id, wanted)
    audit.record(tx, actor.user_id, "create_user", "user", user_id, {"role": role.value})
    return user_id


def checked_login(login: str) -> str:
    """Return what somebody wants to sign in by, if it may be that."""
    if not _LOGIN.fullmatch(login):
        raise Invalid(f"the login {login!r} is not 1 to 64 characters without spaces")
    return login


def tie_accounts(tx: Tx, actor: User, user_id: UserId, account_ids: Iterable[AccountId]) -> None:
    """Let a resident see more accounts."""
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    record = users.find_user(tx, user_id)
    if record is None:
        raise NotFound("there is no such user")
    users.add_accounts(tx, user_id, account_ids)


def list_users(tx: Tx, actor: User, cursor: str | None = None, limit: int = 50) -> Page[UserRecord]:
    """Return those who may sign in, by login."""
    require(actor, Action.MANAGE_USERS)
    checked_limit(limit)
    after = str(key_from_cursor(cursor, str)[0]) if cursor else ""
    found = users.list_users(tx, after, limit + 1)
    return page_of(found, limit, lambda last: (last.login,))


def disable_user(tx: Tx, actor: User, user_id: UserId) -> None:
    """Let somebody sign in no more and end their sessions; nobody can disable themselves."""
    require(actor, Action.MANAGE_USERS)
    require_recent(actor, tx.now_ms)
    if user_id == actor.user_id:
        raise Conflict("you cannot disable yourself: ask another manager")
    record = users.find_user(tx, user_id)
    if record is None:
        raise NotFound("there is no such user")
    if record.disabled_at_ms is None:
        users.set_disabled(tx, user_id, tx.now_ms)
        audit.record(tx, actor.user_id, "disable_user", "user", user_id)
    sessions.delete_user_sessions(tx, user_id)


def set_locale(tx: Tx, actor: User, locale: Locale) -> None:
    """Remember the language the actor wants to read."""
    users.set_locale(tx, actor.user_id, locale)


def _who_signs_in(tx: Tx, user_id: UserId) -> UserRecord:
    record = users.find_user(tx, user_id)
    if record is None or record.disabled_at_ms is not None:
        raise Unauthenticated(_WRONG)
    return record


def _begin(
    tx: Tx, record: UserRecord, client: str, address: str, expires_at_ms: int, awaited: Awaited
) -> SignedIn:
    token = f"{tx.tenant_id}.{secrets.token_urlsafe(TOKEN_BYTES)}"
    begun = sessions.insert_session(
        tx,
        hash_of(token),
        record.user.user_id,
        client[:CLIENT_LENGTH_MAX],
        address,
        expires_at_ms,
        tx.now_ms if awaited is Awaited.NOTHING else None,
    )
    return SignedIn(record.user, begun, token, awaited)


def _replace_password(tx: Tx, user_id: UserId, new_hash: str, kept_session_hash: str) -> None:
    users.set_password_hash(tx, user_id, new_hash)
    sessions.delete_user_sessions(tx, user_id, except_hash=kept_session_hash)
    audit.record(tx, user_id, "change_password", "user", user_id)
