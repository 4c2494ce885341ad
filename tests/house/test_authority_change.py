"""Changing the root with the real commands: boxes that were there and boxes that were away get on."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from cloud.__main__ import cloud as cloud_command
from cloud.app import make_app
from cloud.config import Config, DatabaseConfig, Gateways
from cloud.keys import AUTHORITY, DATABASE
from edge.cloud_client import CloudClient
from edge.errors import CloudFault
from edge.identity import Identity
from edge.keeper import Keeper
from protocol.greeting import Hello, Welcome
from protocol.sync import HELLO_PATH
from provisioning.authority import certificates_from_pem
from tests.boxes import LONG_AGO_MS, enrolled, gateways_port
from tests.cloud.garden import add_gateway, add_site
from tests.databases import FakeClock
from tests.edge.building_blocks import ToldClock

NOW_MS = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)


class Installation:
    """A cloud's files, and what its operator types."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        (folder / "cloud.db").write_bytes(template.read_bytes())
        self.toml = folder / "cloud.toml"
        self.toml.write_text(
            f'[database]\nurl = "sqlite:///{folder}/cloud.db"\n'
            f'[gateways]\nauthority_password_file = "{folder}/password"\n'
        )
        (folder / "password").write_text("correct horse\n")

    def type(self, *arguments: str) -> Result:
        return CliRunner().invoke(
            cloud_command, ["authority", arguments[0], "--config", str(self.toml), *arguments[1:]]
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[web.Application, str]]:
        config = Config(
            database=DatabaseConfig(url=f"sqlite:///{self.folder}/cloud.db"),
            gateways=Gateways(authority_password_file=str(self.folder / "password")),
        )
        app = make_app(config, clock=FakeClock(NOW_MS))
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            async with gateways_port(runner) as url:
                yield app, url
        finally:
            await runner.cleanup()


async def greet(identity: Identity, url: str, *, months_later: int = 0) -> None:
    """Say Hello and attend to the Welcome, as an agent does."""
    object.__setattr__(identity.credential, "cloud_url", url)
    async with CloudClient(identity) as client:
        said = Hello("0.1.0", "boot", 1, "c", 0, {}, None, 1, 0, lease=identity.credential.lease)
        body = msgspec.json.encode(said)
        answer = await client.post(HELLO_PATH, body, {"Content-Type": "application/json"})
        welcome = msgspec.json.decode(answer, type=Welcome)
        later_ms = welcome.server_time_ms + months_later * 31 * 86_400_000
        later = msgspec.structs.replace(welcome, server_time_ms=later_ms)
        await Keeper(identity, client, ToldClock()).attend(later)


@pytest.fixture
def installation(tmp_path: Path, sqlite_template: Path) -> Installation:
    return Installation(tmp_path, sqlite_template)


async def test_a_third_of_the_boxes_away_during_the_change_and_all_get_on(installation: Installation) -> None:
    boxes: list[Identity] = []
    async with installation.running() as (app, url):
        site_id = await asyncio.to_thread(add_site, app[DATABASE])
        for number in range(9):
            gateway, _ = await asyncio.to_thread(add_gateway, app[DATABASE], site_id, code=f"gw-{number}")
            credential = await asyncio.to_thread(enrolled, app, gateway.gateway_id, url)
            boxes.append(Identity(credential, LONG_AGO_MS))
        for box in boxes:
            await greet(box, url)
        old = app[AUTHORITY].fingerprint
    away, there = boxes[:3], boxes[3:]

    done = installation.type("succeed")
    assert done.exit_code == 0, done.output
    again = installation.type("succeed")
    async with installation.running() as (app, url):
        new = app[AUTHORITY].fingerprint
        for box in there:
            await greet(box, url)
            await greet(box, url, months_later=2)
        for box in away:  # back after the change, knowing only the old root
            await greet(box, url)
            await greet(box, url, months_later=2)
        late, _ = await asyncio.to_thread(add_gateway, app[DATABASE], site_id, code="gw-late")
        asleep = Identity(await asyncio.to_thread(enrolled, app, late.gateway_id, url), LONG_AGO_MS)
    assert old != new
    assert "a change is under way already" in again.output
    assert {len(certificates_from_pem(box.credential.authority_pem.encode())) for box in boxes} == {2}

    assert installation.type("retire").exit_code == 0
    async with installation.running() as (app, url):
        for box in [*boxes, asleep]:
            await greet(box, url)
    assert {len(certificates_from_pem(box.credential.authority_pem.encode())) for box in boxes} == {1}


async def test_a_box_that_slept_through_the_whole_change_is_out(installation: Installation) -> None:
    async with installation.running() as (app, url):
        site_id = await asyncio.to_thread(add_site, app[DATABASE])
        gateway, _ = await asyncio.to_thread(add_gateway, app[DATABASE], site_id)
        box = Identity(await asyncio.to_thread(enrolled, app, gateway.gateway_id, url), LONG_AGO_MS)
    assert installation.type("succeed").exit_code == 0
    assert installation.type("retire").exit_code == 0

    async with installation.running() as (_, url):
        with pytest.raises(CloudFault, match="certificate verify failed"):
            await greet(box, url)


def test_the_root_may_lie_elsewhere_and_its_key_is_encrypted(
    installation: Installation, tmp_path: Path
) -> None:
    shown = installation.type("show")
    safe = tmp_path / "safe.pem"
    (tmp_path / "authority" / "root.pem").rename(safe)

    without = installation.type("succeed")
    done = installation.type("succeed", "--root", str(safe))

    assert "take it to a safe" in shown.output
    assert b"ENCRYPTED" in safe.read_bytes()
    assert without.exit_code == 1
    assert "root.pem" in without.output
    assert done.exit_code == 0, done.output


def test_a_proxy_is_certified_under_its_names(installation: Installation, tmp_path: Path) -> None:
    done = installation.type(
        "certify", "--name", "gateways.example", "--name", "192.0.2.10", "--out", str(tmp_path / "proxy")
    )

    assert done.exit_code == 0, done.output
    leaf, issuer = certificates_from_pem((tmp_path / "proxy.pem").read_bytes())
    assert leaf.issuer == issuer.subject
    assert (tmp_path / "proxy.key").stat().st_mode & 0o777 == 0o600
