"""Spaces as of any day: nothing said of them is overwritten, and what they are is searched and counted."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from cloud.domain.attachment import ATTACHMENT_BYTES_MAX
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BuildingId, SiteId, SpaceId, UserId
from cloud.domain.person import Relation
from cloud.domain.premises import SpaceKind
from cloud.domain.space_history import (
    BEGINNING,
    Orientation,
    SpaceFacts,
    SpaceSearch,
    SpaceStatus,
    SpaceUse,
    SpaceVersion,
    amended,
    version_on,
)
from cloud.domain.user import Role, User, system_user
from cloud.services import moving, spaces
from cloud.services.moving import Arrival
from cloud.services.spaces import SpaceDetail
from cloud.store import people
from cloud.store.db import Database, Tx
from tests.cloud.garden import add_manager, add_site
from tests.databases import OTHER_TENANT, TENANT, FakeClock

SYSTEM = system_user(TENANT)
GUARD = User(UserId("g"), TENANT, Role.GUARD, "保安")
FACTS = SpaceFacts(8_960, 7_230, "3室2厅1卫", Orientation.SOUTH_NORTH)
SURVEYED, LET_ON = date(2026, 3, 1), date(2026, 7, 1)
PDF = b"%PDF-1.7\n1 0 obj\n"


def add_building(database: Database, site_id: SiteId, code: str = "1") -> BuildingId:
    added = database.write_now(TENANT, spaces.add_building, SYSTEM, site_id, code, f"{code} 号楼", 6)
    return added.building_id


def add_flat(database: Database, building_id: BuildingId, code: str, facts: SpaceFacts = FACTS) -> SpaceId:
    floor = int(code.rpartition("-")[2][0])
    added = database.write_now(
        TENANT, spaces.add_space, SYSTEM, building_id, code, "1", floor, SpaceKind.FLAT, facts
    )
    return added.record.space.space_id


def change(database: Database, space_id: SpaceId, from_on: date, reason: str, **changes: Any) -> SpaceDetail:
    return database.write_now(TENANT, spaces.change_space, SYSTEM, space_id, from_on, changes, reason)


def found(database: Database, site_id: SiteId, on: date | None = None, **wanted: Any) -> list[str]:
    page = database.read_now(TENANT, spaces.search, SYSTEM, site_id, SpaceSearch(**wanted), on)
    return [one.space.code for one in page.items]


def versions(*told: tuple[date, SpaceFacts]) -> list[SpaceVersion]:
    return [SpaceVersion(number, on, facts, "", 0, None) for number, (on, facts) in enumerate(told, start=1)]


def test_a_change_recorded_late_holds_until_what_was_changed_after_it() -> None:
    known = versions((BEGINNING, SpaceFacts(9_000)), (LET_ON, SpaceFacts(9_100, layout="2室")))

    written = amended(known, SURVEYED, {"built_area_dm2": 9_050, "layout": "1室", "title_number": "T-1"})

    assert written == [
        (SURVEYED, SpaceFacts(9_050, layout="1室", title_number="T-1")),
        # Area and layout were said anew on that day; the title goes on.
        (LET_ON, SpaceFacts(9_100, layout="2室", title_number="T-1")),
    ]


def test_what_holds_already_is_not_written_again() -> None:
    known = versions((BEGINNING, SpaceFacts(9_000)))

    assert amended(known, SURVEYED, {"built_area_dm2": 9_000}) == []


def test_of_two_words_about_one_day_the_later_counts() -> None:
    known = versions((BEGINNING, SpaceFacts(9_000)), (SURVEYED, SpaceFacts(1)), (SURVEYED, SpaceFacts(9_050)))

    assert version_on(known, SURVEYED).facts.built_area_dm2 == 9_050


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda: SpaceFacts(-1), "built_area_dm2 is -1", id="negative"),
        pytest.param(lambda: SpaceFacts(100, 101), "inner_area_dm2 is 101", id="more inside than outside"),
        pytest.param(
            lambda: SpaceFacts(1, status=SpaceStatus.NOT_HANDED_OVER, handed_over_on=SURVEYED),
            "exclude each other",
            id="handed over and not",
        ),
        pytest.param(lambda: SpaceFacts(1, layout="x" * 201), "layout is longer", id="long"),
    ],
)
def test_facts_refuse_nonsense(make: Callable[[], SpaceFacts], expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        make()


def test_a_space_is_shown_as_it_was_on_any_day(database: Database, clock: FakeClock) -> None:
    site_id = add_site(database)
    space_id = add_flat(database, add_building(database, site_id), "1-101")

    change(database, space_id, SURVEYED, "重新测绘", built_area_dm2=9_010)
    now = change(database, space_id, LET_ON, "出租", status=SpaceStatus.LET)

    def then(on: date) -> SpaceFacts:
        return database.read_now(TENANT, spaces.get_space, SYSTEM, space_id, on).record.facts

    assert then(date(2026, 2, 28)) == FACTS
    assert then(SURVEYED).built_area_dm2 == 9_010
    assert then(SURVEYED).status is None
    assert (now.record.facts.built_area_dm2, now.record.status) == (9_010, SpaceStatus.LET)
    assert now.record.space.built_area_dm2 == 9_010
    assert [(one.from_on, one.reason) for one in now.versions] == [
        (LET_ON, "出租"), (SURVEYED, "重新测绘"), (BEGINNING, ""),
    ]  # fmt: skip


def test_a_version_is_never_changed_by_anybody(database: Database) -> None:
    space_id = add_flat(database, add_building(database, add_site(database)), "1-101")

    def rewrite(tx: Tx) -> None:
        tx.conn.execute(sa.text("UPDATE space_version SET built_area_dm2 = 1"))

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        database.write_now(TENANT, rewrite)
    assert database.read_now(TENANT, spaces.get_space, SYSTEM, space_id).record.facts == FACTS


def test_a_change_is_recorded_when_it_holds_and_by_who_may(database: Database) -> None:
    space_id = add_flat(database, add_building(database, add_site(database)), "1-101")

    with pytest.raises(Invalid, match="from_on is 2026-11-25"):
        change(database, space_id, date(2026, 11, 25), "tomorrow", layout="1室")
    with pytest.raises(Invalid, match="reason has 0"):
        change(database, space_id, SURVEYED, " ", layout="1室")
    with pytest.raises(Invalid, match="no 'colour'"):
        change(database, space_id, SURVEYED, "x", colour="green")
    with pytest.raises(Forbidden):
        database.write_now(TENANT, spaces.change_space, GUARD, space_id, SURVEYED, {}, "x")


def test_spaces_are_searched_by_what_they_are_like_on_a_day(database: Database) -> None:
    site_id = add_site(database)
    building_id = add_building(database, site_id)
    add_flat(database, building_id, "1-101", SpaceFacts(8_960, layout="3室2厅1卫", title_number="京0012345"))
    small = add_flat(database, building_id, "1-201", SpaceFacts(4_500, layout="1室1厅1卫"))
    add_flat(database, add_building(database, site_id, "2"), "2-101", SpaceFacts(15_000, use=SpaceUse.OFFICE))
    change(database, small, SURVEYED, "装修", status=SpaceStatus.RENOVATING)

    assert found(database, site_id) == ["1-101", "1-201", "2-101"]
    assert found(database, site_id, text="0012345") == ["1-101"]
    assert found(database, site_id, layout="1室1厅1卫") == ["1-201"]
    assert found(database, site_id, building_id=building_id, floor=2) == ["1-201"]
    assert found(database, site_id, area_from_dm2=6_000, area_to_dm2=9_000) == ["1-101"]
    assert found(database, site_id, use=SpaceUse.OFFICE) == ["2-101"]
    assert found(database, site_id, status=SpaceStatus.RENOVATING) == ["1-201"]
    assert found(database, site_id, date(2026, 1, 1), status=SpaceStatus.RENOVATING) == []


def test_a_list_goes_on_where_it_ended(database: Database) -> None:
    site_id = add_site(database)
    building_id = add_building(database, site_id)
    for code in ("1-101", "1-102", "1-201"):
        add_flat(database, building_id, code)

    def page(cursor: str | None) -> tuple[list[str], str | None]:
        got = database.read_now(TENANT, spaces.search, SYSTEM, site_id, SpaceSearch(), None, cursor, 2)
        return [one.space.code for one in got.items], got.next_cursor

    first, cursor = page(None)
    assert (first, page(cursor)) == (["1-101", "1-102"], (["1-201"], None))


def test_an_open_account_makes_a_space_occupied_unless_somebody_said_otherwise(database: Database) -> None:
    site_id = add_site(database)
    building_id = add_building(database, site_id)
    lived_in, empty = (add_flat(database, building_id, code) for code in ("1-101", "1-102"))

    def open_accounts(tx: Tx) -> None:
        for number, space_id in (("A-1", lived_in), ("A-2", empty)):
            people.insert_account(tx, site_id, number, "王建国", space_id, 2, date(2026, 1, 1))

    database.write_now(TENANT, open_accounts)
    change(database, empty, SURVEYED, "业主未入住", status=SpaceStatus.VACANT)

    def counted(on: date | None) -> dict[SpaceStatus, int]:
        got = database.read_now(TENANT, spaces.counts, SYSTEM, site_id, SpaceSearch(), on)
        return {one.status: one.count for one in got}

    assert counted(None) == {SpaceStatus.OCCUPIED: 1, SpaceStatus.VACANT: 1}
    assert counted(date(2026, 2, 1)) == {SpaceStatus.OCCUPIED: 2}
    assert counted(date(2025, 12, 31)) == {SpaceStatus.VACANT: 2}
    assert found(database, site_id, status=SpaceStatus.OCCUPIED, text="王") == ["1-101"]


def test_a_tenant_moving_in_lets_the_space_and_takes_it_over(database: Database) -> None:
    site_id = add_site(database)
    facts = SpaceFacts(8_960, status=SpaceStatus.NOT_HANDED_OVER)
    space_id = add_flat(database, add_building(database, site_id), "1-101", facts)
    arriving = Arrival(None, "李梅", "13800100101", Relation.TENANT, 2)

    database.write_now(TENANT, moving.move, SYSTEM, space_id, LET_ON, arriving)

    record = database.read_now(TENANT, spaces.get_space, SYSTEM, space_id).record
    assert (record.status, record.facts.handed_over_on) == (SpaceStatus.LET, LET_ON)
    assert found(database, site_id, date(2026, 6, 30), status=SpaceStatus.NOT_HANDED_OVER) == ["1-101"]


def test_a_number_is_corrected_and_its_old_one_remembered(database: Database) -> None:
    site_id = add_site(database)
    building_id = add_building(database, site_id)
    space_id = add_flat(database, building_id, "1-101")
    add_flat(database, building_id, "1-102")

    renamed = database.write_now(TENANT, spaces.rename_space, SYSTEM, space_id, "1-101A", "1", 1)

    assert renamed.record.space.code == "1-101A"
    assert [one.detail["code_before"] for one in renamed.corrections] == ["1-101"]
    with pytest.raises(Conflict, match="'1-102' already"):
        database.write_now(TENANT, spaces.rename_space, SYSTEM, space_id, "1-102", "1", 1)
    with pytest.raises(Conflict, match="'1-102' already"):
        add_flat(database, building_id, "1-102")
    with pytest.raises(Conflict, match="building '1' already"):
        add_building(database, site_id)


def test_a_title_deed_is_kept_once_and_taken_back(database: Database) -> None:
    space_id = add_flat(database, add_building(database, add_site(database)), "1-101")
    manager = add_manager(database)

    kept = database.write_now(TENANT, spaces.attach, manager, space_id, "产权证", PDF)

    record, content = database.read_now(TENANT, spaces.fetch_attachment, manager, space_id, kept)
    assert (record.title, record.media_type, content) == ("产权证", "application/pdf", PDF)
    with pytest.raises(Conflict, match="attached already"):
        database.write_now(TENANT, spaces.attach, manager, space_id, "产权证", PDF)
    with pytest.raises(Forbidden):
        database.read_now(TENANT, spaces.fetch_attachment, GUARD, space_id, kept)

    database.write_now(TENANT, spaces.withdraw_attachment, manager, space_id, kept)
    assert database.read_now(TENANT, spaces.get_space, manager, space_id).attachments == ()
    with pytest.raises(NotFound):
        database.read_now(TENANT, spaces.fetch_attachment, manager, space_id, kept)
    assert database.write_now(TENANT, spaces.attach, manager, space_id, "产权证", PDF) == kept


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"<html><script>", "no kind that is kept", id="a page"),
        pytest.param(b"", "no kind that is kept", id="nothing"),
        pytest.param(b"%PDF-" + bytes(ATTACHMENT_BYTES_MAX - 4), "bytes, expected at most", id="large"),
    ],
)
def test_what_is_no_paper_is_not_attached(database: Database, content: bytes, expected: str) -> None:
    space_id = add_flat(database, add_building(database, add_site(database)), "1-101")

    with pytest.raises(Invalid, match=expected):
        database.write_now(TENANT, spaces.attach, SYSTEM, space_id, "x", content)


def test_another_company_has_no_such_space(database: Database) -> None:
    space_id = add_flat(database, add_building(database, add_site(database)), "1-101")
    add_site(database, OTHER_TENANT)

    with pytest.raises(NotFound):
        database.read_now(OTHER_TENANT, spaces.get_space, system_user(OTHER_TENANT), space_id)
