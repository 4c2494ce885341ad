"""The register of equipment: nothing it said is lost, what is retired is asked for no more."""

from datetime import date
from typing import Any

import pytest

from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentKind, Purchase
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import BuildingId, DeviceId, EquipmentId, PlanId, SiteId, SpaceId, UserId
from cloud.domain.maintenance import MaintenancePlan
from cloud.domain.premises import SpaceKind
from cloud.domain.space_history import SpaceFacts
from cloud.domain.user import Role, User, system_user
from cloud.domain.work_order import WorkOrderState
from cloud.services import equipment, maintenance, spaces
from cloud.store import plans as plan_store
from cloud.store.db import Database, Tx
from tests.cloud.garden import add_manager, add_site
from tests.databases import OTHER_TENANT, TENANT

SYSTEM = system_user(TENANT)
GUARD = User(UserId("00000000-0000-7000-8000-000000000001"), TENANT, Role.GUARD, "保安")
# The clock of tests stands at 2026-11-24 in Shanghai.
TODAY = date(2026, 11, 24)
BOUGHT = Purchase(date(2024, 5, 6), 31_200_000, "上海三菱电梯北京分公司", date(2029, 5, 5))
MANUAL = b"%PDF-1.7\n1 0 obj\n"


def add_lift(database: Database, site_id: SiteId, actor: User = SYSTEM, **facts: Any) -> EquipmentDetail:
    def work(tx: Tx) -> EquipmentDetail:
        said = {
            "building_id": None, "space_id": None, "device_id": None, "code": "lift-1",
            "kind": EquipmentKind.LIFT, "name": "1 号电梯", "brand": "三菱", "model": "LEHY-III",
            "serial_number": "3110-2024-107", "place": "屋顶机房", "purchase": BOUGHT,
        }  # fmt: skip
        added = Equipment(EquipmentId(tx.new_id()), site_id, **{**said, **facts})
        return equipment.add_equipment(tx, actor, added)

    return database.write_now(TENANT, work)


def change(database: Database, actor: User, detail: EquipmentDetail, **changes: Any) -> EquipmentDetail:
    equipment_id = detail.status.equipment.equipment_id
    return database.write_now(TENANT, equipment.change_equipment, actor, equipment_id, changes)


def test_what_the_register_said_before_a_change_stays(database: Database) -> None:
    manager = add_manager(database)
    site_id = add_site(database)
    building = database.write_now(TENANT, spaces.add_building, SYSTEM, site_id, "1", "1 号楼", 6)
    plain = SpaceFacts(3_200)
    room = database.write_now(
        TENANT, spaces.add_space, SYSTEM, building.building_id, "1-机房", "", 7, SpaceKind.PUBLIC, plain
    )
    lift = add_lift(database, site_id, manager)

    room_id = SpaceId(room.record.space.space_id)
    moved = {"building_id": building.building_id, "space_id": room_id, "name": "东侧电梯"}
    changed = change(database, manager, lift, **moved, purchase=Purchase(price_fen=30_500_000))
    same = change(database, manager, lift, name="东侧电梯")

    now, (last, first) = changed.status.equipment, changed.changes
    assert (now.name, now.space_id, now.purchase.price_fen) == ("东侧电梯", room_id, 30_500_000)
    assert (first.action, first.user_name) == ("add_equipment", "物业经理")
    assert set(last.fields) == {
        ("building", "", "1"),
        ("name", "1 号电梯", "东侧电梯"),
        ("price_fen", "31200000", "30500000"),
        ("purchased_on", "2024-05-06", ""),
        ("space", "", "1-机房"),
        ("supplier", "上海三菱电梯北京分公司", ""),
        ("warranty_until_on", "2029-05-05", ""),
    }
    assert len(same.changes) == 2, "what says the same is no change"


