"""The disk fails at its nth operation, for every n of every transaction: nothing accepted is lost.

The whole buffer runs, on its thread and with its retries; only the disk is the test's. Each fault is
tried once and for ever until healed, as a failing device and as a full one. Afterwards the agent
recovers without help, and a power cut at that moment finds everything still there.
"""

import contextlib
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from edge.buffer import Buffer
from edge.buffer_block import ValueClass
from edge.buffer_file import open_store
from edge.buffer_store import Store
from edge.errors import StorageFault
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.crash.connection import connector
from tests.crash.disk import Disk, Fault
from tests.crash.ledger import BILLED, event, found_in, row
from tests.edge.building_blocks import ToldClock

FAULTS = {
    "error once": Fault(1, 1),
    "error until healed": Fault(1, None),
    "full once": Fault(1, 1, is_full=True, kinds=("write",)),
    "full until healed": Fault(1, None, is_full=True, kinds=("write",)),
    "unreadable once": Fault(1, 1, kinds=("read",)),
}


class Bench:
    """A buffer on a disk with forty rows in it, and what it was given since."""

    def __init__(self, folder: Path) -> None:
        self.disk = Disk(random.Random(7))
        self.path = folder / "buffer.sqlite"
        self.buffer = Buffer(
            BufferSettings(self.path, 60_000, 1 << 30),
            ToldClock(),
            random.Random(7),
            BILLED,
            connector(self.disk),
        )
        self.given = 0
        self.alarms = 0
        self.rule_state = b""

    def put(self, count: int, alarms: int = 0) -> None:
        numbers = range(self.given + 1, self.given + count + 1)
        events = range(self.alarms + 1, self.alarms + alarms + 1)
        self.rule_state = str(self.given).encode()
        self.buffer.put(
            [row(number, ValueClass.BILLING) for number in numbers or ()],
            [event(number) for number in events],
            {"rule": self.rule_state},
        )
        self.given, self.alarms = self.given + count, self.alarms + alarms


async def commit(bench: Bench) -> None:
    bench.put(30, 2)
    await bench.buffer.flush()


async def commit_much(bench: Bench) -> None:
    bench.put(2_500)
    await bench.buffer.flush()


async def commit_and_checkpoint(bench: Bench) -> None:
    await bench.buffer._thread.submit(
        lambda: bench.buffer._thread.opened()._connection.execute("PRAGMA wal_autocheckpoint = 1")
    )
    bench.put(30, 2)
    await bench.buffer.flush()


async def acknowledge(bench: Bench) -> None:
    await bench.buffer.acknowledge(Stream.HISTORY, 20)


async def put_aside(bench: Bench) -> None:
    await bench.buffer.put_aside(Stream.HISTORY, 21, "malformed", "cannot be read")


async def evict(bench: Bench) -> None:
    """Give up as little as can be: the oldest block."""
    await bench.buffer._thread.on_store(lambda store: store.evict(store.size_bytes() - 1, {}))


async def reopen(bench: Bench) -> None:
    await bench.buffer._thread.submit(bench.buffer._thread.close)
    await bench.buffer._thread.submit(bench.buffer._thread.open)


WORK: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "acknowledge": acknowledge,
    "commit": commit,
    "commit and checkpoint": commit_and_checkpoint,
    "commit much": commit_much,
    "evict": evict,
    "put aside": put_aside,
    "reopen": reopen,
}
# The cloud says these again until it sees that they were heard.
ASKED_AGAIN = {"acknowledge", "evict", "put aside"}


@contextlib.asynccontextmanager
async def until_the_cut(buffer: Buffer) -> AsyncIterator[None]:
    await buffer.__aenter__()
    try:
        yield
    finally:
        with contextlib.suppress(sqlite3.Error):
            await buffer.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("work", "fault"),
    # Only opening reads from the disk; everything else is done on pages already in memory.
    [(work, fault) for work in WORK for fault in FAULTS if work == "reopen" or fault != "unreadable once"],
)
async def test_a_failure_at_any_operation_loses_and_doubles_nothing(
    tmp_path: Path, work: str, fault: str
) -> None:
    shape = FAULTS[fault]
    at = 0
    while True:
        at += 1
        bench = Bench(tmp_path)
        try:
            # The power is cut before the buffer can be closed in good order.
            async with until_the_cut(bench.buffer):
                for _ in range(8):
                    bench.put(5, 1)
                    await bench.buffer.flush()
                bench.disk.fail(Fault(at, shape.times, is_full=shape.is_full, kinds=shape.kinds))
                try:
                    await WORK[work](bench)
                except (sqlite3.Error, StorageFault):
                    # New rows may come meanwhile, or none.
                    bench.put(3 * (at % 2), at % 2)
                has_failed = bench.disk.has_failed
                bench.disk.fail(None)
                await _recovers(bench, work)
                bench.disk.cut_at(1)
            _survives(bench, work)
        finally:
            bench.disk.unregister()
        if not has_failed:
            break
    assert at > 1, "the fault was never met"


async def _recovers(bench: Bench, work: str) -> None:
    buffer = bench.buffer
    await buffer.flush()
    assert buffer.fault == ""
    assert buffer.moved_aside is None
    if work in ASKED_AGAIN:
        await WORK[work](bench)
    await buffer._thread.submit(lambda: _holds_all(buffer._thread.opened(), bench, work))


def _survives(bench: Bench, work: str) -> None:
    """Cut the power: what was found is still there."""
    bench.disk.restart()
    store = open_store(bench.path, lambda: 99, 1, connector(bench.disk))
    _holds_all(store, bench, work)
    assert store.epoch == bench.buffer.epoch
    store.close()


def _holds_all(store: Store, bench: Bench, work: str) -> None:
    """Every row given is there once and in order, but what was acknowledged, put aside or given up."""
    lanes, rule_states = found_in(store)
    history, alarms = (
        [number for _, _, numbers in lanes[stream][1] for number in numbers or ()]
        for stream in (Stream.HISTORY, Stream.EVENT)
    )
    _, _, _, evicted, _ = lanes[Stream.HISTORY][0]
    # Room that was asked for twice may be made twice; it is counted each time.
    assert evicted in ((5, 10) if work == "evict" else (0,))
    gone = {"acknowledge": range(1, 21), "put aside": range(21, 26)}.get(work, range(1, evicted + 1))
    assert history == [number for number in range(1, bench.given + 1) if number not in gone]
    assert alarms == list(range(1, bench.alarms + 1))
    assert rule_states == {"rule": bench.rule_state}
