"""The simulator's maps and the edge's profiles are the same facts, seen from two sides."""

from decimal import Decimal

import pytest

from protocol.quantity import MICRO
from provisioning.profile import Cjt188Source, Dlt645Source, ModbusSource, PointProfile, Zigbee2mqttSource
from provisioning.profiles import load_profile
from simulator.building import DEVICES, Device
from simulator.maps import CJT188, DLT645, DLT645_1997, MODBUS, ZIGBEE2MQTT, shown_values

PROFILES = sorted({device.profile for device in DEVICES})
MODBUS_PROFILES = [name for name in PROFILES if name in MODBUS]


class Zeros(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 0


@pytest.mark.parametrize("name", PROFILES)
def test_a_device_tells_exactly_the_points_of_its_profile(name: str) -> None:
    profile = load_profile(name)

    assert set(shown_values(name, Zeros())) == {point.name for point in profile.points}


@pytest.mark.parametrize("name", MODBUS_PROFILES)
def test_modbus_points_are_where_the_profile_says(name: str) -> None:
    def fact(point: PointProfile) -> tuple[object, ...]:
        source = point.source
        assert isinstance(source, ModbusSource)
        encoding = "bit" if source.table.is_bits else source.encoding
        order = source.word_order if source.width > 1 else ""
        return point.name, source.table.value, source.address, encoding, order, source.scale * MICRO

    theirs = {fact(point) for point in load_profile(name).points}

    ours = {
        (
            cell.point,
            cell.table,
            cell.address,
            cell.encoding,
            cell.word_order if cell.width > 1 else "",
            Decimal(cell.step_micro),
        )
        for cell in MODBUS[name]
    }
    assert ours == theirs


@pytest.mark.parametrize("name", sorted(DLT645 | DLT645_1997))
def test_every_data_identifier_of_the_profile_is_answered(name: str) -> None:
    answered = (DLT645 | DLT645_1997)[name]

    for point in load_profile(name).points:
        source = point.source
        assert isinstance(source, Dlt645Source)
        assert [item.point for item in answered[source.data_identifier]] == [point.name]
        if source.block:
            assert answered[source.block][source.block_item].point == point.name


@pytest.mark.parametrize("name", sorted(CJT188))
def test_water_fields_are_those_of_the_profile(name: str) -> None:
    theirs = {}
    for point in load_profile(name).points:
        assert isinstance(point.source, Cjt188Source)
        assert point.source.data_identifier == "901F"
        theirs[point.name] = point.source.field

    assert dict(CJT188[name]) == theirs


@pytest.mark.parametrize("name", sorted(ZIGBEE2MQTT))
def test_message_keys_are_those_of_the_profile(name: str) -> None:
    theirs = {}
    for point in load_profile(name).points:
        assert isinstance(point.source, Zigbee2mqttSource)
        theirs[point.name] = point.source.key

    assert dict(ZIGBEE2MQTT[name]) == theirs


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.device_id)
def test_a_device_speaks_its_profiles_protocol_on_a_line_that_carries_it(device: Device) -> None:
    carried = {
        "bus-1": {"dlt645-2007", "cjt188", "modbus"},
        "bus-2": {"dlt645-2007", "cjt188", "modbus"},
        "fire-tcp": {"modbus"},
        "lift-tcp": {"modbus"},
        "meters-tcp": {"modbus"},
        "dtu-1": {"dlt645-2007", "dlt645-1997"},
        "garage-udp": {"modbus"},
        "mbus-1": {"mbus"},
        "mqtt": {"mqtt-json", "mqtt-shelly", "mqtt-tasmota", "mqtt-zigbee2mqtt", "sparkplug-b"},
        "cameras": {"onvif"},
        "doors": {"osdp"},
        "fire-calls": {"gb26875.3"},
        "alarm-calls": {"sia-dc09"},
    }

    assert load_profile(device.profile).protocol in carried[device.line_id]


def test_ids_and_addresses_are_unique() -> None:
    ids = [device.device_id for device in DEVICES]
    places = [(device.line_id, device.address) for device in DEVICES]

    assert len(set(ids)) == len(ids) == 71
    assert len(set(places)) == len(places)
