"""The buffer: what was committed is there after a kill, the accounts balance, and it refuses what it must."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from edge import buffer_schema
from edge.buffer import Buffer
from edge.buffer_block import KeptBlock, ValueClass
from edge.buffer_file import SCHEMA_VERSION, open_store
from edge.buffer_packing import ROWS_PER_BLOCK_MAX
from edge.errors import StorageFault
from protocol.envelope import Block, decode_events, decode_readings, encode_readings
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, reading, rng

ALL = {"blocks_max": 1_000_000, "rows_max": 10_000_000, "bytes_max": 1 << 40}


def settings(folder: Path, *, commit_interval_ms: int = 50, size_max_bytes: int = 1 << 30) -> BufferSettings:
    return BufferSettings(folder / "buffer.sqlite", commit_interval_ms, size_max_bytes)


@contextlib.asynccontextmanager
async def running(folder: Path, **changes: int) -> AsyncIterator[Buffer]:
    async with Buffer(settings(folder, **changes), ToldClock(), rng(), frozenset({"em/energy"})) as buffer:
        task = asyncio.ensure_future(buffer.run())
        try:
            yield buffer
        finally:
            task.cancel()


def event(kind: str = "fire_alarm") -> Event:
    return Event(kind, EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm", MIDNIGHT_MS, "fire")


def rows_of(blocks: list[Block]) -> list[Reading]:
    return [row for block in blocks for row in decode_readings(block.payload, block.count)]


async def test_readings_come_back_as_they_were_put_numbered_without_a_gap(tmp_path: Path) -> None:
    put = [reading(f"em/{i}", i * 1000, MIDNIGHT_MS + i) for i in range(100)]
    async with running(tmp_path) as buffer:
        await buffer.put(put[:40])
        await buffer.put(put[40:])

        blocks = await buffer.peek(Stream.HISTORY, **ALL)

    assert rows_of(blocks) == put
    assert [block.first_seq for block in blocks] == [1, 41]


async def test_readings_wait_no_longer_than_the_commit_interval(tmp_path: Path) -> None:
    async with running(tmp_path, commit_interval_ms=80) as buffer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = buffer.put([reading("em/a", 1)])
        buffer.put([reading("em/b", 2)])
        await done

        assert 0.07 <= loop.time() - began < 0.5
        assert [block.count for block in await buffer.peek(Stream.HISTORY, **ALL)] == [2]


async def test_an_event_commits_at_once_and_takes_along_what_waits(tmp_path: Path) -> None:
    async with running(tmp_path, commit_interval_ms=10_000) as buffer:
        loop = asyncio.get_running_loop()
        buffer.put([reading("em/a", 1)])
        began = loop.time()
        await buffer.put([], [event()])

        assert loop.time() - began < 1
        assert rows_of(await buffer.peek(Stream.HISTORY, **ALL)) == [reading("em/a", 1)]
        (block,) = await buffer.peek(Stream.EVENT, **ALL)
        assert decode_events(block.payload, block.count) == [event()]
        assert buffer.grown[Stream.EVENT].is_set()


async def test_rows_stay_until_acknowledged_and_the_accounts_balance(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        for i in range(10):
            await buffer.put([reading("em/a", i), reading("em/b", i)])

        assert await buffer.acknowledge(Stream.HISTORY, 7) == 6  # rows 7 and 8 are one block: not all of it

        state = (await buffer.state()).streams[Stream.HISTORY]
        blocks = await buffer.peek(Stream.HISTORY, **ALL)
        assert blocks[0].first_seq == 7
        assert state.stored_rows == buffer.read[Stream.HISTORY] == 20
        assert state.stored_rows == state.acked_rows + state.pending_rows + state.evicted_rows
        assert (state.acked_rows, state.pending_rows) == (6, 14)


async def test_what_was_acknowledged_is_kept_and_offered_again_when_asked(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        for i in range(5):
            await buffer.put([reading("em/a", i)])
        await buffer.acknowledge(Stream.HISTORY, 4)
    async with running(tmp_path) as buffer:
        waiting = rows_of(await buffer.peek(Stream.HISTORY, **ALL))

        assert await buffer.offer_again(Stream.HISTORY, 2) == 2  # from 3 on it is all here
        again = rows_of(await buffer.peek(Stream.HISTORY, **ALL))
        assert await buffer.acknowledge(Stream.HISTORY, 3) == 0  # counted before
        rest = rows_of(await buffer.peek(Stream.HISTORY, **ALL))
        assert await buffer.acknowledge(Stream.HISTORY, 5) == 1
        assert await buffer.peek(Stream.HISTORY, **ALL) == []

    assert [row.value_micro for row in waiting] == [4]
    assert [row.value_micro for row in again] == [2, 3, 4]
    assert [row.value_micro for row in rest] == [3, 4]


async def test_numbers_and_epoch_go_on_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", 1)], [], {"rule": b"remembered"})
        await buffer.acknowledge(Stream.HISTORY, 1)
        epoch = buffer.epoch
    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", 2)])

        (block,) = await buffer.peek(Stream.HISTORY, **ALL)
        assert (buffer.epoch, block.first_seq) == (epoch, 2)
        assert await buffer.rule_states() == {"rule": b"remembered"}


async def test_a_store_begun_anew_has_another_epoch(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        first = buffer.epoch
    for part in tmp_path.iterdir():
        part.unlink()
    async with Buffer(settings(tmp_path), ToldClock(), random.Random(7)) as buffer:
        assert buffer.epoch != first


async def test_a_large_commit_becomes_bounded_blocks_and_batches_keep_their_limits(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", i) for i in range(ROWS_PER_BLOCK_MAX * 2 + 1)])

        by_rows = await buffer.peek(
            Stream.HISTORY, blocks_max=100, rows_max=ROWS_PER_BLOCK_MAX * 2, bytes_max=1 << 30
        )
        by_bytes = await buffer.peek(Stream.HISTORY, blocks_max=100, rows_max=1 << 30, bytes_max=1)
        by_blocks = await buffer.peek(Stream.HISTORY, blocks_max=1, rows_max=1 << 30, bytes_max=1 << 30)

    assert [block.count for block in by_rows] == [ROWS_PER_BLOCK_MAX] * 2
    assert len(by_bytes) == 1  # at least one, or a large block would never go
    assert len(by_blocks) == 1


async def test_a_second_agent_on_the_same_store_is_refused_by_name(tmp_path: Path) -> None:
    async with running(tmp_path):
        with pytest.raises(StorageFault, match=f"in use by another agent, process {os.getpid()}"):
            await Buffer(settings(tmp_path), ToldClock(), rng()).__aenter__()


async def test_a_store_of_a_newer_agent_is_left_untouched(tmp_path: Path) -> None:
    path = settings(tmp_path).path
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()

    with pytest.raises(StorageFault, match=f"schema {SCHEMA_VERSION + 1}, this agent knows up to"):
        await Buffer(settings(tmp_path), ToldClock(), rng()).__aenter__()

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all" * 500, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_the_agent_starts_on_any_content_and_keeps_a_damaged_store_aside(
    tmp_path: Path, content: bytes
) -> None:
    settings(tmp_path).path.write_bytes(content)

    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", 1)])

        assert rows_of(await buffer.peek(Stream.HISTORY, **ALL)) == [reading("em/a", 1)]
        if content:
            assert buffer.moved_aside is not None
            assert buffer.moved_aside.read_bytes() == content


async def test_a_block_the_cloud_cannot_take_is_put_aside_with_its_bytes(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", 1)])
        await buffer.put([reading("em/a", 2)])
        (first, second) = await buffer.peek(Stream.HISTORY, **ALL)

        await buffer.put_aside(Stream.HISTORY, first.first_seq, "malformed", "no reason")

        assert await buffer.peek(Stream.HISTORY, **ALL) == [second]
        state = (await buffer.state()).streams[Stream.HISTORY]
        assert (state.put_aside_rows, state.pending_rows) == (1, 1)
    with contextlib.closing(sqlite3.connect(settings(tmp_path).path)) as connection:
        assert connection.execute("SELECT first_seq, payload, code FROM put_aside").fetchall() == [
            (1, first.payload, "malformed")
        ]


async def test_when_the_disk_fails_rows_wait_in_memory_and_are_stored_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, commit_interval_ms=10) as buffer:
        await buffer.put([reading("em/a", 1)])
        assert buffer._thread._store is not None

        def fail(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(type(buffer._thread._store), "commit", fail)
        done = buffer.put([reading("em/a", 2)])
        with pytest.raises(StorageFault, match="disk is full"):
            await buffer.flush()
        assert "disk is full" in buffer.fault
        monkeypatch.undo()
        later = buffer.put([reading("em/a", 3)])
        await buffer.flush()

        assert done.done()
        assert later.done()
        assert buffer.fault == ""
        assert [row.value_micro for row in rows_of(await buffer.peek(Stream.HISTORY, **ALL))] == [1, 2, 3]


def test_a_full_store_gives_up_telemetry_first_and_events_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.buffer_store._EMPTIED_AT_ONCE", 3)
    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    frame = Evidence("dlt645-2007", "bus", b"?", b"!", MIDNIGHT_MS, 1)
    billed = frozenset({"em/energy"})
    for i in range(200):
        with_frame = Reading("em/energy", MIDNIGHT_MS + i, i, Quality.GOOD, evidence=frame)
        telemetry = [reading(f"em/p{k}", (i * 7919 * k) % 2**40, MIDNIGHT_MS + i) for k in range(200)]
        store.commit([*telemetry, reading("em/energy", i), with_frame], [event()], {}, billed)

    half = store.size_bytes() // 2
    evicted = store.evict(half, {})
    states = store.stream_states()
    blocks = store.peek(Stream.HISTORY, blocks_max=10_000, rows_max=1 << 30, bytes_max=1 << 40)
    store.check()
    store.close()

    tombstones = [block for block in blocks if not block.payload]
    assert evicted == sum(block.count for block in tombstones) == states[Stream.HISTORY].evicted_rows > 0
    assert {block.count for block in tombstones} == {200}  # telemetry, the oldest first
    assert tombstones == [block for block in blocks if block.count == 200][: len(tombstones)]
    assert states[Stream.EVENT].evicted_rows == 0
    history = states[Stream.HISTORY]
    assert history.stored_rows == history.pending_rows + history.evicted_rows
    # the numbers stay without a gap, so that the cloud learns of the loss
    assert blocks[-1].last_seq == sum(block.count for block in blocks)


def test_what_the_cloud_has_is_given_up_before_anything_it_has_not(tmp_path: Path) -> None:
    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    for i in range(60):
        rows = [reading(f"em/p{k}", (i * 7919 * k) % 2**40, MIDNIGHT_MS + i) for k in range(200)]
        store.commit(rows, [event()], {}, frozenset())
    store.acknowledge(Stream.HISTORY, 6_000)
    store.acknowledge(Stream.EVENT, 60)
    whole = store.size_bytes()

    evicted = store.evict(whole * 3 // 4, {})
    kept = store.peek(Stream.HISTORY, **ALL, after=0)
    events = store.peek(Stream.EVENT, **ALL, after=0)
    store.check()
    size = store.size_bytes()
    store.close()

    assert evicted == 0
    assert size <= whole * 3 // 4
    assert 200 < kept[0].first_seq < 6_000  # the oldest are gone, without a hole
    assert sum(block.count for block in kept) == 12_000 - kept[0].first_seq + 1
    assert len(events) == 60


def test_what_the_cloud_has_is_kept_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.buffer_retained.RETAINED_BYTES_MAX", 50_000)
    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    for i in range(100):
        store.commit([reading("em/a", i * 7919 + k) for k in range(500)], [], {}, frozenset())
        store.acknowledge(Stream.HISTORY, 500 * (i + 1))
        store.evict(1 << 30, {})
    kept = store.peek(Stream.HISTORY, **ALL, after=0)
    store.close()

    assert 25_000 < sum(len(block.payload) for block in kept) <= 50_000


def test_what_is_done_again_and_again_does_not_read_the_whole_backlog(tmp_path: Path) -> None:
    def steps_with(blocks: int) -> int:
        store = open_store(tmp_path / f"{blocks}.sqlite", lambda: 1, 1)
        payload = encode_readings([reading("em/a", 4), reading("em/a", 5)])
        kept = KeptBlock(Stream.HISTORY, 1, 2, ValueClass.TELEMETRY, MIDNIGHT_MS, payload)
        store.adopt("", [kept] * blocks)
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 10

        store._connection.set_progress_handler(count, 10)
        store.check(is_whole=False)
        store.peek(Stream.HISTORY, blocks_max=50, rows_max=100, bytes_max=1 << 20)
        assert store.acknowledge(Stream.HISTORY, 100) == 100
        assert store.stream_states()[Stream.HISTORY].pending_rows == 2 * blocks - 100
        assert store.look_on(0) == 200
        store._connection.set_progress_handler(None, 0)
        store.check()
        store.close()
        return steps

    assert steps_with(3_000) < 1.5 * steps_with(300)


def test_the_backlog_of_an_older_agent_waits_as_before(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "b.sqlite", isolation_level=None)
    buffer_schema._migrations.apply(Database(connection), stop_before="0004_acked_through")
    connection.execute("INSERT INTO store (id, epoch, created_at_ms) VALUES (1, 7, 1)")
    connection.execute(
        "UPDATE stream SET next_seq = 6, stored_rows = 5, acked_rows = 3 WHERE name = 'history'"
    )
    payload = encode_readings([reading("em/a", 4), reading("em/a", 5)])
    kept = KeptBlock(Stream.HISTORY, 4, 2, ValueClass.TELEMETRY, MIDNIGHT_MS, payload)
    connection.execute(
        "INSERT INTO block VALUES ('history', 4, 2, 0, ?, ?, ?)", (MIDNIGHT_MS, payload, kept.checksum())
    )
    connection.execute("PRAGMA user_version = 3")
    connection.close()

    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    waiting, through = store.peek(Stream.HISTORY, **ALL), store.acked_through(Stream.HISTORY)
    store.close()

    assert (store.epoch, through) == (7, 3)
    assert [row.value_micro for row in rows_of(waiting)] == [4, 5]


async def test_a_box_whose_disk_has_failed_can_still_say_where_it_stood(tmp_path: Path) -> None:
    async with running(tmp_path) as buffer:
        await buffer.put([reading("em/a", 1)])
        before = await buffer.last_state()
        await buffer._thread.on_store(lambda store: store._connection.close())

        def refuse(path: Path) -> sqlite3.Connection:
            raise sqlite3.OperationalError("disk I/O error")

        connect, buffer._thread._connect = buffer._thread._connect, refuse
        with pytest.raises(StorageFault):
            await buffer.state()
        failed = await buffer.last_state()
        buffer._thread._connect = connect

        assert failed == before
        assert failed.streams[Stream.HISTORY].pending_rows == 1


def test_a_mark_that_was_changed_is_damage(tmp_path: Path) -> None:
    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    store.commit([reading("em/a", 1)], [], {}, frozenset())
    store.commit([reading("em/a", 2)], [], {}, frozenset())
    store.acknowledge(Stream.HISTORY, 1)
    store._connection.execute("UPDATE stream SET acked_through = 0 WHERE name = 'history'")

    with pytest.raises(sqlite3.DatabaseError, match="acked_through 0 is damaged"):
        store.check()
    store.close()


def test_what_is_being_sent_is_not_evicted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "b.sqlite", lambda: 1, 1)
    for i in range(50):
        store.commit([reading(f"em/p{k}", i * k, MIDNIGHT_MS) for k in range(100)], [], {}, frozenset())

    store.evict(0, {Stream.HISTORY: 300})
    blocks = store.peek(Stream.HISTORY, blocks_max=100, rows_max=1 << 30, bytes_max=1 << 40)
    store.close()

    assert [bool(block.payload) for block in blocks] == [True] * 3 + [False] * 47


_VICTIM = """
import asyncio, random, sys
from pathlib import Path
from edge.buffer import Buffer
from provisioning.config import BufferSettings
from protocol.event import Event, EventState, Severity
from protocol.reading import Reading
from protocol.sync import Stream
from tests.edge.building_blocks import ToldClock

