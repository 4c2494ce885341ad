"""Many rows of one table by the fastest way each engine has: COPY, or one statement run for each.

The invariant: a row is stored as SQLAlchemy's INSERT would have stored it, by the same columns' types. It
is SQLAlchemy's care for every value of every row that costs more than the database itself; here a
column is looked at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import exc

from cloud.store.db import Tx

# Tables times the sets of columns they are filled by; there are some dozens.
_WAYS_MAX = 256


@dataclass(frozen=True, slots=True)
class _Way:
    """How rows with certain columns get into a table: the statement, and what makes a value storable."""

    statement: str
    columns: tuple[str, ...]
    makers: tuple[tuple[int, Callable[[Any], Any]], ...]

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """Return a row's values in the statement's order."""
        cells = [row[name] for name in self.columns]
        for index, make in self.makers:
            cells[index] = make(cells[index])
        return cells


def insert_rows(tx: Tx, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows that all have the columns of the first; a default of the database fills the others."""
    if not rows:
        return
    way = _way(table, tuple(rows[0]), tx.conn.dialect)
    if not tx.is_postgresql:
        # Add many rows.
        tx.conn.exec_driver_sql(way.statement, [tuple(way.values(row)) for row in rows])
        return
    driver: Any = tx.conn.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(way.statement) as copy:
            for row in rows:
                copy.write_row(way.values(row))
    except psycopg.Error as error:
        # What is below SQLAlchemy fails as if it were not: a deadlock is tried again, a conflict is told.
        raise exc.DBAPIError.instance(
            way.statement, None, error, psycopg.Error, dialect=tx.conn.dialect
        ) from error


@lru_cache(_WAYS_MAX)
def _way(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> _Way:
    quote = dialect.identifier_preparer.quote
    into = f"{quote(table.name)} ({', '.join(map(quote, names))})"
    if dialect.name == "postgresql":
        statement = f"COPY {into} FROM STDIN"
    else:
        statement = f"INSERT INTO {into} VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our own names
    makers = [(index, _maker(table.c[name].type, dialect)) for index, name in enumerate(names)]
    return _Way(statement, names, tuple((index, make) for index, make in makers if make is not None))


def _maker(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    if dialect.name == "postgresql" and isinstance(kind, sa.Uuid):
        return None  # COPY reads an id as it is written
    return kind.dialect_impl(dialect).bind_processor(dialect)
