"""A cloud restored from yesterday's backup, and real edges: nobody is stuck, and what is gone is counted."""

import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.keys import DATABASE
from cloud.store import ingest, schema
from edge.buffer import Buffer
from edge.identity import Identity
from edge.uplink import CloudClient, Lane
from protocol.sync import Stream
from provisioning.config import BufferSettings
from provisioning.identity import Credential
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site, energy, rows_of
from tests.databases import START_MS, TENANT, FakeClock
from tests.edge.building_blocks import ToldClock


class _NoPause(random.Random):
    """Chance that never makes us wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


@asynccontextmanager
async def _running(path: Path, clock: FakeClock) -> AsyncIterator[tuple[str, web.Application]]:
    app = make_app(Config(database=DatabaseConfig(url=f"sqlite:///{path}")), clock=clock)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with gateways_port(runner) as url:
            yield url, app
    finally:
        await runner.cleanup()


async def _send(credential: Credential, buffer: Buffer, values: range) -> Lane:
    buffer.put([energy(101, START_MS + value, value) for value in values])
    await buffer.flush()
    async with CloudClient(Identity(credential, LONG_AGO_MS)) as client:
        lane = Lane(Stream.HISTORY, buffer, client, "boot", ToldClock(), _NoPause())
        for _ in range(20):
            if not await lane.send_next():
                break
        return lane


async def test_rows_deleted_on_the_word_of_a_cloud_that_forgot_are_counted_as_lost(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock
) -> None:
    path, backup = tmp_path / "cloud.db", tmp_path / "backup.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = BufferSettings(tmp_path / "buffer.sqlite", 1, 1 << 30)
    async with Buffer(settings, ToldClock(), random.Random(1)) as buffer:
        async with _running(path, clock) as (url, app):
            gateway, _ = add_gateway(app[DATABASE], add_site(app[DATABASE]))
            credential = enrolled(app, gateway.gateway_id, url)
            await _send(credential, buffer, range(10))
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
                source.backup(copy)
            await _send(credential, buffer, range(10, 20))
        path.with_name("cloud.db-wal").unlink(missing_ok=True)
        path.with_name("cloud.db-shm").unlink(missing_ok=True)
        path.write_bytes(backup.read_bytes())

        async with _running(path, clock) as (url, app):
            database = app[DATABASE]
            lane = await _send(replace(credential, cloud_url=url), buffer, range(20, 25))

            pending = (await buffer.state()).streams[Stream.HISTORY].pending_rows
            assert (pending, lane.state.fault) == (0, "")
            values = [row[5] for row in rows_of(database, schema.reading)]
            assert values == [*range(10), *range(20, 25)]
            [status] = database.read_now(TENANT, ingest.stream_statuses, gateway.gateway_id)
            assert (status.acked_through, status.gaps, status.lost_rows) == (25, (), 10)