async def main():
    settings = BufferSettings(Path(sys.argv[1]), 1, 1 << 30)
    async with Buffer(settings, ToldClock(), random.Random()) as buffer:
        task = asyncio.ensure_future(buffer.run())
        n = int(sys.argv[2])
        while True:
            rows = [Reading(f"em/{k}", 1, (n + k) * 10) for k in range(random.randrange(1, 200))]
            n += len(rows)
            await buffer.put(rows, [Event("k", EventState.OCCURRED, Severity.INFO, "a/b", 1, str(n))])
            print(n, flush=True)
            if random.random() < 0.3:
                blocks = await buffer.peek(Stream.HISTORY, blocks_max=3, rows_max=1000, bytes_max=1 << 20)
                await buffer.acknowledge(Stream.HISTORY, blocks[-1].last_seq)

asyncio.run(main())
"""

KILLS = int(os.environ.get("GATEHOUSE_BUFFER_KILLS", "8"))


def test_nothing_committed_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path, chance, said = tmp_path / "b.sqlite", random.Random(9), 0
    for _ in range(KILLS):
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, str(path), str(said)], stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout is not None
        for _ in range(chance.randrange(1, 60)):
            said = int(victim.stdout.readline())
        victim.send_signal(signal.SIGKILL)
        lines = victim.stdout.read().split()  # what `readline` has read ahead is in here
        victim.wait(30)
        said = int(lines[-1]) if lines else said

        store = open_store(path, lambda: 1, 1)
        state = store.stream_states()[Stream.HISTORY]
        blocks = store.peek(Stream.HISTORY, blocks_max=1 << 30, rows_max=1 << 40, bytes_max=1 << 50)
        events = store.peek(Stream.EVENT, blocks_max=1 << 30, rows_max=1 << 40, bytes_max=1 << 50)
        store.close()

        # What was said to be on disk is there; at most the commit nobody was told of comes on top.
        stored = state.next_seq - 1
        assert said <= stored < said + 200
        assert state.stored_rows == stored == state.acked_rows + state.pending_rows
        values = [row.value_micro for row in rows_of(blocks)]
        assert values == [n * 10 for n in range(state.acked_rows, stored)]
        last = decode_events(events[-1].payload, events[-1].count)[-1]
        assert int(last.message) == stored
        said = stored
