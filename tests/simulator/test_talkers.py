"""What the building's MQTT devices and panels say is what the edge understands, to the last millionth."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import pytest

from edge.driver import EvidenceKeeper
from edge.drivers.mqtt_topics import TopicDevice
from edge.drivers.sparkplug import SparkplugNode, sparkplug_nodes
from protocol.fieldbus import gb26875, sia_dc09
from protocol.fieldbus.gb26875_units import decode_component_status, split_unit
from provisioning.profiles import load_profile
from simulator.building import ALARM_CALLS, DEVICE_BY_ID, FIRE_CALLS, Device
from simulator.clock import Clock
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.maps import shown_values
from simulator.models import Building
from simulator.panel_calls import PanelCalls
from simulator.simulation import free_port
from simulator.talkers import (
    SparkplugEdgeNode,
    Told,
    lift_status,
    shelly_status,
    tasmota_result,
    tasmota_sensor,
)
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, device_of

EVIDENCE = EvidenceKeeper(ZoneInfo("UTC"))


def building() -> Building:
    return Building(7, FaultBook())


def shown(made: Building, device: Device, at_ms: int = MIDNIGHT_MS) -> dict[str, int]:
    return shown_values(device.profile, made.values_micro(device.device_id, at_ms))


def understood(device: Device, told: Told) -> dict[str, int | None]:
    topic, payload, _ = told
    configured = device_of(load_profile(device.profile), device.address, device.device_id)
    speaker = TopicDevice(configured, EVIDENCE)
    answer = speaker.tell(topic, payload, is_retained=False, line="mqtt", clock=ToldClock())
    return {r.point_key.partition("/")[2]: r.value_micro for r in answer.readings}


@pytest.mark.parametrize(
    ("device_id", "words"),
    [
        pytest.param("siren-1", tasmota_sensor, id="tasmota"),
        pytest.param("siren-1", tasmota_result, id="tasmota switched"),
        pytest.param("plug-1", shelly_status, id="shelly"),
        pytest.param("lift-2", lift_status, id="lift"),
    ],
)
@pytest.mark.parametrize("hour", [3, 12, 19])
def test_a_message_says_exactly_what_the_ledger_notes(
    device_id: str, words: Callable[[Device, Mapping[str, int]], Told], hour: int
) -> None:
    device = DEVICE_BY_ID[device_id]
    values = shown(building(), device, MIDNIGHT_MS + hour * 3_600_000)

    told = words(device, values)

    assert understood(device, told) == {point: values[point] for point in told[2]}


def test_a_sparkplug_meter_is_born_and_then_speaks_by_alias() -> None:
    device = DEVICE_BY_ID["em-5g"]
    values = shown(building(), device)
    node = SparkplugEdgeNode(device)
    configured = device_of(load_profile(device.profile), device.address, device.device_id)
    (host,) = sparkplug_nodes([configured], EVIDENCE)

    born = [_heard(host, told) for told in node.birth(values, MIDNIGHT_MS)]
    spoken = _heard(host, node.data(values, MIDNIGHT_MS))
    dead = _heard(host, node.death(MIDNIGHT_MS))

    expected = {
        "active_energy_import": values["active_energy_import"],
        "active_power": values["active_power"],
    }
    assert born == [{}, expected]
    assert spoken == expected
    assert dead == dict.fromkeys(expected)


def _heard(host: SparkplugNode, told: Told) -> dict[str, int | None]:
    answer = host.tell(told[0], told[1], is_retained=False, line="mqtt", clock=ToldClock())
    assert answer.publish == ()
    return {r.point_key.partition("/")[2]: r.value_micro for r in answer.readings}


def test_a_plug_that_is_switched_off_draws_nothing_and_keeps_its_count() -> None:
    made, plug = building(), DEVICE_BY_ID["plug-1"]
    before = shown(made, plug)
    made.switch("plug-1", is_on=False)
    after = shown(made, plug)

    assert before["active_power"] > 0
    assert (after["active_power"], after["relay_state"]) == (0, 0)
    assert after["active_energy_import"] == before["active_energy_import"]


async def test_panels_call_with_signs_of_life_and_with_what_is_wrong() -> None:
    faults, clock = FaultBook(), Clock(lambda: MIDNIGHT_MS)
    clock.follow()
    ports = {FIRE_CALLS: free_port("127.0.0.1"), ALARM_CALLS: free_port("127.0.0.1")}
    heard: dict[str, list[bytes]] = {FIRE_CALLS: [], ALARM_CALLS: []}
    servers = [await _centre(line, port, heard[line]) for line, port in ports.items()]
    calls = asyncio.ensure_future(PanelCalls("127.0.0.1", ports, clock, faults).run())
    try:
        await _until(lambda: heard[FIRE_CALLS] and heard[ALARM_CALLS])
        device = DEVICE_BY_ID["fire-2"]
        fault = faults.add(device, Fault(0, device.device_id, FaultKind.FIRE_ALARM, MIDNIGHT_MS, zone=3))
        await _until(lambda: len(heard[FIRE_CALLS]) >= 2)
        faults.end(fault.fault_id, MIDNIGHT_MS)
        await _until(lambda: len(heard[FIRE_CALLS]) >= 3)
    finally:
        calls.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calls
        for server in servers:
            server.close()

    packets = [gb26875.decode_packet(wire) for wire in heard[FIRE_CALLS][:3]]
    assert packets[0].unit == b""
    fires = [decode_component_status(split_unit(p.unit)[1][0]).is_fire for p in packets[1:]]
    assert fires == [True, False]
    assert sia_dc09.decode_message(heard[ALARM_CALLS][0]).id == "NULL"


async def _centre(line: str, port: int, heard: list[bytes]) -> asyncio.Server:
    """Confirm whatever comes, as the gateway would."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        heard.append(data)
        if line == FIRE_CALLS:
            packet = gb26875.decode_packet(data)
            writer.write(gb26875.encode_packet(gb26875.confirmation_of(packet, bytes(6))))
        else:
            message = sia_dc09.decode_message(data)
            writer.write(sia_dc09.encode_message(sia_dc09.acknowledgement_of(message)))
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


async def _until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not is_true():
            await asyncio.sleep(0.02)
