"""Whether a store is as it was written: looked at before anything is written to it.

A backlog may be of gigabytes, and polling must not wait for them. So of a file above `CHECKED_AT_ONCE_BYTES`
a start looks at what it relies on: the schema, the free pages, the marks and the ends of each stream. The
rest is looked through while the store is in use, a little at a time. The invariant: no block is handed out
whose checksum does not fit, whenever that is found.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from edge.buffer_block import checked_block
from protocol.sync import Stream

# A memory card reads so much in some three seconds.
CHECKED_AT_ONCE_BYTES = 64 * 1024 * 1024
# What was written last is what a failing card loses first.
_NEWEST_BLOCKS = 200
# So much is looked at between two commits; a few milliseconds.
_BLOCKS_AT_ONCE = 200
_BYTES_AT_ONCE = 1024 * 1024

_ALL = "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum FROM block"
_SENT_NEXT = (
    "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum FROM block"
    " WHERE stream = ? AND first_seq > ? ORDER BY first_seq LIMIT 1"
)
_WRITTEN_LAST = (
    "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum FROM block"
    " WHERE stream = ? ORDER BY first_seq DESC LIMIT ?"
)
_BEHIND = (
    "SELECT rowid, stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum"
    " FROM block NOT INDEXED WHERE rowid > ? ORDER BY rowid LIMIT ?"
)
_INDEXED = "SELECT rowid FROM block WHERE stream = ? AND first_seq = ?"


def is_large(path: Path) -> bool:
    """Tell whether a store takes longer to read than a start may take."""
    parts = (path, path.with_name(path.name + "-wal"))
    return sum(part.stat().st_size for part in parts if part.exists()) > CHECKED_AT_ONCE_BYTES


def check_structure(connection: sqlite3.Connection, *, is_whole: bool) -> None:
    """Raise sqlite3.DatabaseError if pages are not where they belong.

    Not the quick check: it would not see an index that says other things than its table.
    """
    # The name of the schema stands for the free pages too.
    for part in ("1",) if is_whole else ("sqlite_master", "store", "stream", "rule_state"):
        problem = connection.execute(f"PRAGMA integrity_check({part})").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(f"integrity_check: {problem}")


def check_blocks(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError if a block is not as it was written: SQLite does not see a flipped bit."""
    for row in connection.execute(_ALL):
        checked_block(row)


def check_ends(connection: sqlite3.Connection, acked_through: Mapping[Stream, int]) -> None:
    """Look at the block of each stream that is sent next, and at those written last."""
    for stream, through in acked_through.items():
        for row in connection.execute(_SENT_NEXT, (stream.value, through)):
            checked_block(row)
        for row in connection.execute(_WRITTEN_LAST, (stream.value, _NEWEST_BLOCKS)):
            checked_block(row)


def look_on(connection: sqlite3.Connection, after: int) -> int | None:
    """Look at some blocks behind rowid `after`; return where to go on, None when all have been seen."""
    size = 0
    at: int | None = None
    for at, *columns in connection.execute(_BEHIND, (after, _BLOCKS_AT_ONCE)):
        block = checked_block(columns)
        key = (block.stream.value, block.first_seq)
        found = connection.execute(_INDEXED, key).fetchall()
        if found != [(at,)]:
            raise sqlite3.DatabaseError(f"block {key} is row {at}, its index says {found}")
        size += len(block.payload)
        if size > _BYTES_AT_ONCE:
            break
    return at
