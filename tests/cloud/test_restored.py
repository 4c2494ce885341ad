"""A cloud restored from yesterday's backup is refilled by real edges; what they no longer keep is counted."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.domain.ids import GatewayId
from cloud.keys import DATABASE
from cloud.store import ingest, schema
from cloud.store.backup import back_up
from cloud.store.db import Database
from cloud.store.restore import restore
from edge.buffer import Buffer
from edge.buffer_store import Store
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.greeter import Greeter
from edge.identity import Identity
from edge.uplink import Lane
from protocol.event import Event, EventState
from protocol.greeting import Hello, Welcome
from protocol.sync import Stream
from provisioning.config import BufferSettings
from provisioning.identity import Credential
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site, energy, leak, rows_of
from tests.databases import START_MS, TENANT, FakeClock
from tests.edge.building_blocks import ToldClock


class _NoPause(random.Random):
    """Chance that never makes us wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


class _Box:
    """A box without a field: its buffer, its lanes, its greeting."""

    def __init__(self, buffer: Buffer, credential: Credential) -> None:
        self.buffer = buffer
        self.credential = credential
        self._is_greeted = False

    @property
    def gateway_id(self) -> GatewayId:
        return GatewayId(self.credential.gateway.gateway_id)

    async def live(self, values: range, events: Sequence[Event] = ()) -> None:
        """Read some values and see some events, greet, and send what the cloud lacks."""
        self._is_greeted = False
        self.buffer.put([energy(101, START_MS + value, value) for value in values], events)
        await self.buffer.flush()
        async with CloudClient(Identity(self.credential, LONG_AGO_MS)) as client:
            lanes = [Lane(stream, self.buffer, client, "boot", ToldClock(), _NoPause()) for stream in Stream]
            greeter = Greeter(client, self._hello, self._heed, _NoPause())
            for lane in lanes:
                lane.listen_to(greeter)
            while not self._is_greeted:
                with suppress(CloudFault):  # it gives up after five seconds, which a busy machine may take
                    await greeter.greet()
            for lane in lanes:
                for _ in range(20):
                    if not await lane.send_next():
                        break
                assert lane.state.fault == ""

    async def _hello(self) -> Hello:
        return Hello("1", "boot", self.buffer.epoch, "", 0, {}, None, 0, 0, lease=self.credential.lease)

    def _heed(self, welcome: Welcome) -> None:
        self.credential = replace(self.credential, lease=welcome.lease or self.credential.lease)
        self._is_greeted = True


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


@asynccontextmanager
async def _restored(folder: Path, template: Path, clock: FakeClock) -> AsyncIterator[tuple[_Box, Database]]:
    """Back a cloud up at 10 readings, let it go on to 20 and an alarm, and put the backup in its place."""
    path, backup = folder / "cloud.db", folder / "backup.db"
    path.write_bytes(template.read_bytes())
    settings = BufferSettings(folder / "buffer.sqlite", 1, 1 << 30)
    async with Buffer(settings, ToldClock(), random.Random(1)) as buffer:
        async with _running(path, clock) as (url, app):
            gateway, _ = add_gateway(app[DATABASE], add_site(app[DATABASE]))
            box = _Box(buffer, enrolled(app, gateway.gateway_id, url))
            await box.live(range(10))
            back_up(f"sqlite:///{path}", backup)
            clock.advance(hours=2)  # the box is given another lease meanwhile
            await box.live(range(10, 20), [leak(EventState.RAISED)])
        for lost in folder.glob("cloud.db*"):
            lost.unlink()
        restore(f"sqlite:///{path}", backup)
        clock.advance(hours=1)
        async with _running(path, clock) as (url, app):
            box.credential = replace(box.credential, cloud_url=url)
            yield box, app[DATABASE]


async def test_boxes_refill_a_cloud_that_was_restored_from_a_backup(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock
) -> None:
    async with _restored(tmp_path, sqlite_template, clock) as (box, database):
        await box.live(range(20, 25))

        assert [row[5] for row in rows_of(database, schema.reading)] == [*range(25)]
        statuses = database.read_now(TENANT, ingest.stream_statuses, box.gateway_id)
        assert sorted((at.stream, at.acked_through, at.lost_rows) for at in statuses) == [
            ("event", 1, 0),
            ("history", 25, 0),
        ]
        counts = (await box.buffer.state()).streams[Stream.HISTORY]
        assert (counts.acked_rows, counts.pending_rows) == (25, 0)


async def test_an_alarm_the_cloud_has_lost_comes_at_the_next_greeting_and_makes_no_noise_again(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock
) -> None:
    async with _restored(tmp_path, sqlite_template, clock) as (box, database):
        await box.live(range(0))

        [alarm] = rows_of(database, schema.alarm)  # and none that says the box is an old copy of itself
        told = dict(zip(schema.alarm.columns.keys(), alarm, strict=True))
        assert (told["kind"], told["cleared_at_ms"], told["is_historical"]) == ("water_leak", None, True)


async def test_rows_no_longer_kept_are_counted_as_lost_and_nobody_is_stuck(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock
) -> None:
    async with _restored(tmp_path, sqlite_template, clock) as (box, database):
        await box.buffer._thread.on_store(Store.forget_retained)
        await box.live(range(20, 25))

        assert [row[5] for row in rows_of(database, schema.reading)] == [*range(10), *range(20, 25)]
        statuses = database.read_now(TENANT, ingest.stream_statuses, box.gateway_id)
        assert sorted((at.stream, at.acked_through, at.gaps, at.lost_rows) for at in statuses) == [
            ("event", 1, (), 1),
            ("history", 25, (), 10),
        ]
