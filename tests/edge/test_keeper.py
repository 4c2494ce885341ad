"""The box keeps its identity alive: renewal cut at every point, roots that change, a pair nobody takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from cloud.app import make_app
from cloud.config import Config, DatabaseConfig
from cloud.keys import AUTHORITY, DATABASE
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.identity import Identity, open_identity
from edge.keeper import Keeper
from protocol.greeting import Hello, Welcome
from protocol.sync import HELLO_PATH
from provisioning.authority import (
    certificate_pem,
    gateway_certificate,
    key_pem,
    new_intermediate,
    new_key,
    new_root,
    roots_digest,
)
from provisioning.identity import Credential, Pair, read_credential, write_credential
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site
from tests.databases import FakeClock
from tests.edge.building_blocks import ToldClock


class _Cut(BaseException):
    """The power."""


class _Power:
    """Fails at the n-th point that is asked for."""

    def __init__(self, cut_at: int) -> None:
        self.left = cut_at

    def point(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise _Cut


class _FragileIdentity(Identity):
    power = _Power(0)

    async def replace(self, credential: Credential, now_ms: int) -> None:
        self.power.point()
        await super().replace(credential, now_ms)
        self.power.point()


class _FragileClient(CloudClient):
    power = _Power(0)

    async def _ask(self, *arguments: Any) -> bytes:
        self.power.point()
        answer = await super()._ask(*arguments)
        self.power.point()
        return answer


class _LongAgo(ToldClock):
    def wall_ms(self) -> int:
        return LONG_AGO_MS


@asynccontextmanager
async def running(
    template: Path, folder: Path, clock: FakeClock
) -> AsyncIterator[tuple[web.Application, str]]:
    path = folder / "cloud.db"
    path.write_bytes(template.read_bytes())
    app = make_app(Config(database=DatabaseConfig(url=f"sqlite:///{path}")), clock=clock)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        async with gateways_port(runner) as url:
            yield app, url
    finally:
        await runner.cleanup()


async def greeted(client: CloudClient, identity: Identity, boot_id: str) -> Welcome:
    said = Hello("0.1.0", boot_id, 1, "c", 0, {}, None, 1, 0, lease=identity.credential.lease)
    answer = await client.post(HELLO_PATH, msgspec.json.encode(said), {"Content-Type": "application/json"})
    return msgspec.json.decode(answer, type=Welcome)


def due(identity: Identity, welcome: Welcome) -> Welcome:
    """Return the Welcome as it is said after two months."""
    assert identity.credential.pair is not None
    ends = identity.credential.pair.certificate.not_valid_after_utc
    return msgspec.structs.replace(welcome, server_time_ms=int(ends.timestamp() * 1000) - 86_400_000)


async def live(path: Path, power: _Power, boot_id: str, first: Pair) -> None:
    """Be a box that starts, greets, renews if it is time, and greets with what it has then."""
    identity = _FragileIdentity(read_credential(path), LONG_AGO_MS, path)
    identity.power = power
    async with _FragileClient(identity) as client:
        client.power = power
        keeper = Keeper(identity, client, _LongAgo())
        for _ in range(3):
            try:
                welcome = await greeted(client, identity, boot_id)
            except CloudFault as fault:
                assert fault.is_turned_away, fault
                await keeper.turned_away()
                continue
            is_due = identity.credential.pair == first
            await keeper.attend(due(identity, welcome) if is_due else welcome)


async def test_a_cut_at_any_point_of_a_renewal_leaves_a_pair_that_works(
    sqlite_template: Path, tmp_path: Path, clock: FakeClock
) -> None:
    cuts = 0
    async with running(sqlite_template, tmp_path, clock) as (app, url):
        database = app[DATABASE]
        site_id = await asyncio.to_thread(add_site, database)
        for cut_at in range(1, 40):
            gateway, _ = await asyncio.to_thread(add_gateway, database, site_id, code=f"gw-{cut_at}")
            path = tmp_path / f"{cut_at}.json"
            given = await asyncio.to_thread(enrolled, app, gateway.gateway_id, url)
            assert given.pair is not None
            write_credential(path, given)
            was_cut = False
            try:
                await live(path, _Power(cut_at), "boot-1", given.pair)
            except _Cut:
                was_cut = True
                await live(path, _Power(0), "boot-2", given.pair)
            after = read_credential(path)
            assert after.pair is not None
            assert after.pair != given.pair, cut_at
            assert (after.previous, after.next_key_pem) == (None, ""), cut_at
            cuts += was_cut
            if not was_cut:
                break

    assert cuts >= 14


async def test_a_pair_the_cloud_does_not_take_gives_way_to_the_one_before(
    sqlite_template: Path, tmp_path: Path, clock: FakeClock
) -> None:
    async with running(sqlite_template, tmp_path, clock) as (app, url):
        database = app[DATABASE]
        site_id = await asyncio.to_thread(add_site, database)
        gateway, _ = await asyncio.to_thread(add_gateway, database, site_id)
        given = await asyncio.to_thread(enrolled, app, gateway.gateway_id, url)
        now = app[AUTHORITY].roots[0].not_valid_before_utc
        stranger, key = new_intermediate(new_root("stranger", now), "below", now), new_key()
        leaf = gateway_certificate(stranger, given.gateway, key.public_key(), now)
        spoilt = Pair(key_pem(key).decode(), certificate_pem(leaf, *stranger.chain).decode())
        path = tmp_path / "credential.json"
        write_credential(path, given.renewed(spoilt))

        identity = open_identity(path, LONG_AGO_MS)
        async with CloudClient(identity) as client:
            with pytest.raises(CloudFault) as refused:
                await greeted(client, identity, "boot")
            assert refused.value.is_turned_away
            await Keeper(identity, client, _LongAgo()).turned_away()
            welcome = await greeted(client, identity, "boot")

    assert welcome.gateway_code == "gw-1"
    assert read_credential(path).pair == given.pair


async def test_new_roots_are_fetched_from_a_cloud_that_the_old_ones_verify(
    sqlite_template: Path, tmp_path: Path, clock: FakeClock
) -> None:
    async with running(sqlite_template, tmp_path, clock) as (app, url):
        database = app[DATABASE]
        site_id = await asyncio.to_thread(add_site, database)
        gateway, _ = await asyncio.to_thread(add_gateway, database, site_id)
        given = await asyncio.to_thread(enrolled, app, gateway.gateway_id, url)
        authority = app[AUTHORITY]
        extra = new_root("next year's", authority.roots[0].not_valid_before_utc)
        path = tmp_path / "credential.json"
        write_credential(path, replace(given, authority_pem=given.authority_pem * 1))

        identity = open_identity(path, LONG_AGO_MS)
        async with CloudClient(identity) as client:
            welcome = await greeted(client, identity, "boot")
            object.__setattr__(authority, "roots", (*authority.roots, extra.certificate))
            told = msgspec.structs.replace(welcome, authorities=authority.digest)
            await Keeper(identity, client, _LongAgo()).attend(told)

    kept = json.loads(path.read_text())["authority"]
    assert kept.count("BEGIN CERTIFICATE") == 2
    assert roots_digest(authority.roots) == told.authorities
    assert read_credential(path).lease == welcome.lease


async def test_nothing_is_renewed_before_two_thirds_of_its_life(
    sqlite_template: Path, tmp_path: Path, clock: FakeClock
) -> None:
    async with running(sqlite_template, tmp_path, clock) as (app, url):
        database = app[DATABASE]
        site_id = await asyncio.to_thread(add_site, database)
        gateway, _ = await asyncio.to_thread(add_gateway, database, site_id)
        identity = Identity(await asyncio.to_thread(enrolled, app, gateway.gateway_id, url), LONG_AGO_MS)
        first = identity.credential.pair
        async with CloudClient(identity) as client:
            keeper = Keeper(identity, client, _LongAgo())
            welcome = await greeted(client, identity, "boot")
            at_ms = welcome.server_time_ms
            for day in (0, 30, 59):
                later = msgspec.structs.replace(welcome, server_time_ms=at_ms + day * 86_400_000)
                await keeper.attend(later)
            assert identity.credential.pair == first
            later = msgspec.structs.replace(welcome, server_time_ms=at_ms + 60 * 86_400_000)
            await keeper.attend(later)

    assert identity.credential.pair != first
