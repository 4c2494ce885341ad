"""Signing in tells a stranger nothing, sessions end when they should, and disabling ends them all."""

from collections.abc import AsyncIterator

import argon2
import pytest

from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from cloud.domain.user import Locale, Role, SessionLimits, User, system_user
from cloud.services import users
from cloud.services.passwords import LENGTH_MAX, LENGTH_MIN, Passwords, hash_password, needs_rehash
from cloud.store import schema
from cloud.store.db import Database
from tests.cloud.garden import add_manager, count, rows_of
from tests.databases import OTHER_TENANT, TENANT, FakeClock

_LIMITS = SessionLimits(idle_ms=30 * 60_000, absolute_ms=12 * 3_600_000)
_PASSWORD = "correct horse battery staple"
_HASH = hash_password(_PASSWORD)


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    opened = Passwords()
    yield opened
    opened.close()


@pytest.fixture
def manager(database: Database) -> User:
    """A manager who can sign in as `manager`."""
    user_id = database.write_now(
        TENANT, users.create_user, system_user(TENANT), "manager", "物业经理", Role.MANAGER, _HASH
    )
    return User(user_id, TENANT, Role.MANAGER, "物业经理")


async def _sign_in(
    database: Database, passwords: Passwords, login: str = "manager", password: str = _PASSWORD
) -> users.SignedIn:
    return await users.sign_in(database, passwords, _LIMITS, TENANT, login, password, "Firefox")


async def test_a_session_knows_who_it_is(database: Database, passwords: Passwords, manager: User) -> None:
    signed_in = await _sign_in(database, passwords)

    actor = await users.actor_of_session(database, _LIMITS, signed_in.token)

    assert actor == manager
    assert signed_in.token.startswith("1.")


async def test_the_store_has_no_secret(database: Database, passwords: Passwords, manager: User) -> None:
    signed_in = await _sign_in(database, passwords)

    everything = repr(
        [rows_of(database, table) for table in (schema.session, schema.app_user, schema.audit_entry)]
    )

    assert signed_in.token not in everything
    assert signed_in.token.partition(".")[2] not in everything
    assert _PASSWORD not in everything
    assert signed_in.token not in repr(signed_in)


async def test_every_wrong_sign_in_is_one_answer(
    database: Database, passwords: Passwords, manager: User
) -> None:
    user_id = database.write_now(
        TENANT, users.create_user, system_user(TENANT), "gone", "离职", Role.MANAGER, _HASH
    )
    database.write_now(TENANT, users.disable_user, manager, user_id)

    told = []
    for login, password in [
        ("manager", "wrong password"),
        ("nobody", _PASSWORD),
        ("gone", _PASSWORD),
        ("manager", ""),
        ("manager", "x" * 10_000),
    ]:
        with pytest.raises(Unauthenticated) as refused:
            await _sign_in(database, passwords, login, password)
        told.append(str(refused.value))

    assert set(told) == {"the login or the password is wrong"}
    assert count(database, schema.session) == 0


async def test_an_unknown_login_costs_the_same_work_as_a_wrong_password(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[tuple[object, ...]] = []
    verify = argon2.PasswordHasher.verify

    def watched(hasher: argon2.PasswordHasher, password_hash: str, password: str) -> bool:
        used = argon2.extract_parameters(password_hash)
        checked.append((used.type, used.time_cost, used.memory_cost, used.parallelism, password))
        return bool(verify(hasher, password_hash, password))

    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched)

    answers = [await passwords.matches(kept, "wrong password") for kept in (_HASH, None)]

    # argon2id's work depends on these parameters alone, and both logins asked for it once.
    assert answers == [False, False]
    assert len(checked) == 2
    assert checked[0] == checked[1]


async def test_a_session_ends_when_it_is_not_used(
    database: Database, passwords: Passwords, manager: User, clock: FakeClock
) -> None:
    token = (await _sign_in(database, passwords)).token

    clock.advance(minutes=29)
    used = await users.actor_of_session(database, _LIMITS, token)
    clock.advance(minutes=29)
    used_again = await users.actor_of_session(database, _LIMITS, token)
    clock.advance(minutes=30)
    over = await users.actor_of_session(database, _LIMITS, token)

    assert used == used_again == manager
    assert over is None


