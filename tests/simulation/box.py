"""A gateway of a simulated world: the real agent, whole, with a clock, a disk and a plug of its own.

What its disk has accepted is noted in the moment a COMMIT returns, from the very connection it returned
on: that is the promise the oracle holds the cloud to.
"""

import asyncio
import contextlib
import hashlib
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

import edge.buffer
from edge.agent import Outside, run_agent
from edge.buffer_thread import StoreThread
from edge.system_clock import SystemClock
from protocol.sync import Stream
from provisioning.config import Config
from provisioning.config_file import parse_config
from provisioning.identity import Credential, write_credential
from simulator.faults import Fault as SiteFault
from tests.crash.connection import connector
from tests.crash.disk import Disk, Fault
from tests.simulation.loop import WorldLoop
from tests.simulation.network import Network, on_machine
from tests.simulation.site import Site

# An exchange takes no longer, late answers apart.
_EXCHANGE_MS = 1_500

BlockName = tuple[str, int, int]  # stream, epoch, first number


def salvage_in_turn(patch: pytest.MonkeyPatch) -> None:
    """Let boxes made from now on take a damaged store over in the event loop, not on a thread beside it."""

    async def in_turn(work: Callable[[], None]) -> None:
        work()

    patch.setattr(edge.buffer, "_beside", in_turn)
    patch.setattr(StoreThread, "salvage", lambda thread: thread._salvage(thread._with_store))


@dataclass(frozen=True, slots=True)
class AcceptedBlock:
    """A block that was committed: its rows' content, and where the clock stood."""

    count: int
    digest: bytes
    payload: bytes

    @property
    def is_given_up(self) -> bool:
        """Tell whether the quota emptied it."""
        return not self.payload


class _Watched:
    """The buffer's connection; everything is handed through, what it found or committed is told."""

    def __init__(self, connection: sqlite3.Connection, committed: Callable[["_Watched"], None]) -> None:
        self.connection = connection
        self._committed = committed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        """Execute; tell of a commit, and of an opening: a commit that failed may have left its rows."""
        cursor = self.connection.execute(sql, *parameters)
        if sql in ("COMMIT", "SELECT epoch FROM store"):
            self._committed(self)
        return cursor


