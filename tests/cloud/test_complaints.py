"""A complaint has an answer in time, and the resident has the last word."""

import pytest

from cloud.domain.complaint import Complaint, ComplaintAct, ComplaintKind, ComplaintState, ComplaintSubject
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.user import User
from cloud.services import complaints, notices
from cloud.store.db import Database
from tests.cloud.house import House, add_resident
from tests.databases import TENANT, FakeClock


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def home(house: House) -> User:
    return add_resident(house, "home", "A-101")


def _tell(house: House, home: User, text: str = "地下车库灯坏了三盏") -> Complaint:
    [account_id] = home.account_ids
    return house.database.write_now(
        TENANT, complaints.tell, home, account_id, ComplaintKind.COMPLAINT, ComplaintSubject.SAFETY, text
    )


def test_it_is_answered_opened_again_and_closed_with_every_word_kept(
    house: House, home: User, clock: FakeClock
) -> None:
    told = _tell(house, home)
    work = house.database.write_now
    work(TENANT, complaints.note, house.manager, told.complaint_id, "问过电工，缺灯管")
    work(TENANT, complaints.answer, house.manager, told.complaint_id, "明天更换。")
    clock.advance(days=2)
    opened = work(TENANT, complaints.reopen, home, told.complaint_id, "还是不亮")
    work(TENANT, complaints.answer, house.manager, told.complaint_id, "已更换，抱歉晚了一天。")
    closed = work(TENANT, complaints.close, home, told.complaint_id)

    assert told.number == "DG-F-2026-0001"
    assert opened.answer_by_ms - told.answer_by_ms == 2 * 24 * 3_600_000
    assert closed.state is ComplaintState.CLOSED
    _, seen = house.database.read_now(TENANT, complaints.get_complaint, home, told.complaint_id)
    assert [one.act for one in seen] == [
        ComplaintAct.TOLD,
        ComplaintAct.ANSWERED,
        ComplaintAct.REOPENED,
        ComplaintAct.ANSWERED,
        ComplaintAct.CLOSED,
    ]
    _, all_ = house.database.read_now(TENANT, complaints.get_complaint, house.manager, told.complaint_id)
    assert len(all_) == 6
    assert len(house.database.read_now(TENANT, notices.list_received, home).items) == 2


def test_what_waits_too_long_is_counted_as_late(house: House, home: User, clock: FakeClock) -> None:
    _tell(house, home)

    def counted() -> tuple[int, int]:
        return house.database.read_now(TENANT, complaints.count_open, house.manager, house.site_id)

    clock.advance(days=3)
    assert counted() == (1, 0)
    clock.advance(ms=1)
    assert counted() == (1, 1)


def test_a_neighbour_and_steps_out_of_order_are_refused(house: House, home: User) -> None:
    told = _tell(house, home)
    neighbour = add_resident(house, "neighbour", "A-201")
    work = house.database.write_now

    with pytest.raises(NotFound):
        house.database.read_now(TENANT, complaints.get_complaint, neighbour, told.complaint_id)
    with pytest.raises(NotFound):
        work(TENANT, complaints.close, neighbour, told.complaint_id)
    with pytest.raises(Forbidden):
        work(TENANT, complaints.answer, home, told.complaint_id, "x")
    with pytest.raises(Conflict, match="come further meanwhile"):
        work(TENANT, complaints.close, home, told.complaint_id)
    with pytest.raises(Invalid, match="has 0 characters, expected 1 to 2000"):
        _tell(house, home, "  ")


def test_ten_that_wait_are_enough(house: House, home: User) -> None:
    for _ in range(10):
        _tell(house, home)

    with pytest.raises(Conflict, match="10 of yours wait"):
        _tell(house, home)
