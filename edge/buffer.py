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
import logging
import random
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.buffer_file import Connect, connect_file
from edge.buffer_store import Store, StreamState
from edge.buffer_thread import Rows, StoreThread
from edge.clock import Clock
from edge.errors import StorageFault
from edge.stamping import Stamping
from protocol.envelope import Block
from protocol.event import Event
from protocol.reading import ClockQuality, Reading
from protocol.sync import ROWS_PER_BATCH_MAX, Stream
from provisioning.config import BufferSettings

log = logging.getLogger(__name__)

# What may wait in memory while the disk is slow or full: half a minute of 5,000 points a second.
PENDING_READINGS_MAX = 150_000
PENDING_EVENTS_MAX = 10_000
# A failed commit is tried again this soon; the rows stay in memory meanwhile.
_RETRY_S = 1.0
# Between two looks at a large store, so that it takes little of the disk and of the time: 5 GB in minutes.
_LOOK_PAUSE_S = 0.05
# As many as a batch may hold; dating a block takes a few milliseconds.
_BLOCKS_DATED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class BufferState:
    """Where the buffer stands, for health."""

    epoch: int
    size_bytes: int
    streams: Mapping[Stream, StreamState]
    undated_rows: int  # of history: they wait for somebody to tell the time


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
        connect: Connect = connect_file,
        boot_id: str = "",
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._billing_keys = billing_keys
        self._stamping = Stamping(clock, boot_id)
        self._thread = StoreThread(settings, clock, rng, connect, boot_id, self._take_over)
        self._loop = asyncio.get_running_loop()
        self._pending = Rows()
        self._dones = [self._loop.create_future()]  # of those who wait for the next commit
        self._due = asyncio.Event()
        self._reopened = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._one_commit = asyncio.Lock()
        self._has_begun_anew = False
        self.epoch = 0
        self.read = dict.fromkeys(Stream, 0)  # rows handed in since start
        self.rejected = dict.fromkeys(Stream, 0)  # of these, refused because memory was full too
        self.fault = ""  # why the last commit failed; "" while all is well
        self.in_flight = dict.fromkeys(Stream, 0)  # highest number that is being sent
        self.grown = {stream: asyncio.Event() for stream in Stream}
        self.acked_through = dict.fromkeys(Stream, 0)  # up to here the cloud has said it has everything
        # A cloud that lost rows is offered them anew: up to here it has them (again), where it lags behind.
        self._offered_through: dict[Stream, int] = {}
        self._last_state: BufferState | None = None

    async def __aenter__(self) -> Self:
        await self._thread.submit(self._thread.open)
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
                await self._thread.submit(self._thread.close)
            finally:
                self._thread.shut_down()

    @property
    def moved_aside(self) -> Path | None:
        """The damaged store that was found, where it lies now, once what is sound of it was taken over."""
        return self._thread.moved_aside

    @property
    def salvaged(self) -> int:
        """Rows of the damaged store that were sound and are stored again."""
        return self._thread.salvaged

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
            readings, events = self._stamping.readings(readings), self._stamping.events(events)
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
        return self._dones[-1]

    def know_time(self, booted_at_ms: int | None) -> None:
        """Take word when the box really started; what waited for it is stamped anew and can be sent."""
        if self._stamping.booted_at_ms is None and booted_at_ms is not None:
            self.grown[Stream.HISTORY].set()
        self._stamping.booted_at_ms = booted_at_ms

    async def run(self) -> None:
        """Commit what waits, again and again; a failure is retried, and the rows wait in memory."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_after())
            group.create_task(self._commit_for_ever())

    async def _look_after(self) -> None:
        """Look the store through whenever it was opened: damage may be met at any time."""
        while True:
            self._reopened.clear()
            await self._look_through()
            await self._reopened.wait()

    async def _look_through(self) -> None:
        """Do what a start left for later: take a damaged store's rows over, look through a large one."""
        await _beside(self._thread.salvage)
        after: int | None = 0
        while after is not None:
            try:
                after = await self._thread.on_store(partial(self._thread.look_on, after=after))
            except StorageFault as fault:
                log.warning("buffer could not be looked through", extra={"reason": str(fault)})
                await asyncio.sleep(_RETRY_S)
                await _beside(self._thread.salvage)  # of what is moved aside as the file is opened again
                after = 0
            else:
                await asyncio.sleep(_LOOK_PAUSE_S)

    async def _commit_for_ever(self) -> None:
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
            rows, dones = self._pending, self._dones
            if not rows:
                return
            self._pending, self._dones = Rows(), [self._loop.create_future()]
            commit = self._thread.submit(
                lambda: self._thread.commit(rows, self._billing_keys, self.in_flight)
            )
            try:
                # Cancelled or not, the thread finishes; whether the rows are on disk must be known.
                await asyncio.shield(commit)
            except asyncio.CancelledError:
                await asyncio.wait([commit])
                self._conclude(rows, dones, commit.exception())
                raise
            except (sqlite3.Error, StorageFault) as error:
                self._conclude(rows, dones, error)
                raise StorageFault(self.fault) from error
            self._conclude(rows, dones, None)

    def _conclude(self, rows: Rows, dones: list[asyncio.Future[None]], error: BaseException | None) -> None:
        if error is not None:
            rows.extend(self._pending)
            self._pending, self._dones = rows, dones + self._dones
            if not self.fault:
                log.error("buffer cannot be written", extra={"reason": str(error)})
            self.fault = f"buffer {self._settings.path}: {error}"
            return
        if self.fault:
            log.info("buffer can be written again")
        self.fault = ""
        for done in dones:
            if not done.done():
                done.set_result(None)
        if rows.readings:
            self.grown[Stream.HISTORY].set()
        if rows.events:
            self.grown[Stream.EVENT].set()

    async def peek(self, stream: Stream, *, blocks_max: int, rows_max: int, bytes_max: int) -> list[Block]:
        """Return the oldest blocks the cloud lacks within the limits; history first waits to be dated."""
        after = self._offered_through.get(stream)
        booted_at_ms = self._stamping.booted_at_ms

        def look(store: Store) -> list[Block]:
            if booted_at_ms is not None and stream is Stream.HISTORY:
                rows = store.undated.date(booted_at_ms, _BLOCKS_DATED_AT_ONCE)
                if rows:
                    log.info("readings were dated", extra={"rows": rows})
            return store.peek(
                stream, blocks_max=blocks_max, rows_max=rows_max, bytes_max=bytes_max, after=after
            )

        return await self._thread.on_store(look)

    async def peek_behind(
        self, stream: Stream, after: int, *, blocks_max: int, bytes_max: int
    ) -> list[Block]:
        """Return the oldest blocks above a number, within the limits: what will be sent later."""
        return await self._thread.on_store(
            lambda store: store.peek(
                stream, blocks_max=blocks_max, rows_max=ROWS_PER_BATCH_MAX, bytes_max=bytes_max, after=after
            )
        )

    async def acknowledge(self, stream: Stream, through: int) -> int:
        """Take the cloud's word that it has everything up to number `through`; return those that are new."""

        def note(store: Store) -> tuple[int, int]:
            return store.acknowledge(stream, through), store.acked_through(stream)

        rows, self.acked_through[stream] = await self._thread.on_store(note)
        if stream in self._offered_through:
            self._offered_through[stream] = max(self._offered_through[stream], through)
            if through >= self.acked_through[stream]:
                del self._offered_through[stream]
        return rows

    async def offer_again(self, stream: Stream, held_through: int) -> int:
        """Send anew what lies above `held_through`; return the number before the first row that is here.

        For a cloud that has lost rows it had acknowledged. Those between are not here any more.
        """
        (first, *_) = await self._thread.on_store(
            lambda store: store.peek(stream, blocks_max=1, rows_max=1, bytes_max=1, after=held_through)
        ) or (None,)
        here_after = self.acked_through[stream] if first is None else first.first_seq - 1
        self._offered_through[stream] = held_through
        self.grown[stream].set()
        return here_after

    async def put_aside(self, stream: Stream, first_seq: int, code: str, detail: str) -> None:
        """Take a block out of the way that the cloud cannot take."""
        at_ms = self._clock.wall_ms()
        await self._thread.on_store(lambda store: store.put_aside(stream, first_seq, code, detail, at_ms))

    async def begin_anew(self, stream: Stream, held_through: int) -> bool:
        """Give what waits new numbers under a new epoch; False if that was done since the start already.

        For a box restored from an old copy of itself: its numbers have been given to other rows since. Up
        to `held_through` the cloud has what we have.
        """
        if self._has_begun_anew:
            return False
        self._has_begun_anew = True
        await self._thread.on_store(lambda store: self._thread.begin_anew(store, stream, held_through))
        return True

    async def rule_states(self) -> dict[str, bytes]:
        """Return what each rule remembered."""
        return await self._thread.on_store(Store.rule_states)

    async def state(self) -> BufferState:
        """Return where the buffer stands."""
        self._last_state = await self._thread.on_store(
            lambda store: BufferState(
                self.epoch, store.size_bytes(), store.stream_states(), store.undated.row_count()
            )
        )
        return self._last_state

    async def last_state(self) -> BufferState:
        """Return where the buffer stands, or stood when it could last be read; nowhere if it never could."""
        try:
            return await self.state()
        except StorageFault:
            return self._last_state or BufferState(self.epoch, 0, {}, 0)

    def _take_over(self, store: Store) -> None:
        """Runs on the buffer's thread, whenever a store is opened or renumbered."""
        self.acked_through = {stream: store.acked_through(stream) for stream in Stream}
        if self.epoch not in (0, store.epoch):
            # Numbers that are being sent are another epoch's.
            self.in_flight.update(dict.fromkeys(Stream, 0))
            self._offered_through.clear()
            for grown in self.grown.values():
                self._loop.call_soon_threadsafe(grown.set)
        self.epoch = store.epoch
        self._loop.call_soon_threadsafe(self._reopened.set)


async def _beside(work: Callable[[], None]) -> None:
    """Run something long on a thread that nobody waits for when the agent stops."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        work()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="salvage", daemon=True).start()
    await done.wait()
