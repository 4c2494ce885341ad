"""Databases for tests: every test that asks for one runs on SQLite and on a real PostgreSQL.

A test gets a database of its own, brought up by the real migrations; they run once a session and
engine, and each test then gets a copy.
"""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from cloud.domain.ids import TenantId
from cloud.store import schema
from cloud.store.db import Database, Keyring, Tx
from cloud.store.migrate import upgrade
from tests.services import PostgresServer

TENANT = TenantId(1)
PRIVACY_KEY = bytes(range(32))
OTHER_TENANT = TenantId(2)

# 2026-11-24 08:00 in Shanghai.
START_MS = 1_795_478_400_000


class FakeClock:
    """A clock that stands until it is told to move."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, ms: int = 0, s: int = 0, minutes: int = 0, hours: int = 0, days: int = 0) -> None:
        """Move on."""
        self.now_ms += ms + 1000 * (s + 60 * (minutes + 60 * (hours + 24 * days)))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("database") / "template.db"
    upgrade(f"sqlite:///{path}")
    with sa.create_engine(f"sqlite:///{path}").connect() as conn:
        conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a migrated, empty PostgreSQL database to copy."""
    url = postgres_server.new_database()
    upgrade(url)
    name = sa.make_url(url).database
    assert name is not None
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "gatehouse.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("postgres_template")
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(host=str(server.data), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield server.url(name)
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


@pytest.fixture
def clock() -> FakeClock:
    """A clock the test moves."""
    return FakeClock()


@pytest.fixture
def database(database_url: str, clock: FakeClock) -> Iterator[Database]:
    """A database with two tenants in it, on either engine."""
    opened = Database(database_url, clock=clock, keyring=Keyring(PRIVACY_KEY))
    for tenant_id, code in ((TENANT, "one"), (OTHER_TENANT, "two")):
        opened.write_now(tenant_id, _add_tenant, code)
    yield opened
    opened.close()


def _add_tenant(tx: Tx, code: str) -> None:
    row = {"tenant_id": tx.tenant_id, "code": code, "name": code, "created_at_ms": tx.now_ms}
    tx.conn.execute(tx.insert(schema.tenant).values(row))
