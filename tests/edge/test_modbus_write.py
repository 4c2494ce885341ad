"""Writing a Modbus point: within its limits, read back, and told again when the device has forgotten."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.actuators import actuators_of
from edge.driver import EvidenceKeeper
from edge.drivers.modbus import ModbusDriver
from edge.errors import Unconfirmed
from edge.field import open_field
from edge.system_clock import SystemClock
from protocol.command import Action
from protocol.errors import Refused
from protocol.fieldbus import modbus
from protocol.fieldbus.modbus import Framing, FunctionCode
from protocol.quantity import MICRO
from protocol.reading import Reading
from provisioning.profiles import load_profile, parse_profile
from provisioning.strict import Malformed
from tests.edge.building_blocks import ScriptedBus, config_of, device_of, rng, tcp_wire

THERMOSTAT = """
title = "A thermostat"
source = "this test"
protocol = "modbus"

[[points]]
name = "target"
quantity = "temperature"
table = "holding_register"
address = 7
encoding = "int16"
scale = "0.1"
write = { min = "5", max = "30" }

[[points]]
name = "limit"
quantity = "pressure"
table = "holding_register"
address = 20
encoding = "float32"
word_order = "CDAB"
write = { min = "0", max = "600" }

[[points]]
name = "fan"
quantity = "switch_state"
table = "coil"
address = 3
codes = { "0" = "on", "1" = "off" }
write = {}