async def test_a_session_ends_after_its_time_however_much_it_is_used(
    database: Database, passwords: Passwords, manager: User, clock: FakeClock
) -> None:
    token = (await _sign_in(database, passwords)).token

    actors = []
    for _ in range(60):
        clock.advance(minutes=12)
        actors.append(await users.actor_of_session(database, _LIMITS, token))

    assert actors == [manager] * 59 + [None]


async def test_using_a_session_is_noted_once_a_minute(
    database: Database, passwords: Passwords, manager: User, clock: FakeClock
) -> None:
    signed_in = await _sign_in(database, passwords)

    clock.advance(s=59)
    await users.actor_of_session(database, _LIMITS, signed_in.token)
    [early] = database.read_now(TENANT, users.list_sessions, manager, _LIMITS)
    clock.advance(s=1)
    await users.actor_of_session(database, _LIMITS, signed_in.token)
    [late] = database.read_now(TENANT, users.list_sessions, manager, _LIMITS)

    assert early.last_seen_at_ms == signed_in.session.last_seen_at_ms
    assert late.last_seen_at_ms == clock.now_ms


@pytest.mark.parametrize(
    "token",
    [
        "",
        "1.",
        "nonsense",
        "0." + "a" * 43,
        "1." + "a" * 42,
        "1." + "a" * 44,
        "x." + "a" * 43,
        "2." + "a" * 43,
        "2147483648." + "a" * 43,
        "9999999999." + "a" * 43,
    ],
)
async def test_what_is_no_session_is_nobody(database: Database, token: str) -> None:
    assert await users.actor_of_session(database, _LIMITS, token) is None


async def test_a_session_of_one_company_is_nobodys_in_another(
    database: Database, passwords: Passwords, manager: User
) -> None:
    token = (await _sign_in(database, passwords)).token

    moved = f"{OTHER_TENANT}.{token.partition('.')[2]}"

    assert await users.actor_of_session(database, _LIMITS, moved) is None


async def test_sessions_are_listed_and_ended_one_by_one(
    database: Database, passwords: Passwords, manager: User, clock: FakeClock
) -> None:
    first = await _sign_in(database, passwords)
    clock.advance(minutes=1)
    second = await _sign_in(database, passwords)

    listed = database.read_now(TENANT, users.list_sessions, manager, _LIMITS)
    database.write_now(TENANT, users.revoke_session, manager, first.session.session_id)

    assert [session.session_id for session in listed] == [
        second.session.session_id,
        first.session.session_id,
    ]
    assert await users.actor_of_session(database, _LIMITS, first.token) is None
    assert await users.actor_of_session(database, _LIMITS, second.token) == manager


async def test_nobody_ends_the_session_of_somebody_else(
    database: Database, passwords: Passwords, manager: User
) -> None:
    session = (await _sign_in(database, passwords)).session
    other = add_manager(database, login="other")

    with pytest.raises(NotFound):
        database.write_now(TENANT, users.revoke_session, other, session.session_id)

    assert len(database.read_now(TENANT, users.list_sessions, manager, _LIMITS)) == 1


async def test_signing_out_ends_this_session_and_no_other(
    database: Database, passwords: Passwords, manager: User
) -> None:
    first, second = await _sign_in(database, passwords), await _sign_in(database, passwords)

    database.write_now(TENANT, users.sign_out, first.token)
    database.write_now(TENANT, users.sign_out, first.token)

    assert await users.actor_of_session(database, _LIMITS, first.token) is None
    assert await users.actor_of_session(database, _LIMITS, second.token) == manager


async def test_disabling_somebody_ends_all_their_sessions(
    database: Database, passwords: Passwords, manager: User
) -> None:
    tokens = [(await _sign_in(database, passwords)).token for _ in range(3)]
    deputy = add_manager(database, login="deputy")

    database.write_now(TENANT, users.disable_user, deputy, manager.user_id)

    assert [await users.actor_of_session(database, _LIMITS, token) for token in tokens] == [None] * 3
    with pytest.raises(Conflict, match="you cannot disable yourself"):
        database.write_now(TENANT, users.disable_user, deputy, deputy.user_id)


