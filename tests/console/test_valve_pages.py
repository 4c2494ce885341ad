"""A closed valve proposes whom to tell, filled in; once they are told its page shows that instead."""

import html
import re

from cloud.domain.command import Purpose
from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import EquipmentId
from cloud.services import alarms, commands
from cloud.store import equipment, points, premises, users
from cloud.store.db import Tx
from protocol.command import Action, CommandState
from protocol.event import Event, EventState, Severity
from tests.console import garden
from tests.console.conftest import Served
from tests.console.test_pages import signed_in, text_of


def _stand_at_riser(tx: Tx, gateway: GatewayIdentity) -> None:
    """Say in the register that the valve of the main water meter stands in riser 01."""
    [(flat_id, building_id)] = [
        (one.space_id, one.building_id)
        for one in premises.list_spaces(tx, gateway.site_id)
        if one.code == "1-301"
    ]
    devices = {name: one for one, name in equipment.devices_of_site(tx, gateway.site_id).items()}
    place = (gateway.site_id, building_id, flat_id, devices["gw-1/wm-main"])
    kind = EquipmentKind.OTHER
    valve = Equipment(EquipmentId(tx.new_id()), *place, "valve-01", kind, "01 立管阀门", "", "", "")
    equipment.insert_equipment(tx, valve)


async def test_the_homes_behind_a_closed_valve_are_told_from_its_page(served: Served) -> None:
    gateway = served.gateway

    def close(tx: Tx) -> str:
        _stand_at_riser(tx, gateway)
        record = users.find_by_login(tx, "manager")
        assert record is not None
        wish = (gateway.gateway_id, "wm-main", Action.VALVE_CLOSE, Purpose.MAINTENANCE, "换立管阀门")
        asked = commands.request(tx, record.user, *wish)
        commands.take_to_send(tx, gateway, "n7")
        for state in (CommandState.ACCEPTED, CommandState.DONE):
            commands.report(tx, gateway, asked.command_id, state, "", tx.now_ms)
        return f"/commands/{asked.command_id}"

    page = await served.database.write(gateway.tenant_id, close)
    async with await signed_in(served, "manager", "en") as office:
        async with office.get(page) as shown:
            body = await shown.text()
        assert "6 homes are cut off by this valve" in text_of(body)
        link = re.search(r'href="(/announcements/new[^"]*)"', body)
        assert link is not None
        async with office.get(html.unescape(link[1])) as form:
            filled = await form.text()
        assert 'value="Water is off"' in filled and '<option value="01" selected>' in filled

        [building] = re.findall(r'name="building" value="([^"]+)" checked', filled)
        said = {
            "title": "停水",
            "text": "换阀门",
            "readers": "residents",
            "building": building,
            "act": "publish",
        }
        where = {"unit": re.findall(r"[?&]unit=([^&]*)", html.unescape(link[1]))[0], "riser": "01"}
        async with office.post("/announcements/new", data={**said, **where}) as told:
            assert told.status == 200
        async with office.get(page) as shown:
            assert "6 homes were told" in text_of(await shown.text())


async def test_the_homes_behind_a_valve_the_box_closed_are_told_from_the_alarm(served: Served) -> None:
    gateway = served.gateway
    at_ms = garden.NOW_MS - 60_000
    said = {"act": "valve_close", "because_of": "leak-1/water_leak", "device": "wm-main"}
    done = Event(
        "local_output",
        EventState.OCCURRED,
        Severity.INFO,
        "wm-main/pump-room-valve",
        at_ms + 900,
        "valve close: done, valve_state reads closed",
        "pump-room-valve",
        attributes=said,
    )

    def happen(tx: Tx) -> str:
        _stand_at_riser(tx, gateway)
        alarms.take_event(tx, gateway, 1, 9_000, done)
        [device] = [one for one in points.list_devices(tx, gateway.gateway_id) if one.code == "wm-main"]
        return device.device_id

    device_id = await served.database.write(gateway.tenant_id, happen)
    async with await signed_in(served, "manager", "en") as office:
        async with office.get("/alarms") as listed:
            rows = (await listed.text()).split("<tr>")
        [leak] = [row for row in rows if "Water on the floor" in row]
        link = re.search(r'href="(/alarms/[0-9a-f-]{36})"', leak)
        assert link is not None
        async with office.get(link[1]) as shown:
            body = await shown.text()
        assert "the box closed" in text_of(body)
        assert "6 homes are cut off by this valve" in text_of(body)
        assert re.search(r'href="/announcements/new[^"]*riser=01[^"]*urgent=1', body)
        async with office.get("/devices/gw-1/wm-main") as device:
            assert "6 homes are cut off by this valve" in text_of(await device.text())
        async with office.get(f"/api/v1/devices/{device_id}/homes-behind") as answered:
            told = await answered.json()
        assert answered.status == 200
        homes = [f"1-{floor}01" for floor in range(1, 7)]
        assert told["space_codes"] == homes
        assert (told["audience"]["unit_code"], told["audience"]["riser"]) == ("1", "01")
        assert told["announcement_id"] is None
        unknown = "00000000-0000-7000-8000-000000000000"
        async with office.get(f"/api/v1/devices/{unknown}/homes-behind") as missing:
            assert missing.status == 404
