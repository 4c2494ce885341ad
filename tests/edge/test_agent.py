"""The whole agent as a process, against a building that speaks the real protocols."""

import asyncio
import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from click.testing import CliRunner

from edge.__main__ import edge
from protocol.envelope import decode_events, decode_readings
from protocol.event import Event, EventState
from protocol.reading import Quality, Reading
from simulator.building import BUS_1, devices_on
from simulator.control import make_control
from simulator.edge_config import edge_config
from simulator.faults import Fault, FaultKind
from simulator.simulation import Settings, Simulation
from tests.edge.building_blocks import BUILDING, MIDNIGHT_MS


@contextlib.asynccontextmanager
async def building(folder: Path, *, timeout_ms: int = 20_000) -> AsyncIterator[tuple[Simulation, Path]]:
    """A simulated building without radio, and a patient configuration to read it with."""
    async with Simulation(Settings(turnaround_ms=0), lambda: time.time_ns() // 1_000_000) as simulation:
        config = folder / "edge.toml"
        text = edge_config(simulation.places, page_port=free_port())
        text = text.replace("[[lines]]\n", f"[[lines]]\ntimeout_ms = {timeout_ms}\n")
        config.write_text(text, encoding="utf-8")
        yield simulation, config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def page_port(config: Path) -> int:
    return int(config.read_text(encoding="utf-8").partition("[page]\nport = ")[2].split()[0])


async def agent(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_true():
            await asyncio.sleep(0.05)


def stored(folder: Path) -> tuple[list[Reading], list[Event]]:
    """Return what is in the buffer of an agent that has ended."""
    with contextlib.closing(sqlite3.connect(folder / "buffer.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT stream, row_count, payload FROM block ORDER BY stream, first_seq")
        readings: list[Reading] = []
        events: list[Event] = []
        for stream, count, payload in rows:
            if stream == "history":
                readings += decode_readings(payload, count)
            else:
                events += decode_events(payload, count)
    return readings, events


async def test_the_agent_reads_the_building_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    async with building(tmp_path) as (simulation, config):
        process = await agent("run", str(config))
        await until(lambda: len(simulation.ledger) > 300)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, errors = await process.communicate()
        issued = list(simulation.ledger.items(0, 100_000))

    assert process.returncode == 0, errors.decode()
    readings, _ = stored(tmp_path)
    told = {(f"{item.device_id}/{item.point}", item.value_micro) for item in issued}
    assert {reading.quality for reading in readings} == {Quality.GOOD}
    assert {(reading.point_key, reading.value_micro) for reading in readings} <= told
    # Only an exchange that SIGTERM cut short may have been issued and not taken.
    assert len(issued) - len(readings) < 50


async def test_a_dead_meter_raises_one_event_and_a_fire_another(tmp_path: Path) -> None:
    def fault(device_id: str, kind: FaultKind) -> Fault:
        return Fault(fault_id=0, device_id=device_id, kind=kind, since_ms=0)

    async with building(tmp_path, timeout_ms=500) as (simulation, config):
        await simulation.add_fault("em-main", fault("em-main", FaultKind.DEAD))
        text = config.read_text(encoding="utf-8").replace("interval_s = 60", "interval_s = 1")
        config.write_text(text, encoding="utf-8")
        port = page_port(config)
        process = await agent("run", str(config))
        await until(lambda: len(simulation.ledger) > 300)
        await simulation.add_fault("fire-1", fault("fire-1", FaultKind.FIRE_ALARM))
        async with asyncio.timeout(30):
            while (await health_at(port))[
                "events_seen"
            ] < 4:  # the start, the dead meter, the panel and its zone
                await asyncio.sleep(0.2)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.communicate()

    readings, events = stored(tmp_path)
    told = [(event.kind, event.point_key) for event in events if event.state is EventState.RAISED]
    # Each once: the panel as a whole and its zone are two points.
    assert sorted(key for kind, key in told if kind == "fire_alarm") == [
        "fire-1/fire_alarm",
        "fire-1/fire_alarm_1",
    ]
    assert told.count(("device_offline", "em-main/availability")) == 1
    dead = [reading for reading in readings if reading.point_key.startswith("em-main/")]
    assert {reading.value_micro for reading in dead} == {None}


async def test_a_cut_bus_is_one_event_of_its_line_and_a_meter_that_stays_silent_one_of_its_own(
    tmp_path: Path,
) -> None:
    async with building(tmp_path, timeout_ms=300) as (simulation, config):
        text = config.read_text(encoding="utf-8").replace("interval_s = 60", "interval_s = 1")
        config.write_text(text, encoding="utf-8")
        on_bus = sorted(device.device_id for device in devices_on(BUS_1))
        faults = {
            name: await simulation.add_fault(name, Fault(0, name, FaultKind.DEAD, since_ms=0))
            for name in on_bus
        }
        port = page_port(config)
        process = await agent("run", str(config))
        await until(lambda: len(simulation.ledger) > 100)  # other lines are read, and the page answers
        await until_told(port, "line_silent", "raised")
        for name in on_bus[1:]:
            await simulation.end_fault(faults[name].fault_id)
        await until_told(port, "device_offline", "raised")
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.communicate()

    _, events = stored(tmp_path)
    told = [
        (event.kind, event.state.value, event.point_key)
        for event in events
        if event.kind in ("device_offline", "line_silent", "line_down")
    ]
    assert told == [
        ("line_silent", "raised", f"{BUS_1}/answers"),
        ("line_silent", "cleared", f"{BUS_1}/answers"),
        ("device_offline", "raised", f"{on_bus[0]}/availability"),
    ]
    (silent, *_) = (event for event in events if event.kind == "line_silent")
    count = len(on_bus)
    assert silent.message == f"{count} of {count} devices of the line are silent: {', '.join(on_bus)}"


async def test_a_replay_takes_every_reading_that_was_issued_at_its_own_time(tmp_path: Path) -> None:
    async with building(tmp_path) as (simulation, config):
        runner = web.AppRunner(make_control(simulation))
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        process = await agent(
            "replay", str(config), "--from", "2026-09-01", "--to", "2026-09-01T06:00:00",
            "--clock-control", f"http://127.0.0.1:{port}", "--progress", "json",
        )  # fmt: skip
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
        await runner.cleanup()
        issued = list(simulation.ledger.items(0, 100_000))

    assert process.returncode == 0, errors.decode()
    progress = [json.loads(line) for line in output.splitlines()]
    assert [step["step"] for step in progress] == [*range(1, 8), 7]
    assert progress[-1]["is_done"]
    readings, _ = stored(tmp_path)
    assert progress[-1]["readings"] == progress[-1]["good"] == len(readings) == len(issued)
    assert sorted((r.point_key, r.measured_at_ms, r.value_micro or 0) for r in readings) == sorted(
        (f"{item.device_id}/{item.point}", item.at_ms, item.value_micro) for item in issued
    )
    assert {r.measured_at_ms for r in readings} == {MIDNIGHT_MS + hour * 3_600_000 for hour in range(7)}
    billed = [r for r in readings if r.point_key == "em-101/active_energy_import"]
    assert all(r.evidence is not None for r in billed)


async def test_a_replay_whose_simulator_is_away_says_so(tmp_path: Path) -> None:
    async with building(tmp_path) as (_, config):
        process = await agent(
            "replay", str(config), "--from", "2026-09-01", "--to", "2026-09-02",
            "--clock-control", "http://127.0.0.1:1",
        )  # fmt: skip
        async with asyncio.timeout(30):
            _, errors = await process.communicate()

    assert process.returncode == 1
    assert "http://127.0.0.1:1: cannot set the simulator's clock" in errors.decode()


async def test_the_local_page_and_status_tell_the_accounts(tmp_path: Path) -> None:
    async with building(tmp_path) as (simulation, config):
        port = page_port(config)
        process = await agent("run", str(config))
        await until(lambda: len(simulation.ledger) > 200)

        page = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/")
        health = await health_at(port)
        status = await agent("status", str(config))
        told, _ = await status.communicate()
        process.send_signal(signal.SIGTERM)
        await process.communicate()

    history = health["streams"]["history"]
    assert history["stored"] == history["acked"] + history["pending"] + history["evicted"]
    assert len(health["points"]) > 100
    assert "em-101" in page
    assert "line bus-1" in told.decode()


async def health_at(port: int) -> Any:
    return json.loads(await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/status.json"))


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        return str(response.read().decode())


def test_check_prints_the_plan_of_a_good_configuration() -> None:
    result = CliRunner().invoke(edge, ["check", str(BUILDING)])

    assert result.exit_code == 0
    assert "em-104       dlt645_four_rate at 202607000104, group all every 60 s: 4 requests" in result.output
    assert "12 devices, 82 points, 3 rules: the configuration is good" in result.output


def test_check_exits_1_with_the_key_that_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "edge.toml"
    wrong.write_text(BUILDING.read_text().replace('"em-pump/active_power"', '"em-pmp/*"'))

    result = CliRunner().invoke(edge, ["check", str(wrong)])

    assert result.exit_code == 1
    assert "rule pump-overload: points[0]: no point matches 'em-pmp/*'" in result.output


def test_the_edge_imports_nothing_of_the_clouds() -> None:
    code = (
        "import edge.agent, edge.replay, edge.check, sys;"
        "print([m for m in sys.modules if m.split('.')[0] in ('cloud', 'simulator', 'sqlalchemy')])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


async def until_told(port: int, kind: str, state: str) -> None:
    """Wait until the box's own page shows the event."""
    async with asyncio.timeout(90):
        while not any(
            (event["kind"], event["state"]) == (kind, state) for event in (await health_at(port))["events"]
        ):
            await asyncio.sleep(0.2)
