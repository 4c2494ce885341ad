"""`gatehouse edge write`: the person at the box sets a point, held by what holds the cloud."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge.__main__ import edge as edge_command
from edge.agent import run_agent
from edge.hatch import WritePoint, ask_hatch, hatch_path
from protocol.fieldbus import cjt188
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water
from protocol.fieldbus.modbus import Framing
from provisioning.config import Config
from provisioning.config_file import load_config
from tests.edge.building_blocks import tcp_wire
from tests.edge.test_modbus_write import THERMOSTAT, Thermostat

WATER = "20260700000101"
BOX = """
[gateway]
code = "g"
time_zone = "UTC"
[buffer]
path = "b.sqlite"
[page]
port = 0
[commands]
[[commands.interlocks]]
point = "fire/fire_alarm"
when = ["alarm"]
actions = ["valve_close"]
reason = "the fire panel needs the water"
[[lines]]
id = "plant"
transport = "modbus-tcp"
host = "{host}"
port = {port}
[[lines]]
id = "bus"
transport = "tcp"
host = "{host}"
port = {water_port}
baud = 115200
gap_ms = 0
[[devices]]
id = "hvac"
line = "plant"
profile = "thermostat.toml"
address = 4
[[devices]]
id = "fire"
line = "plant"
profile = "fire.toml"
address = 5
[[devices]]
id = "wm"
line = "bus"
profile = "cjt188_cold_water"
address = "{water}"
"""
FIRE = """
title = "t"
source = "s"
protocol = "modbus"
points = [{ name = "fire_alarm", table = "coil", address = 0 }]
"""

ALARM = ', alarm = { when = ["alarm"], kind = "fire_alarm", severity = "critical", message = "fire" }'


class Valve:
    def __init__(self) -> None:
        self.is_closed = False

    def answer(self, wire: bytes) -> bytes:
        asked = cjt188.decode_frame(wire)
        if asked.function == cjt188.Function.WRITE:
            self.is_closed = asked.data == b"\x99"
        status = Status(bytes((self.is_closed, 0)))
        data = encode_water(WaterData(Amount(None, "m3"), Amount(None, "m3"), None, status))
        if asked.function == cjt188.Function.WRITE:
            data = status.raw
        return cjt188.encode_frame(cjt188.reply_to(asked, 0x10, WATER, data))


class Plant:
    """The thermostat at unit 4 and the fire panel at unit 5."""

    def __init__(self) -> None:
        self.thermostat = Thermostat(Framing.TCP)
        self.fire = Thermostat(Framing.TCP)

    def answer(self, wire: bytes) -> bytes:
        return (self.fire if wire[6] == 5 else self.thermostat).answer(wire)


@contextlib.asynccontextmanager
async def box(folder: Path, plant: Plant, valve: Valve, more: str = "") -> AsyncIterator[Config]:
    """A running agent; with `more`, of a panel that raises its alarm, and without interlocks."""
    (folder / "thermostat.toml").write_text(THERMOSTAT)
    (folder / "fire.toml").write_text(
        FIRE.replace("address = 0 }", f"address = 0{ALARM} }}") if more else FIRE
    )
    async with tcp_wire(plant.answer) as (host, port, _), tcp_wire(valve.answer) as (_, water_port, _):
        text = BOX.format(host=host, port=port, water_port=water_port, water=WATER)
        if more:
            text = re.sub(r"\[commands\]\n.*?\[\[lines", "[[lines", text, count=1, flags=re.S) + more
        (folder / "edge.toml").write_text(text)
        config, stop = load_config(folder / "edge.toml"), asyncio.Event()
        running = asyncio.ensure_future(run_agent(config, stop))
        try:
            async with asyncio.timeout(30):
                while not hatch_path(config).exists():
                    await asyncio.sleep(0.02)
            yield config
        finally:
            stop.set()
            await running


async def set_point(config: Config, key: str, value: str) -> tuple[str, str]:
    told = await ask_hatch(config, WritePoint(key, value))
    assert told is not None
    return told.shown, told.error


async def test_a_setting_and_a_valve_are_set_and_read_back(tmp_path: Path) -> None:
    plant, valve = Plant(), Valve()
    async with box(tmp_path, plant, valve) as config:
        # The panel's state is known once it has been polled.
        await asyncio.to_thread(_poll_until, config)
        target = await set_point(config, "hvac/target", "21.5")
        closed = await set_point(config, "wm/valve_state", "closed")

    assert target == ("target reads 21.5 °C", "")
    assert closed == ("valve_state reads closed", "")
    assert (plant.thermostat.words[7], valve.is_closed) == (215, True)


def _poll_until(config: Config) -> None:
    result = CliRunner().invoke(edge_command, ["read", str(config.origin), "fire"])
    assert result.exit_code == 0, result.output


async def test_fire_holds_the_person_at_the_box_too(tmp_path: Path) -> None:
    plant, valve = Plant(), Valve()
    plant.fire.coils[0] = 1
    async with box(tmp_path, plant, valve) as config:
        await asyncio.to_thread(_poll_until, config)
        held = await set_point(config, "wm/valve_state", "closed")
        opened = await set_point(config, "wm/valve_state", "open")

    assert held == ("", "wm/valve_state is held: the fire panel needs the water")
    assert opened == ("valve_state reads open", "")
    assert not valve.is_closed


async def test_what_fire_has_opened_is_not_closed_at_the_box(tmp_path: Path) -> None:
    plant, valve = Plant(), Valve()
    plant.fire.coils[0] = 1
    reaction = '[[reactions]]\nid = "water"\non = ["fire_alarm"]\ndevices = ["wm"]\nact = "valve_open"\n'
    async with box(tmp_path, plant, valve, reaction) as config:
        await asyncio.to_thread(_poll_until, config)
        _, refused = await set_point(config, "wm/valve_state", "closed")

    assert refused == "valve_open holds while there is fire_alarm (water)"
    assert not valve.is_closed


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("hvac/target", "99", "target: 99 is not 5 to 30"),
        ("hvac/temperature", "20", "temperature: is no point of thermostat that can be written"),
        ("fire/fire_alarm", "normal", "fire/fire_alarm cannot be set"),
        ("nobody/target", "1", "nobody/target cannot be set"),
        ("wm/valve_state", "ajar", "wm/valve_state: 'ajar' is not closed or open"),
    ],
)
async def test_what_cannot_be_set_says_why(tmp_path: Path, key: str, value: str, why: str) -> None:
    plant, valve = Plant(), Valve()
    async with box(tmp_path, plant, valve) as config:
        shown, error = await set_point(config, key, value)

    assert shown == ""
    assert error.startswith(why)
    assert plant.thermostat.writes == plant.fire.writes == []


def test_without_an_agent_nothing_is_switched(tmp_path: Path) -> None:
    (tmp_path / "thermostat.toml").write_text(THERMOSTAT)
    (tmp_path / "fire.toml").write_text(FIRE)
    text = BOX.format(host="127.0.0.1", port=9, water_port=9, water=WATER)
    (tmp_path / "edge.toml").write_text(text)

    result = CliRunner().invoke(
        edge_command, ["write", str(tmp_path / "edge.toml"), "hvac/target", "20", "--yes"]
    )

    assert result.exit_code == 1
    assert "the agent does not run" in result.output