[[points]]
name = "temperature"
table = "holding_register"
address = 8
encoding = "int16"
scale = "0.1"
"""


class Thermostat:
    """Holds what it is told, unless it is stubborn; forgets when its power fails."""

    def __init__(self, framing: Framing = Framing.RTU, *, is_stubborn: bool = False) -> None:
        self.framing = framing
        self.is_stubborn = is_stubborn
        self.is_dead = False
        self.words: dict[int, int] = {}
        self.coils: dict[int, int] = {}
        self.writes: list[modbus.Request] = []

    def answer(self, wire: bytes) -> bytes:
        if self.is_dead:
            return b""
        (request,) = modbus.RequestReader(self.framing).feed(wire)
        here = self.coils if request.counts_bits else self.words
        if request.is_write:
            self.writes.append(request)
            if not self.is_stubborn:
                here.update({request.start + n: value for n, value in enumerate(request.values)})
            return modbus.encode_reply(request, self.framing)
        values = [here.get(request.start + n, 0) for n in range(request.quantity)]
        return modbus.encode_reply(request, self.framing, values)


def driver_of(thermostat: Thermostat, text: str = THERMOSTAT) -> ModbusDriver:
    device = device_of(parse_profile(text, "thermostat"), "4")
    return ModbusDriver(device, ScriptedBus(thermostat.answer), EvidenceKeeper(ZoneInfo("UTC")))


class Intake:
    def __init__(self) -> None:
        self.readings: list[Reading] = []

    def accept(self, readings: list[Reading]) -> None:
        self.readings += readings


async def act(driver: ModbusDriver, parameters: Mapping[str, str]) -> tuple[str, Intake]:
    intake = Intake()
    (actuator,) = actuators_of([driver], [], intake, ZoneInfo("UTC")).values()  # type: ignore[arg-type]
    return await actuator.act(Action.SET_POINT, parameters), intake


@pytest.mark.parametrize(
    ("point", "value", "code", "words", "said"),
    [
        pytest.param("target", "21.5", 6, (215,), "target reads 21.5 °C", id="one register"),
        pytest.param("limit", "300.25", 16, (0x2000, 0x4396), "limit reads 300.25 kPa", id="low word first"),
        pytest.param("fan", "on", 5, (0,), "fan reads on", id="coil, by its own code"),
    ],
)
async def test_a_point_is_set_by_one_request_and_read_back(
    point: str, value: str, code: int, words: tuple[int, ...], said: str
) -> None:
    thermostat = Thermostat()

    told, intake = await act(driver_of(thermostat), {"point": point, "value": value})

    ((request,), told_at) = thermostat.writes, intake.readings
    assert (request.function_code, request.values) == (code, words)
    assert told == said
    assert [reading.point_key for reading in told_at] == [f"d/{point}"]


async def test_a_device_that_knows_only_the_long_write_gets_it() -> None:
    thermostat = Thermostat()

    await act(
        driver_of(thermostat, THERMOSTAT + "[modbus]\nwrites_multiple = true\n"),
        {"point": "target", "value": "20"},
    )

    assert [r.function_code for r in thermostat.writes] == [FunctionCode.WRITE_HOLDING_REGISTERS]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        pytest.param({"point": "target", "value": "30.1"}, "30.1 is not 5 to 30", id="above"),
        pytest.param({"point": "target", "value": "4.9"}, "4.9 is not 5 to 30", id="below"),
        pytest.param({"point": "target", "value": "21.55"}, "not whole", id="finer than the register"),
        pytest.param({"point": "target", "value": "warm"}, "'warm' is not a number in °C", id="no number"),
        pytest.param({"point": "fan", "value": "fast"}, "'fast' is not off, on", id="no state"),
        pytest.param({"point": "fan", "value": "1"}, "1 is not off, on", id="a state's number"),
        pytest.param({"point": "temperature", "value": "20"}, "those are: target", id="only read"),
        pytest.param({"point": "nothing", "value": "1"}, "those are: target", id="no such point"),
    ],
)
async def test_what_may_not_be_set_is_refused_and_not_sent(parameters: dict[str, str], why: str) -> None:
    thermostat = Thermostat()

    with pytest.raises(Refused, match=why):
        await act(driver_of(thermostat), parameters)

    assert thermostat.writes == []


@pytest.mark.parametrize("value", ["5", "30"])
async def test_the_limits_themselves_may_be_set(value: str) -> None:
    told, _ = await act(driver_of(Thermostat()), {"point": "target", "value": value})

    assert told == f"target reads {value} °C"


async def test_a_device_that_says_yes_and_holds_another_value_is_not_believed() -> None:
    with pytest.raises(Unconfirmed, match="target was set and reads 0 °C"):
        await act(driver_of(Thermostat(is_stubborn=True)), {"point": "target", "value": "21"})


async def test_settings_are_written_only_where_the_device_holds_another_value() -> None:
    thermostat = Thermostat()
    thermostat.words[7] = 215
    driver = driver_of(thermostat)
    driver.device = replace(driver.device, settings_micro={"target": 21_500_000, "fan": 1 * MICRO})
    thermostat.coils[3] = 1  # off

    await driver.send_settings()
    await driver.send_settings()

    assert [(r.start, r.values) for r in thermostat.writes] == [(3, (0,))]


BOX = """
[gateway]
code = "g"
time_zone = "UTC"
[buffer]
path = "b.sqlite"
[[lines]]
id = "plant"
transport = "modbus-tcp"
host = "{host}"
port = {port}
timeout_ms = 150
[[devices]]
id = "hvac"
line = "plant"
profile = "thermostat.toml"
address = 4
interval_s = 0.2
settings = {{ target = "21.5", fan = "on" }}
"""


async def test_a_device_that_comes_back_is_told_its_settings_again(tmp_path: Path) -> None:
    (tmp_path / "thermostat.toml").write_text(THERMOSTAT)
    thermostat = Thermostat(Framing.TCP)
    async with tcp_wire(thermostat.answer) as (host, port, _):
        config = config_of(BOX.format(host=host, port=port), tmp_path)
        async with open_field(config, SystemClock(), rng()) as field:
            running = [asyncio.create_task(field.buffer.run()), asyncio.create_task(field.poller.run())]
            try:
                await until(lambda: thermostat.words.get(7) == 215)
                thermostat.is_dead = True
                breaker = field.lines[config.devices[0].line_id].device("4").breaker
                await until(lambda: breaker.is_open)
                thermostat.words.clear()  # the power was away, and with it what it had been told
                thermostat.is_dead = False
                await until(lambda: thermostat.words.get(7) == 215)
            finally:
                for task in running:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task


async def until(is_so) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("point", "told"),
    [
        pytest.param(
            '{ name = "voltage", table = "input_register", address = 0, write = { min = "0", max = "1" } }',
            "only coils and whole holding registers",
            id="input",
        ),
        pytest.param(
            '{ name = "active_energy_import", table = "holding_register", address = 0, '
            'write = { min = "0", max = "1" } }',
            "what counts is never written",
            id="counter",
        ),
        pytest.param(
            '{ name = "voltage", table = "holding_register", address = 0, write = { min = "9" } }',
            "min and max are required",
            id="no limit",
        ),
        pytest.param(
            '{ name = "voltage", table = "holding_register", address = 0, write = { min = "9", max = "1" } }',
            "min 9 is above max 1",
            id="limits turned round",
        ),
        pytest.param(
            '{ name = "floor", table = "holding_register", address = 0 },\n'
            '{ name = "call", quantity = "switch_state", table = "coil", address = 0, write = {} }',
            "which are only ever read",
            id="lift",
        ),
        pytest.param(
            '{ name = "fire_alarm", table = "discrete_input", address = 0 },\n'
            '{ name = "mute", quantity = "switch_state", table = "coil", address = 0, write = {} }',
            "which are only ever read",
            id="fire panel",
        ),
        pytest.param(
            '{ name = "voltage", table = "holding_register", address = 0, '
            "exponent = { address = 200, offset = 0 } }",
            "cannot be read together",
            id="parts too far apart",
        ),
    ],
)
def test_a_profile_that_would_write_what_must_not_be_written_is_refused(point: str, told: str) -> None:
    with pytest.raises(Malformed, match=told):
        parse_profile(f'title = "t"\nsource = "s"\nprotocol = "modbus"\npoints = [\n{point}\n]\n', "p")


def test_no_shipped_lift_or_fire_profile_can_be_written() -> None:
    for name in ("lift_gateway", "fire_panel_gateway", "invertek_elevator_core", "arkel_arcode"):
        assert all(point.write is None for point in load_profile(name).points)


IN_PARTS = """
title = "t"
source = "s"
protocol = "modbus"

