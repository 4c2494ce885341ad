"""Goods leave once, against an approved slip, within its time; only the home knows the code."""

import pytest

from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.goods import GoodsItem, GoodsSlip, GoodsState, items_of
from cloud.domain.user import Role, User
from cloud.services import goods, notices
from cloud.store import schema
from cloud.store.db import Database
from tests.cloud.garden import rows_of
from tests.cloud.house import House, add_login, add_resident
from tests.databases import TENANT, FakeClock

_DAY_MS = 24 * 3_600_000
_ITEMS = items_of(["沙发", "椅子 x 4", "xbox"])


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def _ask(house: House, home: User, clock: FakeClock) -> GoodsSlip:
    [account_id] = home.account_ids
    begin = clock.now_ms
    return house.database.write_now(
        TENANT, goods.ask, home, account_id, _ITEMS, begin, begin + _DAY_MS, "搬家公司"
    )


def test_items_are_written_one_a_line_with_or_without_a_count() -> None:
    assert (GoodsItem("沙发", 1), GoodsItem("椅子", 4), GoodsItem("xbox", 1)) == _ITEMS
    assert items_of(["洗衣机×2"]) == (GoodsItem("洗衣机", 2),)
    for line in ("椅子 x 0", "椅子 x 1000", "长" * 81):
        with pytest.raises(Invalid):
            items_of([line])


def test_an_approved_slip_lets_out_once_and_the_database_has_no_code(house: House, clock: FakeClock) -> None:
    home, guard = add_resident(house, "home", "A-101"), add_login(house, "guard", Role.GUARD)
    work, read = house.database.write_now, house.database.read_now
    asked = _ask(house, home, clock)
    work(TENANT, goods.decide, house.manager, asked.slip_id, is_approved=True)
    [own] = read(TENANT, goods.own_slips, home)
    kept = repr(rows_of(house.database, schema.goods_slip))

    seen = read(TENANT, goods.by_code, guard, house.site_id, own.code)
    out = work(TENANT, goods.release, guard, house.site_id, f"{own.code[:3]} {own.code[3:]}", "缺一把椅子")

    assert (asked.state_at(clock.now_ms), asked.code, len(own.code)) == (GoodsState.ASKED, "", 6)
    assert (seen.items, seen.code, seen.note) == (_ITEMS, "", "搬家公司")
    assert (out.state_at(clock.now_ms), out.released_by, out.gate_note) == (
        GoodsState.RELEASED,
        "guard",
        "缺一把椅子",
    )
    assert f"'{own.code}'" not in kept
    assert len(read(TENANT, notices.list_received, home).items) == 2  # approved, and out
    with pytest.raises(NotFound, match="no approved slip"):
        work(TENANT, goods.release, guard, house.site_id, own.code)
    with pytest.raises(Conflict, match="are out already"):
        work(TENANT, goods.take_back, home, asked.slip_id)


def test_what_is_refused_taken_back_or_over_lets_nothing_out(house: House, clock: FakeClock) -> None:
    home, guard = add_resident(house, "home", "A-101"), add_login(house, "guard", Role.GUARD)
    stranger = add_resident(house, "other", "A-201")
    work = house.database.write_now
    refused, taken_back, late = (_ask(house, home, clock) for _ in range(3))

    with pytest.raises(Invalid, match="the reason has 0 characters"):
        work(TENANT, goods.decide, house.manager, refused.slip_id, is_approved=False)
    work(TENANT, goods.decide, house.manager, refused.slip_id, is_approved=False, refusal="是公共物品")
    with pytest.raises(NotFound):
        work(TENANT, goods.take_back, stranger, taken_back.slip_id)
    work(TENANT, goods.take_back, home, taken_back.slip_id)
    for decided in (refused, taken_back):
        with pytest.raises(Conflict, match="decided already"):
            work(TENANT, goods.decide, house.manager, decided.slip_id, is_approved=True)
    work(TENANT, goods.decide, house.manager, late.slip_id, is_approved=True)
    code = house.database.read_now(TENANT, goods.own_slips, home)[0].code
    clock.advance(days=1, s=1)
    with pytest.raises(Conflict, match="does not hold now"):
        work(TENANT, goods.release, guard, house.site_id, code)
    with pytest.raises(Forbidden):
        work(TENANT, goods.decide, guard, late.slip_id, is_approved=True)