async def test_a_new_password_ends_every_other_session(
    database: Database, passwords: Passwords, manager: User
) -> None:
    here, elsewhere = await _sign_in(database, passwords), await _sign_in(database, passwords)

    with pytest.raises(Unauthenticated, match="the present password is wrong"):
        await users.change_password(database, passwords, manager, here.token, "guess", "a new password")
    await users.change_password(database, passwords, manager, here.token, _PASSWORD, "a new password")

    assert await users.actor_of_session(database, _LIMITS, here.token) == manager
    assert await users.actor_of_session(database, _LIMITS, elsewhere.token) is None
    assert (await _sign_in(database, passwords, password="a new password")).user == manager


async def test_an_outdated_hash_is_renewed_at_the_next_sign_in(
    database: Database, passwords: Passwords
) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(_PASSWORD)
    database.write_now(TENANT, users.create_user, system_user(TENANT), "old", "老", Role.MANAGER, weak)

    await _sign_in(database, passwords, "old")

    [row] = rows_of(database, schema.app_user)
    assert not needs_rehash(str(row[5]))
    assert await passwords.matches(str(row[5]), _PASSWORD)


@pytest.mark.parametrize(
    ("length", "may_be"),
    [(LENGTH_MIN - 1, False), (LENGTH_MIN, True), (LENGTH_MAX, True), (LENGTH_MAX + 1, False)],
)
def test_a_password_has_a_length_within_limits(length: int, may_be: bool) -> None:
    if may_be:
        assert hash_password("密" * length).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    else:
        with pytest.raises(Invalid, match=f"the password has {length} characters, expected 8 to 256"):
            hash_password("密" * length)


@pytest.mark.parametrize(
    ("login", "name", "role", "complaint"),
    [
        ("", "n", Role.MANAGER, "1 to 64 characters"),
        ("two words", "n", Role.MANAGER, "1 to 64 characters"),
        ("x" * 65, "n", Role.MANAGER, "1 to 64 characters"),
        ("ok", "", Role.MANAGER, "the display name has 0 characters"),
        ("ok", "n", Role.SYSTEM, "signs in nowhere"),
    ],
)
def test_a_user_that_makes_no_sense_is_refused(
    database: Database, login: str, name: str, role: Role, complaint: str
) -> None:
    with pytest.raises(Invalid, match=complaint):
        database.write_now(TENANT, users.create_user, system_user(TENANT), login, name, role, _HASH)


def test_a_login_is_taken_once_in_a_company_and_free_in_another(database: Database, manager: User) -> None:
    with pytest.raises(Conflict, match="the login 'manager' is taken"):
        database.write_now(TENANT, users.create_user, manager, "manager", "n", Role.MANAGER, _HASH)

    database.write_now(
        OTHER_TENANT, users.create_user, system_user(OTHER_TENANT), "manager", "n", Role.MANAGER, _HASH
    )
    page = database.read_now(TENANT, users.list_users, manager)
    assert [record.login for record in page.items] == ["manager"]


def test_users_come_in_pages_by_login(database: Database, manager: User) -> None:
    for login in ("c", "a", "b", "d"):
        database.write_now(
            TENANT, users.create_user, manager, login, login, Role.MANAGER, _HASH, Locale.ENGLISH
        )

    first = database.read_now(TENANT, users.list_users, manager, None, 3)
    rest = database.read_now(TENANT, users.list_users, manager, first.next_cursor, 3)

    assert [record.login for record in (*first.items, *rest.items)] == ["a", "b", "c", "d", "manager"]


def test_only_managers_manage_users(database: Database, manager: User) -> None:
    resident = User(manager.user_id, TENANT, Role.RESIDENT, "101")

    for work, arguments in (
        (users.list_users, ()),
        (users.disable_user, (manager.user_id,)),
        (users.create_user, ("x", "x", Role.MANAGER, _HASH)),
    ):
        with pytest.raises(Forbidden, match="role resident may not manage users"):
            database.write_now(TENANT, work, resident, *arguments)  # type: ignore[arg-type]


def test_ended_sessions_are_forgotten_and_running_ones_kept(
    database: Database, manager: User, clock: FakeClock
) -> None:
    database.write_now(TENANT, users.begin_session, manager.user_id, _LIMITS, "old")
    clock.advance(minutes=30)
    database.write_now(TENANT, users.begin_session, manager.user_id, _LIMITS, "new")

    forgotten = database.write_now(TENANT, users.forget_ended_sessions, _LIMITS)

    assert forgotten == 1
    [kept] = database.read_now(TENANT, users.list_sessions, manager, _LIMITS)
    assert kept.client == "new"
