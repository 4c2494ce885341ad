"""A real lane and a real cloud with a bad network between them: everything arrives, once, and alarms first.

Between the two stands a proxy on real sockets that passes their TLS through, and does to it what networks
do: connections that hang, break in the middle, crawl, answer from somewhere else. Each kind comes for some
attempts and goes; then the cloud must hold every row once. The simulated worlds go through the same by the
thousand; here the sockets, the TLS and the libraries are the real ones.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web

import edge.cloud_client
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
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site, energy, rows_of
from tests.databases import START_MS, FakeClock
from tests.edge.building_blocks import ToldClock

# A body of some ten kilobytes: there is a middle to break in.
ROWS = 3_000
TROUBLED_ATTEMPTS = 3

Relay = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Trouble = Callable[["Proxy", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _NoPause(random.Random):
    """Chance that never makes us wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


class Proxy:
    """Passes connections on to a port; the first few meet trouble."""

    def __init__(self, port: int, trouble: Trouble) -> None:
        self.connections = 0
        self._port = port
        self._trouble = trouble

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection."""
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.connections <= TROUBLED_ATTEMPTS:
                await self._trouble(self, reader, writer)
            else:
                await self.join(reader, writer)
        writer.close()

    async def join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        up_bytes: int | None = None,
        down_bytes: int | None = None,
        pause_s: float = 0.0,
        chunk: int = 65_536,
    ) -> None:
        """Pass bytes both ways, so many at most, a chunk at a time."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(_pour(reader, far_writer, up_bytes, pause_s, chunk))
                down = group.create_task(_pour(far_reader, writer, down_bytes, pause_s, chunk))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        finally:
            far_writer.close()


async def _pour(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, left: int | None, pause_s: float, chunk: int
) -> None:
    while data := await source.read(chunk):
        if left is not None:
            data = data[:left]
            left -= len(data)
        target.write(data)
        await target.drain()
        if left == 0:
            return
        if pause_s:
            await asyncio.sleep(pause_s)


async def hangs(_: Proxy, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """A half-open connection: it is taken, and nobody is there."""
    while await reader.read(65_536):
        pass


async def breaks_in_the_question(
    proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await proxy.join(reader, writer, up_bytes=6_000)
    writer.transport.abort()


async def breaks_in_the_answer(
    proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The batch arrives and is committed; its acknowledgement is cut off."""
    await proxy.join(reader, writer, down_bytes=3_500)
    writer.transport.abort()


async def ends_too_early(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await proxy.join(reader, writer, up_bytes=4_500)


async def crawls(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await proxy.join(reader, writer, pause_s=0.05, chunk=1)


async def answers_from_elsewhere(
    _: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A hotel's sign-in page, in the clear."""
    await reader.read(65_536)
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>Sign in.</html>"
    )
    await writer.drain()


TROUBLES: dict[str, Trouble] = {
    "answers from elsewhere": answers_from_elsewhere,
    "breaks in the answer": breaks_in_the_answer,
    "breaks in the question": breaks_in_the_question,
    "crawls": crawls,
    "ends too early": ends_too_early,
    "hangs": hangs,
}


@asynccontextmanager
async def _cloud(path: Path, clock: FakeClock) -> AsyncIterator[tuple[web.Application, int]]:
    app = make_app(Config(database=DatabaseConfig(url=f"sqlite:///{path}")), clock=clock)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with gateways_port(runner) as url:
            port = urlsplit(url).port
            assert port is not None
            yield app, port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_row_arrives_once_through_a_network_that(
    tmp_path: Path, sqlite_template: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(edge.cloud_client, "ATTEMPT_TIMEOUT_S", 2.0)
    path = tmp_path / "cloud.db"
    path.write_bytes(sqlite_template.read_bytes())
    settings = BufferSettings(tmp_path / "buffer.sqlite", 1, 1 << 30)
    async with _cloud(path, clock) as (app, port), Buffer(settings, ToldClock(), _NoPause(1)) as buffer:
        proxy = Proxy(port, TROUBLES[trouble])
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        gateway, _ = add_gateway(app[DATABASE], add_site(app[DATABASE]))
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        credential = enrolled(app, gateway.gateway_id, url)
        buffer.put([energy(101, START_MS + value, value * value * 7_919) for value in range(ROWS)])
        await buffer.flush()

        async with CloudClient(Identity(credential, LONG_AGO_MS)) as client:
            lane = Lane(Stream.HISTORY, buffer, client, "boot", ToldClock(), _NoPause())
            async with asyncio.timeout(120):
                while await lane.send_next():
                    pass

        server.close()
        stored = rows_of(app[DATABASE], schema.reading)
        problems = rows_of(app[DATABASE], schema.ingest_problem)
        state = (await buffer.state()).streams[Stream.HISTORY]

    assert proxy.connections > TROUBLED_ATTEMPTS
    assert len(stored) == ROWS
    assert problems == []
    assert (state.acked_rows, state.pending_rows, state.evicted_rows) == (ROWS, 0, 0)
