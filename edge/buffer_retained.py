"""What the cloud has acknowledged and the box keeps all the same, for a while.

A cloud restored from yesterday's backup lacks what it had acknowledged since; the box offers it again. The
invariants: what is retained lies below its stream's `acked_through` and is without holes, because the oldest
goes first; it is bounded in bytes, not by a clock, and goes before anything that waits. Events go last.
"""

import sqlite3
import zlib

# At 200 points a minute a day is some 8 MB. A start reads all of it, which a memory card does in seconds.
RETAINED_BYTES_MAX = 32 * 1024 * 1024
# Some more than enough is given up at a time: a trim a day and not one every five minutes.
_TRIM_BYTES = RETAINED_BYTES_MAX // 16

# What a block takes beside its payload: a row's head, its columns and an entry of the index.
BLOCK_OVERHEAD_BYTES = 64

_OLDEST_FIRST = (
    "SELECT b.first_seq, length(b.payload) + :overhead FROM block b JOIN stream s ON s.name = b.stream"
    " WHERE b.stream = :stream AND b.first_seq <= s.acked_through ORDER BY b.first_seq"
)


def mark_checksum(stream: str, acked_through: int) -> int:
    """Return what tells a damaged mark: above the truth it would hide rows, below it double them."""
    return zlib.crc32(f"{stream} {acked_through}".encode())


def sound_marks(connection: sqlite3.Connection) -> dict[str, int]:
    """Return by stream the number up to which all is acknowledged, where the mark is as it was written."""
    marks = connection.execute("SELECT name, acked_through, acked_checksum FROM stream").fetchall()
    return {name: through for name, through, said in marks if mark_checksum(name, through) == said}


class Retained:
    """The acknowledged blocks of a store. Whoever calls holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.size_bytes = 0  # counted once when the store is opened, and carried on
        self._connection = connection

    def check(self) -> None:
        """Count what is here; sqlite3.DatabaseError if a mark is not as it was written."""
        streams = self._connection.execute("SELECT name, next_seq, acked_through FROM stream").fetchall()
        sound = sound_marks(self._connection)
        for name, next_seq, through in streams:
            if name not in sound or not 0 <= through < next_seq:
                raise sqlite3.DatabaseError(f"stream {name}: acked_through {through} is damaged")
        (self.size_bytes,) = self._connection.execute(
            # CROSS: stream by stream through the index, never through all that waits.
            "SELECT coalesce(sum(length(b.payload) + ?), 0) FROM stream s CROSS JOIN block b"
            " WHERE b.stream = s.name AND b.first_seq <= s.acked_through",
            (BLOCK_OVERHEAD_BYTES,),
        ).fetchone()

    def give_up(self, excess_bytes: int) -> int:
        """Delete the oldest until so many bytes are free and the bound holds; return the bytes."""
        above = self.size_bytes - RETAINED_BYTES_MAX
        excess_bytes = max(excess_bytes, above + _TRIM_BYTES if above > 0 else 0)
        given = 0
        for stream in ("history", "event"):
            if given >= excess_bytes:
                break
            through = 0
            for first_seq, size in self._connection.execute(
                _OLDEST_FIRST, {"stream": stream, "overhead": BLOCK_OVERHEAD_BYTES}
            ):
                if given >= excess_bytes:
                    break
                through, given = first_seq, given + size
            self._connection.execute(
                "DELETE FROM block WHERE stream = ? AND first_seq <= ?", (stream, through)
            )
        return given

    def forget(self) -> None:
        """Delete all of it."""
        self._connection.execute(
            "DELETE FROM block WHERE first_seq <="
            " (SELECT acked_through FROM stream s WHERE s.name = block.stream)"
        )
        self.size_bytes = 0
