"""Showing who one is: the second half of a sign-in, and once more before what is grave.

The invariant: an attempt is counted before it is compared, by person, whichever page or program makes it;
half a session is good for nothing but its other half, and for no longer than a telephone takes to be found.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from cloud.domain.errors import Unauthenticated
from cloud.domain.ids import TenantId, UserId
from cloud.domain.rate_limit import SECOND_FACTOR_PER_USER
from cloud.domain.user import Session, SessionLimits, User
from cloud.services import second_factors
from cloud.services.passwords import Passwords
from cloud.services.rate_limits import Bucket, guess
from cloud.services.users import (
    SignedIn,
    begin_half_session,
    begin_session,
    begin_whole_session,
    hash_of,
)
from cloud.services.users import sign_in as sign_in_to
from cloud.store import audit, sessions, tenants, users
from cloud.store.db import Database, Tx

_T = TypeVar("_T")

# More companies than anybody works for; each costs a comparison of a password.
COMPANIES_MAX = 5

_HALF_GONE = "this sign-in took too long: begin again"


async def companies_of(database: Database, home: TenantId, login: str, code: str = "") -> list[TenantId]:
    """Return the companies that know a login, or that one of them with a code; at most a few.

    None at all: `home`, so that a login nobody has is compared for as long as another.
    """
    listed = await database.read(home, tenants.list_companies)
    found = []
    for company in listed:
        if code and company.code != code:
            continue
        if await database.read(company.tenant_id, users.find_credential, login) is not None:
            found.append(company.tenant_id)
    return found[:COMPANIES_MAX] or [home]


async def sign_in(
    database: Database,
    passwords: Passwords,
    limits: SessionLimits,
    companies: Sequence[TenantId],
    login: str,
    password: str,
    client: str,
    address: str,
) -> tuple[SignedIn, ...]:
    """Check a password where the login is known; half a session of each where it is right in several.

    Unauthenticated if it is right nowhere. The caller counts attempts before calling.
    """
    if len(companies) == 1:
        (tenant_id,) = companies
        return (await sign_in_to(database, passwords, limits, tenant_id, login, password, client, address),)
    right: list[tuple[TenantId, UserId]] = []
    for tenant_id in companies:
        credential = await database.read(tenant_id, users.find_credential, login)
        is_right = await passwords.matches(None if credential is None else credential.password_hash, password)
        if credential is not None and is_right and not credential.is_disabled:
            right.append((tenant_id, credential.user_id))
    if not right:
        raise Unauthenticated("the login or the password is wrong")
    if len(right) == 1:
        ((tenant_id, user_id),) = right
        return (await database.write(tenant_id, begin_session, user_id, limits, client, None, address),)
    return tuple(
        [
            await database.write(tenant_id, begin_half_session, user_id, client, address)
            for tenant_id, user_id in right
        ]
    )


async def choose(database: Database, limits: SessionLimits, tenant_id: TenantId, token: str) -> SignedIn:
    """Go on signing in to one of several companies, as if it were the only one."""
    return await database.write(tenant_id, _choose, limits, token)


def half_signed_in(tx: Tx, token: str) -> User:
    """Return who gave their password and not yet a code; Unauthenticated if nobody, or too long ago."""
    return _half(tx, token)[1]


async def give_code(
    database: Database, limits: SessionLimits, tenant_id: TenantId, token: str, code: str
) -> SignedIn:
    """Complete a sign-in by a code; the session gets another secret."""
    actor = await database.read(tenant_id, half_signed_in, token)
    return await _counted(database, actor, lambda: database.write(tenant_id, _complete, limits, token, code))


async def confirm_and_sign_in(
    database: Database, limits: SessionLimits, tenant_id: TenantId, token: str, code: str
) -> tuple[SignedIn, tuple[str, ...]]:
    """Complete a sign-in that had to set up a second factor, by its first code; with the recovery codes."""
    actor = await database.read(tenant_id, half_signed_in, token)
    return await _counted(
        database, actor, lambda: database.write(tenant_id, _confirm_and_complete, limits, token, code)
    )


async def confirm(database: Database, actor: User, code: str) -> tuple[str, ...]:
    """Give the first code of one's own second factor; return the recovery codes."""
    return await _counted(
        database, actor, lambda: database.write(actor.tenant_id, second_factors.confirm, actor, code)
    )


async def reauthenticate(
    database: Database, passwords: Passwords, actor: User, token: str, *, password: str = "", code: str = ""
) -> None:
    """Show again who one is: by a code; by the password only who has no second factor."""

    async def check() -> None:
        if await database.read(actor.tenant_id, second_factors.is_asked, actor.user_id):
            await database.write(actor.tenant_id, _seen, actor, token, code)
            return
        credential = await database.read(actor.tenant_id, users.credential_of, actor.user_id)
        if not await passwords.matches(None if credential is None else credential.password_hash, password):
            raise Unauthenticated("the present password is wrong")
        await database.write(actor.tenant_id, _seen, actor, token, None)

    await _counted(database, actor, check)


async def _counted(database: Database, actor: User, attempt: Callable[[], Awaitable[_T]]) -> _T:
    buckets: list[Bucket] = [(SECOND_FACTOR_PER_USER, actor.user_id)]
    try:
        return await guess(database, actor.tenant_id, buckets, attempt, Unauthenticated)
    except Unauthenticated:
        await database.write(actor.tenant_id, _note_failure, actor)
        raise


def _note_failure(tx: Tx, actor: User) -> None:
    audit.record(tx, actor.user_id, "authentication_failed", "user", actor.user_id)


def _seen(tx: Tx, actor: User, token: str, code: str | None) -> None:
    if code is not None:
        second_factors.give_code(tx, actor.user_id, code)
    sessions.set_authenticated(tx, hash_of(token))
    audit.record(tx, actor.user_id, "authenticate_again", "user", actor.user_id)


def _choose(tx: Tx, limits: SessionLimits, token: str) -> SignedIn:
    half, _ = _half(tx, token)
    sessions.delete_session(tx, hash_of(token))
    return begin_session(tx, half.user_id, limits, half.client, None, half.address)


def _complete(tx: Tx, limits: SessionLimits, token: str, code: str) -> SignedIn:
    half, actor = _half(tx, token)
    second_factors.give_code(tx, actor.user_id, code)
    return _whole(tx, limits, token, half)


def _confirm_and_complete(
    tx: Tx, limits: SessionLimits, token: str, code: str
) -> tuple[SignedIn, tuple[str, ...]]:
    half, actor = _half(tx, token)
    codes = second_factors.confirm(tx, actor, code)
    return _whole(tx, limits, token, half), codes


def _whole(tx: Tx, limits: SessionLimits, token: str, half: Session) -> SignedIn:
    sessions.delete_session(tx, hash_of(token))
    return begin_whole_session(tx, half.user_id, limits, half.client, half.address)


def _half(tx: Tx, token: str) -> tuple[Session, User]:
    half = sessions.find_session(tx, hash_of(token))
    if half is None or half.authenticated_at_ms is not None or half.expires_at_ms <= tx.now_ms:
        raise Unauthenticated(_HALF_GONE)
    record = users.find_user(tx, half.user_id)
    if record is None or record.disabled_at_ms is not None:
        raise Unauthenticated(_HALF_GONE)
    return half, record.user
