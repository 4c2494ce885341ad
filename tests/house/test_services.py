"""The throw-away PostgreSQL server that other tests stand on."""

import psycopg

from tests.services import PostgresServer


def test_each_new_database_is_empty_and_its_own(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.new_database(), postgres_server.new_database()
    with psycopg.connect(first.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE reading (value int)")

    with psycopg.connect(second.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT to_regclass('reading')").fetchone()

    assert found == (None,)
