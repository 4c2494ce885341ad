"""A database that fails under us: nothing half done, a word the caller can act on, and back by itself."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from cloud.domain.errors import Unavailable
from cloud.store import schema
from cloud.store.db import Database, Tx
from cloud.store.migrate import upgrade
from tests.cloud.garden import add_site, count
from tests.databases import TENANT, FakeClock
from tests.services import PostgresServer, find_postgres_bin, running_postgres

# A migrated database takes some 30 MiB of it.
_SMALL_MIB = 48


def _fill(tx: Tx, rows: int) -> None:
    for number in range(rows):
        tx.conn.execute(
            sa.insert(schema.site).values(
                tenant_id=tx.tenant_id,
                id=tx.new_id(),
                code=f"{number}-{tx.new_id()}",
                name="x" * 2_000,
                time_zone="UTC",
                address="",
            )
        )


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path, clock: FakeClock) -> Database:
    """A database on SQLite alone."""
    path = tmp_path / "gatehouse.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = Database(f"sqlite:///{path}", clock=clock)
    row = {"tenant_id": TENANT, "code": "one", "name": "", "created_at_ms": 0}
    opened.write_now(TENANT, lambda tx: tx.conn.execute(sa.insert(schema.tenant).values(row)))
    return opened


def test_a_full_disk_is_unavailable_and_nothing_of_it_is_kept(sqlite_database: Database) -> None:
    database = sqlite_database

    def work(tx: Tx, rows: int) -> None:
        # As far as SQLite is concerned the file may grow by ten pages: what a full disk does to it.
        pages = tx.conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.conn.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10}")
        _fill(tx, rows)

    with pytest.raises(Unavailable, match="nothing was changed") as refused:
        database.write_now(TENANT, work, 1_000)

    assert refused.value.retry_after_s == 5
    assert count(database, schema.site) == 0
    database.write_now(TENANT, work, 2)
    assert count(database, schema.site) == 2
    database.close()


async def test_what_waits_together_shares_a_flush_to_disk(sqlite_database: Database) -> None:
    database = sqlite_database
    commits: list[object] = []
    sa.event.listen(database._write_engine, "commit", commits.append)
    began, go_on = threading.Event(), threading.Event()

    def hold(_tx: Tx) -> None:
        began.set()
        assert go_on.wait(10)

    held = asyncio.create_task(database.write(TENANT, hold))
    assert await asyncio.to_thread(began.wait, 10)
    waiting = [asyncio.create_task(database.write(TENANT, _fill, 1)) for _ in range(10)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(held, *waiting)

    assert count(database, schema.site) == 10
    assert len(commits) < 8  # the held one's, and a few for ten
    database.close()


async def test_an_alarm_never_waits_for_a_backlog_to_share_its_flush(sqlite_database: Database) -> None:
    database = sqlite_database
    began, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def hold(_tx: Tx) -> None:
        began.set()
        assert go_on.wait(10)

    def work(_tx: Tx, word: str) -> None:
        order.append(word)

    sa.event.listen(database._write_engine, "commit", lambda _: order.append("flush"))
    held = asyncio.create_task(database.write(TENANT, hold))
    assert await asyncio.to_thread(began.wait, 10)
    tasks = [asyncio.create_task(database.write_bulk(TENANT, work, f"backlog {n}")) for n in range(2)]
    tasks += [asyncio.create_task(database.write(TENANT, work, f"alarm {n}")) for n in range(2)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(held, *tasks)

    assert order == ["flush", "alarm 0", "alarm 1", "flush", "backlog 0", "backlog 1", "flush"]
    database.close()


async def test_one_that_fails_costs_those_it_shares_with_nothing(
    sqlite_database: Database, clock: FakeClock
) -> None:
    database = sqlite_database
    heard: list[object] = []
    database._on_commit = heard.extend
    began, go_on = threading.Event(), threading.Event()

    def hold(_tx: Tx) -> None:
        began.set()
        assert go_on.wait(10)

    def fail(tx: Tx, kind: type[Exception]) -> None:
        _fill(tx, 1)
        tx.announce("never")
        if kind is sa.exc.IntegrityError:
            tx.conn.execute(
                sa.insert(schema.tenant).values(tenant_id=TENANT, code="x", name="", created_at_ms=0)
            )
        raise kind("no")

    def tell(tx: Tx, word: str) -> str:
        _fill(tx, 1)
        tx.announce(word)
        return word

    held = asyncio.create_task(database.write(TENANT, hold))
    assert await asyncio.to_thread(began.wait, 10)
    tasks = [
        asyncio.create_task(database.write(TENANT, tell, "a")),
        asyncio.create_task(database.write(TENANT, fail, KeyError)),
        asyncio.create_task(database.write(TENANT, fail, sa.exc.IntegrityError)),
        asyncio.create_task(database.write(TENANT, tell, "b")),
    ]
    await asyncio.sleep(0)
    go_on.set()
    await held
    came = await asyncio.gather(*tasks, return_exceptions=True)

    assert [came[0], came[3]] == ["a", "b"]
    assert [type(error) for error in came[1:3]] == [KeyError, sa.exc.IntegrityError]
    assert heard == ["a", "b"]
    assert count(database, schema.site) == 2
    database.close()


async def test_a_disk_that_fills_in_a_shared_transaction_costs_only_whoever_needs_the_room(
    sqlite_database: Database,
) -> None:
    database = sqlite_database
    began, go_on = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        pages = tx.conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.conn.exec_driver_sql(f"PRAGMA max_page_count = {pages + 12}")
        began.set()
        assert go_on.wait(10)

    held = asyncio.create_task(database.write(TENANT, hold))
    assert await asyncio.to_thread(began.wait, 10)
    tasks = [asyncio.create_task(database.write(TENANT, _fill, rows)) for rows in (1, 1, 5_000, 1)]
    await asyncio.sleep(0)
    go_on.set()
    await held
    came = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in came] == [type(None), type(None), Unavailable, type(None)]
    assert count(database, schema.site) == 3
    database.close()


def test_another_process_that_holds_the_file_is_waited_for(sqlite_database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "gatehouse.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    begun = time.monotonic()

    sqlite_database.write_now(TENANT, _fill, 1)

    assert time.monotonic() - begun >= 0.25
    assert count(sqlite_database, schema.site) == 1
    sqlite_database.close()
    other.close()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer, postgres_template: str, clock: FakeClock) -> Database:
    """A database on PostgreSQL alone."""
    name = f"faults_{time.monotonic_ns()}"
    with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}".encode())
    opened = Database(postgres_server.url(name), clock=clock)
    row = {"tenant_id": TENANT, "code": "one", "name": "", "created_at_ms": 0}
    opened.write_now(TENANT, lambda tx: tx.conn.execute(sa.insert(schema.tenant).values(row)))
    return opened


_CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_connections_cut_while_idle_are_not_noticed_by_the_next_transaction(
    postgres_database: Database, postgres_server: PostgresServer
) -> None:
    database = postgres_database
    add_site(database)
    name = database.read_now(
        TENANT, lambda tx: tx.conn.exec_driver_sql("SELECT current_database()").scalar_one()
    )
    with psycopg.connect(
        host=str(postgres_server.data), user="postgres", dbname=name, autocommit=True
    ) as other:
        other.execute(_CUT_OTHERS.encode())

    add_site(database, code="B")

    assert count(database, schema.site) == 2
    database.close()


def test_a_connection_cut_in_the_middle_leaves_nothing_and_the_next_one_works(
    postgres_database: Database, postgres_server: PostgresServer
) -> None:
    database = postgres_database

    def cut_oneself(tx: Tx) -> None:
        _fill(tx, 3)
        mine = tx.conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (mine,))
        _fill(tx, 3)

    with pytest.raises(Unavailable, match="nothing was changed"):
        database.write_now(TENANT, cut_oneself)

    assert count(database, schema.site) == 0
    add_site(database)
    assert count(database, schema.site) == 1
    database.close()


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A file system of a few mebibytes, and the tablespace on it, after which a database may be named."""

    folder: Path
    name: str


