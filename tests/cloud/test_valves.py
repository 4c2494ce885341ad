"""The homes behind a valve are those the register or a home's own meter says, and are told once."""

from dataclasses import replace
from datetime import date

import pytest

from cloud.domain.alarm import Alarm
from cloud.domain.announcement import Audience
from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.ids import EquipmentId, SpaceId
from cloud.services import alarms, announcements, valves
from cloud.services.valves import Behind, OwnTurn
from cloud.store import equipment, premises
from cloud.store.db import Database, Tx
from protocol.envelope import Stream
from protocol.event import Event, EventState, Severity
from tests.cloud.garden import event_block, post
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


def _told_by_box(house: House, *events: Event) -> None:
    post(house.database, house.gateway, [event_block(1, events)], Stream.EVENT)


def _leak(at_ms: int) -> Event:
    message = "the pump-room sensor is wet"
    return Event("water_leak", EventState.RAISED, Severity.CRITICAL, "leak-1/water_leak", at_ms, message)


def _turned(act: str, outcome: str, at_ms: int, because_of: str = "leak-1/water_leak") -> Event:
    """Return what `edge.local_outputs` tells."""
    message = f"{act.replace('_', ' ')}: {outcome}"
    said = {"act": act, "because_of": because_of, "device": "em-main"}
    occurred, info = EventState.OCCURRED, Severity.INFO
    key = "em-main/pump-room-valve"
    return Event("local_output", occurred, info, key, at_ms, message, "pump-room-valve", attributes=said)


def _alarm(house: House) -> Alarm:
    [alarm] = house.database.read_now(TENANT, alarms.list_alarms, house.manager).items
    return alarm


def _turns(house: House) -> tuple[OwnTurn, ...]:
    return house.database.read_now(TENANT, valves.turned_over, house.manager, _alarm(house))


def _last_turn(house: House, since_ms: int = 0) -> OwnTurn | None:
    where = (house.site_id, house.gateway.gateway_id, "em-main", since_ms)
    return house.database.read_now(TENANT, valves.last_turn, house.manager, *where)


_TURNED_MS = START_MS - 1000


def test_a_valve_the_box_closed_by_itself_names_the_homes_and_who_was_told(database: Database) -> None:
    house = House(database)
    _register(house, "1-101")
    done = _turned("valve_close", "done, valve_state reads closed", _TURNED_MS)
    _told_by_box(house, _leak(_TURNED_MS - 900), done)

    [turn] = _turns(house)

    assert (turn.gateway_code, turn.device_code, turn.device_title) == ("gw-1", "em-main", "main 电表")
    assert (turn.is_closed, turn.at_ms, turn.behind.codes) == (True, _TURNED_MS, _BOTH)
    assert _last_turn(house) == turn
    assert _last_turn(house, _TURNED_MS + 1) is None  # somebody turned it since
    assert turn.behind.audience is not None and turn.behind.told is None
    words = ("停水", "泵房漏水，正在抢修。", turn.behind.audience)
    told = database.write_now(TENANT, announcements.publish, house.manager, house.site_id, *words)
    [after] = _turns(house)
    assert after.behind.told == told


def test_what_waits_for_its_interlock_or_answers_another_alarm_cuts_nobody_off(database: Database) -> None:
    house = House(database)
    _register(house)
    _told_by_box(
        house,
        _leak(START_MS),
        _turned("valve_close", "held back: water stays on in a fire", START_MS + 900),
        _turned("valve_close", "done", START_MS + 950, because_of="leak-2/water_leak"),
        _turned("relay_close", "done", START_MS + 990),
    )

    assert _turns(house) == ()


def test_the_last_word_of_the_box_counts(database: Database) -> None:
    house = House(database)
    _register(house)
    _told_by_box(
        house,
        _leak(START_MS),
        _turned("valve_close", "done", START_MS + 900),
        _turned("valve_open", "done", START_MS + 5000),
    )

    [turn] = _turns(house)

    assert (turn.is_closed, turn.at_ms) == (False, START_MS + 5000)
