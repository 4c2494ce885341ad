"""The intake: rules see readings, and events, readings and rule memory are committed together."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.buffer import Buffer
from edge.counters import CounterGuard, CounterLimits
from edge.intake import Intake
from edge.rule import RuleScope
from edge.rules import load_rules
from edge.rules.offline import DEVICE_OFFLINE, Offline
from protocol.envelope import decode_events, decode_readings
from protocol.event import Event
from protocol.quantity import MICRO, quantity_named
from protocol.reading import Quality
from protocol.sync import Stream
from provisioning.config import BufferSettings, RuleEntry
from tests.edge.building_blocks import ToldClock, reading, rng

KEY = "em-pump/active_power"
ENERGY = "em-101/active_energy_import"
SCOPE = RuleScope({KEY: quantity_named("active_power")}, ZoneInfo("UTC"))
RULES = [
    RuleEntry("over", "threshold", {"points": [KEY], "above": "15"}),
    RuleEntry("silent", "stale", {"points": [KEY], "after_s": 60}),
]


def intake_on(buffer: Buffer, clock: ToldClock) -> Intake:
    guard = CounterGuard({ENERGY: CounterLimits(modulus_micro=1_000_000 * MICRO, max_per_h_micro=30 * MICRO)})
    return Intake(buffer, load_rules(RULES, SCOPE), Offline(), guard, clock)


def buffer_in(folder: Path, clock: ToldClock) -> Buffer:
    return Buffer(BufferSettings(folder / "buffer.sqlite", 10_000, 1 << 30), clock, rng())


async def events_in(buffer: Buffer) -> list[Event]:
    blocks = await buffer.peek(Stream.EVENT, blocks_max=1000, rows_max=1 << 20, bytes_max=1 << 30)
    return [event for block in blocks for event in decode_events(block.payload, block.count)]


async def test_rules_raise_and_clear_without_any_cloud(tmp_path: Path) -> None:
    clock = ToldClock()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        intake.accept([reading(KEY, 16 * MICRO)])
        intake.accept([reading(KEY, 14 * MICRO)])
        clock.at_ms += 61_000
        intake.tick()
        intake.accept([reading(KEY, 14 * MICRO)])
        await buffer.flush()

        told = [(event.rule_id, event.state.value) for event in await events_in(buffer)]

    assert told == [("over", "raised"), ("over", "cleared"), ("silent", "raised"), ("silent", "cleared")]


async def test_what_was_raised_before_a_restart_is_not_raised_again(tmp_path: Path) -> None:
    clock = ToldClock()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        intake.accept([reading(KEY, 16 * MICRO)])
        intake.note(DEVICE_OFFLINE, "em-101", is_offline=True, reason="silent")
        await buffer.flush()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        await intake.restore()
        intake.accept([reading(KEY, 17 * MICRO)])
        intake.note(DEVICE_OFFLINE, "em-101", is_offline=True, reason="silent")
        intake.accept([reading(KEY, 1 * MICRO)])
        intake.note(DEVICE_OFFLINE, "em-101", is_offline=False, reason="")
        await buffer.flush()

        told = [(event.kind, event.state.value) for event in await events_in(buffer)]

    assert told == [
        ("threshold", "raised"),
        ("device_offline", "raised"),
        ("threshold", "cleared"),
        ("device_offline", "cleared"),
    ]


async def test_events_of_a_replay_are_historical(tmp_path: Path) -> None:
    clock = ToldClock()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        intake.is_historical = True
        intake.accept([reading(KEY, 16 * MICRO)])
        await buffer.flush()

        assert [event.is_historical for event in await events_in(buffer)] == [True]


async def test_the_state_of_another_version_is_ignored(tmp_path: Path) -> None:
    clock = ToldClock()
    async with buffer_in(tmp_path, clock) as buffer:
        buffer.put([], [], {"over": b"\xff not ours", "gone": b"{}"})
        await buffer.flush()
        intake = intake_on(buffer, clock)

        await intake.restore()

        intake.accept([reading(KEY, 16 * MICRO)])
        await asyncio.sleep(0)
        assert intake.events_seen == 1


async def test_a_counter_that_went_back_is_held_on_disk_and_told_over_a_restart_once(tmp_path: Path) -> None:
    clock = ToldClock()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        intake.accept([reading(ENERGY, 500 * MICRO)])
        clock.at_ms += 60_000
        intake.accept([reading(ENERGY, 20 * MICRO, clock.at_ms)])
        await buffer.flush()
    async with buffer_in(tmp_path, clock) as buffer:
        intake = intake_on(buffer, clock)
        await intake.restore()
        clock.at_ms += 60_000
        intake.accept([reading(ENERGY, 20 * MICRO, clock.at_ms)])
        await buffer.flush()

        blocks = await buffer.peek(Stream.HISTORY, blocks_max=100, rows_max=100, bytes_max=1 << 20)
        rows = [row for block in blocks for row in decode_readings(block.payload, block.count)]
        events = await events_in(buffer)

    assert [(row.quality, row.value_micro) for row in rows] == [
        (Quality.GOOD, 500 * MICRO),
        (Quality.HELD, 20 * MICRO),
        (Quality.HELD, 20 * MICRO),
    ]
    assert [(event.kind, event.state.value) for event in events] == [("counter_doubtful", "raised")]
    assert "went back: stood at 500, now 20" in events[0].message
