"""The gateways' door over real HTTP: who may enter, what is refused and how, what an answer promises."""

import asyncio
import hashlib
import ssl
import threading
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from backports import zstd

from cloud.app import make_app
from cloud.config import Commands, Config, DatabaseConfig
from cloud.domain.errors import NotFound
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import system_user
from cloud.ingest import ROWS_PER_TRANSACTION
from cloud.keys import AUTHORITY
from cloud.services import gateways, readings
from cloud.store import ingest, points, schema
from cloud.store.db import Database, Tx
from cloud.store.ingest import StreamKey
from protocol.envelope import Ack, Batch, Block, encode_batch
from protocol.event import EventState
from protocol.greeting import Hello, Welcome
from protocol.sync import BATCH_BYTES_MAX, BATCH_CONTENT_TYPE, HELLO_PATH, Stream
from provisioning.identity import tls_context
from tests.boxes import NO_CHECK_TIME, box_tls, enrolled, gateways_tls
from tests.cloud.garden import (
    EPOCH,
    add_gateway,
    add_site,
    count,
    energy,
    event_block,
    history_block,
    leak,
)
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock

Client = TestClient[web.Request, web.Application]

_HISTORY = "/gateway/v1/streams/history"
_EVENT = "/gateway/v1/streams/event"


@pytest.fixture
async def client(
    database_url: str, database: Database, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Client]:
    """The real application over the test's database, listening on a port."""
    commands = Commands(key_file=str(tmp_path / "command.key"))
    app = make_app(Config(database=DatabaseConfig(url=database_url), commands=commands), clock=clock)
    server = TestServer(app)
    await server.start_server(ssl=gateways_tls(app))
    async with TestClient(server) as opened:
        yield opened


@pytest.fixture
async def box(client: Client, database: Database) -> ssl.SSLContext:
    """What the box of a fresh site's gateway comes with."""
    return box_tls(client.app, add_gateway(database, add_site(database))[0])


def _body(*blocks: Block, stream: Stream = Stream.HISTORY) -> bytes:
    return encode_batch(Batch(1, stream.value, EPOCH, "boot-1", START_MS, list(blocks)))


def _headers(**more: str) -> dict[str, str]:
    return {"Content-Type": BATCH_CONTENT_TYPE, **more}


