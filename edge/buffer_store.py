"""The buffer's database: plain functions on one SQLite connection, run on the buffer's thread.

A block is one row, never changed except that its payload may be emptied when the quota forces it
out (its numbers stay, so that the cloud learns of the loss). A block waits while it is above its stream's
`acked_through`; below it is retained for a cloud that was restored from a backup (`edge.buffer_retained`).
Counters move in the same transaction as the rows they count.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge.buffer_block import KeptBlock, block_from_row, checked_block
from edge.buffer_packing import packed
from edge.buffer_retained import BLOCK_OVERHEAD_BYTES, Retained, mark_checksum
from edge.buffer_transaction import Transaction
from edge.buffer_undated import Undated
from protocol.envelope import Block
from protocol.event import Event
from protocol.reading import Reading
from protocol.sync import Stream

log = logging.getLogger(__name__)

# What a block adds to a batch beside its payload: array head, two integers, binary head.
_BLOCK_OVERHEAD_BYTES = 24


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands. `pending_rows` are stored and neither acknowledged nor given up."""

    next_seq: int
    stored_rows: int
    acked_rows: int
    evicted_rows: int
    put_aside_rows: int
    pending_rows: int
    oldest_row_at_ms: int | None


def _stream(name: str) -> Stream:
    try:
        return Stream(name)
    except ValueError as error:
        raise sqlite3.DatabaseError(f"stream {name!r} is not one of {[s.value for s in Stream]}") from error


