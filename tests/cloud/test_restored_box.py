"""A box whose disk is restored from an old image, and a real cloud: nothing it reads afterwards is lost."""

import asyncio
import random
import shutil
from pathlib import Path

from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.keys import DATABASE
from cloud.store import schema
from edge.buffer import Buffer
from edge.cloud_client import CloudClient
from edge.identity import Identity
from edge.uplink import Lane
from protocol.sync import Stream
from provisioning.config import BufferSettings
from provisioning.identity import Credential
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site, energy, rows_of
from tests.databases import START_MS, FakeClock
from tests.edge.building_blocks import ToldClock


class _NoPause(random.Random):
    """Chance that never makes us wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


async def _life(path: Path, credential: Credential, values: range, *, sends: bool = True) -> Lane | None:
    """Be the box for a while: read values, and send them if told to."""
    settings = BufferSettings(path, 1, 1 << 30)
    async with Buffer(settings, ToldClock(), random.Random(values.start)) as buffer:
        for value in values:
            buffer.put([energy(101, START_MS + value, value)])
            await buffer.flush()
        if not sends:
            return None
        async with CloudClient(Identity(credential, LONG_AGO_MS)) as client:
            lane = Lane(Stream.HISTORY, buffer, client, "boot", ToldClock(), _NoPause())
            for _ in range(50):
                if not await lane.send_next():
                    break
            assert (await buffer.state()).streams[Stream.HISTORY].pending_rows == 0
            return lane


async def test_what_a_restored_box_reads_gets_new_numbers_and_nothing_is_lost(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock
) -> None:
    database_path = tmp_path / "cloud.db"
    database_path.write_bytes(sqlite_template.read_bytes())
    app = make_app(Config(database=DatabaseConfig(url=f"sqlite:///{database_path}")), clock=clock)
    runner = web.AppRunner(app)
    await runner.setup()
    buffer, image = tmp_path / "buffer.sqlite", tmp_path / "image.sqlite"
    try:
        async with gateways_port(runner) as url:
            database = app[DATABASE]
            site_id = await asyncio.to_thread(add_site, database)
            gateway, _ = await asyncio.to_thread(add_gateway, database, site_id)
            credential = await asyncio.to_thread(enrolled, app, gateway.gateway_id, url)
            await _life(buffer, credential, range(10))
            await _life(buffer, credential, range(10, 15), sends=False)
            shutil.copyfile(buffer, image)
            await _life(buffer, credential, range(15, 100))

            shutil.copyfile(image, buffer)
            await _life(buffer, credential, range(100, 120))
            stored = sorted(str(row) for row in rows_of(database, schema.reading))
            problems = await asyncio.to_thread(rows_of, database, schema.ingest_problem)
    finally:
        await runner.cleanup()

    assert len(stored) == 120
    assert len(problems) <= 20
