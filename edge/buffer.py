"""The buffer: a reading exists once it is in here, and stays until the cloud has said it has it.

SQLite in WAL mode with `synchronous=FULL`; one connection, on one thread, both writes and
checkpoints. Rows that arrive together are packed into immutable blocks (`protocol.envelope`) and
committed together, at most `commit_interval_ms` after the first of them; an event commits at once
and takes along what is waiting. Two streams, each with its own numbering under one epoch, which is
chosen anew whenever a store is begun anew, so that a number is never used twice.

The invariants, countable at any time: read = stored + rejected, stored = acked + pending + evicted
+ put aside, per stream. A second agent on the same store is refused. What was acknowledged is retained for
some days as far as there is room, and offered again to a cloud that was restored from a backup.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import random
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from edge.ballast import Ballast
from edge.buffer_salvage import sound_blocks
from edge.buffer_store import Store, StreamState, connect_file, open_store
from edge.clock import Clock
from edge.dating import SAME_CLOCK_MS, dated_event
from edge.errors import StorageFault
from protocol.envelope import Block
from protocol.event import Event
from protocol.reading import ClockQuality, Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings

log = logging.getLogger(__name__)

# What may wait in memory while the disk is slow or full: half a minute of 5,000 points a second.
PENDING_READINGS_MAX = 150_000
PENDING_EVENTS_MAX = 10_000
# A failed commit is tried again this soon; the rows stay in memory meanwhile.
_RETRY_S = 1.0
# The quota is looked at this often: rows come at a few megabytes a minute at most.
_QUOTA_CHECK_EVERY_COMMITS = 60
# A clock that is set while a slow device is read has stamped it by its last setting but one.
_CLOCK_STEPS_KEPT = 4
# As many as a batch may hold; dating a block takes a few milliseconds.
_BLOCKS_DATED_AT_ONCE = 64

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BufferState:
    """Where the buffer stands, for health."""

    epoch: int
    size_bytes: int
    streams: Mapping[Stream, StreamState]
    undated_rows: int  # of history: they wait for somebody to tell the time


@dataclass(slots=True)
class _Pending:
    """What waits for the next commit; `dones` tell those who wait for it."""

    dones: list[asyncio.Future[None]]
    readings: list[Reading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rule_states: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.readings or self.events or self.rule_states)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A commit that has not returned: where the numbers stood, and how many of the waiting rows it took."""

    epoch: int
    next_seqs: Mapping[Stream, int]
    readings: int
    events: int