class Store:
    """The open database. Not safe for two threads; `open_store` makes one."""

    def __init__(self, connection: sqlite3.Connection, epoch: int, boot_id: str = "") -> None:
        self.epoch = epoch
        self.retained = Retained(connection)
        self.undated = Undated(connection, boot_id)
        self._boot_id = boot_id
        self._connection = connection

    def commit(
        self,
        readings: Sequence[Reading],
        events: Sequence[Event],
        rule_states: Mapping[str, bytes],
        billing_keys: frozenset[str],
    ) -> None:
        """Write everything in one transaction; when it returns, a power cut cannot take it back."""
        with self._transaction():
            self._append(packed(readings, events, billing_keys))
            # What each rule must remember across a restart.
            self._connection.executemany(
                "INSERT INTO rule_state (rule_id, state) VALUES (?, ?)"
                " ON CONFLICT (rule_id) DO UPDATE SET state = excluded.state",
                rule_states.items(),
            )

    def adopt(self, blocks: Sequence[KeptBlock]) -> None:
        """Take over blocks of another store under numbers of this one, all or none."""
        with self._transaction():
            self._append(blocks)

    def renumber(self, epoch: int) -> None:
        """Give everything that waits new numbers under another epoch, in its order, all or none."""
        with self._transaction():
            self.retained.forget()  # under their old numbers the cloud has other rows
            self._connection.execute("UPDATE store SET epoch = ?", (epoch,))
            # What was put aside keeps its place under numbers that nobody will have again.
            self._connection.execute(
                "UPDATE OR IGNORE put_aside SET first_seq = -first_seq WHERE first_seq > 0"
            )
            for stream in Stream:
                next_seq = 1
                waiting = self._connection.execute(
                    "SELECT first_seq FROM block WHERE stream = ? ORDER BY first_seq", (stream.value,)
                ).fetchall()
                for (first_seq,) in waiting:  # new numbers are never above old ones, so none collide
                    row = self._connection.execute(
                        "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload"
                        " FROM block WHERE stream = ? AND first_seq = ?",
                        (stream.value, first_seq),
                    ).fetchone()
                    block = replace(block_from_row(row), first_seq=next_seq)
                    self._connection.execute(
                        "UPDATE block SET first_seq = ?, checksum = ? WHERE stream = ? AND first_seq = ?",
                        (next_seq, block.checksum(), stream.value, first_seq),
                    )
                    next_seq += block.row_count
                self._connection.execute(
                    "UPDATE stream SET next_seq = ? WHERE name = ?", (next_seq, stream.value)
                )
                self._mark(stream, 0)
        self.epoch = epoch

    def _append(self, blocks: Sequence[KeptBlock]) -> None:
        for block in blocks:
            # The next numbers of the stream, taken by this block.
            (next_seq,) = self._connection.execute(
                "UPDATE stream SET next_seq = next_seq + :rows, stored_rows = stored_rows + :rows"
                " WHERE name = :stream RETURNING next_seq",
                {"rows": block.row_count, "stream": block.stream.value},
            ).fetchone()
            numbered = replace(block, first_seq=next_seq - block.row_count)
            self._connection.execute(
                "INSERT INTO block"
                " (stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    numbered.stream.value,
                    numbered.first_seq,
                    numbered.row_count,
                    int(numbered.value_class),
                    numbered.oldest_at_ms,
                    numbered.payload,
                    numbered.checksum(),
                ),
            )
            if numbered.booted_at_ms is not None:
                self.undated.note(numbered.stream.value, numbered.first_seq, numbered.booted_at_ms)

    def peek(
        self, stream: Stream, *, blocks_max: int, rows_max: int, bytes_max: int, after: int | None = None
    ) -> list[Block]:
        """Return the oldest blocks that wait, within the limits, at least one if there is any.

        A block that is yet to be dated is not shown, nor what came after it. With `after`, those above that
        number, whether they wait or are retained.
        """
        if after is None:
            after = self.acked_through(stream)
        blocks: list[Block] = []
        rows = size = 0
        # The oldest blocks of a stream above a number, in order.
        for row in self._connection.execute(
            "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum"
            " FROM block WHERE stream = ?1 AND first_seq > ?4 AND first_seq < coalesce("
            " (SELECT min(first_seq) FROM undated WHERE stream = ?1 AND boot_id = ?2), first_seq + 1)"
            " ORDER BY first_seq LIMIT ?3",
            (stream.value, self._boot_id, blocks_max, after),
        ):
            kept = checked_block(row)
            rows += kept.row_count
            size += len(kept.payload) + _BLOCK_OVERHEAD_BYTES
            if blocks and (rows > rows_max or size > bytes_max):
                break
            blocks.append(Block(kept.first_seq, kept.row_count, kept.payload))
        return blocks

    def acknowledge(self, stream: Stream, through: int) -> int:
        """Note that the cloud has the blocks up to number `through`, and keep them; return their rows."""
        with self._transaction():
            # Which blocks wait no longer? Evicted ones were counted when they were emptied.
            last, rows, size = self._connection.execute(
                "SELECT max(first_seq + row_count - 1),"
                " coalesce(sum(row_count) FILTER (WHERE payload <> x''), 0),"
                " coalesce(sum(length(payload) + ?), 0)"
                " FROM block WHERE stream = ? AND first_seq > ? AND first_seq + row_count - 1 <= ?",
                (BLOCK_OVERHEAD_BYTES, stream.value, self.acked_through(stream), through),
            ).fetchone()
            if last is not None:
                self._connection.execute(
                    "UPDATE stream SET acked_rows = acked_rows + ? WHERE name = ?", (rows, stream.value)
                )
                self._mark(stream, last)
        self.retained.size_bytes += size
        return int(rows)

    def acked_through(self, stream: Stream) -> int:
        """Return the number up to which the cloud has said it has everything."""
        (through,) = self._connection.execute(
            "SELECT acked_through FROM stream WHERE name = ?", (stream.value,)
        ).fetchone()
        return int(through)

    def _mark(self, stream: Stream, through: int) -> None:
        self._connection.execute(
            "UPDATE stream SET acked_through = ?, acked_checksum = ? WHERE name = ?",
            (through, mark_checksum(stream.value, through), stream.value),
        )

    def put_aside(self, stream: Stream, first_seq: int, code: str, detail: str, at_ms: int) -> None:
        """Take a block the cloud cannot take out of the way, keeping it for a person to look at."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO put_aside"
                " (stream, first_seq, row_count, payload, code, detail, put_aside_at_ms)"
                " SELECT stream, first_seq, row_count, payload, :code, :detail, :at_ms FROM block"
                " WHERE stream = :stream AND first_seq = :first_seq ON CONFLICT DO NOTHING",
                {
                    "stream": stream.value,
                    "first_seq": first_seq,
                    "code": code,
                    "detail": detail,
                    "at_ms": at_ms,
                },
            )
            deleted = self._connection.execute(
                "DELETE FROM block WHERE stream = ? AND first_seq = ? RETURNING row_count, payload = x''",
                (stream.value, first_seq),
            ).fetchall()
            rows = sum(row_count for row_count, is_evicted in deleted if not is_evicted)
            self._connection.execute(
                "UPDATE stream SET put_aside_rows = put_aside_rows + ? WHERE name = ?", (rows, stream.value)
            )

    def evict(self, size_max_bytes: int, in_flight: Mapping[Stream, int]) -> int:
        """Give up blocks until the store fits; return the rows the cloud will never have.

        First go those it has had, then, emptied, the least valuable and the oldest of those that wait.
        Blocks up to the numbers `in_flight` are being sent and stay as they are. Events are last.
        """
        while True:
            excess = self.size_bytes() - size_max_bytes
            with self._transaction():
                given = self.retained.give_up(excess)
            self.retained.size_bytes -= given
            if not given:
                break
        if excess <= 0:
            return 0
        evicted: dict[str, int] = {stream.value: 0 for stream in Stream}
        with self._transaction():
            # Blocks by what they are worth, then by age.
            for size, *columns in self._connection.execute(
                "SELECT length(payload), stream, first_seq, row_count, value_class, oldest_at_ms, x''"
                " FROM block b WHERE payload <> x''"
                " AND first_seq > (SELECT acked_through FROM stream s WHERE s.name = b.stream)"
                " ORDER BY value_class, oldest_at_ms"
            ).fetchall():
                emptied = block_from_row(columns)
                if excess <= 0:
                    break
                if emptied.first_seq <= in_flight.get(emptied.stream, 0):
                    continue
                self._connection.execute(
                    "UPDATE block SET payload = x'', checksum = ? WHERE stream = ? AND first_seq = ?",
                    (emptied.checksum(), emptied.stream.value, emptied.first_seq),
                )
                evicted[emptied.stream.value] += emptied.row_count
                excess -= size
            for stream, rows in evicted.items():
                self._connection.execute(
                    "UPDATE stream SET evicted_rows = evicted_rows + ? WHERE name = ?", (rows, stream)
                )
        return sum(evicted.values())

    def forget_retained(self) -> None:
        """Delete what the cloud has, so that its pages are free for what it does not have."""
        with self._transaction():
            self.retained.forget()

    def size_bytes(self) -> int:
        """Return what the rows take on disk; pages that are free for new rows do not count."""
        pages, free, size = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size

    def stream_states(self) -> dict[Stream, StreamState]:
        """Return where each stream stands."""
        states: dict[Stream, StreamState] = {}
        # Counters of each stream beside what is really there.
        for row in self._connection.execute(
            "SELECT s.name, s.next_seq, s.stored_rows, s.acked_rows, s.evicted_rows, s.put_aside_rows,"
            " coalesce(sum(b.row_count) FILTER (WHERE b.payload <> x''), 0), min(b.oldest_at_ms)"
            " FROM stream s LEFT JOIN block b ON b.stream = s.name AND b.first_seq > s.acked_through"
            " GROUP BY s.name"
        ):
            states[_stream(row[0])] = StreamState(*row[1:])
        return states

    def check(self) -> None:
        """Raise sqlite3.DatabaseError if a block is not as it was written, or the accounts do not balance.

        SQLite's own check sees a page out of order, not a flipped bit in a value or a counter.
        """
        for row in self._connection.execute(
            "SELECT stream, first_seq, row_count, value_class, oldest_at_ms, payload, checksum FROM block"
        ):
            checked_block(row)
        self.undated.check()
        self.retained.check()
        states = self.stream_states()
        if set(states) != set(Stream):
            raise sqlite3.DatabaseError(f"streams are {[*states]}, expected {[*Stream]}")
        for stream, state in states.items():
            accounted = state.acked_rows + state.pending_rows + state.evicted_rows + state.put_aside_rows
            if (state.stored_rows, state.next_seq) != (accounted, accounted + 1):
                raise sqlite3.DatabaseError(f"stream {stream.value} does not balance: {state}")

    def next_seqs(self) -> dict[Stream, int]:
        """Return the number each stream's next row will take; only a commit moves it."""
        rows = self._connection.execute("SELECT name, next_seq FROM stream").fetchall()
        return {Stream(name): next_seq for name, next_seq in rows}

    def rule_states(self) -> dict[str, bytes]:
        """Return what each rule remembered."""
        return dict(self._connection.execute("SELECT rule_id, state FROM rule_state").fetchall())

    def fold(self) -> None:
        """Sync the log, fold it into the file and sync that."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Fold the log into the file and close it."""
        try:
            self.fold()
        finally:
            self._connection.close()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _transaction(self) -> Transaction:
        return Transaction(self._connection)