def test_what_is_retired_is_asked_for_no_more(database: Database) -> None:
    site_id = add_site(database)
    lift = add_lift(database, site_id)
    equipment_id = lift.status.equipment.equipment_id

    def plan(tx: Tx) -> None:
        due = MaintenancePlan(PlanId(tx.new_id()), equipment_id, "m", "月检", "", 30, 3, TODAY, None)
        plan_store.insert_plan(tx, due)

    database.write_now(TENANT, plan)
    assert database.write_now(TENANT, maintenance.generate_work_orders, SYSTEM, site_id) == 1

    gone = change(database, SYSTEM, lift, retired_on=TODAY)

    assert gone.status.clocks == ()
    assert [order.state for order in gone.work_orders] == [WorkOrderState.CANCELLED]
    assert database.write_now(TENANT, maintenance.generate_work_orders, SYSTEM, site_id) == 0
    [listed] = database.read_now(TENANT, equipment.list_equipment, SYSTEM, site_id)
    assert listed.equipment.retired_on == TODAY


def test_papers_are_kept_with_it_and_shown_until_taken_back(database: Database) -> None:
    lift = add_lift(database, add_site(database))
    equipment_id = lift.status.equipment.equipment_id
    kept = database.write_now(TENANT, equipment.attach, SYSTEM, equipment_id, "使用说明书", MANUAL)

    record, content = database.read_now(TENANT, equipment.fetch_attachment, GUARD, equipment_id, kept)
    database.write_now(TENANT, equipment.withdraw_attachment, SYSTEM, equipment_id, kept)

    assert (record.title, content) == ("使用说明书", MANUAL)
    shown = database.read_now(TENANT, equipment.get_equipment, GUARD, equipment_id)
    assert shown.attachments == ()
    assert [one.action for one in shown.changes] == ["withdraw_attachment", "attach", "add_equipment"]
    with pytest.raises(NotFound):
        database.read_now(TENANT, equipment.fetch_attachment, SYSTEM, equipment_id, kept)


def test_a_code_is_given_once_a_site_and_read_from_the_label(database: Database) -> None:
    site_id, other_id = add_site(database), add_site(database, code="XY")
    lift = add_lift(database, site_id)
    add_lift(database, other_id, name="他处的电梯")

    with pytest.raises(Conflict, match="has equipment 'lift-1' already"):
        add_lift(database, site_id)
    found = database.read_now(TENANT, equipment.equipment_by_code, GUARD, site_id, "lift-1")
    assert found.status.equipment == lift.status.equipment


_NOBODYS = "00000000-0000-7000-8000-00000000dead"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"name": " "}, "the name has 0 characters, expected 1 to 200", id="no name"),
        pytest.param({"code": "x" * 65}, "the code has 65 characters, expected 1 to 64", id="a long code"),
        pytest.param({"serial_number": "9" * 201}, "serial number has 201 characters", id="a long number"),
        pytest.param({"building_id": BuildingId(_NOBODYS)}, "has no building", id="another's building"),
        pytest.param({"space_id": SpaceId(_NOBODYS)}, "has no space", id="another's space"),
        pytest.param({"device_id": DeviceId(_NOBODYS)}, "has no device", id="another's device"),
    ],
)
def test_what_does_not_fit_is_not_registered(
    database: Database, facts: dict[str, Any], expected: str
) -> None:
    with pytest.raises(Invalid, match=expected):
        add_lift(database, add_site(database), **facts)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"price_fen": -1}, id="a price below nothing"),
        pytest.param({"price_fen": 10_000_000_001}, id="a price beyond every price"),
        pytest.param({"supplier": "x" * 201}, id="a long supplier"),
        pytest.param(
            {"purchased_on": TODAY, "warranty_until_on": date(2026, 11, 23)}, id="over before it began"
        ),
    ],
)
def test_a_purchase_nobody_makes_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Purchase(**facts)


def test_a_warranty_holds_to_its_last_day_and_no_longer(database: Database) -> None:
    lift = add_lift(database, add_site(database)).status.equipment

    assert lift.is_under_warranty(date(2029, 5, 5))
    assert not lift.is_under_warranty(date(2029, 5, 6))


def test_whoever_may_only_look_changes_nothing_and_others_see_nothing(database: Database) -> None:
    lift = add_lift(database, add_site(database))
    stranger = add_manager(database, OTHER_TENANT)

    with pytest.raises(Forbidden):
        change(database, GUARD, lift, name="x")
    with pytest.raises(NotFound):
        equipment_id = lift.status.equipment.equipment_id
        database.read_now(OTHER_TENANT, equipment.get_equipment, stranger, equipment_id)
