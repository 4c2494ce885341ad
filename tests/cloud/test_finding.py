"""One search over a site: things of every kind, each only for those who may read its list."""

from datetime import date

import pytest

from cloud.domain.errors import Forbidden, Invalid
from cloud.domain.finding import EACH_MAX, SEARCH_LENGTH_MAX, Found, FoundKind
from cloud.domain.ids import SpaceId
from cloud.domain.person import Relation
from cloud.domain.premises import SpaceKind
from cloud.domain.repair import Channel, RepairCategory, Urgency
from cloud.domain.user import Role, User
from cloud.services import finding, persons, premises, repairs
from cloud.services.repairs import RepairRequest
from cloud.store import premises as premises_store
from cloud.store.db import Database, Tx
from tests.cloud.house import House, add_login
from tests.databases import TENANT


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def _find(house: House, text: str, actor: User | None = None) -> dict[FoundKind, list[Found]]:
    found = house.database.read_now(TENANT, finding.find, actor or house.manager, house.site_id, text)
    return {kind: [one for one in found if one.kind is kind] for kind in {one.kind for one in found}}


def _settle(house: House) -> None:
    """Somebody lives in 1-101, and told of a leak there."""

    def work(tx: Tx) -> None:
        person = persons.add_person(tx, house.manager, house.site_id, "王建国", "13812348000")
        spaces = premises.list_spaces(tx, house.manager, house.site_id)
        home: SpaceId = next(one.space_id for one in spaces if one.code == "1-101")
        persons.relate(tx, house.manager, person.person_id, home, Relation.OWNER, date(2026, 3, 1))
        persons.add_vehicle(tx, house.manager, person.person_id, "京A12345")
        asked = RepairRequest(
            RepairCategory.PLUMBING, Urgency.NORMAL, Channel.PHONE, "水槽漏水", "厨房", space_id=home
        )
        repairs.request(tx, house.manager, house.site_id, asked)

    house.database.write_now(TENANT, work)


def test_a_flat_finds_its_account_its_people_its_meter_and_its_repairs(house: House) -> None:
    _settle(house)

    found = _find(house, "1-101")

    assert [one.key for one in found[FoundKind.ACCOUNT]] == ["A-101"]
    assert [one.key for one in found[FoundKind.SPACE]] == ["1-101"]
    assert [(one.name, one.detail) for one in found[FoundKind.PERSON]] == [("王建国", "1-101 138****8000")]
    assert [(one.key, one.word) for one in found[FoundKind.METER]] == [("S-101", "electricity")]
    assert [(one.detail, one.word) for one in found[FoundKind.REPAIR]] == [("水槽漏水", "reported")]


def test_a_person_is_found_by_whole_numbers_only_and_comes_back_masked(house: House) -> None:
    _settle(house)

    for whole in ("13812348000", "京A·12345"):
        assert [one.name for one in _find(house, whole)[FoundKind.PERSON]] == ["王建国"], whole
        assert "8000" in _find(house, whole)[FoundKind.PERSON][0].detail
        assert "13812348000" not in _find(house, whole)[FoundKind.PERSON][0].detail
    assert FoundKind.PERSON not in _find(house, "1381234")


def test_who_may_not_read_a_list_finds_nothing_of_it(house: House) -> None:
    _settle(house)
    guard = add_login(house, "gate", Role.GUARD)

    found = _find(house, "1-101", guard)

    assert {FoundKind.SPACE, FoundKind.PERSON, FoundKind.REPAIR} <= found.keys()
    assert not {FoundKind.ACCOUNT, FoundKind.METER, FoundKind.INVOICE} & found.keys()
    with pytest.raises(Forbidden):
        _find(house, "1-101", house.resident("A-101"))


def test_a_few_of_each_kind_the_nearest_first_and_no_wild_cards(house: House) -> None:
    def work(tx: Tx) -> None:
        [building] = premises.list_buildings(tx, house.manager, house.site_id)
        for number in range(20):
            premises_store.insert_space(
                tx, building.building_id, f"B1-P{number:02}", "", -1, SpaceKind.PARKING, 1250
            )

    house.database.write_now(TENANT, work)

    spaces = _find(house, "b1-p")[FoundKind.SPACE]

    assert [one.key for one in spaces] == [f"B1-P{number:02}" for number in range(EACH_MAX)]
    assert _find(house, "%") == {}
    assert _find(house, "   ") == {}
    with pytest.raises(Invalid, match=str(SEARCH_LENGTH_MAX)):
        _find(house, "x" * (SEARCH_LENGTH_MAX + 1))
