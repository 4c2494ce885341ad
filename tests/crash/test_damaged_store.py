"""A damaged store: the agent starts on whatever is in the file, keeps it as evidence, and salvages.

Every row that is found afterwards is one that was given: damage is never a value. The rows go on
under a new epoch, or, if the damage touches none of them, under the old one.
"""

import asyncio
import random
import shutil
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.buffer import Buffer
from edge.buffer_block import KeptBlock, ValueClass
from edge.buffer_file import open_store
from edge.buffer_store import Store
from edge.errors import StorageFault
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.crash.ledger import BILLED, event, found_in, row
from tests.edge.building_blocks import ToldClock

_BLOCKS = 60
_ROWS_PER_BLOCK = 20
ROWS = _BLOCKS * _ROWS_PER_BLOCK
FLIPS = 400
_START_MAX_S = 5


@pytest.fixture(scope="module", params=["folded", "in the log"])
def sound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store: all in its file, or mostly in its log as a power cut leaves it."""
    work, kept = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("sound")
    store = open_store(work / "buffer.sqlite", lambda: 7, 1)
    for at in range(0, ROWS, _ROWS_PER_BLOCK):
        numbers = range(at + 1, at + _ROWS_PER_BLOCK + 1)
        store.commit([row(n, ValueClass.EVIDENCED) for n in numbers], [event(numbers[0])], {}, BILLED)
    if request.param == "folded":
        store.close()
    for part in work.iterdir():
        shutil.copy(part, kept)
    if request.param != "folded":
        store.close()
    return kept


@dataclass(frozen=True, slots=True)
class Found:
    epoch: int
    history: list[int]
    alarms: list[int]
    moved_aside: Path | None
    salvaged: int
    began_in_s: float


def start_on(folder: Path, *, is_looked_through: bool = False) -> Found:
    """Start a buffer there, store one row more, and say what is in it; `is_looked_through`: a while later."""

    async def run() -> Found:
        settings = BufferSettings(folder / "buffer.sqlite", 60_000, 1 << 30)
        began = time.monotonic()
        async with Buffer(settings, ToldClock(), random.Random(3), BILLED) as buffer:
            began_in_s = time.monotonic() - began
            if is_looked_through:
                await buffer._look_through()
            buffer.put([row(999_999, ValueClass.BILLING)])
            await buffer.flush()
            lanes, _ = await buffer._thread.on_store(found_in)
            rows = {
                stream: [number for _, _, numbers in lanes[stream][1] for number in numbers or ()]
                for stream in Stream
            }
            history = rows[Stream.HISTORY]
            assert history.pop() == 999_999
            return Found(
                buffer.epoch, history, rows[Stream.EVENT], buffer.moved_aside, buffer.salvaged, began_in_s
            )

    return asyncio.run(run())


def damaged_copy(sound: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    return folder


def judge(found: Found, damaged: dict[str, bytes] | None) -> None:
    """Nothing that was not given, nothing twice, and either all of it or the evidence.

    Damage that is found while a store is in use leaves it as it was then, not as `damaged` at the start.
    """
    assert found.began_in_s < _START_MAX_S
    assert set(found.history) <= set(range(1, ROWS + 1))
    assert len(set(found.history)) == len(found.history)
    assert len(set(found.alarms)) == len(found.alarms)
    if found.moved_aside is None:
        assert found.epoch > 0
        assert len(found.history) % _ROWS_PER_BLOCK == 0
        return
    assert found.epoch != 7
    assert found.salvaged == len(found.history) + len(found.alarms)
    assert found.moved_aside.exists()
    assert damaged is None or found.moved_aside.read_bytes() == damaged["buffer.sqlite"]


def test_flipped_bits_never_become_values_and_cost_little(sound: Path, tmp_path: Path) -> None:
    rng, lost = random.Random(11), []
    for _ in range(FLIPS):
        folder = damaged_copy(sound, tmp_path / "store")
        part = rng.choice([path for path in sorted(folder.iterdir()) if path.stat().st_size])
        content = bytearray(part.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        part.write_bytes(content)
        damaged = {path.name: path.read_bytes() for path in folder.iterdir()}

        found = start_on(folder)

        judge(found, damaged)
        lost.append(ROWS - len(found.history))
    # The first page holds the schema: without it nothing can be read. A log is believed up to the damage.
    if not (sound / "buffer.sqlite-wal").exists():
        assert sum(rows <= _ROWS_PER_BLOCK for rows in lost) >= 0.8 * FLIPS, sorted(lost)


def test_a_large_store_begins_at_once_and_its_damage_is_found_while_it_is_in_use(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.buffer_check.CHECKED_AT_ONCE_BYTES", 0)
    monkeypatch.setattr("edge.buffer_check._BLOCKS_AT_ONCE", 7)
    monkeypatch.setattr("edge.buffer._LOOK_PAUSE_S", 0)
    monkeypatch.setattr("edge.buffer._RETRY_S", 0)
    rng, kept = random.Random(12), 0
    for _ in range(FLIPS // 4):
        folder = damaged_copy(sound, tmp_path / "store")
        part = rng.choice([path for path in sorted(folder.iterdir()) if path.stat().st_size])
        content = bytearray(part.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        part.write_bytes(content)

        found = start_on(folder, is_looked_through=True)

        judge(found, None)
        kept += found.moved_aside is not None
    assert kept


def test_a_large_store_is_not_read_at_the_start_and_a_damaged_block_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.buffer_check.CHECKED_AT_ONCE_BYTES", 0)
    monkeypatch.setattr("edge.buffer_check._NEWEST_BLOCKS", 1)
    monkeypatch.setattr("edge.buffer._RETRY_S", 0)
    store = open_store(tmp_path / "buffer.sqlite", lambda: 7, 1)
    for number in (1, 2, 3):
        store.commit([row(number, ValueClass.BILLING)], [], {}, BILLED)
    _damage_the_second(store)
    store.close()

    async def run() -> None:
        settings = BufferSettings(tmp_path / "buffer.sqlite", 60_000, 1 << 30)
        async with Buffer(settings, ToldClock(), random.Random(3), BILLED) as buffer:
            first = await buffer.peek(Stream.HISTORY, blocks_max=1, rows_max=9, bytes_max=1 << 20)
            assert (buffer.epoch, buffer.moved_aside, len(first)) == (7, None, 1)

            await buffer._look_through()
            buffer.put([row(4, ValueClass.BILLING)])
            await buffer.flush()

            lanes, _ = await buffer._thread.on_store(found_in)
            assert [numbers for _, _, numbers in lanes[Stream.HISTORY][1]] == [(1,), (3,), (4,)]
            assert (buffer.salvaged, buffer.epoch != 7) == (2, True)

    asyncio.run(run())


def test_a_power_cut_while_salvaging_neither_doubles_nor_loses(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.buffer_salvage._BLOCKS_AT_ONCE", 7)
    folder = damaged_copy(sound, tmp_path / "store")
    _damage_a_mark(folder)
    taken, whole = 0, Store.adopt

    def cut_short(store: Store, *, name: str, blocks: list[KeptBlock]) -> None:
        nonlocal taken
        if taken == 3:
            raise sqlite3.OperationalError("the power is cut")
        taken += 1
        whole(store, name, blocks)

    monkeypatch.setattr(Store, "adopt", cut_short)
    first = start_on(folder)
    monkeypatch.setattr(Store, "adopt", whole)

    second = start_on(folder, is_looked_through=True)

    assert len(first.alarms) == 3 * 7  # events go first
    assert sorted(second.alarms) == [at + 1 for at in range(0, ROWS, _ROWS_PER_BLOCK)]
    assert [at for at in second.history if at != 999_999] == list(range(1, ROWS + 1))
    assert (second.salvaged, second.moved_aside) == (ROWS + _BLOCKS, first.moved_aside)


def test_an_alarm_does_not_wait_for_the_salvage_of_a_large_store(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.buffer_check.CHECKED_AT_ONCE_BYTES", 0)
    folder = damaged_copy(sound, tmp_path / "store")
    _damage_a_mark(folder)
    is_stored, whole = threading.Event(), shutil.copyfile

    def slow_card(source: Path, target: Path) -> None:
        assert is_stored.wait(30), "the alarm waits for the salvage"
        whole(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow_card)

    async def run() -> None:
        settings = BufferSettings(folder / "buffer.sqlite", 60_000, 1 << 30)
        async with Buffer(settings, ToldClock(), random.Random(3), BILLED) as buffer:
            running = asyncio.create_task(buffer.run())
            await asyncio.sleep(0)  # the salvage has begun
            await buffer.put([], [event(5_000)])
            is_stored.set()
            while buffer.moved_aside is None:
                await buffer.put([], [event(5_001)])
            lanes, _ = await buffer._thread.on_store(found_in)
            running.cancel()
            told = [number for _, _, numbers in lanes[Stream.EVENT][1] for number in numbers or ()]
            assert told[0] == 5_000
            assert set(range(1, ROWS, _ROWS_PER_BLOCK)) < set(told)

    asyncio.run(run())


def _damage_a_mark(folder: Path) -> None:
    """Make a start see that the store is damaged, and leave its blocks as they are."""
    connection = sqlite3.connect(folder / "buffer.sqlite")
    connection.execute("UPDATE stream SET acked_checksum = 1")
    connection.commit()
    connection.close()


def test_a_header_with_any_byte_wrong_starts(tmp_path: Path) -> None:
    rng = random.Random(5)  # byte 63 apart: the schema's version, which may be a newer agent's
    open_store(tmp_path / "sound.sqlite", lambda: 7, 1).close()
    for at in [at for at in range(100) if at != 63]:
        folder = tmp_path / str(at)
        folder.mkdir()
        content = bytearray((tmp_path / "sound.sqlite").read_bytes())
        content[at] ^= 1 << rng.randrange(8)
        (folder / "buffer.sqlite").write_bytes(content)

        judge(start_on(folder), {"buffer.sqlite": bytes(content)})


def test_a_file_cut_at_any_page_starts(sound: Path, tmp_path: Path) -> None:
    for name in [path.name for path in sound.iterdir() if path.stat().st_size]:
        size = (sound / name).stat().st_size
        step = 1 if size < 100_000 else 5
        for length in {*range(0, size, 4096 * step), size - 1, 1, 511}:
            folder = damaged_copy(sound, tmp_path / "store")
            with (folder / name).open("r+b") as file:
                file.truncate(length)
            damaged = {path.name: path.read_bytes() for path in folder.iterdir()}

            found = start_on(folder)

            judge(found, damaged)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000, b"[gateway]\ncode = 'gw-1'\n" * 300],
    ids=["empty", "zeros", "only the name", "a configuration"],
)
def test_a_file_that_is_something_else_is_kept_and_a_store_begun(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "buffer.sqlite").write_bytes(content)

    found = start_on(tmp_path)

    assert (found.history, found.salvaged) == ([], 0)
    judge(found, {"buffer.sqlite": content})
    assert (found.moved_aside is None) == (content == b"")


def test_the_database_of_another_program_is_kept_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "buffer.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE block (contents TEXT)")
    other.execute("INSERT INTO block VALUES ('something')")
    other.commit()
    other.close()

    found = start_on(tmp_path)

    assert (found.history, found.salvaged) == ([], 0)
    assert found.moved_aside is not None
    kept = sqlite3.connect(found.moved_aside)
    assert kept.execute("SELECT contents FROM block").fetchall() == [("something",)]
    kept.close()


def test_damage_met_while_running_costs_the_block_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        settings = BufferSettings(tmp_path / "buffer.sqlite", 60_000, 1 << 30)
        async with Buffer(settings, ToldClock(), random.Random(3), BILLED) as buffer:
            for number in (1, 2, 3):
                buffer.put([row(number, ValueClass.BILLING)])
                await buffer.flush()
            epoch = buffer.epoch
            await buffer._thread.on_store(_damage_the_second)

            buffer.put([row(4, ValueClass.BILLING)])
            with pytest.raises(StorageFault, match="history 2 is damaged"):
                await buffer.peek(Stream.HISTORY, blocks_max=9, rows_max=9, bytes_max=1 << 20)
            await buffer.flush()

            lanes, _ = await buffer._thread.on_store(found_in)
            assert [numbers for _, _, numbers in lanes[Stream.HISTORY][1]] == [(1,), (3,), (4,)]
            assert buffer.epoch != epoch

    asyncio.run(run())


def _damage_the_second(store: Store) -> None:
    connection = store._connection
    ((payload,),) = connection.execute("SELECT payload FROM block WHERE first_seq = 2").fetchall()
    flipped = bytes([*payload[:-1], payload[-1] ^ 1])
    connection.execute("UPDATE block SET payload = ? WHERE first_seq = 2", (flipped,))
