"""The cloud of a simulated world: the real application for gateways, on a real SQLite file.

Its database threads are replaced by turns of the event loop, with the program's own queueing, sharing of
commits and retries. A transaction runs whole, so a kill falls between a commit and its acknowledgement,
between a batch's parts, before it all, but never inside: SQLite's own recovery is shown elsewhere.
"""

import asyncio
import datetime
import heapq
import itertools
import math
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from cryptography import x509

import cloud.ingest
import cloud.store.db
import cloud.web.request_log
from cloud.app import make_app
from cloud.config import DEFAULT_TENANT, Config, DatabaseConfig, Role
from cloud.domain.errors import TooMany
from cloud.domain.gateway import ShownCertificate
from cloud.domain.ids import GatewayId
from cloud.keys import DATABASE
from cloud.store.restore import restore
from cloud.store.threads import Job, Lane, NextWaiting
from provisioning.authority import GatewayName, gateway_certificate, new_key, new_root
from tests.simulation.loop import WorldLoop
from tests.simulation.network import Network, on_machine

CLOUD = "cloud"
ADDRESS = ("10.0.0.1", 8080)
_T = TypeVar("_T")


class Turns:
    """In place of `TransactionThreads`: a job at a time, each after as long as the disk takes."""

    count = 1  # transactions at once

    def __init__(
        self,
        name: str,
        *,
        count: int,
        waiting_max: int,
        run: Callable[[Job, NextWaiting], None] = lambda job, _: job.run(),
    ) -> None:
        self.count = count
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, Job]] = []
        self._order = itertools.count()
        self._waiting_max = waiting_max
        self._run_job = run
        self._is_awake = False

    def submit(self, lane: Lane, work: Callable[[], _T]) -> "Future[_T]":
        """Queue `work`, as threads do."""
        if len(self._waiting) >= self._waiting_max:
            raise TooMany(f"{self._waiting_max} transactions are already waiting", retry_after_s=2)
        future: Future[_T] = Future()
        heapq.heappush(self._waiting, (int(lane), next(self._order), Job(lane, work, future)))
        self._wake()
        return future

    def close(self) -> None:
        """Nothing is left running."""
        while self._waiting:
            self._turn()

    def _wake(self) -> None:
        if not self._is_awake and self._waiting:
            self._is_awake = True
            assert isinstance(self._loop, WorldLoop)
            self._loop.call_later(self._loop.disk_pause_s(), self._turn)

    def _turn(self) -> None:
        self._is_awake = False
        if self._waiting:
            job = heapq.heappop(self._waiting)[2]
            self._run_job(job, self._next_waiting)
        self._wake()

    def _next_waiting(self, lane: Lane) -> Job | None:
        if not self._waiting or self._waiting[0][0] > lane:
            return None
        return heapq.heappop(self._waiting)[2]


def without_threads(patch: pytest.MonkeyPatch) -> None:
    """Let databases made from now on run their transactions in the event loop."""
    patch.setattr(cloud.store.db, "TransactionThreads", Turns)
    # Who joins a commit is decided by the queue alone, not by how quick this machine is today.
    patch.setattr(cloud.store.db, "SHARE_WITHIN_S", math.inf)


def without_tls(patch: pytest.MonkeyPatch, gateways: Mapping[str, str]) -> None:
    """Let the wire itself say who is at its other end, as a verified certificate would."""

    def certificate_of(request: web.Request) -> ShownCertificate:
        assert request.transport is not None
        gateway_id = GatewayId(gateways[request.transport.get_extra_info("machine")])
        return ShownCertificate(DEFAULT_TENANT, gateway_id, "1", 0, 1 << 42)

    patch.setattr(cloud.ingest, "certificate_of", certificate_of)
    patch.setattr(cloud.ingest, "whole_certificate_of", lambda _: _shown())
    patch.setattr(cloud.web.request_log, "is_gateways_port", lambda _: True)


@cache
def _shown() -> x509.Certificate:
    """What a box shows; nothing is verified by it here, and none signs."""
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    name = GatewayName(DEFAULT_TENANT, "00000000-0000-4000-8000-000000000001")
    return gateway_certificate(new_root("simulated", now), name, new_key().public_key(), now)


class CloudMachine:
    """The cloud's process and its disk."""

    def __init__(self, folder: Path, template: Path, network: Network, wall_ms: Callable[[], int]) -> None:
        self.folder = folder
        self.is_up = False
        self.starts = 0
        self.restores = 0
        self._network = network
        self._wall_ms = wall_ms
        self._template = template
        self._runner: web.AppRunner | None = None
        self._backup: Path | None = None
        self._ends: list[asyncio.Task[None]] = []
        self.file = template

    async def start(self) -> None:
        """Start the process on a copy of what the last one left."""
        self.starts += 1
        folder = self.folder / f"cloud-{self.starts}"
        folder.mkdir()
        _copy(self.file, folder / "cloud.db")
        shutil.copy(self._template.with_name("command.key"), folder)
        shutil.copytree(self._template.with_name("authority"), folder / "authority")
        self.file = folder / "cloud.db"
        await asyncio.create_task(self._serve(), context=on_machine(CLOUD))
        self.is_up = True

    async def _serve(self) -> None:
        config = Config(role=Role.INGEST, database=DatabaseConfig(url=f"sqlite:///{self.file}"))
        app = make_app(config, clock=self._wall_ms)
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *ADDRESS).start()

    def kill(self) -> None:
        """End the process at once. What it had committed is on its disk; the rest never was."""
        if not self.is_up:
            return
        self.is_up = False
        self._network.drop_machine(CLOUD, in_silence=False)
        kept = self.folder / f"kept-{self.starts}"
        kept.mkdir()
        _copy(self.file, kept / "cloud.db")
        self.file = kept / "cloud.db"
        assert self._runner is not None
        # The dead process finishes what it was at on a disk that nobody will look at again.
        self._ends.append(asyncio.create_task(self._runner.cleanup(), context=on_machine("the dead")))

    def back_up(self) -> None:
        """Keep a copy for `restore`, of a cloud that is up."""
        if self.is_up:
            self._backup = self.folder / "backup.db"
            _copy(self.file, self._backup)

    def restore(self) -> None:
        """Put the copy in the place of what there is; the process must be down."""
        assert not self.is_up and self._backup is not None
        self.restores += 1
        self.file = self.folder / f"restored-{self.restores}.db"
        restore(f"sqlite:///{self.file}", self._backup)

    def fill_disk(self, *, is_full: bool) -> None:
        """Leave no room for another page, or give it back."""
        if self.is_up and self._runner is not None:
            engine = self._runner.app[DATABASE]._write_engine
            raw = engine.raw_connection()
            try:
                (pages,) = raw.cursor().execute("PRAGMA page_count").fetchone()
                limit = pages if is_full else 1 << 30
                raw.cursor().execute(f"PRAGMA max_page_count = {limit}")
            finally:
                raw.close()

    async def end(self) -> None:
        """Close everything."""
        self.kill()
        for task in self._ends:
            await task


def _copy(source: Path, target: Path) -> None:
    for suffix in ("", "-wal"):
        part: Any = source.with_name(source.name + suffix)
        whole = target.with_name(target.name + suffix)
        whole.unlink(missing_ok=True)
        if part.exists():
            shutil.copyfile(part, whole)
