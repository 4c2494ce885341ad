"""Device profiles: the shipped ones hold, their golden frames decode, wrong ones are refused by key."""

import asyncio
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from edge.clock import Clock
from edge.config import DeviceConfig, DeviceId, LineId
from edge.driver import Ask, EvidenceKeeper, Heard, Priority
from edge.drivers import DRIVERS
from edge.drivers.mqtt import Zigbee2mqttDevice
from protocol.fieldbus import cjt188, dlt645
from protocol.quantity import micro_from_decimal
from protocol.reading import Quality, Reading
from provisioning.profile import Golden, Profile
from provisioning.profiles import load_profile, parse_profile, profile_names
from provisioning.strict import Malformed
from tests.edge.building_blocks import ToldClock, bus_settings

UTC = ZoneInfo("UTC")

GOLDEN = [
    pytest.param(load_profile(name), golden, id=f"{name}-{i}")
    for name in profile_names()
    for i, golden in enumerate(load_profile(name).golden)
]


class GoldenBus:
    """Answers the golden request with the golden reply; where no request is given, every request."""

    settings = bus_settings()

    def __init__(self, golden: Golden, serial: int) -> None:
        self.clock: Clock = ToldClock()
        self._golden = golden
        self._serial = serial

    def next_number(self) -> int:
        return (self._serial - 1) % 255

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        if self._golden.request:
            assert ask.wire.lstrip(b"\xfe") == self._golden.request.lstrip(b"\xfe")
        reply = ask.receiver.feed(self._golden.reply)
        if reply is None:
            raise ask.receiver.failure()
        return Heard(ask.wire, reply, self.clock.wall_ms(), 1000)


def golden_readings(profile: Profile, golden: Golden) -> list[Reading]:
    """Run a golden exchange through the driver, for the points it gives."""
    points = tuple(point for point in profile.points if point.name in golden.values)
    groups = {point.group: 60.0 for point in points}
    address, serial = "1", 1
    match profile.protocol:
        case "dlt645-2007":
            address = dlt645.decode_frame(golden.reply).meter_address
        case "cjt188":
            frame = cjt188.decode_frame(golden.reply)
            address, serial = frame.address, frame.serial or 1
        case "modbus":
            address = str(golden.request[0])
    device = DeviceConfig(DeviceId("d"), LineId("bus"), replace(profile, points=points), address, groups)
    if profile.protocol.startswith("mqtt"):
        told = Zigbee2mqttDevice(device, EvidenceKeeper(UTC)).tell(
            "", golden.reply, is_retained=False, line="bus", clock=ToldClock()
        )
        return list(told.readings)
    driver = DRIVERS[profile.protocol](device, GoldenBus(golden, serial), EvidenceKeeper(UTC))
    return [r for group in groups for r in asyncio.run(driver.poll(group))]


@pytest.mark.parametrize(("profile", "golden"), GOLDEN)
def test_a_golden_frame_gives_its_values_through_the_driver(profile: Profile, golden: Golden) -> None:
    readings = golden_readings(profile, golden)

    found = {reading.point_key.removeprefix("d/"): reading.value_micro for reading in readings}
    expected = {
        name: None if value is None else micro_from_decimal(value) for name, value in golden.values.items()
    }
    assert found == expected
    assert {reading.quality for reading in readings} <= {Quality.GOOD, Quality.ABSENT}


def test_the_first_profiles_are_there() -> None:
    assert {
        "acrel_ddsy1352",
        "carlo_gavazzi_em24",
        "cjt188_cold_water",
        "dlt645_four_rate",
        "dlt645_single_phase",
        "eastron_sdm630",
        "fire_panel_gateway",
        "lift_gateway",
        "zigbee2mqtt_leak_sensor",
        "zigbee2mqtt_lock",
    } <= set(profile_names())


HEAD = 'title = "t"\nsource = "s"\nprotocol = "modbus"\n'
POINT = 'points = [{{ name = "voltage", table = "holding_register", address = 1{more} }}]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(HEAD + "points = []", "points: a profile needs at least one", id="no points"),
        pytest.param(
            HEAD.replace("modbus", "modus") + "points = []",
            "protocol: 'modus' is none of cjt188, dlt645-2007, modbus",
            id="protocol",
        ),
        pytest.param(
            HEAD + POINT.format(more=", adress = 2"), "points[0].adress: unknown key; did you mean", id="key"
        ),
        pytest.param(
            HEAD + POINT.format(more=', quantity = "volts"'), "no quantity is called 'volts'", id="quantity"
        ),
        pytest.param(
            HEAD + POINT.format(more=', encoding = "float99"'), "'float99' is none of bcd16", id="encoding"
        ),
        pytest.param(HEAD + POINT.format(more=', word_order = "BACD"'), "'BACD' is none of ABCD", id="order"),
        pytest.param(HEAD + POINT.format(more=', scale = "x"'), "'x' is not a decimal number", id="scale"),
        pytest.param(
            HEAD + POINT.format(more=", billing = true"),
            "voltage is not cumulative and cannot be billed",
            id="billing",
        ),
        pytest.param(
            HEAD + POINT.format(more=', encoding = "bit"'),
            "encoding 'bit' in a register needs the bit",
            id="bit",
        ),
        pytest.param(
            HEAD + 'points = [{ name = "voltage", table = "coil", address = 65535, encoding = "uint16" }]',
            "encoding 'uint16' does not go with table and bit",
            id="number in a coil",
        ),
        pytest.param(
            HEAD + POINT.replace("address = 1", "address = 65535").format(more=', encoding = "uint32"'),
            "2 words from 65535 pass 65535",
            id="past the end",
        ),
        pytest.param(
            HEAD
            + 'points = [{ name = "a", quantity = "voltage", table = "holding_register", address = 1 },'
            + '{ name = "a", quantity = "current", table = "holding_register", address = 2 }]',
            "the name 'a' is used more than once",
            id="name twice",
        ),
        pytest.param(
            HEAD + POINT.format(more=', codes = { "1" = "open" }'), "'open' is no code of voltage", id="codes"
        ),
        pytest.param(
            HEAD + POINT.format(more="") + '[[golden]]\nreply = "0102"\nvalues = { current = "1" }',
            "golden[0].values.current: the profile has no such point",
            id="golden point",
        ),
        pytest.param(
            HEAD + POINT.format(more="") + '[[golden]]\nreply = "zz"\nvalues = { voltage = "1" }',
            "'zz' is not hexadecimal",
            id="golden hex",
        ),
    ],
)
def test_a_wrong_profile_is_refused_by_key(text: str, told: str) -> None:
    with pytest.raises(Malformed) as refusal:
        parse_profile(text, "wrong")

    assert told in str(refusal.value)
