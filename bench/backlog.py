"""What a box does that has gigabytes to send: how soon it polls and stores again, and in how much memory.

A store is filled with blocks, large ones as a box makes that reads thousands of points a second, then small
ones of a box that reads a few at a time; its pages are dropped from the kernel's cache as after a power cut,
and the agent is started on it. There is no cloud. What is timed is from the start until a new row is on disk;
of a damaged store, until the agent polls and the one begun in its place is written to. What is sound of the
old one is taken over meanwhile.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from bench.box import running_edge, running_meters
from bench.measure import integer, row, usage_of
from edge.buffer_block import KeptBlock, ValueClass
from edge.buffer_file import open_store
from protocol.sync import Stream

GIB = 5.0
START_MAX_S = 5.0
_METERS = 50
_WINDOW_S = 10.0
_ROWS_PER_BLOCK = 20
_BLOCKS_AT_ONCE = 50_000
_PAYLOADS = {"blocks of 20 kB": 20_000, "blocks of 400 bytes": 400}
_WIDTHS = (30, 14, 10, 20, 14, 10)


def main(gib: float = GIB) -> int:
    """Fill, start, print the table; return 1 where a start takes longer than it may."""
    print(f"backlog: an agent with {_METERS} meters is started on what waits for the cloud")
    print(
        row("", "blocks", "GiB", "polls and stores, s", "CPU %, then", "RSS MiB", widths=_WIDTHS), flush=True
    )
    slowest_s = 0.0
    for (title, payload_bytes), is_damaged in product(_PAYLOADS.items(), (False, True)):
        folder = Path(tempfile.mkdtemp(prefix="gatehouse-backlog-"))
        store = folder / "buffer.sqlite"
        try:
            blocks = _fill(store, int(gib * 2**30) // payload_bytes, payload_bytes)
            if is_damaged:
                _damage(store)
            named = f"{title}, damaged" if is_damaged else title
            slowest_s = max(slowest_s, _measure(named, store, blocks))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"the aim is {START_MAX_S:g} s")
    return int(slowest_s > START_MAX_S)


def _measure(title: str, store: Path, blocks: int) -> float:
    size_gib = store.stat().st_size / 2**30
    _forget(store)
    with running_meters(_METERS) as meters:
        began = time.monotonic()
        with running_edge(meters, 1.0, folder=store.parent) as pid:
            log = store.with_name(store.name + "-wal")
            while not (meters.served() and log.exists() and log.stat().st_size):
                time.sleep(0.02)
            took_s = time.monotonic() - began
            before = usage_of(pid)
            time.sleep(_WINDOW_S)
            after = usage_of(pid)
    cpu_percent = 100 * (after.cpu_s - before.cpu_s) / _WINDOW_S
    cells = (
        integer(blocks),
        f"{size_gib:.1f}",
        f"{took_s:.1f}",
        f"{cpu_percent:.0f}",
        f"{after.rss_peak_mib:.0f}",
    )
    print(row(title, *cells, widths=_WIDTHS), flush=True)
    return took_s


def _fill(store: Path, blocks: int, payload_bytes: int) -> int:
    """Make a store in which so many blocks wait; they hold noise, which only a cloud would notice."""
    open_store(store, lambda: 1, 0).close()
    payloads = [os.urandom(payload_bytes) for _ in range(50)]

    def rows(first: int, end: int) -> Iterator[tuple[object, ...]]:
        for number in range(first, end):
            seq, payload = 1 + number * _ROWS_PER_BLOCK, payloads[number % len(payloads)]
            block = KeptBlock(Stream.HISTORY, seq, _ROWS_PER_BLOCK, ValueClass.TELEMETRY, number, payload)
            yield Stream.HISTORY.value, seq, _ROWS_PER_BLOCK, 0, number, payload, block.checksum()

    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    for first in range(0, blocks, _BLOCKS_AT_ONCE):
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO block (stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows(first, min(blocks, first + _BLOCKS_AT_ONCE)),
        )
        connection.execute("COMMIT")
    count = blocks * _ROWS_PER_BLOCK
    connection.execute(
        "UPDATE stream SET next_seq = ?, stored_rows = ? WHERE name = 'history'", (count + 1, count)
    )
    connection.close()
    return blocks


def _damage(store: Path) -> None:
    """Make the next start see damage: a mark that is not as it was written."""
    connection = sqlite3.connect(store)
    connection.execute("UPDATE stream SET acked_checksum = acked_checksum + 1")
    connection.commit()
    connection.close()


def _forget(file: Path) -> None:
    """Have the kernel drop what it holds of a file, as after a power cut."""
    descriptor = os.open(file, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
