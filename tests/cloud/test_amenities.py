"""A slot is booked once and a parcel handed out once, whoever asks at the same moment."""

from datetime import date

import pytest

from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.user import Role
from cloud.domain.venue import Venue
from cloud.services import parcels, venues
from cloud.store import schema
from cloud.store.db import Database
from tests.cloud.garden import rows_of
from tests.cloud.house import House, add_login, add_resident
from tests.databases import TENANT

_TOMORROW = date(2026, 11, 25)
_HOUR_MS = 3_600_000


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def _venue(house: House) -> Venue:
    return house.database.write_now(
        TENANT, venues.add_venue, house.manager, house.site_id, "活动室", 9 * 60, 12 * 60, 60
    )


def test_slots_are_given_once_and_free_again_when_taken_back(house: House) -> None:
    first, second = add_resident(house, "first", "A-101"), add_resident(house, "second", "A-201")
    venue, work = _venue(house), house.database.write_now
    [home], [other] = first.account_ids, second.account_ids
    free = house.database.read_now(TENANT, venues.free_slots, first, venue.venue_id, _TOMORROW)

    booked = work(TENANT, venues.book, first, home, venue.venue_id, free[0], 2)

    assert len(free) == 3
    assert booked.until_ms - booked.from_ms == 2 * _HOUR_MS
    with pytest.raises(Conflict, match="is taken"):
        work(TENANT, venues.book, second, other, venue.venue_id, free[1], 2)
    left = house.database.read_now(TENANT, venues.free_slots, second, venue.venue_id, _TOMORROW)
    assert left == free[2:]
    with pytest.raises(NotFound):
        work(TENANT, venues.take_back, second, booked.booking_id)
    work(TENANT, venues.take_back, first, booked.booking_id)
    assert work(TENANT, venues.book, second, other, venue.venue_id, free[1], 2).space_code == "1-201"


def test_what_is_no_slot_is_refused(house: House) -> None:
    home = add_resident(house, "home", "A-101")
    venue, [account_id] = _venue(house), home.account_ids
    [begin, *_] = house.database.read_now(TENANT, venues.free_slots, home, venue.venue_id, _TOMORROW)

    for from_ms, slots in ((begin + 60_000, 1), (begin, 4), (begin - _HOUR_MS, 1)):
        with pytest.raises(Invalid, match="no slots of the venue"):
            house.database.write_now(TENANT, venues.book, home, account_id, venue.venue_id, from_ms, slots)


def test_a_parcel_is_handed_out_once_and_the_database_has_no_code(house: House) -> None:
    home, guard = add_resident(house, "home", "A-101"), add_login(house, "guard", Role.GUARD)
    work = house.database.write_now
    taken = work(TENANT, parcels.take_in, guard, house.site_id, "1-101", "顺丰", "B3")
    [own] = house.database.read_now(TENANT, parcels.own_parcels, home)
    kept = repr(rows_of(house.database, schema.parcel))

    handed = work(TENANT, parcels.hand_out, guard, house.site_id, f"{own.code[:3]} {own.code[3:]}")

    assert (taken.code, len(own.code), handed.handed_out_by) == ("", 6, "guard")
    assert f"'{own.code}'" not in kept
    with pytest.raises(NotFound, match="no parcel on the shelf"):
        work(TENANT, parcels.hand_out, guard, house.site_id, own.code)
    with pytest.raises(NotFound, match="nobody lives at"):
        work(TENANT, parcels.take_in, guard, house.site_id, "9-999")
