"""Which blocks are still to be dated: they were stamped by a clock that nobody had confirmed.

The invariant: only this boot's blocks are dated, by how wrong its clock was; those of another boot keep their
stamps and stay marked (`edge.dating`).
"""

import sqlite3
from dataclasses import replace

from edge.buffer_block import checked_block, undated_checksum
from edge.buffer_transaction import Transaction
from edge.dating import dated


class Undated:
    """The notes about such blocks; `boot_id` names the time in which the monotonic clock runs on."""

    def __init__(self, connection: sqlite3.Connection, boot_id: str) -> None:
        self._boot_id = boot_id
        self._connection = connection

    def note(self, stream: str, first_seq: int, booted_at_ms: int) -> None:
        self._connection.execute(
            "INSERT INTO undated (stream, first_seq, boot_id, booted_at_ms, checksum) VALUES (?, ?, ?, ?, ?)",
            (
                stream,
                first_seq,
                self._boot_id,
                booted_at_ms,
                undated_checksum(stream, first_seq, self._boot_id, booted_at_ms),
            ),
        )

    def date(self, booted_at_ms: int, blocks_max: int) -> int:
        """Stamp anew the oldest blocks of this boot that were stamped by a wrong clock; return their rows."""
        # What this boot stored before it knew the time.
        waiting = self._connection.execute(
            "SELECT u.booted_at_ms, b.stream, b.first_seq, b.row_count, b.value_class, b.oldest_at_ms,"
            " b.payload, b.checksum FROM undated u JOIN block b USING (stream, first_seq)"
            " WHERE u.boot_id = ? ORDER BY first_seq LIMIT ?",
            (self._boot_id, blocks_max),
        ).fetchall()
        if not waiting:
            return 0
        dated_rows = 0
        with Transaction(self._connection):
            for wrongly_ms, *columns in waiting:
                block = checked_block(columns)
                key = (block.stream.value, block.first_seq)
                self._connection.execute("DELETE FROM undated WHERE stream = ? AND first_seq = ?", key)
                if not block.payload:
                    continue  # the quota was quicker
                later_ms = booted_at_ms - wrongly_ms
                block = replace(
                    block,
                    oldest_at_ms=max(0, block.oldest_at_ms + later_ms),
                    payload=dated(block.payload, block.row_count, later_ms),
                )
                self._connection.execute(
                    "UPDATE block SET oldest_at_ms = ?, payload = ?, checksum = ?"
                    " WHERE stream = ? AND first_seq = ?",
                    (block.oldest_at_ms, block.payload, block.checksum(), *key),
                )
                dated_rows += block.row_count
        return dated_rows

    def row_count(self) -> int:
        """Return the rows of this boot that wait for somebody to tell the time."""
        (rows,) = self._connection.execute(
            "SELECT coalesce(sum(b.row_count), 0) FROM undated u JOIN block b USING (stream, first_seq)"
            " WHERE u.boot_id = ?",
            (self._boot_id,),
        ).fetchone()
        return int(rows)

    def check(self) -> None:
        """Raise sqlite3.DatabaseError if a note is not as it was written."""
        for *note, checksum in self._connection.execute(
            "SELECT stream, first_seq, boot_id, booted_at_ms, checksum FROM undated"
        ):
            if undated_checksum(*note) != checksum:
                raise sqlite3.DatabaseError(f"the note that block {note[:2]} is not dated is damaged")
