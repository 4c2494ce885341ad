"""Backups of PostgreSQL by its own programs, put in place again; a role that is not allowed is told so."""

from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from cloud.domain.errors import Conflict, Invalid
from cloud.domain.gateway import ShownCertificate
from cloud.store import enrolments, schema
from cloud.store.backup import back_up
from cloud.store.db import Database, engine_url
from cloud.store.migrate import check, upgrade
from cloud.store.postgresql_programs import BackupFailed
from cloud.store.restore import restore
from tests.cloud.garden import add_gateway, add_site, count, rows_of
from tests.databases import OTHER_TENANT, START_MS, TENANT, FakeClock, _add_tenant
from tests.services import PostgresServer

OWNER = "gatehouse_restorer"
LEASED = {"lease": "a", "lease_before": "b", "boot_id": "c", "boot_id_before": "d", "leased_at_ms": START_MS}


@pytest.fixture(autouse=True)
def postgresql_programs(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the server that runs, whatever else is installed."""
    if not (postgres_server.bin / "pg_restore").exists():
        pytest.skip("no pg_restore beside the server")
    monkeypatch.setenv("PATH", f"{postgres_server.bin}:/usr/bin:/bin")


def _as_owner(server: PostgresServer) -> str:
    """Return an empty database whose owner sees no other company's rows: no superuser."""
    empty = engine_url(server.new_database())
    with psycopg.connect(host=str(server.data), user="postgres", autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone() is None:
            admin.execute(f"CREATE ROLE {OWNER} LOGIN".encode())
        admin.execute(f"ALTER DATABASE {empty.database} OWNER TO {OWNER}".encode())
    return empty.set(username=OWNER).render_as_string(hide_password=False)


def test_postgresql_is_backed_up_and_put_in_place_by_an_owner_who_is_no_superuser(
    postgres_server: PostgresServer, postgres_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    upgrade(postgres_url)
    cloud = Database(postgres_url, clock=clock)
    cloud.write_now(TENANT, _add_tenant, "one")
    gateway, _ = add_gateway(cloud, add_site(cloud))
    shown = ShownCertificate(TENANT, gateway.gateway_id, "1", 0, 1 << 42)
    cloud.write_now(TENANT, enrolments.put_identity, shown)
    cloud.write_now(TENANT, lambda tx: tx.conn.execute(sa.update(schema.gateway_identity).values(LEASED)))
    before = rows_of(cloud, schema.site)
    backup = tmp_path / "gatehouse.backup"
    assert back_up(postgres_url, backup) == backup.stat().st_size
    cloud.close()

    fresh = _as_owner(postgres_server)
    restore(fresh, backup)

    restored = Database(fresh, clock=clock)
    assert check(fresh).is_current
    assert rows_of(restored, schema.site) == before
    known = restored.read_now(TENANT, enrolments.find_identity, gateway.gateway_id)
    assert known is not None and known.lease is None
    # Its tables keep their owner out as they did, and what is restored once is not overwritten.
    assert rows_of(restored, schema.site, OTHER_TENANT) == []
    with pytest.raises(Conflict, match="has tables: restore into an empty one"):
        restore(fresh, backup)
    with pytest.raises(BackupFailed, match="row-level security"):
        back_up(fresh, tmp_path / "by_the_owner.backup")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["gatehouse.backup"]
    assert count(restored, schema.site) == 1
    restored.close()


def test_what_is_no_backup_leaves_an_empty_database(postgres_url: str, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.backup"
    spoilt.write_bytes(b"PGDMP" + bytes(200))

    with pytest.raises(BackupFailed, match="pg_restore"):
        restore(postgres_url, spoilt)
    with pytest.raises(Invalid, match="there is no backup"):
        restore(postgres_url, tmp_path / "missing")

    assert check(postgres_url).current is None


def test_a_machine_without_postgresqls_programs_is_told_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BackupFailed, match="pg_dump is not installed: install PostgreSQL's client programs"):
        back_up(postgres_url, tmp_path / "gatehouse.backup")