class Box:
    """One gateway."""

    def __init__(
        self,
        site: Site,
        folder: Path,
        network: Network,
        rng: random.Random,
        credential: Credential,
        size_max_bytes: int,
        *,
        disk_lies: bool = False,
    ) -> None:
        self.site = site
        self.name = site.gateway
        self.accepted: dict[BlockName, AcceptedBlock] = {}
        self.dated: set[BlockName] = set()  # stamped anew once the time was known
        self._undated: set[BlockName] = set()
        self._lasts: dict[tuple[str, int], int] = {}
        self.clock_error_ms = 0
        self.is_clock_known = True
        self.is_up = False
        self.starts = 0
        self.up_since_s = 0.0
        self.is_cut_arranged = False
        self.fire: SiteFault | None = None
        self.fire_changed_at_s = network.loop.time()
        self._errors_ms: list[tuple[int, int]] = [(0, 0)]
        self.disk = Disk(rng, lies=disk_lies)
        self.open_store: _Watched | None = None
        self._rng = rng
        self._network = network
        self._folder = folder / self.name
        self._folder.mkdir()
        file = self._folder / "credential.json"
        write_credential(file, credential)
        config = parse_config(site.edge_config(str(file), "buffer.sqlite"), self._folder / "edge.toml")
        # Smaller than a person may configure it, so that a quarter of an hour can fill it.
        self.config: Config = replace(config, buffer=replace(config.buffer, size_max_bytes=size_max_bytes))
        self._task: asyncio.Task[None] | None = None
        self._dying: list[asyncio.Task[None]] = []
        self._image: Disk | None = None

    @property
    def _loop(self) -> WorldLoop:
        return self._network.loop

    def wall_ns(self) -> int:
        """Return what this box takes for the time."""
        return (self.site.clock.now_ms() + self.clock_error_ms) * 1_000_000

    async def start(self) -> None:
        """Plug in; the last run has ended by then."""
        for task in self._dying:
            await asyncio.wait([task])
        self._dying.clear()
        self.starts += 1
        generation = self.starts
        clock = SystemClock(
            self.wall_ns, lambda: int(self._loop.time() * 1_000_000_000), lambda: self.is_clock_known
        )
        connect = connector(self.disk)

        def connect_watched(path: Path) -> sqlite3.Connection:
            watched = _Watched(connect(path), lambda store: self._note(store, generation))
            if path == self.config.buffer.path:
                self.open_store = watched
            return cast(sqlite3.Connection, watched)

        outside = Outside(clock, random.Random(self._rng.random()), f"boot-{generation}", connect_watched)
        self._task = asyncio.create_task(
            run_agent(self.config, asyncio.Event(), outside), name=self.name, context=on_machine(self.name)
        )
        self.is_up = True
        self.up_since_s = self._loop.time()

    def kill(self, *, is_power_cut: bool) -> None:
        """End the agent between one instant and the next."""
        if not self.is_up:
            return
        assert self._task is not None
        self.is_up = False
        self.starts += 1  # what the dying one still does is nobody's
        self.open_store, self.is_cut_arranged = None, False
        self._network.drop_machine(self.name, in_silence=is_power_cut)
        dead, self.disk = self.disk, self.disk.left_behind(self._rng)
        if is_power_cut:
            self.disk.restart()
        dead.cut_at(1)
        self._task.cancel()
        self._dying.append(asyncio.create_task(_buried(self._task, dead)))

    @property
    def is_burning(self) -> bool:
        """Tell whether the fire alarm is on."""
        return self.fire is not None

    def set_clock(self, error_ms: int, *, is_known: bool) -> None:
        """Let the box's clock be wrong by so much, and tell whether its kernel thinks it right."""
        self.clock_error_ms, self.is_clock_known = error_ms, is_known
        self._errors_ms.append((self.site.clock.now_ms(), error_ms))

    def clock_error_at(self, true_ms: int) -> int:
        """Return by how much the clock was wrong at that instant."""
        return [error for at_ms, error in self._errors_ms if at_ms <= true_ms][-1]

    def clock_steps_ms(self, shown_ms: int) -> set[int]:
        """Return by how much the clock was set about when it showed this."""
        return {
            after - before
            for (_, before), (at_ms, after) in pairwise(self._errors_ms)
            if abs(shown_ms - at_ms - after) <= _EXCHANGE_MS
        }

    def has_lost_power(self) -> bool:
        """Tell whether a cut that was arranged for has come."""
        return self.is_up and self.is_cut_arranged and self.disk.has_failed

    def cut_during_next_writes(self, operation: int) -> None:
        """Let the power fail at that operation from now; whoever watches calls `kill` then."""
        if self.is_up:
            self.is_cut_arranged = True
            self.disk.cut_at(operation)

    @property
    def rest_s(self) -> float:
        """Return after how long what is in memory is committed, nothing being read any more."""
        return self.config.buffer.commit_interval_ms / 1000 + 2

    def fail_disk(self, fault: Fault | None) -> None:
        """Let the disk fail, or no longer."""
        self.disk.fail(fault)

    def stored_blocks(self) -> dict[tuple[str, int], int] | None:
        """Return the blocks on the disk by stream and first number, with their payload's length.

        None while nobody could say: the agent is down, or between two openings of its store.
        """
        if not self.is_up or self.open_store is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            rows = self.open_store.connection.execute(
                "SELECT stream, first_seq, length(payload) FROM block"
                " UNION ALL SELECT stream, first_seq, -1 FROM put_aside"
            )
            return {(stream, first): length for stream, first, length in rows}
        return None

    def _note(self, store: _Watched, generation: int) -> None:
        if generation != self.starts or store is not self.open_store:
            return
        try:
            (epoch,) = store.connection.execute("SELECT epoch FROM store").fetchone() or (0,)
            rows = store.connection.execute(
                "SELECT stream, first_seq, row_count, payload FROM block b WHERE first_seq > coalesce("
                " CASE stream WHEN 'event' THEN ? ELSE ? END, 0)",
                (self._last(Stream.EVENT, epoch), self._last(Stream.HISTORY, epoch)),
            ).fetchall()
            undated = {
                (stream, epoch, first_seq)
                for stream, first_seq in store.connection.execute("SELECT stream, first_seq FROM undated")
            }
            newly_dated = self._undated - undated
            for stream, _, first_seq in newly_dated:
                rows += store.connection.execute(
                    "SELECT stream, first_seq, row_count, payload FROM block"
                    " WHERE stream = ? AND first_seq = ?",
                    (stream, first_seq),
                ).fetchall()
        except (sqlite3.Error, TypeError):
            return  # a store that is being made has no such tables yet
        self.dated |= newly_dated
        self._undated = undated
        for stream, first_seq, count, payload in rows:
            payload = bytes(payload)
            self.accepted[stream, epoch, first_seq] = AcceptedBlock(
                count,
                hashlib.sha256(payload).digest(),
                payload,
            )
            self._lasts[stream, epoch] = max(self._lasts.get((stream, epoch), 0), first_seq)

    def _last(self, stream: Stream, epoch: int) -> int:
        return self._lasts.get((stream.value, epoch), 0)

    async def end(self) -> None:
        """Pull the plug for good."""
        self.kill(is_power_cut=False)
        for task in self._dying:
            await asyncio.wait([task])
        self.disk.unregister()


async def _buried(task: asyncio.Task[None], disk: Disk) -> None:
    """Wait until the dead agent's parts have noticed, and throw its disk away."""
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
    disk.unregister()
