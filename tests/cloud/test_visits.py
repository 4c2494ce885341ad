"""A visitor's code lets in once, within its time, and only its host knows it."""

import asyncio
from datetime import date

import pytest

from cloud.domain.dispatch import Shift
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from cloud.domain.user import Role, User
from cloud.domain.visit import Visit, VisitState
from cloud.services import barrings, duty, notices, visits
from cloud.store import schema
from cloud.store.db import Database
from tests.cloud.garden import rows_of
from tests.cloud.house import House, add_login, add_resident
from tests.databases import TENANT, FakeClock

_HOUR_MS = 3_600_000


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def host(house: House) -> User:
    return add_resident(house, "host", "A-101")


@pytest.fixture
def guard(house: House) -> User:
    return add_login(house, "guard", Role.GUARD)


def _invite(
    house: House, host: User, clock: FakeClock, begins_in_ms: int = 0, lasts_ms: int = _HOUR_MS
) -> Visit:
    [account_id] = host.account_ids
    from_ms = clock.now_ms + begins_in_ms
    return house.database.write_now(
        TENANT, visits.invite, host, account_id, "李阿姨", from_ms, from_ms + lasts_ms, "京A·D12345"
    )


def _admit(house: House, guard: User, code: str) -> Visit:
    return house.database.write_now(TENANT, visits.admit, guard, house.site_id, code)


def test_a_code_lets_in_once_and_the_host_hears_of_it(
    house: House, host: User, guard: User, clock: FakeClock
) -> None:
    invited = _invite(house, host, clock)

    admitted = _admit(house, guard, f"{invited.code[:4]} {invited.code[4:]}")

    assert (admitted.state_at(clock.now_ms), admitted.space_code, admitted.admitted_by) == (
        VisitState.ARRIVED,
        "1-101",
        "guard",
    )
    [told] = house.database.read_now(TENANT, notices.list_received, host).items
    assert told.title.endswith("】访客已到")
    assert told.text == "1-101 李阿姨"
    with pytest.raises(Conflict, match="has let somebody in already"):
        _admit(house, guard, invited.code)


def test_the_guard_never_sees_a_code_and_the_database_has_none(
    house: House, host: User, guard: User, clock: FakeClock
) -> None:
    invited = _invite(house, host, clock)

    [seen] = house.database.read_now(TENANT, visits.visits_today, guard, house.site_id)

    assert (seen.code, seen.plate, len(invited.code)) == ("", "京A***45", 8)
    kept = repr(rows_of(house.database, schema.visit))
    assert invited.code not in kept
    assert "D12345" not in kept


@pytest.mark.parametrize(
    ("later_ms", "begins_in_ms", "is_let_in"),
    [
        pytest.param(0, 16 * 60_000, False, id="sixteen minutes early"),
        pytest.param(0, 14 * 60_000, True, id="a little early"),
        pytest.param(_HOUR_MS, 0, True, id="at its end"),
        pytest.param(_HOUR_MS + 1, 0, False, id="over"),
    ],
)
def test_a_code_holds_within_its_time(
    house: House,
    host: User,
    guard: User,
    clock: FakeClock,
    later_ms: int,
    begins_in_ms: int,
    is_let_in: bool,
) -> None:
    invited = _invite(house, host, clock, begins_in_ms)
    clock.advance(ms=later_ms)

    if is_let_in:
        assert _admit(house, guard, invited.code).arrived_at_ms == clock.now_ms
    else:
        with pytest.raises(Conflict, match="does not hold now"):
            _admit(house, guard, invited.code)


def test_a_visit_taken_back_lets_nobody_in_and_a_neighbour_cannot_take_it_back(
    house: House, host: User, guard: User, clock: FakeClock
) -> None:
    invited = _invite(house, host, clock)
    neighbour = add_resident(house, "neighbour", "A-201")

    with pytest.raises(NotFound):
        house.database.write_now(TENANT, visits.take_back, neighbour, invited.visit_id)
    house.database.write_now(TENANT, visits.take_back, host, invited.visit_id)

    with pytest.raises(Conflict, match="does not hold now"):
        _admit(house, guard, invited.code)
    assert house.database.read_now(TENANT, visits.own_visits, neighbour) == []


def test_what_is_no_visit_is_refused(house: House, host: User, clock: FakeClock) -> None:
    with pytest.raises(Invalid, match="a day at most"):
        _invite(house, host, clock, lasts_ms=25 * _HOUR_MS)
    with pytest.raises(Invalid, match="next 30 days"):
        _invite(house, host, clock, begins_in_ms=31 * 24 * _HOUR_MS)
    for _ in range(20):
        _invite(house, host, clock)
    with pytest.raises(Conflict, match="20 visits are expected already"):
        _invite(house, host, clock)


async def test_who_guesses_codes_waits_ever_longer(house: House, guard: User) -> None:
    told: list[type[Exception]] = []
    for _ in range(12):
        try:
            await visits.admit_by_code(house.database, guard, house.site_id, "00000000")
        except (NotFound, TooMany) as error:
            told.append(type(error))

    assert told == [NotFound] * 10 + [TooMany] * 2


def _admit_at_gate(house: House, guard: User, code: str) -> Visit:
    return asyncio.run(visits.admit_by_code(house.database, guard, house.site_id, code))


@pytest.mark.parametrize(("name", "plate"), [("李阿姨", ""), ("", "京A·D12345")], ids=["name", "plate"])
def test_who_is_barred_is_not_let_in_and_only_the_guards_learn_why(
    house: House, host: User, guard: User, clock: FakeClock, name: str, plate: str
) -> None:
    invited, work = _invite(house, host, clock), house.database.write_now
    barred = work(TENANT, barrings.bar, house.manager, house.site_id, name, plate, "多次入户推销")
    shift = Shift(frozenset(range(7)), 0, 0)
    work(
        TENANT,
        duty.add_post,
        house.manager,
        house.site_id,
        "门岗",
        1,
        shift,
        1,
        date(2026, 11, 1),
        [guard.user_id],
    )

    with pytest.raises(Conflict, match="for the manager on duty") as refusal:
        _admit_at_gate(house, guard, invited.code)

    assert "推销" not in str(refusal.value)
    _, fits = house.database.read_now(TENANT, visits.gate_today, guard, house.site_id)
    assert fits[invited.visit_id].reason == "多次入户推销"
    assert len(house.database.read_now(TENANT, notices.list_received, guard).items) == 1
    assert house.database.read_now(TENANT, notices.list_received, host).items == ()
    work(TENANT, barrings.lift, house.manager, barred.barring_id)
    assert _admit_at_gate(house, guard, invited.code).admitted_by == "guard"


def test_a_barring_ends_by_itself_and_is_for_managers(
    house: House, host: User, guard: User, clock: FakeClock
) -> None:
    work = house.database.write_now
    until_ms = clock.now_ms + _HOUR_MS
    work(TENANT, barrings.bar, house.manager, house.site_id, "李阿姨", "", "纠纷", until_ms)
    clock.advance(hours=1)

    assert _admit(house, guard, _invite(house, host, clock).code).name == "李阿姨"
    with pytest.raises(Forbidden):
        work(TENANT, barrings.bar, guard, house.site_id, "某人", "", "推销")
    with pytest.raises(Invalid, match="say who"):
        work(TENANT, barrings.bar, house.manager, house.site_id, " ", "", "推销")
