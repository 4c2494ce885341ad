"""An announcement reaches those it is for and nobody else, and says who has opened it."""

from datetime import date

import pytest

from cloud.domain.announcement import Announcement, Audience, Readers, riser_of
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import BuildingId
from cloud.domain.notice import Channel
from cloud.domain.user import Locale, User
from cloud.services import announcements, notices
from cloud.store import premises
from cloud.store.db import Database
from tests.cloud.house import House, add_resident
from tests.databases import TENANT, FakeClock


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def first(house: House) -> User:
    return add_resident(house, "first", "A-101")


@pytest.fixture
def second(house: House) -> User:
    return add_resident(house, "second", "A-201")


def _building(house: House) -> BuildingId:
    [only] = house.database.read_now(TENANT, premises.list_buildings, house.site_id)
    return only.building_id


def _publish(house: House, audience: Audience | None = None, **more: object) -> Announcement:
    return house.database.write_now(
        TENANT,
        announcements.publish,
        house.manager,
        house.site_id,
        "周四停水",
        "1 单元 9 点到 11 点停水检修。",
        audience or Audience(),
        **more,  # type: ignore[arg-type]
    )


def _own(house: House, reader: User) -> list[str]:
    own = house.database.read_now(TENANT, announcements.own_announcements, reader, house.site_id)
    return [one.announcement.title for one in own]


@pytest.mark.parametrize(
    ("code", "floor", "riser"),
    [("1-101", 1, "01"), ("2-1203", 12, "03"), ("3-1-502", 5, "02"), ("P-17", 2, ""), ("商铺", 1, "")],
)
def test_a_riser_is_what_is_left_of_the_door_s_number_without_its_floor(
    code: str, floor: int, riser: str
) -> None:
    assert riser_of(code, floor) == riser


def test_homes_that_were_told_have_it_and_their_receipts_are_kept(
    house: House, first: User, second: User, clock: FakeClock
) -> None:
    said = _publish(house)
    clock.advance(minutes=5)

    house.database.write_now(TENANT, announcements.open_own, first, said.announcement_id)
    clock.advance(minutes=5)
    house.database.write_now(TENANT, announcements.open_own, first, said.announcement_id)

    assert _own(house, second) == ["周四停水"]
    told = house.database.read_now(TENANT, announcements.list_receipts, house.manager, said.announcement_id)
    assert [(one.space_code, one.read_at_ms) for one in told] == [
        ("1-101", said.published_at_ms + 300_000),
        ("1-201", None),
    ]
    seen = house.database.read_now(
        TENANT, announcements.get_announcement, house.manager, said.announcement_id
    )
    assert (seen.home_count, seen.read_count) == (2, 1)


@pytest.mark.parametrize(
    ("riser", "codes"),
    [pytest.param("01", ("1-101", "1-201"), id="both"), pytest.param("02", (), id="none")],
)
def test_an_audience_shows_whom_it_reaches_and_who_would_not_see_it(
    house: House, first: User, riser: str, codes: tuple[str, ...]
) -> None:
    audience = Audience(Readers.RESIDENTS, frozenset({_building(house)}), "", riser)

    found = house.database.read_now(TENANT, announcements.reach, house.manager, house.site_id, audience)

    assert found.codes == codes
    assert found.silent_codes == codes[1:]
    if not codes:
        with pytest.raises(Invalid, match="no home fits this audience"):
            _publish(house, audience)


def test_nobody_is_known_as_tenant_so_tenants_are_nobody(house: House) -> None:
    found = house.database.read_now(
        TENANT, announcements.reach, house.manager, house.site_id, Audience(Readers.TENANTS)
    )

    assert found.codes == ()


def test_staff_are_told_without_any_home(house: House, first: User) -> None:
    said = _publish(house, Audience(Readers.STAFF))

    assert (said.home_count, _own(house, first)) == (0, [])


def test_notices_go_out_once_and_not_after_it_was_taken_back(house: House, first: User) -> None:
    [account_id] = first.account_ids
    house.database.write_now(
        TENANT, notices.add_contact, house.manager, account_id, Channel.SMS, "13800138000", Locale.CHINESE
    )
    said = _publish(house)

    more = [house.database.write_now(TENANT, announcements.tell_some) for _ in range(2)]

    assert more == [False, False]
    told = house.database.read_now(TENANT, notices.list_received, first).items
    assert [one.title for one in told] == ["【示范小区】周四停水"]
    house.database.write_now(TENANT, announcements.take_back, house.manager, said.announcement_id)
    assert house.database.read_now(TENANT, notices.list_received, first).items == ()
    assert _own(house, first) == []
    with pytest.raises(Conflict, match="taken back already"):
        house.database.write_now(TENANT, announcements.take_back, house.manager, said.announcement_id)


def test_one_taken_back_at_once_is_told_to_nobody(house: House, first: User) -> None:
    said = _publish(house)
    house.database.write_now(TENANT, announcements.take_back, house.manager, said.announcement_id)

    house.database.write_now(TENANT, announcements.tell_some)

    assert house.database.read_now(TENANT, notices.list_received, first).items == ()


def test_it_is_gone_the_day_after_its_last(house: House, first: User, clock: FakeClock) -> None:
    _publish(house, until_on=date(2026, 11, 25))
    clock.advance(days=1)
    assert _own(house, first) == ["周四停水"]
    clock.advance(days=1)
    assert _own(house, first) == []
    with pytest.raises(Invalid, match="has passed"):
        _publish(house, until_on=date(2026, 11, 25))


def test_what_was_for_others_cannot_be_opened(house: House, first: User) -> None:
    said = _publish(house, Audience(Readers.STAFF))

    with pytest.raises(NotFound):
        house.database.write_now(TENANT, announcements.open_own, first, said.announcement_id)


def test_a_riser_without_a_building_is_refused() -> None:
    with pytest.raises(Invalid, match="name exactly one"):
        Audience(Readers.RESIDENTS, frozenset(), "", "01")
