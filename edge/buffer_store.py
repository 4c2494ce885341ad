"""The buffer's database: plain functions on one SQLite connection, run on the buffer's thread.

A block is one row, never changed except that its payload may be emptied when the quota forces it
out (its numbers stay, so that the cloud learns of the loss). A block waits while it is above its stream's
`acked_through`; below it is retained for a cloud that was restored from a backup (`edge.buffer_retained`).
Counters move in the same transaction as the rows they count.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from edge.buffer_block import KeptBlock, ValueClass, block_from_row, checked_block, undated_checksum
from edge.buffer_retained import BLOCK_OVERHEAD_BYTES, Retained, mark_checksum
from edge.dating import dated
from edge.errors import StorageFault
from protocol.envelope import Block, encode_events, encode_readings
from protocol.event import Event
from protocol.reading import Reading
from protocol.sync import Stream

log = logging.getLogger(__name__)

# A block is one unit of repetition and of loss by corruption: bounded, and far below a batch's limit.
ROWS_PER_BLOCK_MAX = 2_000
# The write-ahead log is cut back to this after a checkpoint; SQLite checkpoints every 1,000 pages.
_WAL_BYTES_MAX = 8 * 1024 * 1024

SCHEMA_VERSION = 4
# A number further ahead than this is a flipped bit and not a newer agent's.
_NEWER_VERSIONS_MAX = 100

Connect: TypeAlias = Callable[[Path], sqlite3.Connection]


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
        blocks: list[KeptBlock] = []
        for (value_class, booted_at_ms), rows in _by_value(readings, billing_keys):
            for part in _parts(rows):
                oldest = min(reading.measured_at_ms for reading in part)
                payload = encode_readings(part)
                blocks.append(
                    KeptBlock(Stream.HISTORY, 0, len(part), value_class, oldest, payload, booted_at_ms)
                )
        for some in _parts(events):
            oldest = min(event.occurred_at_ms for event in some)
            payload = encode_events(some)
            blocks.append(KeptBlock(Stream.EVENT, 0, len(some), ValueClass.EVENT, oldest, payload))
        with self._transaction():
            self._append(blocks)
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
                self._note_undated(numbered.stream.value, numbered.first_seq, numbered.booted_at_ms)

    def _note_undated(self, stream: str, first_seq: int, booted_at_ms: int) -> None:
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
        with self._transaction():
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

    def undated_rows(self) -> int:
        """Return the rows of this boot that wait for somebody to tell the time."""
        (rows,) = self._connection.execute(
            "SELECT coalesce(sum(b.row_count), 0) FROM undated u JOIN block b USING (stream, first_seq)"
            " WHERE u.boot_id = ?",
            (self._boot_id,),
        ).fetchone()
        return int(rows)

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
        for *note, checksum in self._connection.execute(
            "SELECT stream, first_seq, boot_id, booted_at_ms, checksum FROM undated"
        ):
            if undated_checksum(*note) != checksum:
                raise sqlite3.DatabaseError(f"the note that block {note[:2]} is not dated is damaged")
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

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK if anything is raised, COMMIT's own failure included."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


# What a block adds to a batch beside its payload: array head, two integers, binary head.
_BLOCK_OVERHEAD_BYTES = 24


def connect_file(path: Path) -> sqlite3.Connection:
    """Open a database file, or make it; transactions are begun by whoever uses it."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def open_store(
    path: Path,
    new_epoch: Callable[[], int],
    created_at_ms: int,
    connect: Callable[[Path], sqlite3.Connection] = connect_file,
    boot_id: str = "",
) -> Store:
    """Open the store, making it if there is none; sqlite3.DatabaseError if the file is damaged.

    `boot_id` names the time in which the monotonic clock runs on; "" where nobody will date anything.
    StorageFault if it was written by a newer agent: that file is left untouched.
    """
    connection = connect(path)
    try:
        version = _version(connection, path)
        _configure(connection)
        if version != SCHEMA_VERSION:
            # Here and not above: only a new or an older store pays for it, see there.
            from edge.buffer_schema import migrate

            migrate(connection)
            # A damaged file is evidence: nothing is written before it is known to be sound.
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        # The epoch of this store, chosen once.
        connection.execute(
            "INSERT INTO store (id, epoch, created_at_ms) VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
            (new_epoch(), created_at_ms),
        )
        (epoch,) = connection.execute("SELECT epoch FROM store").fetchone()
        store = Store(connection, epoch, boot_id)
        store.check()
    except sqlite3.OperationalError as error:
        connection.close()
        if _is_damage(error, path):
            raise sqlite3.DatabaseError(f"{path} is not as this agent wrote it: {error}") from error
        raise
    except UnicodeError as error:
        # Python could not even read what SQLite says is wrong with the schema.
        connection.close()
        raise sqlite3.DatabaseError(f"{path} has text in it that is none: {error}") from error
    except BaseException:
        connection.close()
        raise
    return store


def _is_damage(error: sqlite3.OperationalError, path: Path) -> bool:
    """Tell a file with other tables than ours, or with text that is none, from a disk that fails."""
    # Python's own complaints, of text that is not UTF-8, carry no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        # A file may call itself unwritable: byte 18 is 1 or 2 in one that SQLite writes.
        with path.open("rb") as file:
            return file.read(19)[18:] not in (b"\1", b"\2")
    return bool(code == sqlite3.SQLITE_ERROR)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version <= SCHEMA_VERSION + _NEWER_VERSIONS_MAX:
        raise sqlite3.DatabaseError(f"{path} has schema {version}, which no agent ever wrote")
    if version > SCHEMA_VERSION:
        raise StorageFault(
            f"{path} has schema {version}, this agent knows up to {SCHEMA_VERSION}: "
            "run the newer agent, or move the file away to begin a new one"
        )
    return version


def _configure(connection: sqlite3.Connection) -> None:
    for pragma in (
        "locking_mode = EXCLUSIVE",  # a second opener is refused, and no shared memory file is needed
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {_WAL_BYTES_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # Not the quick one: it would not see an index that says other things than its table.
    problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(f"integrity_check: {problem}")


def _by_value(
    readings: Sequence[Reading], billing_keys: frozenset[str]
) -> Iterable[tuple[tuple[ValueClass, int | None], list[Reading]]]:
    """Return the readings parted by what they are worth and by the clock that stamped them, each in order."""
    parts: dict[int | None, tuple[list[Reading], list[Reading], list[Reading]]] = {}
    for reading in readings:
        telemetry, billing, evidenced = parts.get(reading.booted_at_ms) or parts.setdefault(
            reading.booted_at_ms, ([], [], [])
        )
        if reading.evidence is not None:
            evidenced.append(reading)
        elif reading.point_key in billing_keys:
            billing.append(reading)
        else:
            telemetry.append(reading)
    worths = (ValueClass.TELEMETRY, ValueClass.BILLING, ValueClass.EVIDENCED)
    return (
        ((worth, booted_at_ms), rows)
        for booted_at_ms, lists in parts.items()
        for worth, rows in zip(worths, lists, strict=True)
        if rows
    )


def _parts(rows: Sequence[Any]) -> Iterable[Any]:
    return (rows[at : at + ROWS_PER_BLOCK_MAX] for at in range(0, len(rows), ROWS_PER_BLOCK_MAX))
