"""Another configuration takes the place of the running one: what it leaves as it was is not disturbed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from edge.field import Field, open_field
from edge.poller import Job
from protocol.event import Event, EventState
from protocol.fieldbus.modbus import Framing
from protocol.reading import Quality
from protocol.sync import Stream
from provisioning.config import DeviceId
from provisioning.lines import LineId
from tests.edge.building_blocks import Registers, ToldClock, config_of, rng, tcp_wire
from tests.edge.test_agent import until

PROFILE = """
title = "A meter with one register"
protocol = "modbus"
source = "made up for these tests"

[[points]]
name = "voltage"
table = "holding_register"
address = 0
encoding = "uint16"
"""


def written(ports: tuple[int, int], devices: dict[str, tuple[str, int, float]], rules: str = "") -> str:
    """A configuration of two buses; devices are `id: (line, unit id, interval in seconds)`."""
    text = '[gateway]\ncode = "gw-1"\ntime_zone = "Asia/Shanghai"\n'
    for number, port in enumerate(ports, start=1):
        text += (
            f'[[lines]]\nid = "bus-{number}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        )
    for name, (line, unit, interval_s) in devices.items():
        text += f'[[devices]]\nid = "{name}"\nline = "{line}"\nprofile = "plain.toml"\n'
        text += f"address = {unit}\ninterval_s = {interval_s}\n"
    return text + rules


@contextlib.asynccontextmanager
async def two_buses(folder: Path) -> AsyncIterator[tuple[tuple[int, int], dict[int, Registers]]]:
    """Modbus TCP servers on which units 1 to 9 answer 230 V."""
    (folder / "plain.toml").write_text(PROFILE, encoding="utf-8")
    units = {unit: Registers(unit, Framing.TCP, {0: 230}) for unit in range(1, 10)}

    def answer(wire: bytes) -> bytes:
        return b"".join(unit.answer(wire) for unit in units.values())

    async with tcp_wire(answer) as (_, first, _), tcp_wire(answer) as (_, second, _):
        yield (first, second), units


@contextlib.asynccontextmanager
async def running(field: Field) -> AsyncIterator[None]:
    parts = [asyncio.ensure_future(run()) for run in (field.poller.run, field.run, field.buffer.run)]
    try:
        yield
    finally:
        for part in parts:
            part.cancel()
        await asyncio.wait(parts)


def jobs_of(field: Field) -> dict[str, Job]:
    return {job.device.device_id: job for job in field.poller.jobs}


async def polled_again(field: Field, name: str) -> None:
    job = jobs_of(field)[name]
    least = job.polls + 3
    await until(lambda: job.polls > least)


async def events_of(field: Field) -> list[Event]:
    from protocol.envelope import decode_events

    await field.buffer.flush()
    blocks = await field.buffer.peek(Stream.EVENT, blocks_max=99, rows_max=999, bytes_max=10**6)
    return [event for block in blocks for event in decode_events(block.payload, block.count)]


async def test_a_device_that_stays_as_it_was_keeps_its_line_its_times_and_misses_no_poll(
    tmp_path: Path,
) -> None:
    async with two_buses(tmp_path) as (ports, _):
        before = config_of(
            written(
                ports, {"kept": ("bus-1", 1, 0.1), "moved": ("bus-1", 2, 0.1), "gone": ("bus-2", 3, 0.1)}
            ),
            tmp_path,
        )
        after = config_of(
            written(ports, {"kept": ("bus-1", 1, 0.1), "moved": ("bus-2", 2, 0.2), "new": ("bus-1", 4, 0.1)}),
            tmp_path,
        )
        async with open_field(before, ToldClock(), rng()) as field, running(field):
            await until(lambda: all(job.polls > 2 for job in field.poller.jobs))
            line, jobs = field.lines[LineId("bus-1")], jobs_of(field)

            await field.change(after)

            now = jobs_of(field)
            await until(lambda: all(job.polls > 2 for job in field.poller.jobs))
            assert set(now) == {"kept", "moved", "new"}
            assert now["kept"] is jobs["kept"]
            assert now["moved"] is not jobs["moved"]
            assert field.lines[LineId("bus-1")] is line
            assert line.counters.opened == 1
            assert now["kept"].overruns == 0
            polled_of_gone = jobs["gone"].polls
            await until(lambda: now["new"].polls > 5)
            assert jobs["gone"].polls == polled_of_gone
            assert field.intake.latest["new/voltage"].quality is Quality.GOOD
            assert "gone/voltage" not in field.intake.latest


async def test_a_changed_line_is_opened_anew_and_the_other_is_not(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        devices = {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)}
        before = config_of(written(ports, devices), tmp_path)
        text = written(ports, devices).replace('id = "bus-2"\n', 'id = "bus-2"\ntimeout_ms = 700\n', 1)
        async with open_field(before, ToldClock(), rng()) as field, running(field):
            await until(lambda: all(job.polls for job in field.poller.jobs))
            lines = dict(field.lines)

            await field.change(config_of(text, tmp_path))

            assert field.lines[LineId("bus-1")] is lines[LineId("bus-1")]
            assert field.lines[LineId("bus-2")] is not lines[LineId("bus-2")]
            await until(lambda: jobs_of(field)["b"].polls > 1)
            assert field.lines[LineId("bus-2")].settings.timeout_ms == 700


async def test_rows_that_wait_for_the_cloud_survive_every_change(tmp_path: Path) -> None:
    async with two_buses(tmp_path) as (ports, _):
        full = config_of(written(ports, {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)}), tmp_path)
        empty = config_of(written(ports, {}), tmp_path)
        async with open_field(full, ToldClock(), rng()) as field, running(field):
            await until(lambda: all(job.polls > 3 for job in field.poller.jobs))
            await field.buffer.flush()
            waiting = (await field.buffer.state()).streams[Stream.HISTORY].pending_rows
            for config in (empty, full, empty, full):
                await field.change(config)
            await field.buffer.flush()
            assert (await field.buffer.state()).streams[Stream.HISTORY].pending_rows >= waiting > 6


async def test_a_condition_whose_rule_is_taken_away_is_told_as_ended(tmp_path: Path) -> None:
    rule = '[[rules]]\nid = "high"\nkind = "threshold"\npoints = ["*/voltage"]\nabove = "200"\n'
    async with two_buses(tmp_path) as (ports, _):
        devices = {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 0.1)}
        watched = config_of(written(ports, devices, rule), tmp_path)
        async with open_field(watched, ToldClock(), rng()) as field, running(field):
            await until(lambda: field.intake.events_seen == 2)
            await field.change(config_of(written(ports, {"a": devices["a"]}, rule), tmp_path))
            one_ended = await events_of(field)
            await field.change(config_of(written(ports, {"a": devices["a"]}), tmp_path))
            both_ended = await events_of(field)

    ends = [(event.kind, event.point_key) for event in both_ended if event.state is EventState.CLEARED]
    assert [event.point_key for event in one_ended if event.state is EventState.CLEARED] == ["b/voltage"]
    assert ends == [("threshold", "b/voltage"), ("threshold", "a/voltage")]


async def test_a_rule_that_stays_neither_repeats_nor_forgets(tmp_path: Path) -> None:
    rule = '[[rules]]\nid = "high"\nkind = "threshold"\npoints = ["a/voltage"]\nabove = "200"\n'
    async with two_buses(tmp_path) as (ports, units):
        before = config_of(written(ports, {"a": ("bus-1", 1, 0.1)}, rule), tmp_path)
        sharper = rule.replace('"200"', '"210"')
        async with open_field(before, ToldClock(), rng()) as field, running(field):
            await until(lambda: field.intake.events_seen == 1)
            for text in (rule, sharper, rule):
                devices = {"a": ("bus-1", 1, 0.1), "b": ("bus-2", 2, 9.0)}
                await field.change(config_of(written(ports, devices, text), tmp_path))
                await polled_again(field, "a")
            units[1].holding[0] = 100
            await until(lambda: field.intake.events_seen == 2)
            told = await events_of(field)

    assert [event.state for event in told] == [EventState.RAISED, EventState.CLEARED]


async def test_what_was_left_raised_by_a_file_since_edited_is_ended_at_the_next_start(tmp_path: Path) -> None:
    rule = '[[rules]]\nid = "high"\nkind = "threshold"\npoints = ["a/voltage"]\nabove = "200"\n'
    async with two_buses(tmp_path) as (ports, _):
        devices = {"a": ("bus-1", 1, 0.1)}
        async with (
            open_field(config_of(written(ports, devices, rule), tmp_path), ToldClock(), rng()) as field,
            running(field),
        ):
            await until(lambda: field.intake.events_seen == 1)
        async with open_field(config_of(written(ports, devices), tmp_path), ToldClock(), rng()) as field:
            told = await events_of(field)

    assert [event.state for event in told] == [EventState.RAISED, EventState.CLEARED]
    assert DeviceId("a") in {event.point_key.partition("/")[0] for event in told}