[[points]]
name = "water_volume"
table = "holding_register"
address = 2
encoding = "uint32"
fraction = { address = 4, scale = "0.000001" }

[[points]]
name = "voltage"
table = "holding_register"
address = 11
exponent = { address = 10, byte = "high", offset = -4 }

[[points]]
name = "flow"
quantity = "analog"
table = "holding_register"
address = 20
encoding = "uint24"
exponent = { address = 21, byte = "low", is_places = true }
"""


async def test_a_number_in_several_places_is_one_exact_value() -> None:
    thermostat = Thermostat()
    thermostat.words = {2: 0, 3: 4711, 4: 3, 5: 0xD090, 10: 0x0301, 11: 2305, 20: 0x0081, 21: 0x9D02}
    driver = driver_of(thermostat, IN_PARTS)

    readings = {r.point_key: r.value_micro for r in await driver.poll("all")}

    assert readings == {"d/water_volume": 4_711_250_000, "d/voltage": 230_500_000, "d/flow": 331_810_000}
    assert len(driver.plan("all")) == 1


async def test_a_power_of_ten_no_device_has_is_no_value() -> None:
    text = """
title = "t"
source = "s"
protocol = "modbus"
points = [{ name = "voltage", table = "holding_register", address = 1, exponent = { address = 0 } }]
"""
    thermostat = Thermostat()
    thermostat.words = {0: 0xFFFF, 1: 2305}

    (reading,) = await driver_of(thermostat, text).poll("all")

    assert reading.value_micro is None
    assert "no number of decimals" in reading.reason


async def test_a_relay_board_s_first_relay_is_switched_by_acts_and_the_others_are_set() -> None:
    board = Thermostat()
    device = device_of(load_profile("waveshare_relay_8"), "4")
    driver = ModbusDriver(device, ScriptedBus(board.answer), EvidenceKeeper(ZoneInfo("UTC")))
    intake = Intake()
    (actuator,) = actuators_of([driver], [], intake, ZoneInfo("UTC")).values()  # type: ignore[arg-type]

    await actuator.act(Action.RELAY_CLOSE, {})
    await actuator.look("relay_state")
    await actuator.act(Action.SET_POINT, {"point": "switch_state_3", "value": "on"})
    with pytest.raises(Refused, match="by its own acts"):
        await actuator.act(Action.SET_POINT, {"point": "relay_state", "value": "open"})

    assert actuator.actions == {
        Action.RAW_READ,
        Action.RELAY_CLOSE,
        Action.RELAY_OPEN,
        Action.SET_POINT,
    }
    assert board.coils == {0: 1, 2: 1}
    assert intake.readings[0].value_micro == 1 * MICRO
