"""The store on the buffer's own thread: opened, committed to exactly once, opened anew after a fault.

The invariant: a commit whose sync failed may have reached the disk all the same, and its rows are then not
written a second time. After a failure the file is closed and read again: pages in memory cannot be trusted.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import random
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from edge.ballast import Ballast
from edge.buffer_adoption import Unfinished
from edge.buffer_check import is_large
from edge.buffer_file import Connect, open_store
from edge.buffer_salvage import salvaging
from edge.buffer_store import Store
from edge.clock import Clock
from edge.errors import StorageFault
from protocol.event import Event
from protocol.reading import Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings

log = logging.getLogger(__name__)

# The quota is looked at this often: rows come at a few megabytes a minute at most.
_QUOTA_CHECK_EVERY_COMMITS = 60

_T = TypeVar("_T")


@dataclass(slots=True)
class Rows:
    """What waits for one commit."""

    readings: list[Reading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rule_states: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.readings or self.events or self.rule_states)

    def extend(self, newer: "Rows") -> None:
        """Take rows that came later."""
        self.readings += newer.readings
        self.events += newer.events
        self.rule_states.update(newer.rule_states)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A commit that has not returned: where the numbers stood, and how many of the waiting rows it took."""

    epoch: int
    next_seqs: Mapping[Stream, int]
    readings: int
    events: int


