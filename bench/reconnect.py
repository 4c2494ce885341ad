"""A thousand gateways come back after an outage, each over mutual TLS and with all its connections.

The cloud has been away for long, and boxes knock as their agents do: a greeting every ten seconds, each at a
moment of its own, and once it is answered the two lanes deliver what waits (readings,
an alarm); the command channel comes back by itself within thirty seconds. That is four connections a box, a
full handshake each, because nothing is resumed across a restart. Told is how long it took until the last
box had everything, counted from when the cloud listens. Boxes and cloud share the machine.
`reconnect=250` lets fewer come.
"""

import asyncio
import random
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

from bench.measure import usage_of
from bench.site import site_document
from cloud.app import make_app
from cloud.command_key import public_hex
from cloud.config import DEFAULT_TENANT, Config, DatabaseConfig
from cloud.domain.gateway import Gateway
from cloud.domain.user import system_user
from cloud.enrolment import sign
from cloud.keys import AUTHORITY, COMMAND_KEY
from cloud.services import enrolments, gateways
from cloud.store.db import Database, Tx
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.greeter import HELLO_INTERVAL_S
from edge.identity import Identity
from protocol.envelope import ENVELOPE_VERSION, Batch, Block, encode_batch, encode_events, encode_readings
from protocol.event import Event, EventState, Severity
from protocol.greeting import Hello
from protocol.reading import Reading
from protocol.sync import BATCH_CONTENT_TYPE, BATCH_PATH, COMMANDS_PATH, HELLO_PATH, Stream
from provisioning.authority import GatewayName, key_fingerprint, key_pem, new_key
from provisioning.identity import Credential, Pair

BOXES = 1_000
LIMIT_S = 60.0  # what is asked for
PATIENCE_S = 180.0
ROWS = 10  # the cloud makes their points in passing, which costs it more than the rows


@dataclass
class Crowd:
    """When each box had what it wanted, in seconds of the monotonic clock."""

    url: str
    done_at_s: list[float] = field(default_factory=list)
    attempts: int = 0


