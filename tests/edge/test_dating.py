"""Readings of a box that did not know the time: stamped anew once it does, before anybody has seen them."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec

from edge.buffer import Buffer
from edge.system_clock import SystemClock
from protocol.envelope import Block, decode_events, decode_readings
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import MIDNIGHT_MS, reading, rng

ALL = {"blocks_max": 1_000, "rows_max": 10_000_000, "bytes_max": 1 << 40}
# 1970, 40 s after the power came: where a board without a battery begins.
WRONG_MS = 40_000
BOOTED_AT_MS = MIDNIGHT_MS - WRONG_MS
FIRE = Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm", WRONG_MS, "fire")


class WrongClock:
    """A board's clock at its start: the monotonic one has run for as long as the wall clock shows."""

    def __init__(self, wall_ms: int = WRONG_MS, monotonic_ms: int = WRONG_MS) -> None:
        self.quality = ClockQuality.UNSYNCED
        self.wall_at_ms, self.monotonic_at_ms = wall_ms, monotonic_ms

    def wall_ms(self) -> int:
        return self.wall_at_ms

    def monotonic_ms(self) -> int:
        return self.monotonic_at_ms

    def run(self, for_ms: int) -> None:
        self.wall_at_ms += for_ms
        self.monotonic_at_ms += for_ms


@contextlib.asynccontextmanager
async def running(folder: Path, clock: WrongClock, boot_id: str = "boot-1") -> AsyncIterator[Buffer]:
    settings = BufferSettings(folder / "buffer.sqlite", 10_000, 1 << 30)
    async with Buffer(settings, clock, rng(), frozenset({"em/energy"}), boot_id=boot_id) as buffer:
        yield buffer


def stamped(clock: WrongClock, key: str, value: int) -> Reading:
    return msgspec.structs.replace(reading(key, value, clock.wall_ms()), clock_quality=clock.quality)


async def history(buffer: Buffer) -> list[Block]:
    return await buffer.peek(Stream.HISTORY, **ALL)


def rows_of(blocks: Sequence[Block]) -> list[Reading]:
    return [row for block in blocks for row in decode_readings(block.payload, block.count)]


