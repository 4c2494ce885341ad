"""The migrations build what the schema says, on both engines, and leave a newer database alone."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cloud.domain.errors import Conflict, Invalid
from cloud.store import schema
from cloud.store.db import engine_url
from cloud.store.migrate import check, upgrade


def test_the_migrations_build_exactly_the_schema(database_url: str) -> None:
    engine = sa.create_engine(engine_url(database_url))

    with engine.connect() as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "compare_server_default": True}
        )
        differences = compare_metadata(context, schema.metadata)

    engine.dispose()
    assert differences == []


def test_the_migrations_build_the_checks_of_the_schema(database_url: str) -> None:
    # alembic does not compare CHECK constraints, and they carry the closed sets.
    engine = sa.create_engine(engine_url(database_url))
    inspector = sa.inspect(engine)

    built = {
        (table, check["name"])
        for table in schema.metadata.tables
        for check in inspector.get_check_constraints(table)
    }

    engine.dispose()
    described = {
        (table.name, str(constraint.name))
        for table in schema.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }
    assert built == described


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    before = check(database_url)

    after = upgrade(database_url)

    assert before.is_current
    assert after == before


def test_an_empty_database_is_told_from_a_current_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"

    state = check(url)

    assert state.current is None
    assert not state.is_current


def test_a_database_of_a_newer_program_is_left_alone(database_url: str) -> None:
    engine = sa.create_engine(engine_url(database_url))
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Conflict, match="at step 9999, which this program does not know"):
        upgrade(database_url)

    engine.dispose()
    assert check(database_url).current == "9999"


# Stops an upgrade in the middle of a step, as long as somebody else holds the lock: at its n-th statement.
_STOP_IN_THE_MIDDLE = """
    CREATE SEQUENCE public.statements;
    CREATE FUNCTION public.stop() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('public.statements') = {number} THEN PERFORM pg_advisory_xact_lock(42); END IF;
    END $$;
    CREATE EVENT TRIGGER stop ON ddl_command_end EXECUTE FUNCTION public.stop();
"""
_GO_ON = "DROP EVENT TRIGGER stop; DROP FUNCTION public.stop; DROP SEQUENCE public.statements"


@pytest.mark.parametrize("number", [3, 300])
def test_an_upgrade_killed_in_the_middle_leaves_nothing_and_is_done_by_the_next(
    number: int, postgres_url: str
) -> None:
    address = engine_url(postgres_url).set(drivername="postgresql").render_as_string()
    with psycopg.connect(address, autocommit=True) as other:
        other.execute(_STOP_IN_THE_MIDDLE.format(number=number).encode())
        other.execute("SELECT pg_advisory_lock(42)")
        upgrading = f"from cloud.store.migrate import upgrade; upgrade({postgres_url!r})"
        process = subprocess.Popen([sys.executable, "-c", upgrading], cwd=Path(__file__).parents[2])
        try:
            waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
            while (stopped := other.execute(waiting).fetchone()) is None:
                assert process.poll() is None, "it came to its end without being stopped"
        finally:
            process.kill()
            process.wait()
        # A server notices a client's death when it next speaks to it.
        other.execute("SELECT pg_terminate_backend(%s)", stopped)
        while other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", stopped).fetchone():
            pass
        other.execute(_GO_ON.encode())
        left = other.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")

        assert left.fetchall() == []

    assert upgrade(postgres_url).is_current
    assert upgrade(postgres_url) == check(postgres_url)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://host/db", "sqlite or postgresql, not 'mysql'"),
        ("sqlite://", "SQLite needs a file"),
        ("no url at all", "not a URL: 'no url at all'"),
    ],
)
def test_a_database_address_we_cannot_use_says_why(url: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        upgrade(url)


def test_the_tenant_leads_every_key() -> None:
    for table in schema.metadata.tables.values():
        keys = [table.primary_key, *(c for c in table.constraints if isinstance(c, sa.UniqueConstraint))]
        for key in keys:
            names = [column.name for column in key.columns]
            assert names[0] == "tenant_id" or table.name == "tenant", f"{table.name}: {names}"
        for index in table.indexes:
            assert next(iter(index.columns)).name == "tenant_id", index.name
        for foreign_key in table.foreign_key_constraints:
            first = foreign_key.elements[0]
            assert first.parent.name == "tenant_id", foreign_key.name
            assert first.column.name == "tenant_id", foreign_key.name
