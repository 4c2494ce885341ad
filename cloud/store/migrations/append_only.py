"""Triggers that make the database itself refuse to change what was once written.

Called by migrations; not to be edited once released, for then old databases would differ from new ones.
"""

from collections.abc import Iterable

import sqlalchemy as sa

# Per cent signs doubled: the driver reads single ones as placeholders.
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION gatehouse_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%% is append-only: %% refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""


def protect(conn: sa.Connection, tables: Iterable[str]) -> None:
    """Refuse UPDATE and DELETE on `tables`, and on PostgreSQL TRUNCATE."""
    for table in tables:
        _refuse(conn, table, ("UPDATE", "DELETE"))
        if conn.dialect.name == "postgresql":
            _refuse_truncate(conn, table)


def keep_rows(conn: sa.Connection, tables: Iterable[str]) -> None:
    """Refuse DELETE on `tables`; their rows may change and never go."""
    for table in tables:
        _refuse(conn, table, ("DELETE",))


def keep_values(conn: sa.Connection, tables: Iterable[str]) -> None:
    """Refuse UPDATE on `tables`; their rows may go with what they are about and never change."""
    for table in tables:
        _refuse(conn, table, ("UPDATE",))


def _refuse(conn: sa.Connection, table: str, acts: tuple[str, ...]) -> None:
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(_POSTGRESQL_FUNCTION)
        conn.exec_driver_sql(
            f"CREATE TRIGGER {table}_append_only BEFORE {' OR '.join(acts)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION gatehouse_refuse_change()"
        )
        return
    for act in acts:
        conn.exec_driver_sql(
            f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} BEGIN "
            f"SELECT RAISE(ABORT, '{table} is append-only: {act} refused'); END"
        )


def _refuse_truncate(conn: sa.Connection, table: str) -> None:
    conn.exec_driver_sql(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_refuse_change()"
    )