async def test_an_acknowledgement_proves_which_batch_it_answers(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    body = _body(history_block(1, [energy(101, START_MS, 1)]))

    answer = await client.post(_HISTORY, data=body, headers=_headers(), ssl=box)

    assert answer.status == 200
    ack = msgspec.json.decode(await answer.read(), type=Ack)
    assert ack == Ack("history", EPOCH, 1, hashlib.sha256(body).hexdigest(), START_MS)
    assert count(database, schema.reading) == 1


@pytest.mark.parametrize("coding", ["zstd", "gzip"])
async def test_a_compressed_batch_is_taken_and_named_by_what_was_compressed(
    client: Client, box: ssl.SSLContext, coding: str
) -> None:
    body = _body(history_block(1, [energy(101, START_MS + k, k) for k in range(500)]))
    packed = zstd.compress(body) if coding == "zstd" else zlib.compress(body, wbits=31)

    headers = _headers(**{"Content-Encoding": coding})
    answer = await client.post(_HISTORY, data=packed, headers=headers, ssl=box)

    ack = msgspec.json.decode(await answer.read(), type=Ack)
    assert (ack.acked_through, ack.batch_digest) == (500, hashlib.sha256(body).hexdigest())


async def test_an_event_comes_in_by_its_own_lane(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    body = _body(event_block(1, [leak(EventState.RAISED)]), stream=Stream.EVENT)

    answer = await client.post(_EVENT, data=body, headers=_headers(), ssl=box)

    assert answer.status == 200
    assert count(database, schema.alarm) == 1


async def test_a_flood_of_events_is_taken_whole_and_acknowledged_once(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    blocks = [
        event_block(1 + 400 * number, [leak(EventState.RAISED, START_MS + k) for k in range(400)])
        for number in range(4)
    ]
    spoilt = Block(1601, 1, b"\x90")

    answer = await client.post(
        _EVENT, data=_body(*blocks, spoilt, stream=Stream.EVENT), headers=_headers(), ssl=box
    )

    ack = msgspec.json.decode(await answer.read(), type=Ack)
    assert (ack.acked_through, [problem.first_seq for problem in ack.problems]) == (1601, [1601])
    assert (count(database, schema.event), count(database, schema.alarm)) == (1600, 1)


async def test_an_event_does_not_wait_for_a_backlog_of_the_same_gateway(
    client: Client, database: Database, box: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.read_now(TENANT, lambda tx: tx.is_postgresql):
        pytest.skip("one thread writes: urgent work goes before what waits, not beside what runs")
    holding, go_on = threading.Event(), threading.Event()
    reach = ingest.reach

    def slow_reach(tx: Tx, key: StreamKey, acked_through: int) -> tuple[int, list[tuple[int, int]]]:
        if key.stream is Stream.HISTORY:  # its rows are written, its transaction is still open
            holding.set()
            assert go_on.wait(10)
        return reach(tx, key, acked_through)

    # Points nobody has heard of are numbered one after the other; these are known.
    known = [_body(history_block(1, [energy(101, START_MS, 1)]))]
    known.append(_body(event_block(1, [leak(EventState.CLEARED)]), stream=Stream.EVENT))
    for path, body in zip((_HISTORY, _EVENT), known, strict=True):
        await client.post(path, data=body, headers=_headers(), ssl=box)
    monkeypatch.setattr(ingest, "reach", slow_reach)
    backlog = _body(history_block(2, [energy(101, START_MS, 1)]))
    slow = asyncio.create_task(client.post(_HISTORY, data=backlog, headers=_headers(), ssl=box))
    assert await asyncio.to_thread(holding.wait, 10)
    body = _body(event_block(2, [leak(EventState.RAISED)]), stream=Stream.EVENT)

    try:
        async with asyncio.timeout(5):
            answer = await client.post(_EVENT, data=body, headers=_headers(), ssl=box)
    finally:
        go_on.set()

    assert (answer.status, (await slow).status) == (200, 200)


async def test_a_backlog_is_written_in_pieces_between_which_an_event_comes_in(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    minutes = 60
    blocks = [
        history_block(1 + 200 * at, [energy(101, START_MS + k, k) for k in range(200)])
        for at in range(minutes)
    ]
    began: list[int] = []
    accept = readings.accept

    def noting(tx: Tx, gateway: GatewayIdentity, stream: Stream, *more: Any) -> readings.Accepted:
        began.append(sum(len(opened.seqs) for opened in more[-1]))
        return accept(tx, gateway, stream, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(readings, "accept", noting)
        answer = await client.post(_HISTORY, data=_body(*blocks), headers=_headers(), ssl=box)

    ack = msgspec.json.decode(await answer.read(), type=Ack)
    assert ack.acked_through == count(database, schema.reading) == 200 * minutes
    # Whole blocks, and no transaction of more rows than an event may wait for.
    assert began == [ROWS_PER_TRANSACTION[Stream.HISTORY]] * 3


async def test_a_gateway_says_hello_and_hears_what_is_held_of_it(client: Client, box: ssl.SSLContext) -> None:
    await client.post(
        _HISTORY, data=_body(history_block(1, [energy(101, START_MS, 1)] * 7)), headers=_headers(), ssl=box
    )
    hello = Hello("0.1.0", "boot-1", EPOCH, "c1", 0, {"history": 12}, START_MS, 58, 1)

    answer = await client.post(HELLO_PATH, data=msgspec.json.encode(hello), ssl=box)

    welcome = msgspec.json.decode(await answer.read(), type=Welcome)
    assert (welcome.gateway_code, welcome.server_time_ms) == ("gw-1", START_MS)
    assert welcome.acked_through == {"history": 7}
    assert welcome.authorities == client.app[AUTHORITY].digest


async def test_a_batch_that_cannot_be_read_says_what_is_wrong(client: Client, box: ssl.SSLContext) -> None:
    answer = await client.post(_HISTORY, data=b"\xc1 nonsense", headers=_headers(), ssl=box)

    assert answer.status == 400
    assert answer.content_type == "application/problem+json"
    problem = await answer.json(content_type=None)
    assert problem["type"] == "/problems/malformed"
    assert problem["detail"].startswith("batch: ")
    assert problem["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("path", "kind", "status", "detail"),
    [
        pytest.param(_HISTORY, "text/html", 415, "not text/html", id="a portal's page"),
        pytest.param(
            "/gateway/v1/streams/gossip", BATCH_CONTENT_TYPE, 404, "there are event, history", id="stream"
        ),
        pytest.param(_EVENT, BATCH_CONTENT_TYPE, 400, "posted to 'event'", id="the other stream's batch"),
    ],
)
async def test_what_does_not_belong_here_is_refused_by_name(
    client: Client, box: ssl.SSLContext, path: str, kind: str, status: int, detail: str
) -> None:
    body = _body(history_block(1, [energy(101, START_MS, 1)]))

    answer = await client.post(path, data=body, headers=_headers() | {"Content-Type": kind}, ssl=box)

    assert answer.status == status
    assert detail in (await answer.json(content_type=None))["detail"]


async def test_a_bomb_is_refused_before_it_is_unfolded(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    bomb = zstd.compress(b"\0" * (BATCH_BYTES_MAX * 50))
    assert len(bomb) < 100_000

    answer = await client.post(_HISTORY, data=bomb, headers=_headers(**{"Content-Encoding": "zstd"}), ssl=box)

    assert answer.status == 413
    assert "send fewer blocks" in (await answer.json(content_type=None))["detail"]


async def test_a_body_of_exactly_the_limit_is_read(client: Client, box: ssl.SSLContext) -> None:
    answer = await client.post(_HISTORY, data=b"\0" * BATCH_BYTES_MAX, headers=_headers(), ssl=box)
    over = await client.post(_HISTORY, data=b"\0" * (BATCH_BYTES_MAX + 1), headers=_headers(), ssl=box)

    assert (answer.status, over.status) == (400, 413)


async def test_a_body_that_is_not_compressed_as_it_says_is_malformed(
    client: Client, box: ssl.SSLContext
) -> None:
    answer = await client.post(
        _HISTORY, data=b"plain", headers=_headers(**{"Content-Encoding": "zstd"}), ssl=box
    )

    assert answer.status == 400


async def test_only_the_certificate_says_who_a_gateway_is(client: Client, database: Database) -> None:
    site_id = add_site(database)
    gateway, _ = add_gateway(database, site_id)
    other, _ = add_gateway(database, site_id, code="gw-2")
    elsewhere = GatewayIdentity(OTHER_TENANT, gateway.gateway_id, site_id, "gw-1")
    body = _body(history_block(1, [energy(101, START_MS, 1)]))
    told = quote(enrolled(client.app, gateway.gateway_id).pair.certificate_pem)  # type: ignore[union-attr]
    nobody = tls_context(client.app[AUTHORITY].roots_pem)
    nobody.verify_flags |= NO_CHECK_TIME
    token = f"gh1.1.{gateway.gateway_id}.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

    answers = [
        await client.post(_HISTORY, data=body, headers=_headers(**headers), ssl=nobody)
        for headers in (
            {},
            {"Authorization": "Basic Z3c6cHc="},
            {"Authorization": f"Bearer {token}"},
            {"Client-Cert": told},
            {"X-Gateway-Id": gateway.gateway_id},
        )
    ]
    as_other = await client.post(
        _HISTORY, data=body, headers=_headers(**{"Client-Cert": told}), ssl=box_tls(client.app, other)
    )

    assert [answer.status for answer in answers] == [401] * 5
    assert as_other.status == 200
    assert database.read_now(TENANT, points.values_of_gateway, gateway.gateway_id) == []
    assert len(database.read_now(TENANT, points.values_of_gateway, other.gateway_id)) == 1
    with pytest.raises(NotFound):
        box_tls(client.app, elsewhere)


async def test_a_revoked_gateway_is_out_at_its_next_request(client: Client, database: Database) -> None:
    gateway, _ = add_gateway(database, add_site(database))
    box = box_tls(client.app, gateway)
    body = _body(history_block(1, [energy(101, START_MS, 1)]))
    before = await client.post(_HISTORY, data=body, headers=_headers(), ssl=box)

    database.write_now(TENANT, gateways.revoke, system_user(TENANT), gateway.gateway_id)
    after = await client.post(_HISTORY, data=body, headers=_headers(), ssl=box)
    fresh = box_tls(client.app, gateway)
    again = await client.post(_HISTORY, data=body, headers=_headers(), ssl=fresh)
    old = await client.post(_HISTORY, data=body, headers=_headers(), ssl=box)

    assert [answer.status for answer in (before, after, again, old)] == [200, 401, 200, 401]


async def test_a_sender_that_gives_up_before_the_answer_has_all_or_nothing_stored(
    client: Client, database: Database, box: ssl.SSLContext
) -> None:
    rows = [energy(101, START_MS + k, k) for k in range(4_000)]
    body = _body(*(history_block(1 + 200 * k, rows[200 * k : 200 * (k + 1)]) for k in range(20)))

    for patience_s in (0.001, 0.005, 0.02, 0.05):
        timeout = aiohttp.ClientTimeout(total=patience_s)
        try:
            await client.post(_HISTORY, data=body, headers=_headers(), ssl=box, timeout=timeout)
        except TimeoutError:
            assert count(database, schema.reading) in (0, 4_000)
    answer = await client.post(_HISTORY, data=body, headers=_headers(), ssl=box)

    assert msgspec.json.decode(await answer.read(), type=Ack).acked_through == 4_000
    assert count(database, schema.reading) == 4_000
