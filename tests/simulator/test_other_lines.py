"""The lines beyond RS-485 and Modbus TCP: a DTU that calls, datagrams, M-Bus; and what can be switched."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from edge.driver import Priority
from edge.field import Field, open_field
from protocol.command import Action
from protocol.errors import Refused
from protocol.fieldbus import dlt645
from protocol.quantity import MICRO
from protocol.reading import Quality
from provisioning.config import DeviceId
from provisioning.config_file import load_config
from simulator.building import DEMO_RELAY_PASSWORD, DEVICES, DTU_1, GARAGE_UDP, MBUS_1
from simulator.edge_config import RELAY_PASSWORD_FILE, edge_config
from simulator.meters import RATE_POINTS
from simulator.simulation import Settings, Simulation
from tests.simulator.building import AT_MS, shown
from tests.simulator.test_faults_at_the_edge import StandingClock

HERE = [device.device_id for device in DEVICES if device.line_id in (DTU_1, GARAGE_UDP, MBUS_1)]
CHARGER = DeviceId("em-charger")
HOUR_MS = 3_600_000
_FIRST = {"hm-1": "heat_energy", "out-1": "relay_state"}


@contextlib.asynccontextmanager
async def at_the_edge(folder: Path) -> AsyncIterator[tuple[Simulation, Field, StandingClock]]:
    """The simulated building and an edge that has polled these lines once."""
    clock = StandingClock()
    async with Simulation(Settings(), lambda: AT_MS) as simulation:
        simulation.clock.stand_at(AT_MS)
        (folder / RELAY_PASSWORD_FILE).write_text(DEMO_RELAY_PASSWORD)
        (folder / "edge.toml").write_text(edge_config(simulation.places), encoding="utf-8")
        async with open_field(load_config(folder / "edge.toml"), clock, random.Random(1)) as field:
            async with asyncio.timeout(60):
                while not is_read(field):
                    await poll(field)
                    await asyncio.sleep(0.1)
            yield simulation, field, clock


async def poll(field: Field) -> None:
    for job in field.poller.jobs:
        if job.device.device_id in HERE:
            field.intake.accept(await job.driver.poll(job.group))


def is_read(field: Field) -> bool:
    return all(
        (reading := field.intake.latest.get(f"{device}/{point}")) is not None
        and reading.quality is Quality.GOOD
        for device in HERE
        for point in (_FIRST.get(device, "active_energy_import"),)
    )


async def test_what_these_lines_deliver_is_what_the_devices_show(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (simulation, field, _):
        for device_id in HERE:
            wanted = shown(simulation.building, device_id, AT_MS)
            found = {point: field.intake.latest[f"{device_id}/{point}"].value_micro for point in wanted}

            assert found == dict(wanted)


async def test_behind_an_open_relay_nothing_is_counted_until_it_closes(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (simulation, field, clock):
        actuator = field.actuators[CHARGER]

        await actuator.act(Action.RELAY_OPEN, {})
        await poll(field)
        opened = shown(simulation.building, CHARGER, AT_MS)
        clock.now_ms += 10 * HOUR_MS
        simulation.clock.stand_at(clock.now_ms)
        await poll(field)
        later = field.intake.latest["em-charger/active_energy_import"].value_micro
        await actuator.act(Action.RELAY_CLOSE, {})
        await actuator.look("relay_state")
        closed = field.intake.latest["em-charger/relay_state"].value_micro

    assert opened["relay_state"] == 0
    assert later == opened["active_energy_import"]
    assert closed == 1 * MICRO


async def test_the_wrong_password_switches_nothing(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (simulation, field, _):
        (tmp_path / RELAY_PASSWORD_FILE).write_text("000000")

        with pytest.raises(Refused, match="password error"):
            await field.actuators[CHARGER].act(Action.RELAY_OPEN, {})

        assert shown(simulation.building, CHARGER, AT_MS)["relay_state"] == 1 * MICRO


async def test_the_charging_posts_clock_is_set_by_broadcast(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (_, field, _):
        said = await field.actuators[CHARGER].act(Action.BROADCAST_TIME, {})

    assert said == "the meter's clock is right, it was 47 s slow"


async def test_the_charging_posts_totals_are_frozen_by_command_and_it_says_when(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (_, field, _):
        said = await field.actuators[CHARGER].act(Action.FREEZE_TOTALS, {})

    assert said.startswith("the totals were frozen at ")


async def test_all_meters_of_a_line_freeze_at_one_instant_however_late_they_are_read(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (simulation, field, _):
        (meter, *_) = (
            meter
            for line_id in field.config.lines
            for meter in field.meters_of(line_id)
            if meter.device.profile.name == "dlt645_four_rate"
        )
        then = shown(simulation.building, meter.device.device_id, AT_MS)
        await meter.talk.broadcast_freeze()
        simulation.clock.stand_at(AT_MS + 6 * HOUR_MS)
        identifier = dlt645.data_identifier("05010101")
        values, _ = await meter.talk.read(identifier, 64, Priority.COMMAND)

    assert [int(Decimal(value) * MICRO) for value in values] == [
        then[point] for point in ("active_energy_import", *RATE_POINTS)
    ]


async def test_a_raw_read_from_afar_brings_the_meters_bytes(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (_, field, _):
        said = await field.actuators[DeviceId("hm-1")].act(Action.RAW_READ, {"frame": "10 7B FD 78 16"})

    assert said.startswith("68 ")
    assert "01 07 26 20" in said  # its number, lowest digits first


async def test_the_relay_board_switches_its_siren_and_its_fan(tmp_path: Path) -> None:
    async with at_the_edge(tmp_path) as (simulation, field, _):
        board = field.actuators[DeviceId("out-1")]

        await board.act(Action.RELAY_CLOSE, {})
        said = await board.act(Action.SET_POINT, {"point": "switch_state_2", "value": "on"})
        stands = simulation.building.values_micro("out-1", AT_MS)

    assert said == "switch_state_2 reads on"
    assert [point for point, value in stands.items() if value] == ["relay_state", "switch_state_2"]
