"""The gateways' port as strangers and revoked boxes meet it: real TLS, real connections."""

import asyncio
import base64
import datetime
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
import sqlalchemy as sa
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.user import system_user
from cloud.keys import AUTHORITY, DATABASE
from cloud.services import gateways
from cloud.store import enrolments, schema
from cloud.store.db import Database, Tx
from protocol.greeting import Hello
from protocol.sync import COMMANDS_PATH, HELLO_PATH
from provisioning.authority import (
    GatewayName,
    certificate_pem,
    gateway_certificate,
    gateway_named,
    key_fingerprint,
    key_pem,
    new_intermediate,
    new_key,
    new_request,
    new_root,
    public_key_of,
)
from provisioning.est import (
    CACERTS_PATH,
    ENROL_PATH,
    REENROL_PATH,
    REQUEST_TYPE,
    STANDING_PATH,
    decode_certificates,
    encode_request,
    leaf_first,
)
from provisioning.identity import Pair, tls_context
from tests.boxes import LONG_AGO_MS, NO_CHECK_TIME, box_tls, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site
from tests.databases import TENANT, FakeClock

HELLO = msgspec.json.encode(Hello("0.1.0", "boot", 1, "c", 0, {}, None, 1, 0))


def _stranger_pair(app: web.Application, gateway_id: str) -> Pair:
    """A pair for that very gateway, of an authority that is not ours."""
    now = app[AUTHORITY].roots[0].not_valid_before_utc
    issuer, key = new_intermediate(new_root("stranger", now), "below", now), new_key()
    leaf = gateway_certificate(issuer, GatewayName(1, gateway_id), key.public_key(), now)
    return Pair(key_pem(key).decode(), certificate_pem(leaf, *issuer.chain).decode())


@dataclass
class Port:
    """A running cloud, and a gateway with an open token."""

    app: web.Application
    url: str
    gateway: GatewayIdentity
    secret: str
    http: aiohttp.ClientSession
    socket: Path

    @property
    def database(self) -> Database:
        return self.app[DATABASE]

    @property
    def nobody(self) -> ssl.SSLContext:
        """What verifies the cloud and shows nothing."""
        context = tls_context(self.app[AUTHORITY].roots_pem)
        context.verify_flags |= NO_CHECK_TIME
        return context

    async def enrol(self, body: bytes, secret: str) -> aiohttp.ClientResponse:
        user = f"1.{self.gateway.gateway_id}"
        return await self.http.post(
            self.url + ENROL_PATH,
            data=body,
            headers={"Content-Type": REQUEST_TYPE, "Authorization": aiohttp.encode_basic_auth(user, secret)},
            ssl=self.nobody,
        )


@pytest.fixture
async def port(sqlite_template: Path, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Port]:
    path = tmp_path / "cloud.db"
    path.write_bytes(sqlite_template.read_bytes())
    app = make_app(Config(database=DatabaseConfig(url=f"sqlite:///{path}")), clock=clock)
    runner = web.AppRunner(app)
    await runner.setup()
    socket = tmp_path / "gateways.sock"
    await web.UnixSite(runner, socket).start()
    try:
        async with gateways_port(runner) as url, aiohttp.ClientSession() as http:
            site_id = await asyncio.to_thread(add_site, app[DATABASE])
            gateway, secret = await asyncio.to_thread(add_gateway, app[DATABASE], site_id)
            yield Port(app, url, gateway, secret, http, socket)
    finally:
        await runner.cleanup()


async def test_a_request_that_wishes_for_more_gets_what_everybody_gets(port: Port) -> None:
    key = new_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root of everything")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("urn:gatehouse:gw:1:00000000-0000-7000-8000-000000000009")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )

    answer = await port.enrol(encode_request(greedy), port.secret)

    assert answer.status == 200
    assert answer.content_type == "application/pkcs7-mime"
    leaf = leaf_first(decode_certificates(await answer.read()))[0]
    assert gateway_named(leaf).gateway_id == port.gateway.gateway_id
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert datetime.timedelta(days=90) < life < datetime.timedelta(days=91)
    assert "everything" not in leaf.subject.rfc4514_string()


async def test_the_messages_are_understood_by_programs_that_are_not_ours(port: Port, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here")
    key, request, answer = (tmp_path / name for name in ("key.pem", "request.der", "answer.p7"))

    def run(*arguments: str) -> str:
        return subprocess.run([openssl, *arguments], check=True, capture_output=True, text=True).stdout

    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    run("req", "-new", "-key", str(key), "-subj", "/CN=box", "-outform", "DER", "-out", str(request))
    given = await port.enrol(base64.encodebytes(request.read_bytes()), port.secret)
    answer.write_bytes(base64.b64decode(await given.read()))
    shown = run("pkcs7", "-inform", "DER", "-in", str(answer), "-print_certs", "-text")

    assert given.status == 200
    assert given.headers["Content-Transfer-Encoding"] == "base64"
    assert f"URI:urn:gatehouse:gw:1:{port.gateway.gateway_id}" in shown
    assert "TLS Web Client Authentication" in shown
    assert "CA:FALSE" in shown


async def test_guessing_ends_the_token_and_then_the_caller_waits(port: Port) -> None:
    body = encode_request(new_request(new_key()))

    guesses = [await port.enrol(body, f"{k:022d}") for k in range(5)]
    right = await port.enrol(body, port.secret)
    more = [await port.enrol(body, f"{k:022d}") for k in range(30)]

    assert [guess.status for guess in guesses] == [401] * 5
    assert right.status == 401
    texts = {(await answer.json(content_type=None))["detail"] for answer in [*guesses, right]}
    assert len(texts) == 1, "a guesser must not hear how far off the guess was"
    assert 429 in [answer.status for answer in more]
    assert int(more[-1].headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        pytest.param(b"not base64!", REQUEST_TYPE, 400, id="not-base64"),
        pytest.param(base64.b64encode(b"not a request"), REQUEST_TYPE, 400, id="not-a-request"),
        pytest.param(b"A" * 20_000, REQUEST_TYPE, 413, id="too-large"),
        pytest.param(b"", "text/plain", 415, id="another-type"),
    ],
)
async def test_what_is_no_request_is_refused_and_costs_no_token(
    port: Port, body: bytes, kind: str, status: int
) -> None:
    basic = aiohttp.encode_basic_auth(f"1.{port.gateway.gateway_id}", port.secret)
    answer = await port.http.post(
        port.url + ENROL_PATH,
        data=body,
        headers={"Content-Type": kind, "Authorization": basic},
        ssl=port.nobody,
    )
    after = await port.enrol(encode_request(new_request(new_key())), port.secret)

    assert (answer.status, after.status) == (status, 200)