def main(count: int = BOXES) -> int:
    """Run it once with so many boxes; 1 if the last one took longer than it may."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        boxes = _enrolled(folder, count)
        print(f"{count:,} boxes enrolled; the cloud starts, and they come back")
        log = folder / "cloud.log"
        serve = ["cloud", "serve", "--database", f"sqlite:///{folder / 'cloud.db'}", "--port", "0"]
        with log.open("w") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", "gatehouse", *serve], stdout=words, stderr=words
            )
        try:
            return asyncio.run(_measured(process.pid, _port(log), boxes))
        finally:
            process.terminate()
            process.wait(30)


def _enrolled(folder: Path, count: int) -> list[Credential]:
    document = folder / "site.json"
    document.write_text(site_document(count))
    url = f"sqlite:///{folder / 'cloud.db'}"
    load = [sys.executable, "-m", "gatehouse", "db", "load", "--database", url, str(document)]
    subprocess.run(load, check=True, capture_output=True)
    app = make_app(Config(database=DatabaseConfig(url=url)), clock=_now_ms)
    database = Database(url, clock=_now_ms)
    slots = database.read_now(DEFAULT_TENANT, gateways.list_gateways, system_user(DEFAULT_TENANT))

    actor = system_user(DEFAULT_TENANT)
    command_key, roots_pem = public_hex(app[COMMAND_KEY]), app[AUTHORITY].roots_pem

    def enrol_all(tx: Tx) -> list[Credential]:
        return [box(tx, slot) for slot in slots]

    def box(tx: Tx, slot: Gateway) -> Credential:
        key, place = new_key(), GatewayName(DEFAULT_TENANT, slot.gateway_id)
        public_key = key.public_key()
        secret = enrolments.offer(tx, actor, slot.gateway_id).secret
        hashed, signs = key_fingerprint(public_key), partial(sign, app, place, public_key)
        pem = enrolments.enrol(tx, slot.gateway_id, secret, hashed, signs, "bench")
        assert isinstance(pem, str), pem
        pair = Pair(key_pem(key).decode(), pem)
        return Credential("https://127.0.0.1:1", slot.code, place, command_key, roots_pem, pair)

    try:
        return database.write_now(DEFAULT_TENANT, enrol_all)
    finally:
        database.close()


async def _measured(pid: int, port: int, boxes: list[Credential]) -> int:
    crowd = Crowd(f"https://127.0.0.1:{port}")
    identities = [Identity(replace(box, cloud_url=crowd.url), _now_ms()) for box in boxes]
    began_s, before = time.monotonic(), usage_of(pid)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for number, identity in enumerate(identities):
            group.create_task(_come_back(crowd, number, identity))
    after = usage_of(pid)
    took_s = sorted(at_s - began_s for at_s in crowd.done_at_s)
    last_s = took_s[-1]
    print(f"boxes served            {len(took_s):,} of {len(boxes):,}, {4 * len(took_s):,} connections")
    print(f"half of them after      {took_s[len(took_s) // 2]:.1f} s")
    print(f"99 of 100 after         {took_s[len(took_s) * 99 // 100]:.1f} s")
    print(f"the last after          {last_s:.1f} s (limit {LIMIT_S:.0f} s)")
    print(f"attempts in vain        {crowd.attempts:,}")
    print(f"cloud: processor time   {after.cpu_s - before.cpu_s:.1f} s, peak {after.rss_peak_mib:.0f} MiB")
    return 0 if last_s <= LIMIT_S else 1


def _port(log: Path) -> int:
    while not (told := re.search(r"serving gateways.*port=(\d+)", text := log.read_text())):
        assert "Error" not in text, text
        time.sleep(0.05)
    return int(told[1])


async def _come_back(crowd: Crowd, number: int, identity: Identity) -> None:
    """Be one box: four connections, each at its own pace."""
    rng = random.Random(number)
    now_ms = _now_ms()
    hello = Hello("bench", secrets.token_hex(8), 1, "c", 0, {}, None, 1, 0, lease="")
    meters = [Reading(f"meter-{k}/active_energy_import", now_ms, k) for k in range(ROWS)]
    alarm = Event("water_leak", EventState.RAISED, Severity.MAJOR, "leak-1/water_leak", now_ms, "")
    posts = [
        (HELLO_PATH, "application/json", msgspec.json.encode(hello)),
        _batch(Stream.HISTORY, Block(1, ROWS, encode_readings(meters)), now_ms),
        _batch(Stream.EVENT, Block(1, 1, encode_events([alarm])), now_ms),
    ]
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(_listen(crowd, identity, rng))
        await asyncio.sleep(rng.uniform(0, HELLO_INTERVAL_S))
        await _deliver(crowd, identity, *posts[0])
        for post in posts[1:]:
            lanes.create_task(_deliver(crowd, identity, *post))
    crowd.done_at_s.append(time.monotonic())


def _batch(stream: Stream, block: Block, now_ms: int) -> tuple[str, str, bytes]:
    body = encode_batch(Batch(ENVELOPE_VERSION, stream.value, 1, "bench", now_ms, [block]))
    return BATCH_PATH.format(stream=stream.value), BATCH_CONTENT_TYPE, body


async def _deliver(crowd: Crowd, identity: Identity, path: str, kind: str, body: bytes) -> None:
    async with CloudClient(identity) as client:
        while True:
            try:
                await client.post(path, body, {"Content-Type": kind})
            except CloudFault as fault:
                crowd.attempts += 1
                await asyncio.sleep(max(HELLO_INTERVAL_S, fault.retry_after_s))
            else:
                return


async def _listen(crowd: Crowd, identity: Identity, rng: random.Random) -> None:
    await asyncio.sleep(rng.uniform(0, 30))  # somewhere in the downlink's longest pause
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                url = identity.credential.cloud_url + COMMANDS_PATH
                async with asyncio.timeout(20), session.ws_connect(url, ssl=identity.tls):
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                crowd.attempts += 1
                await asyncio.sleep(rng.uniform(15, 30))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
