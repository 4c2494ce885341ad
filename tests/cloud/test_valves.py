"""The homes behind a valve are those the register or a home's own meter says, and are told once."""

from dataclasses import replace
from datetime import date

import pytest

from cloud.domain.announcement import Audience
from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.ids import EquipmentId, SpaceId
from cloud.services import announcements, valves
from cloud.services.valves import Behind
from cloud.store import equipment, premises
from cloud.store.db import Database, Tx
from tests.cloud.house import House
from tests.databases import START_MS, TENANT

_BOTH = ("1-101", "1-201")


def _register(house: House, at_flat: str = "") -> Equipment:
    """Enter the valve of the main meter: at a flat, or for the building."""

    def work(tx: Tx) -> Equipment:
        [building] = premises.list_buildings(tx, house.site_id)
        [space_id] = premises.spaces_called(tx, house.site_id, at_flat) if at_flat else [None]
        devices = {name: one for one, name in equipment.devices_of_site(tx, house.site_id).items()}
        valve = Equipment(
            EquipmentId(tx.new_id()),
            house.site_id,
            building.building_id,
            None if space_id is None else SpaceId(space_id),
            devices["gw-1/em-main"],
            "valve-01",
            EquipmentKind.OTHER,
            "01 立管阀门",
            "",
            "",
            "",
        )
        equipment.insert_equipment(tx, valve)
        return valve

    return house.database.write_now(TENANT, work)


def _behind(house: House, device: str = "em-main", since_ms: int = START_MS) -> Behind:
    return house.database.read_now(
        TENANT,
        valves.behind_valve,
        house.manager,
        house.site_id,
        house.gateway.gateway_id,
        device,
        since_ms,
    )


@pytest.mark.parametrize(("at_flat", "riser"), [("1-201", "01"), ("", "")])
def test_the_register_says_which_homes_are_cut_off(database: Database, at_flat: str, riser: str) -> None:
    house = House(database)
    assert _behind(house) == Behind()  # nobody has said where the main valve stands

    valve = _register(house, at_flat)

    assert valve.building_id is not None
    found = _behind(house)
    assert found == Behind(_BOTH, Audience(building_ids=frozenset({valve.building_id}), riser=riser))
    assert _behind(house, "em-101") == Behind(("1-101",))  # a home's own meter


def test_homes_that_were_told_since_are_not_proposed_again(database: Database) -> None:
    house = House(database)
    _register(house, "1-101")
    audience = _behind(house).audience
    assert audience is not None
    words = ("停水", "关阀检修，水来了再告诉大家。", audience)
    told = database.write_now(TENANT, announcements.publish, house.manager, house.site_id, *words)

    assert _behind(house).told == told
    assert _behind(house, since_ms=told.published_at_ms + 1).told is None  # closed again later
    database.write_now(TENANT, announcements.take_back, house.manager, told.announcement_id)
    assert _behind(house).told is None


def test_a_valve_that_is_no_more_cuts_nobody_off(database: Database) -> None:
    house = House(database)
    valve = _register(house)
    gone = replace(valve, retired_on=date(2026, 7, 1))
    database.write_now(TENANT, equipment.update_equipment, gone)

    assert _behind(house) == Behind()
