"""The buffer's database: plain functions on one SQLite connection, run on the buffer's thread.

A block is one row, never changed except that its payload may be emptied when the quota forces it
out (its numbers stay, so that the cloud learns of the loss). A block waits while it is above its stream's
`acked_through`; below it is retained for a cloud that was restored from a backup (`edge.buffer_retained`).
Counters move in the same transaction as the rows they count.
"""

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge.buffer_adoption import Adoption
from edge.buffer_block import KeptBlock, block_from_row, checked_block
from edge.buffer_check import check_blocks, check_ends, look_on
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
# So many blocks are given up in one transaction.
_EMPTIED_AT_ONCE = 1_000


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
        self.adoption = Adoption(connection)
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

    def begin_adoption(self, name: str) -> None:
        """Note that a damaged store is to be taken over, before anything else is stored here."""
        with self._transaction():
            self.adoption.begin(name)

    def adopt(self, name: str, blocks: Sequence[KeptBlock]) -> None:
        """Take over some blocks of a damaged store under numbers of this one, all or none; none: the end."""
        with self._transaction():
            if blocks:
                self.adoption.note(name, blocks[-1], self._append(blocks))
            else:
                self.adoption.end(name)

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

    def _append(self, blocks: Iterable[KeptBlock]) -> int:
        rows = 0
        for block in blocks:
            rows += block.row_count
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
        return rows

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
                " coalesce(sum(row_count) FILTER (WHERE length(payload) > 0), 0),"
                " coalesce(sum(length(payload) + ?1), 0)"
                " FROM block WHERE stream = ?2 AND first_seq > ?3 AND first_seq <= ?4"
                " AND first_seq + row_count - 1 <= ?4",
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
        given_up = 0
        for stream in (Stream.HISTORY, Stream.EVENT):
            rows, freed = self._empty(stream, excess, in_flight.get(stream, 0))
            given_up, excess = given_up + rows, excess - freed
        return given_up

    def _empty(self, stream: Stream, excess: int, above: int) -> tuple[int, int]:
        """Empty waiting blocks above a number until so many bytes are free; return their rows and bytes."""
        rows = freed = 0
        while freed < excess:
            # Blocks by what they are worth, then by age; some at a time, for a backlog may be of millions.
            worst = self._connection.execute(
                "SELECT length(payload), stream, first_seq, row_count, value_class, oldest_at_ms, x''"
                " FROM block WHERE stream = ? AND first_seq > ? AND length(payload) > 0"
                " ORDER BY value_class, oldest_at_ms, first_seq LIMIT ?",
                (stream.value, max(above, self.acked_through(stream)), _EMPTIED_AT_ONCE),
            ).fetchall()
            if not worst:
                break
            with self._transaction():
                for size, *columns in worst:
                    if freed >= excess:
                        break
                    emptied = block_from_row(columns)
                    self._connection.execute(
                        "UPDATE block SET payload = x'', checksum = ? WHERE stream = ? AND first_seq = ?",
                        (emptied.checksum(), stream.value, emptied.first_seq),
                    )
                    self._connection.execute(
                        "UPDATE stream SET evicted_rows = evicted_rows + ? WHERE name = ?",
                        (emptied.row_count, stream.value),
                    )
                    rows, freed = rows + emptied.row_count, freed + size
        return rows, freed

    def forget_retained(self) -> None:
        """Delete what the cloud has, so that its pages are free for what it does not have."""
        with self._transaction():
            self.retained.forget()

    def size_bytes(self) -> int:
        """Return what the rows take on disk; pages that are free for new rows do not count."""
        pages, free, size = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size

    def stream_states(self) -> dict[Stream, StreamState]:
        """Return where each stream stands, by its account; `check` holds that to what is really there.

        Asked for with every Hello: it must not read a backlog of gigabytes.
        """
        return {
            _stream(name): StreamState(*account)
            for name, *account in self._connection.execute(
                "SELECT name, next_seq, stored_rows, acked_rows, evicted_rows, put_aside_rows,"
                " stored_rows - acked_rows - evicted_rows - put_aside_rows,"
                " (SELECT oldest_at_ms FROM block WHERE stream = name AND first_seq > acked_through"
                " ORDER BY first_seq LIMIT 1) FROM stream"
            )
        }

    def check(self, *, is_whole: bool = True) -> None:
        """Raise sqlite3.DatabaseError if a block is not as it was written, or the accounts do not balance.

        What takes as long as the backlog is large is left out where it is not to be the whole.
        """
        if is_whole:
            check_blocks(self._connection)
        self.undated.check()
        self.retained.check()
        states = self.stream_states()
        if set(states) != set(Stream):
            raise sqlite3.DatabaseError(f"streams are {[*states]}, expected {[*Stream]}")
        if not is_whole:
            check_ends(self._connection, {stream: self.acked_through(stream) for stream in Stream})
        for stream, state in states.items():
            waiting = self._waiting_rows(stream) if is_whole else state.pending_rows
            if (state.pending_rows, state.next_seq) != (waiting, state.stored_rows + 1):
                raise sqlite3.DatabaseError(f"stream {stream.value} does not balance: {state}")

    def look_on(self, after: int) -> int | None:
        """Check some blocks that a start has not; return where to go on, None when all have been seen."""
        return look_on(self._connection, after)

    def _waiting_rows(self, stream: Stream) -> int:
        """Count the rows that are really there, those that were given up left out."""
        (rows,) = self._connection.execute(
            "SELECT coalesce(sum(b.row_count), 0) FROM stream s JOIN block b ON b.stream = s.name"
            " WHERE s.name = ? AND b.first_seq > s.acked_through AND length(b.payload) > 0",
            (stream.value,),
        ).fetchone()
        return int(rows)

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
