"""A real cloud on a real port with a real database, and people signed in to it."""

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psycopg
import pytest
from aiohttp import web

from cloud.app import make_app
from cloud.config import (
    DEFAULT_TENANT,
    Commands,
    Config,
    DatabaseConfig,
    Http,
    Notices,
    Payments,
    Role,
    Webhooks,
)
from cloud.domain.ids import AccountId, TenantId
from cloud.domain.user import Locale, User, system_user
from cloud.domain.user import Role as UserRole
from cloud.keys import DATABASE, SESSION_LIMITS
from cloud.services import users
from cloud.services.passwords import hash_password
from cloud.store.db import Database
from tests.api.contract import check_answer
from tests.boxes import gateways_port
from tests.services import PostgresServer

PASSWORD = "correct horse battery staple"
# One hash for everybody: each costs some tens of milliseconds.
PASSWORD_HASH = hash_password(PASSWORD)

START_MS = 1_795_400_000_000  # 2026-11-23 in China


class StandingClock:
    """A clock that moves when told to."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Cloud:
    """A running cloud: where it is, its clock, and its database for preparing what a test needs."""

    url: str
    gateways_url: str
    app: web.Application
    clock: StandingClock
    http: aiohttp.ClientSession = field(repr=False)

    @property
    def database(self) -> Database:
        return self.app[DATABASE]

    async def call(
        self, method: str, path: str, *, token: str = "", json: Any = None, **kwargs: Any
    ) -> Reply:
        headers = dict(kwargs.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, self.url + path, headers=headers, json=json, **kwargs) as got:
            reply = Reply(got.status, got.headers, await got.read())
        if "json" in got.content_type:
            check_answer(method, path, got.status, got.content_type, reply.json)
        return reply

    async def add_user(
        self,
        login: str,
        role: UserRole = UserRole.MANAGER,
        account_ids: tuple[AccountId, ...] = (),
        tenant_id: TenantId = DEFAULT_TENANT,
    ) -> User:
        user_id = await self.database.write(
            tenant_id,
            users.create_user,
            system_user(tenant_id),
            login,
            login.title(),
            role,
            PASSWORD_HASH,
            Locale.ENGLISH,
            account_ids,
        )
        return User(user_id, tenant_id, role, login.title(), Locale.ENGLISH, frozenset(account_ids))

    async def token_of(self, user: User) -> str:
        signed_in = await self.database.write(
            user.tenant_id, users.begin_session, user.user_id, self.app[SESSION_LIMITS], "tests"
        )
        return signed_in.token


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a migrated SQLite database of the test's own."""
    path = tmp_path / "cloud.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@asynccontextmanager
async def running_cloud(
    url: str,
    clock: StandingClock,
    *,
    role: Role = Role.ALL,
    allow_private_webhooks: bool = False,
    notices: Notices | None = None,
    payments: Payments | None = None,
    **http: Any,
) -> AsyncIterator[Cloud]:
    """Run a cloud on `url` for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            role=role,
            http=Http(port=0, shutdown_timeout_s=2, **http),
            database=DatabaseConfig(url=url),
            commands=Commands(key_file=f"{folder}/command.key"),
            webhooks=Webhooks(allow_private=allow_private_webhooks),
            notices=notices or Notices(),
            payments=payments or Payments(),
        )
        app = make_app(config, clock=clock)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            try:
                async with gateways_port(runner) as gateways_url:
                    yield Cloud(f"http://127.0.0.1:{site.port}", gateways_url, app, clock, client)
            finally:
                await runner.cleanup()


@pytest.fixture
async def cloud(sqlite_url: str) -> AsyncIterator[Cloud]:
    """A running cloud on SQLite with nothing in it."""
    async with running_cloud(sqlite_url, StandingClock()) as running:
        yield running


@pytest.fixture
def migrated_postgres_url(postgres_server: PostgresServer, postgres_template: str) -> str:
    """The URL of a migrated PostgreSQL database of the test's own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}".encode())
    return postgres_server.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
async def any_cloud(request: pytest.FixtureRequest) -> AsyncIterator[Cloud]:
    """A running cloud on each engine: for what leans on locks and conflicts."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "migrated_postgres_url")
    async with running_cloud(url, StandingClock()) as running:
        yield running