@pytest.fixture
def small_disk(postgres_server: PostgresServer) -> Iterator[SmallDisk]:
    """A tablespace with room for a migrated database and little more, on a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="gh-small-", dir="/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_MIB}m,mode=0777", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("this machine lets nobody mount a file system")
    name = f"small_{time.monotonic_ns()}"
    (folder / "space").mkdir()
    shutil.chown(folder / "space", "nobody")
    (folder / "space").chmod(0o700)
    try:
        with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}/space'".encode())
            yield SmallDisk(folder, name)
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            admin.execute(f"DROP TABLESPACE {name}".encode())
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_full_postgresql_is_unavailable_keeps_nothing_of_it_and_works_once_there_is_room(
    postgres_server: PostgresServer, postgres_template: str, small_disk: SmallDisk, clock: FakeClock
) -> None:
    with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {small_disk.name} TEMPLATE {postgres_template}"
            f" TABLESPACE {small_disk.name}".encode()
        )
    database = Database(postgres_server.url(small_disk.name), clock=clock)
    row = {"tenant_id": TENANT, "code": "one", "name": "", "created_at_ms": 0}
    database.write_now(TENANT, lambda tx: tx.conn.execute(sa.insert(schema.tenant).values(row)))
    add_site(database)

    def fill(tx: Tx) -> None:
        # Names that cannot be compressed, four kilobytes each: more than there is room for.
        tx.conn.exec_driver_sql(
            "INSERT INTO site (tenant_id, id, code, name, time_zone, address)"
            " SELECT %s::integer, gen_random_uuid(), n::text,"
            " (SELECT string_agg(md5(random()::text || n || part), '')"
            " FROM generate_series(1, 120) part), 'UTC', '' FROM generate_series(1, %s::integer) n",
            (TENANT, _SMALL_MIB * 256),
        )

    with pytest.raises(Unavailable, match="nothing was changed") as refused:
        database.write_now(TENANT, fill)

    assert refused.value.retry_after_s == 5
    assert count(database, schema.site) == 1
    more = ["mount", "-o", f"remount,size={2 * _SMALL_MIB}m", str(small_disk.folder)]
    subprocess.run(more, check=True)
    add_site(database, code="B")
    assert count(database, schema.site) == 2
    database.close()


async def test_a_server_that_goes_away_is_unavailable_and_used_again_when_it_is_back(
    clock: FakeClock,
) -> None:
    found = find_postgres_bin()
    if found is None:
        pytest.skip("no PostgreSQL")
    with running_postgres(found) as server:
        url = server.url("postgres")
        upgrade(url)
        database = Database(url, clock=clock)
        await database.read(TENANT, lambda tx: tx.now_ms)
        control = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
        stop = [*control, str(found / "pg_ctl"), "-D", str(server.data / "db"), "-m", "immediate"]
        await asyncio.to_thread(subprocess.run, [*stop, "-w", "stop"], check=True, capture_output=True)
        with pytest.raises(Unavailable):
            await database.read(TENANT, lambda tx: tx.now_ms)
        options = f"-c listen_addresses='' -c unix_socket_directories={server.data} -c fsync=off"
        start = [*control, str(found / "pg_ctl"), "-D", str(server.data / "db"), "-w", "-o", options]
        await asyncio.to_thread(subprocess.run, [*start, "-l", str(server.data / "log"), "start"], check=True)
        begun = time.monotonic()

        assert await database.read(TENANT, lambda tx: tx.now_ms) == clock.now_ms

        assert time.monotonic() - begun < 5
        database.close()