async def test_without_a_certificate_only_enrolment_is_open(port: Port) -> None:
    told = {}
    for method, path in (
        ("GET", CACERTS_PATH),
        ("GET", STANDING_PATH),
        ("POST", REENROL_PATH),
        ("POST", HELLO_PATH),
    ):
        async with port.http.request(method, port.url + path, ssl=port.nobody) as answer:
            told[path] = answer.status

    assert told == {CACERTS_PATH: 200, STANDING_PATH: 401, REENROL_PATH: 401, HELLO_PATH: 401}


async def test_revoking_ends_connections_that_are_open(port: Port) -> None:
    box = await asyncio.to_thread(box_tls, port.app, port.gateway)
    address = port.url.removeprefix("https://127.0.0.1:")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(address), ssl=box, server_hostname="127.0.0.1"
    )
    writer.write(
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (HELLO_PATH.encode(), len(HELLO), HELLO)
    )
    first = await reader.readuntil(b"}")
    async with port.http.ws_connect(port.url + COMMANDS_PATH, ssl=box) as channel:
        await asyncio.to_thread(
            port.database.write_now, TENANT, gateways.revoke, system_user(TENANT), port.gateway.gateway_id
        )

        async with asyncio.timeout(5):
            farewell = await channel.receive()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
                while True:
                    await reader.readexactly(1)

    assert first.startswith(b"HTTP/1.1 200")
    assert farewell.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    writer.close()


async def test_a_gateway_in_doubt_gets_no_command_channel_and_may_still_deliver(port: Port) -> None:
    box = await asyncio.to_thread(box_tls, port.app, port.gateway)
    await asyncio.to_thread(port.database.write_now, TENANT, gateways.turn_away_outdated, port.gateway)

    async with port.http.get(port.url + COMMANDS_PATH, ssl=box) as channel:
        commands = channel.status
    async with port.http.post(port.url + HELLO_PATH, data=HELLO, ssl=box) as hello:
        delivers = hello.status

    assert (commands, delivers) == (403, 200)


async def test_a_proxy_tells_over_the_local_socket_whom_it_saw_and_nobody_else_may(port: Port) -> None:
    credential = await asyncio.to_thread(enrolled, port.app, port.gateway.gateway_id)
    assert credential.pair is not None
    der = base64.b64encode(credential.pair.certificate.public_bytes(Encoding.DER)).decode()
    pair = _stranger_pair(port.app, port.gateway.gateway_id)
    stranger = base64.b64encode(pair.certificate.public_bytes(Encoding.DER)).decode()

    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(port.socket))) as proxy:
        statuses = []
        for headers in (
            {"Client-Cert": f":{der}:"},
            {},
            {"Client-Cert": f":{stranger}:"},
            {"Client-Cert": ":AAAA:"},
            {"Client-Cert": "nonsense"},
        ):
            async with proxy.post("http://cloud" + HELLO_PATH, data=HELLO, headers=headers) as answer:
                statuses.append(answer.status)
        async with proxy.get("http://cloud/login") as page:
            statuses.append(page.status)
    async with port.http.post(
        port.url + HELLO_PATH, data=HELLO, headers={"Client-Cert": f":{der}:"}, ssl=port.nobody
    ) as over_tcp:
        statuses.append(over_tcp.status)

    assert statuses == [200, 401, 401, 401, 401, 404, 401]


async def test_a_certificate_of_another_authority_does_not_pass_the_handshake(port: Port) -> None:
    known = await asyncio.to_thread(enrolled, port.app, port.gateway.gateway_id)
    pair = _stranger_pair(port.app, port.gateway.gateway_id)
    stranger = replace(known, pair=pair).tls_context(LONG_AGO_MS)

    with pytest.raises(aiohttp.ClientError):
        async with port.http.post(port.url + HELLO_PATH, data=HELLO, ssl=stranger):
            pass


async def test_a_restored_cloud_keeps_the_certificate_a_box_shows_it(port: Port) -> None:
    box = await asyncio.to_thread(enrolled, port.app, port.gateway.gateway_id, port.url)
    assert box.pair is not None
    key_hash = key_fingerprint(public_key_of(box.pair.certificate_pem))
    known = (TENANT, enrolments.certificate_for_key, port.gateway.gateway_id, key_hash, 0)

    def forget(tx: Tx) -> None:
        for table in (schema.gateway_identity, schema.gateway_certificate):
            tx.conn.execute(sa.delete(table).where(table.c.tenant_id == TENANT))

    await port.database.write(TENANT, forget)
    assert await port.database.read(*known) is None
    async with port.http.post(port.url + HELLO_PATH, data=HELLO, ssl=box.tls_context(LONG_AGO_MS)) as answer:
        assert answer.status == 200

    assert await port.database.read(*known) == box.pair.certificate_pem
