"""PostgreSQL itself keeps companies apart: every table of the metadata, asked in raw SQL."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from cloud.__main__ import cloud
from cloud.command_line import refuse_who_sees_past_policies
from cloud.config import DatabaseConfig
from cloud.store import row_security, schema, tenants, users
from cloud.store.db import Database, engine_url
from cloud.store.migrate import upgrade
from tests.databases import OTHER_TENANT, TENANT, FakeClock
from tests.services import PostgresServer

ROLE = "gatehouse_app"
TABLES = [schema.metadata.tables[name] for name in row_security.protected_tables()]

# A value a kind of column takes; what it means is no matter here.
_VALUES: dict[type[Any], Any] = {
    sa.Boolean: False,
    sa.Date: date(2026, 11, 23),
    sa.Integer: 1,
    sa.JSON: {},
    sa.LargeBinary: b"x",
    sa.Numeric: Decimal(1),
    sa.Text: "x",
    sa.Uuid: "01a2062d-e200-7030-9182-ab56bd58c37d",
    schema.ExactDecimal: Decimal(1),
}


@dataclass
class Wall:
    """A database with a row of the other company in every table, and the program's role to ask with."""

    owner: sa.Engine
    app: sa.Engine
    app_url: str

    @contextmanager
    def asking(self, tenant_id: int | None) -> Iterator[sa.Connection]:
        """Ask as the program, in a transaction of a tenant, or of nobody."""
        with self.app.begin() as conn:
            if tenant_id is not None:
                conn.execute(sa.select(sa.func.set_config("gatehouse.tenant_id", str(tenant_id), True)))
            yield conn

    def counts(self, tenant_id: int | None) -> set[int]:
        """Return how many rows the tables show."""
        with self.asking(tenant_id) as conn:
            everything = (sa.select(sa.func.count()).select_from(table) for table in TABLES)
            return {conn.scalar(query) or 0 for query in everything}


def _row(table: sa.Table, tenant_id: int) -> dict[str, Any]:
    def value(column: sa.Column[Any]) -> Any:
        if column.name == "tenant_id":
            return tenant_id
        return next(_VALUES[kind] for kind in type(column.type).__mro__ if kind in _VALUES)

    return {column.name: value(column) for column in table.columns}


@pytest.fixture(scope="module")
def wall(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Wall]:
    """One for the module: nothing here changes it for good."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(host=str(postgres_server.data), user="postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}".encode())
        if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() is None:
            admin.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
    url = postgres_server.url(name)
    upgrade(url, ROLE)
    owner = sa.create_engine(engine_url(url))
    app_url = engine_url(url).set(username=ROLE).render_as_string(hide_password=False)
    with owner.begin() as conn:
        # Rows of anything: the policies alone are tried here, no foreign key, no trigger, no CHECK.
        conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in TABLES:
            for rule in table.constraints:
                if isinstance(rule, sa.CheckConstraint) and rule.name is not None:
                    named = sa.schema.DropConstraint(rule)
                    conn.execute(named)
            conn.execute(sa.insert(table).values(_row(table, OTHER_TENANT)))
    app = sa.create_engine(engine_url(app_url))
    yield Wall(owner, app, app_url)
    app.dispose()
    owner.dispose()


def test_every_table_is_behind_its_policy_for_its_owner_too(wall: Wall) -> None:
    with wall.app.begin() as conn:
        found = conn.exec_driver_sql(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid "
            "WHERE relrowsecurity AND relforcerowsecurity"
        )
        behind = {row.relname for row in found}

    assert behind == set(schema.metadata.tables) - {"tenant"}


def test_another_company_s_rows_are_read_in_no_table(wall: Wall) -> None:
    assert wall.counts(OTHER_TENANT) == {1}
    assert wall.counts(TENANT) == {0}


def test_without_a_tenant_there_are_no_rows_also_after_a_transaction_that_had_one(wall: Wall) -> None:
    assert wall.counts(None) == {0}
    assert wall.counts(OTHER_TENANT) == {1}
    assert wall.counts(None) == {0}


def test_another_company_s_rows_are_changed_and_deleted_in_no_table(wall: Wall) -> None:
    with wall.asking(TENANT) as conn:
        for table in TABLES:
            assert conn.execute(sa.update(table).values(tenant_id=TENANT)).rowcount == 0, table.name
            assert conn.execute(sa.delete(table)).rowcount == 0, table.name

    assert wall.counts(OTHER_TENANT) == {1}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_row_is_put_into_another_company(wall: Wall, table: sa.Table) -> None:
    with (
        pytest.raises(sa.exc.ProgrammingError, match="row-level security"),
        wall.asking(TENANT) as conn,
    ):
        conn.execute(sa.insert(table).values(_row(table, OTHER_TENANT)))


def test_the_program_s_role_can_take_down_no_policy(wall: Wall) -> None:
    for act in ("ALTER TABLE invoice DISABLE ROW LEVEL SECURITY", "DROP POLICY own_tenant ON invoice"):
        with pytest.raises(sa.exc.ProgrammingError, match="must be owner"), wall.asking(TENANT) as conn:
            conn.exec_driver_sql(act)


def test_the_program_works_behind_the_wall(wall: Wall, clock: FakeClock) -> None:
    database = Database(wall.app_url, clock=clock)
    try:
        database.write_now(TENANT, tenants.add_tenant, "one", "")

        assert database.read_now(TENANT, users.list_staff, 10) == []
        assert TENANT in database.read_now(OTHER_TENANT, tenants.list_tenants)
    finally:
        database.close()


def test_the_cloud_serves_as_no_superuser_and_as_nobody_who_bypasses_policies(wall: Wall) -> None:
    bypasser = "gatehouse_bypasser"
    with wall.owner.begin() as conn:
        conn.exec_driver_sql(f"DROP ROLE IF EXISTS {bypasser}")
        conn.exec_driver_sql(f"CREATE ROLE {bypasser} LOGIN BYPASSRLS")
    as_owner = wall.owner.url.render_as_string(hide_password=False)
    as_bypasser = wall.owner.url.set(username=bypasser).render_as_string(hide_password=False)

    for url, who in (
        (as_owner, "role 'postgres', a superuser"),
        (as_bypasser, f"role '{bypasser}' with BYPASSRLS"),
    ):
        refused = CliRunner().invoke(cloud, ["serve", "--database", url, "--port", "0"])
        assert refused.exit_code == 1
        assert f"they do not hold for {who}" in refused.output
        assert "--app-role" in refused.output

    refuse_who_sees_past_policies(DatabaseConfig(url=wall.app_url))
    refuse_who_sees_past_policies(DatabaseConfig(url=as_owner, allow_superuser=True))


def test_an_upgrade_sees_every_company_and_puts_the_wall_up_again(wall: Wall) -> None:
    upgrade(wall.owner.url.render_as_string(hide_password=False), ROLE)

    assert wall.counts(TENANT) == {0}
    assert wall.counts(OTHER_TENANT) == {1}