async def test_what_was_read_at_1970_waits_and_gets_its_time_once_that_is_known(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        for value in (1, 2, 3):
            buffer.put([stamped(clock, "em/a", value)])
            clock.run(1_000)
        await buffer.flush()
        assert await history(buffer) == []
        assert (await buffer.state()).undated_rows == 3

        buffer.know_time(BOOTED_AT_MS)
        rows = rows_of(await history(buffer))
        assert (await buffer.state()).undated_rows == 0

    assert [row.value_micro for row in rows] == [1, 2, 3]
    assert [row.measured_at_ms - MIDNIGHT_MS for row in rows] == [0, 1_000, 2_000]
    assert {row.clock_quality for row in rows} == {ClockQuality.SYNCED}
    assert {row.reason for row in rows} == {f"the clock was set later, by +{BOOTED_AT_MS / 1000:.1f} s"}


async def test_a_clock_set_twice_before_it_was_right_costs_no_reading_its_time(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.put([stamped(clock, "em/a", 1)])
        clock.run(1_000)
        clock.wall_at_ms = MIDNIGHT_MS + 2 * 365 * 86_400_000  # two years ahead
        buffer.put([stamped(clock, "em/a", 2)])
        await buffer.flush()

        buffer.know_time(BOOTED_AT_MS)
        rows = rows_of(await history(buffer))

    assert [row.measured_at_ms - MIDNIGHT_MS for row in rows] == [0, 1_000]


async def test_what_was_stamped_before_the_clock_was_set_and_comes_after_it_keeps_its_measure(
    tmp_path: Path,
) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.put([stamped(clock, "em/a", 1)])
        clock.run(1_000)
        slow = stamped(clock, "em/slow", 2)
        clock.run(400)
        clock.wall_at_ms += 40_000  # set, by a little, while the slow one was still being read
        buffer.put([stamped(clock, "em/a", 3)])
        clock.run(100)
        buffer.put([slow])
        await buffer.flush()

        buffer.know_time(BOOTED_AT_MS)
        rows = rows_of(await history(buffer))

    assert {row.value_micro: row.measured_at_ms - MIDNIGHT_MS for row in rows} == {1: 0, 2: 1_000, 3: 1_400}


async def test_what_was_sent_once_is_never_stamped_again(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.put([stamped(clock, "em/a", 1)])
        await buffer.flush()
        buffer.know_time(BOOTED_AT_MS)
        sent = await history(buffer)

        buffer.know_time(BOOTED_AT_MS + 777)
        again = await history(buffer)

    assert again == sent
    assert again[0].digest() == sent[0].digest()


async def test_a_start_of_the_agent_loses_no_time_and_a_start_of_the_box_leaves_the_mark(
    tmp_path: Path,
) -> None:
    clock = WrongClock()
    for boot_id in ("boot-1", "boot-2"):
        async with running(tmp_path, clock, boot_id) as buffer:
            buffer.put([stamped(clock, f"em/{boot_id}", 1)])
            await buffer.flush()
    async with running(tmp_path, clock, "boot-2") as buffer:
        first = rows_of(await history(buffer))
        buffer.know_time(BOOTED_AT_MS)
        both = rows_of(await history(buffer))

    # nobody will ever know when boot 1 was: its reading goes as it is, and no bill is made of it
    assert [(row.point_key, row.clock_quality) for row in first] == [("em/boot-1", ClockQuality.UNSYNCED)]
    assert first[0].measured_at_ms == WRONG_MS
    assert both[0] == first[0]
    assert (both[1].measured_at_ms, both[1].clock_quality) == (MIDNIGHT_MS, ClockQuality.SYNCED)


async def test_a_clock_that_was_right_all_along_is_confirmed_and_nothing_else_changes(tmp_path: Path) -> None:
    clock = WrongClock(MIDNIGHT_MS, WRONG_MS)
    async with running(tmp_path, clock) as buffer:
        put = [stamped(clock, "em/a", 1), stamped(clock, "em/b", 2)]
        buffer.put(put)
        await buffer.flush()

        buffer.know_time(BOOTED_AT_MS + 3)
        rows = rows_of(await history(buffer))

    assert rows == [msgspec.structs.replace(row, clock_quality=ClockQuality.SYNCED) for row in put]


async def test_a_failure_keeps_its_reason_and_the_evidence_its_instant(tmp_path: Path) -> None:
    clock = WrongClock()
    frame = Evidence("dlt645-2007", "riser", b"\x68", b"\x16", WRONG_MS, 300)
    async with running(tmp_path, clock) as buffer:
        buffer.put(
            [
                msgspec.structs.replace(stamped(clock, "em/energy", 5), evidence=frame),
                Reading("em/a", WRONG_MS, None, Quality.NO_REPLY, "no reply", ClockQuality.UNSYNCED),
            ]
        )
        await buffer.flush()
        buffer.know_time(BOOTED_AT_MS)
        rows = {row.point_key: row for row in rows_of(await history(buffer))}

    shown = rows["em/energy"].evidence
    assert shown is not None
    assert (shown.captured_at_ms, shown.reply) == (MIDNIGHT_MS, b"\x16")
    assert rows["em/a"].reason.startswith("no reply; the clock was set later, by +")
    assert rows["em/a"].value_micro is None


async def test_alarms_do_not_wait_for_the_time(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.put([stamped(clock, "em/a", 1)], [FIRE])
        await buffer.flush()

        assert len(await buffer.peek(Stream.EVENT, **ALL)) == 1
        assert await history(buffer) == []


async def test_an_alarm_is_stamped_right_where_the_cloud_has_told_the_time(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.know_time(BOOTED_AT_MS)
        buffer.put([], [FIRE])
        await buffer.flush()
        (block,) = await buffer.peek(Stream.EVENT, **ALL)

    (event,) = decode_events(block.payload, block.count)
    assert event.occurred_at_ms == MIDNIGHT_MS


async def test_more_than_is_dated_at_once_is_dated_in_turn_and_the_accounts_balance(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        for value in range(150):
            buffer.put([stamped(clock, "em/a", value)])
            await buffer.flush()
        buffer.know_time(BOOTED_AT_MS)
        values: list[int | None] = []
        while blocks := await history(buffer):
            values += [row.value_micro for row in rows_of(blocks)]
            await buffer.acknowledge(Stream.HISTORY, blocks[-1].last_seq)
        state = (await buffer.state()).streams[Stream.HISTORY]

    assert values == list(range(150))
    assert (state.stored_rows, state.acked_rows, state.pending_rows) == (150, 150, 0)


async def test_a_flipped_bit_in_when_the_box_started_dates_nothing_wrongly(tmp_path: Path) -> None:
    clock = WrongClock()
    async with running(tmp_path, clock) as buffer:
        buffer.put([stamped(clock, "em/a", 1)])
    with contextlib.closing(sqlite3.connect(tmp_path / "buffer.sqlite")) as connection:
        connection.execute("UPDATE undated SET booted_at_ms = booted_at_ms + 4096")
        connection.commit()

    async with running(tmp_path, clock) as buffer:
        assert buffer.moved_aside is not None
        assert buffer.salvaged == 1
        (row,) = rows_of(await history(buffer))

    assert (row.measured_at_ms, row.clock_quality) == (WRONG_MS, ClockQuality.UNSYNCED)


def test_the_cloud_tells_when_the_box_started_and_the_quickest_answer_is_believed() -> None:
    monotonic_ms = WRONG_MS
    clock = SystemClock(lambda: 0, lambda: monotonic_ms * 1_000_000, lambda: False)
    assert clock.booted_at_ms is None

    for late_ms in (900, 30, 4_000):
        clock.compare(MIDNIGHT_MS - late_ms)

    assert clock.quality is ClockQuality.UNSYNCED  # ours is still wrong, and switches nothing
    assert clock.booted_at_ms == BOOTED_AT_MS - 30


def test_a_confirmed_clock_says_itself_when_the_box_started() -> None:
    clock = SystemClock(lambda: MIDNIGHT_MS * 1_000_000, lambda: WRONG_MS * 1_000_000, lambda: True)

    assert clock.booted_at_ms == BOOTED_AT_MS