class StoreThread:
    """The thread and what it works on; `took_over` is told there of a store that is opened or renumbered."""

    def __init__(
        self,
        settings: BufferSettings,
        clock: Clock,
        rng: random.Random,
        connect: Connect,
        boot_id: str,
        took_over: Callable[[Store], None],
    ) -> None:
        self.moved_aside: Path | None = None  # a damaged store, once what is sound of it was taken over
        self.salvaged = 0  # rows of it that were sound and are stored again
        self._settings = settings
        self._clock = clock
        self._random = rng
        self._connect = connect
        self._boot_id = boot_id
        self._took_over = took_over
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="buffer")
        self._ballast = Ballast(settings.path.with_name(settings.path.name + ".ballast"))
        self._store: Store | None = None
        self._is_whole = True  # all of the file was read when it was opened
        self._is_suspect = False  # damage was met since
        self._lock = -1
        self._commits = 0
        self._attempt: _Attempt | None = None  # the last commit, if it failed

    def submit(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        """Run something on the thread; cancelled or not, it finishes."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def on_store(self, work: Callable[[Store], _T]) -> _T:
        """Return what comes of work on the store, which is opened if need be; StorageFault if it fails."""
        return await self.submit(lambda: self._with_store(work))

    def salvage(self) -> None:
        """Take over what is sound of a damaged store, between what else is asked; on another thread.

        Reading through gigabytes takes minutes, and an alarm must not wait for them.
        """
        with contextlib.suppress(RuntimeError):  # the agent stops; its next start goes on
            self._salvage(lambda work: self._thread.submit(self._with_store, work).result())

    def shut_down(self) -> None:
        """Wait for what runs, and end the thread."""
        self._thread.shutdown()

    # What follows runs on the thread.

    def open(self) -> None:
        """Open the store; a damaged one is moved aside and what is sound of it taken over."""
        path, created_at_ms = self._settings.path, self._clock.wall_ms()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock(path.with_name(path.name + ".lock"))
            try:
                # Where damage was met while running, nothing is believed until all of it was read.
                self._is_whole = self._is_suspect or not is_large(path)
                self._store = self._open_file(created_at_ms)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                has_much = is_large(path)
                damaged = _move_aside(path, created_at_ms)
                log.exception(
                    "buffer is damaged; it was moved aside and a new one begun",
                    extra={"reason": str(error), "moved_to": str(damaged)},
                )
                self._is_whole = True
                self._store = self._open_file(created_at_ms)
                self._store.begin_adoption(damaged.name)
                if not has_much:
                    store = self._store
                    self._salvage(lambda work: work(store))
        except (OSError, sqlite3.Error) as error:
            raise StorageFault(f"buffer {path}: {error}") from error
        self._is_suspect = False
        self._took_over(self._store)
        self._ballast.lay()

    def _open_file(self, created_at_ms: int) -> Store:
        return open_store(
            self._settings.path,
            self._new_epoch,
            created_at_ms,
            self._connect,
            self._boot_id,
            is_whole=self._is_whole,
        )

    def _salvage(self, on_store: Callable[[Callable[[Store], Any]], Any]) -> None:
        try:
            unfinished: Unfinished | None = on_store(lambda store: store.adoption.unfinished())
        except StorageFault:
            return  # it is opened again, and asked again
        if unfinished is None:
            return
        damaged = self._settings.path.with_name(unfinished.name)
        self.salvaged = unfinished.rows
        try:
            with salvaging(damaged, unfinished.after) as slices:
                for blocks in slices:
                    on_store(partial(Store.adopt, name=unfinished.name, blocks=blocks))
                    self.salvaged += sum(block.row_count for block in blocks)
            on_store(partial(Store.adopt, name=unfinished.name, blocks=()))
        except (OSError, sqlite3.Error, StorageFault):
            # Polling goes on; the file is kept, and the next start goes on with what is in it.
            log.exception("salvage came to a halt", extra={"moved_to": str(damaged), "rows": self.salvaged})
        else:
            log.error("rows were salvaged from a damaged buffer", extra={"rows": self.salvaged})
        self.moved_aside = damaged

    def look_on(self, store: Store, after: int) -> int | None:
        """Check some of a store that was not read whole; return where to go on, None at the end."""
        return None if self._is_whole else store.look_on(after)

    def opened(self) -> Store:
        """Return the store, opened if it is not."""
        if self._store is None:
            self.open()
            assert self._store is not None
            if self._attempt is not None:
                # The log may hold rows of a commit whose sync failed. Sent before they are synced and then
                # lost with the power, their numbers would be given to others.
                self._store.fold()
        assert self._store is not None
        return self._store

    def _with_store(self, work: Callable[[Store], _T]) -> _T:
        try:
            return work(self.opened())
        except (sqlite3.Error, UnicodeError) as error:
            self._suspect(error)
            self._drop_store()
            raise StorageFault(f"buffer {self._settings.path}: {error}") from error

    def _suspect(self, error: Exception) -> None:
        """Have all of the file read before it is used again, where it is not the disk that failed."""
        self._is_suspect = self._is_suspect or not isinstance(error, sqlite3.OperationalError)

    def _drop_store(self) -> None:
        """Close: after a failed sync the pages in memory cannot be trusted, the file is read again."""
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(sqlite3.Error):
                store.close()

    def commit(self, rows: Rows, billing_keys: frozenset[str], in_flight: Mapping[Stream, int]) -> None:
        """Write the rows once, whatever became of an attempt before; give rows up where room runs out."""
        try:
            store = self.opened()
            self._begin_attempt(store, rows)
            store.commit(rows.readings, rows.events, rows.rule_states, billing_keys)
            self._commits += 1
            if self._commits % _QUOTA_CHECK_EVERY_COMMITS == 0:
                given_up = store.evict(self._settings.size_max_bytes, in_flight)
                if given_up:
                    log.error("buffer is full, rows were given up", extra={"rows": given_up})
                self._ballast.lay()
            self._attempt = None
        except sqlite3.Error as error:
            self._suspect(error)
            self._drop_store()
            if not _is_full(error) or not self._ballast.drop():
                raise
            log.exception(
                "the disk is full, the ballast was dropped", extra={"path": str(self._settings.path)}
            )
            self.opened().forget_retained()
            self.commit(rows, billing_keys, in_flight)

    def _begin_attempt(self, store: Store, rows: Rows) -> None:
        """Take from what waits the rows of a failed commit that reached the disk all the same.

        When only the sync fails, the log holds the transaction, and opening it anew finds it whole.
        Written again, its rows would be there twice. The numbers tell: nobody else moves them.
        """
        next_seqs, failed = store.next_seqs(), self._attempt
        if failed is not None and failed.epoch == store.epoch and failed.next_seqs != next_seqs:
            store.fold()  # they were never synced
            # What came since stands behind them.
            del rows.readings[: failed.readings]
            del rows.events[: failed.events]
            log.warning(
                "rows of a failed commit were on the disk",
                extra={"rows": failed.readings + failed.events},
            )
        self._attempt = _Attempt(store.epoch, next_seqs, len(rows.readings), len(rows.events))

    def begin_anew(self, store: Store, stream: Stream, held_through: int) -> None:
        """Give what waits new numbers under a new epoch."""
        store.acknowledge(stream, held_through)
        store.renumber(self._new_epoch())
        self._attempt = None
        self._took_over(store)

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

    def close(self) -> None:
        """Close the store and let another agent have it."""
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
