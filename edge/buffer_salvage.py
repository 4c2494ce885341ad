"""Salvage: the sound blocks of a damaged store, for the store that takes its place.

The damaged file is evidence and is only copied, never opened. A block is sound if it can be read and
its checksum fits, so a flipped bit costs the block it is in and never becomes a value. What is
salvaged gets new numbers under the new store's epoch: the old numbers are the old epoch's for ever.
A batch that was on its way when the damage was found may thus reach the cloud a second time. What the cloud
has acknowledged is left: it is there.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.buffer_block import KeptBlock, checked_block
from edge.buffer_file import connect_file
from edge.buffer_retained import sound_marks
from protocol.sync import Stream

# Asking for rows one by one costs some ten microseconds each, and a start may take seconds at most.
_ROWIDS_TRIED_MAX = 50_000
# Text that is not UTF-8 is damage too, also in what SQLite has to say about it.
_DAMAGE = (sqlite3.DatabaseError, UnicodeError)
_FROM_THE_FRONT = (
    "SELECT rowid, stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum"
    " FROM block NOT INDEXED ORDER BY rowid"
)
_FROM_THE_BACK = (
    "SELECT rowid, stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum"
    " FROM block NOT INDEXED WHERE rowid > ? ORDER BY rowid DESC"
)
_ONE = (
    "SELECT rowid, stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum"
    " FROM block NOT INDEXED WHERE rowid = ?"
)
_NOTED = (
    "SELECT stream, first_seq, at FROM sound WHERE (stream, first_seq) > (?, ?) ORDER BY stream, first_seq"
)
# So much is taken over between two commits; some ten milliseconds.
_BLOCKS_AT_ONCE = 200
_BYTES_AT_ONCE = 1024 * 1024


@contextlib.contextmanager
def salvaging(damaged: Path, after: tuple[str, int]) -> Iterator[Iterator[list[KeptBlock]]]:
    """Hand out what can be read and is whole, a little at a time, in the order of streams and numbers.

    Nothing if not even the schema can be read; only what comes behind the block that `after` names. OSError
    if there is no room for the copy.
    """
    copy = damaged.with_name(damaged.name + ".copy")
    try:
        for suffix in ("", "-wal"):
            part = damaged.with_name(damaged.name + suffix)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        connection = connect_file(copy)
        try:
            yield _in_slices(_sound_blocks(connection, after))
        finally:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
    finally:
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _in_slices(blocks: Iterator[KeptBlock]) -> Iterator[list[KeptBlock]]:
    found: list[KeptBlock] = []
    size = 0
    for block in blocks:
        found.append(block)
        size += len(block.payload)
        if len(found) >= _BLOCKS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield found
            found, size = [], 0
    if found:
        yield found


def _sound_blocks(connection: sqlite3.Connection, after: tuple[str, int]) -> Iterator[KeptBlock]:
    """Yield the sound blocks the cloud lacks; which they are is noted on disk, for there may be millions."""
    with contextlib.suppress(*_DAMAGE):
        acked = _acked_through(connection)
        connection.execute(
            "CREATE TEMP TABLE sound (stream, first_seq, at, PRIMARY KEY (stream, first_seq)) WITHOUT ROWID"
        )
        for at, block in _readable(connection):
            if block.first_seq > acked[block.stream.value]:
                # Damage may lead to the same page twice.
                connection.execute(
                    "INSERT OR REPLACE INTO sound VALUES (?, ?, ?)", (block.stream.value, block.first_seq, at)
                )
        for stream, first_seq, at in connection.execute(_NOTED, after):
            with contextlib.suppress(*_DAMAGE):
                for row in connection.execute(_ONE, (at,)):
                    # Under a damaged rowid there may be another block than the one that was seen.
                    if row[1:3] == (stream, first_seq):
                        yield from (block for _, block in _sound(row))


def _acked_through(connection: sqlite3.Connection) -> Mapping[str, int]:
    """Return how far each stream is acknowledged; 0 where nobody can say, for twice is better than never."""
    acked = dict.fromkeys((stream.value for stream in Stream), 0)
    with contextlib.suppress(*_DAMAGE):
        acked |= sound_marks(connection)
    return acked


def _readable(connection: sqlite3.Connection) -> Iterator[tuple[int, KeptBlock]]:
    """Yield sound blocks from the front up to the damage, from the back down to it, and those between."""
    front, back = 0, 0
    with contextlib.suppress(*_DAMAGE):
        for row in connection.execute(_FROM_THE_FRONT):
            front = row[0]
            yield from _sound(row)
        return
    with contextlib.suppress(*_DAMAGE):
        for row in connection.execute(_FROM_THE_BACK, (front,)):
            back = row[0]
            yield from _sound(row)
    if not front and not back:
        return  # neither end of the table: then nothing between can be reached
    last = back or front + _ROWIDS_TRIED_MAX
    for rowid in range(front + 1, min(last, front + 1 + _ROWIDS_TRIED_MAX)):
        with contextlib.suppress(*_DAMAGE):
            for row in connection.execute(_ONE, (rowid,)):
                yield from _sound(row)


def _sound(row: Sequence[Any]) -> Iterator[tuple[int, KeptBlock]]:
    with contextlib.suppress(*_DAMAGE):
        block = checked_block(row[1:])
        if block.payload:
            yield row[0], block