class Buffer:
    """Use as an async context manager, with `run` in a task; all methods belong to the event loop.

    `billing_keys` are the points whose readings are worth more than telemetry when room runs out.
    """

    def __init__(
        self,
        settings: BufferSettings,
        clock: Clock,
        rng: random.Random,
        billing_keys: frozenset[str] = frozenset(),
        connect: Callable[[Path], sqlite3.Connection] = connect_file,
        boot_id: str = "",
    ) -> None:
        self._settings = settings
        self._boot_id = boot_id
        # When the box started by the clock that is not confirmed, as that was set of late.
        self._wrong_starts_ms: deque[int] = deque(maxlen=_CLOCK_STEPS_KEPT)
        self._booted_at_ms: int | None = None  # as it is known
        self._clock = clock
        self._random = rng
        self._billing_keys = billing_keys
        self._connect = connect
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="buffer")
        self._ballast = Ballast(settings.path.with_name(settings.path.name + ".ballast"))
        self._store: Store | None = None
        self._lock = -1
        self._loop = asyncio.get_running_loop()
        self._pending = _Pending([self._loop.create_future()])
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._one_commit = asyncio.Lock()
        self._commits = 0
        self._attempt: _Attempt | None = None  # the last commit, if it failed
        self._has_begun_anew = False
        self.epoch = 0
        self.read = dict.fromkeys(Stream, 0)  # rows handed in since start
        self.rejected = dict.fromkeys(Stream, 0)  # of these, refused because memory was full too
        self.fault = ""  # why the last commit failed; "" while all is well
        self.moved_aside: Path | None = None  # a damaged store found at opening
        self.salvaged = 0  # rows of it that were sound and are stored again
        self.in_flight = dict.fromkeys(Stream, 0)  # highest number that is being sent
        self.grown = {stream: asyncio.Event() for stream in Stream}
        self.acked_through = dict.fromkeys(Stream, 0)  # up to here the cloud has said it has everything
        # A cloud that lost rows is offered them anew: up to here it has them (again), where it lags behind.
        self._offered_through: dict[Stream, int] = {}
        self._last_state: BufferState | None = None

    async def __aenter__(self) -> Self:
        await self._on_thread(self._open)
        for stream in Stream:
            self.grown[stream].set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.flush()
        except StorageFault:
            log.exception("rows in memory could not be stored")
        finally:
            if self._timer is not None:
                self._timer.cancel()
            try:
                await self._on_thread(self._close)
            finally:
                self._thread.shutdown()

    def keep_billing(self, keys: frozenset[str]) -> None:
        """Take other points as those whose readings are worth more than telemetry."""
        self._billing_keys = keys

    def put(
        self,
        readings: Sequence[Reading],
        events: Sequence[Event] = (),
        rule_states: Mapping[str, bytes] | None = None,
    ) -> asyncio.Future[None]:
        """Take rows; the future is done once they are on disk. Events are written at once.

        When memory is full too, because the disk has failed for long, new rows are refused and
        counted: the oldest known truth is worth more than the newest repetition.
        """
        pending = self._pending
        if self._clock.quality is not ClockQuality.SYNCED:
            readings, events = self._to_be_dated(readings), self._dated(events)
        self.read[Stream.HISTORY] += len(readings)
        self.read[Stream.EVENT] += len(events)
        if len(pending.readings) + len(readings) > PENDING_READINGS_MAX:
            self.rejected[Stream.HISTORY] += len(readings)
        else:
            pending.readings += readings
        if len(pending.events) + len(events) > PENDING_EVENTS_MAX:
            self.rejected[Stream.EVENT] += len(events)
        else:
            pending.events += events
        if rule_states:
            pending.rule_states.update(rule_states)
        if pending.events:
            self._due.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._settings.commit_interval_ms / 1000, self._due.set)
        return pending.dones[-1]

    def _to_be_dated(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Note on what a clock stamped that nobody has confirmed when the box started by that clock."""
        if not self._boot_id:
            return readings
        now_ms = self._clock.monotonic_ms()
        booted_at_ms, starts_ms = self._clock.wall_ms() - now_ms, self._wrong_starts_ms
        # Both clocks are cut to the millisecond, and each note of its own would be a block of its own.
        if all(abs(booted_at_ms - start_ms) > SAME_CLOCK_MS for start_ms in starts_ms):
            starts_ms.append(booted_at_ms)

        def start_of(measured_at_ms: int) -> int:
            """Return the setting of the clock by which a stamp is the freshest, and not of the future."""
            ages = ((now_ms - (measured_at_ms - start_ms), start_ms) for start_ms in starts_ms)
            return min((age for age in ages if age[0] >= -SAME_CLOCK_MS), default=(0, booted_at_ms))[1]

        # Most readings of a poll have one stamp.
        starts = {at_ms: start_of(at_ms) for at_ms in {reading.measured_at_ms for reading in readings}}
        return [
            msgspec.structs.replace(reading, booted_at_ms=starts[reading.measured_at_ms])
            if reading.clock_quality is ClockQuality.UNSYNCED
            else reading
            for reading in readings
        ]

    def _dated(self, events: Sequence[Event]) -> Sequence[Event]:
        if self._booted_at_ms is None or not events:
            return events
        later_ms = self._booted_at_ms - (self._clock.wall_ms() - self._clock.monotonic_ms())
        return [dated_event(event, later_ms) for event in events]

    def know_time(self, booted_at_ms: int | None) -> None:
        """Take word when the box really started; what waited for it is stamped anew and can be sent."""
        if self._booted_at_ms is None and booted_at_ms is not None:
            self.grown[Stream.HISTORY].set()
        self._booted_at_ms = booted_at_ms

    async def run(self) -> None:
        """Commit what waits, again and again; a failure is retried, and the rows wait in memory."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self.flush()
            except StorageFault:
                await asyncio.sleep(_RETRY_S)
                self._due.set()

    async def flush(self) -> None:
        """Commit what waits now; StorageFault if that fails, and the rows go on waiting."""
        async with self._one_commit:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            pending = self._pending
            if not pending:
                return
            self._pending = _Pending([self._loop.create_future()])
            commit = self._loop.run_in_executor(self._thread, self._commit, pending)
            try:
                # Cancelled or not, the thread finishes; whether the rows are on disk must be known.
                await asyncio.shield(commit)
            except asyncio.CancelledError:
                await asyncio.wait([commit])
                self._conclude(pending, commit.exception())
                raise
            except (sqlite3.Error, StorageFault) as error:
                self._conclude(pending, error)
                raise StorageFault(self.fault) from error
            self._conclude(pending, None)

    def _conclude(self, pending: _Pending, error: BaseException | None) -> None:
        if error is not None:
            newer = self._pending
            self._pending = pending
            pending.dones += newer.dones
            pending.readings += newer.readings
            pending.events += newer.events
            pending.rule_states.update(newer.rule_states)
            if not self.fault:
                log.error("buffer cannot be written", extra={"reason": str(error)})
            self.fault = f"buffer {self._settings.path}: {error}"
            return
        if self.fault:
            log.info("buffer can be written again")
        self.fault = ""
        for done in pending.dones:
            if not done.done():
                done.set_result(None)
        if pending.readings:
            self.grown[Stream.HISTORY].set()
        if pending.events:
            self.grown[Stream.EVENT].set()

    async def peek(self, stream: Stream, *, blocks_max: int, rows_max: int, bytes_max: int) -> list[Block]:
        """Return the oldest blocks the cloud lacks within the limits; history first waits to be dated."""
        after = self._offered_through.get(stream)
        booted_at_ms = self._booted_at_ms

        def look(store: Store) -> list[Block]:
            if booted_at_ms is not None and stream is Stream.HISTORY:
                rows = store.date(booted_at_ms, _BLOCKS_DATED_AT_ONCE)
                if rows:
                    log.info("readings were dated", extra={"rows": rows})
            return store.peek(
                stream, blocks_max=blocks_max, rows_max=rows_max, bytes_max=bytes_max, after=after
            )

        return await self._on_store(look)

    async def acknowledge(self, stream: Stream, through: int) -> int:
        """Take the cloud's word that it has everything up to number `through`; return those that are new."""

        def note(store: Store) -> tuple[int, int]:
            return store.acknowledge(stream, through), store.acked_through(stream)

        rows, self.acked_through[stream] = await self._on_store(note)
        if stream in self._offered_through:
            self._offered_through[stream] = max(self._offered_through[stream], through)
            if through >= self.acked_through[stream]:
                del self._offered_through[stream]
        return rows

    async def offer_again(self, stream: Stream, held_through: int) -> int:
        """Send anew what lies above `held_through`; return the number before the first row that is here.

        For a cloud that has lost rows it had acknowledged. Those between are not here any more.
        """
        (first, *_) = await self._on_store(
            lambda store: store.peek(stream, blocks_max=1, rows_max=1, bytes_max=1, after=held_through)
        ) or (None,)
        here_after = self.acked_through[stream] if first is None else first.first_seq - 1
        self._offered_through[stream] = held_through
        self.grown[stream].set()
        return here_after

    async def put_aside(self, stream: Stream, first_seq: int, code: str, detail: str) -> None:
        """Take a block out of the way that the cloud cannot take."""
        at_ms = self._clock.wall_ms()
        await self._on_store(lambda store: store.put_aside(stream, first_seq, code, detail, at_ms))

    async def begin_anew(self, stream: Stream, held_through: int) -> bool:
        """Give what waits new numbers under a new epoch; False if that was done since the start already.

        For a box restored from an old copy of itself: its numbers have been given to other rows since. Up
        to `held_through` the cloud has what we have.
        """
        if self._has_begun_anew:
            return False
        self._has_begun_anew = True

        def renumber(store: Store) -> None:
            store.acknowledge(stream, held_through)
            store.renumber(self._new_epoch())
            self._attempt = None
            self._take_over(store)

        await self._on_store(renumber)
        return True

    async def rule_states(self) -> dict[str, bytes]:
        """Return what each rule remembered."""
        return await self._on_store(Store.rule_states)

    async def state(self) -> BufferState:
        """Return where the buffer stands."""
        self._last_state = await self._on_store(
            lambda store: BufferState(
                self.epoch, store.size_bytes(), store.stream_states(), store.undated_rows()
            )
        )
        return self._last_state

    async def last_state(self) -> BufferState:
        """Return where the buffer stands, or stood when it could last be read; nowhere if it never could."""
        try:
            return await self.state()
        except StorageFault:
            return self._last_state or BufferState(self.epoch, 0, {}, 0)

    async def _on_store(self, work: Callable[[Store], _T]) -> _T:
        return await self._on_thread(lambda: self._with_store(work))

    async def _on_thread(self, work: Callable[[], _T]) -> _T:
        return await self._loop.run_in_executor(self._thread, work)

    # What follows runs on the buffer's thread.

    def _opened(self) -> Store:
        if self._store is None:
            self._open()
            assert self._store is not None
            if self._attempt is not None:
                # The log may hold rows of a commit whose sync failed. Sent before they are synced and then
                # lost with the power, their numbers would be given to others.
                self._store.fold()
        assert self._store is not None
        return self._store

    def _with_store(self, work: Callable[[Store], _T]) -> _T:
        try:
            return work(self._opened())
        except (sqlite3.Error, UnicodeError) as error:
            self._drop_store()
            raise StorageFault(f"buffer {self._settings.path}: {error}") from error

    def _drop_store(self) -> None:
        """Close: after a failed sync the pages in memory cannot be trusted, the file is read again."""
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(sqlite3.Error):
                store.close()

    def _commit(self, pending: _Pending) -> None:
        try:
            store = self._opened()
            self._begin_attempt(store, pending)
            store.commit(pending.readings, pending.events, pending.rule_states, self._billing_keys)
            self._commits += 1
            if self._commits % _QUOTA_CHECK_EVERY_COMMITS == 0:
                rows = store.evict(self._settings.size_max_bytes, self.in_flight)
                if rows:
                    log.error("buffer is full, rows were given up", extra={"rows": rows})
                self._ballast.lay()
            self._attempt = None
        except sqlite3.Error as error:
            self._drop_store()
            if not _is_full(error) or not self._ballast.drop():
                raise
            log.exception(
                "the disk is full, the ballast was dropped", extra={"path": str(self._settings.path)}
            )
            self._opened().forget_retained()
            self._commit(pending)

    def _begin_attempt(self, store: Store, pending: _Pending) -> None:
        """Take from what waits the rows of a failed commit that reached the disk all the same.

        When only the sync fails, the log holds the transaction, and opening it anew finds it whole.
        Written again, its rows would be there twice. The numbers tell: nobody else moves them.
        """
        next_seqs, failed = store.next_seqs(), self._attempt
        if failed is not None and failed.epoch == store.epoch and failed.next_seqs != next_seqs:
            store.fold()  # they were never synced
            # What came since stands behind them.
            del pending.readings[: failed.readings]
            del pending.events[: failed.events]
            log.warning(
                "rows of a failed commit were on the disk",
                extra={"rows": failed.readings + failed.events},
            )
        self._attempt = _Attempt(store.epoch, next_seqs, len(pending.readings), len(pending.events))

    def _open(self) -> None:
        path, created_at_ms = self._settings.path, self._clock.wall_ms()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock(path.with_name(path.name + ".lock"))
            try:
                self._store = open_store(path, self._new_epoch, created_at_ms, self._connect, self._boot_id)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self.moved_aside = _move_aside(path, created_at_ms)
                log.exception(
                    "buffer is damaged; it was moved aside and a new one begun",
                    extra={"reason": str(error), "moved_to": str(self.moved_aside)},
                )
                self._store = open_store(path, self._new_epoch, created_at_ms, self._connect, self._boot_id)
                self._salvage(self._store, self.moved_aside)
        except (OSError, sqlite3.Error) as error:
            raise StorageFault(f"buffer {path}: {error}") from error
        self._take_over(self._store)
        self._ballast.lay()

    def _take_over(self, store: Store) -> None:
        self.acked_through = {stream: store.acked_through(stream) for stream in Stream}
        if self.epoch not in (0, store.epoch):
            # Numbers that are being sent are another epoch's.
            self.in_flight.update(dict.fromkeys(Stream, 0))
            self._offered_through.clear()
            for grown in self.grown.values():
                self._loop.call_soon_threadsafe(grown.set)
        self.epoch = store.epoch

    def _salvage(self, store: Store, damaged: Path) -> None:
        try:
            blocks = sound_blocks(damaged)
            store.adopt(blocks)
        except (OSError, sqlite3.Error):
            # Polling goes on; the file is kept, and a person can still get at what is in it.
            log.exception("nothing could be salvaged", extra={"moved_to": str(damaged)})
            return
        self.salvaged = sum(block.row_count for block in blocks)
        log.error("rows were salvaged from a damaged buffer", extra={"rows": self.salvaged})

    def _new_epoch(self) -> int:
        """Return a number no earlier store of this gateway had: seconds, and 20 bits of chance.

        Chance alone must do where the clock is not set, or is a replay's.
        """
        return (self._clock.wall_ms() // 1000 << 20) + self._random.randrange(1, 1 << 20)

    def _take_lock(self, path: Path) -> None:
        if self._lock >= 0:
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StorageFault(
                f"buffer {self._settings.path} is in use by another agent, process {owner}: "
                "stop that one, or give this one a buffer of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def _close(self) -> None:
        store, self._store = self._store, None
        try:
            if store is not None:
                store.close()
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _move_aside(path: Path, at_ms: int) -> Path:
    target = path.with_name(f"{path.name}.damaged-{at_ms}")
    # A clock that stands, or was put back, must not let one piece of evidence replace another.
    for number in count(2):
        if not target.exists():
            break
        target = path.with_name(f"{path.name}.damaged-{at_ms}-{number}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target
