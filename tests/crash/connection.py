"""The few methods of `sqlite3.Connection` that our stores use, on a `Disk`.

The statements, pragmas and migrations are the program's own; only the library differs: apsw brings
a SQLite of its own, because the one Python was built with takes no VFS. Errors become the classes
`sqlite3` would have raised, since the program tells a failing disk from a damaged file by them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw
import sqlalchemy as sa

from tests.crash.disk import Disk

# As sqlite3 maps result codes to classes (Modules/_sqlite/util.c); the others are OperationalError here.
_T = TypeVar("_T")

_DAMAGED = (apsw.CorruptError, apsw.NotADBError)


class _Cursor:
    def __init__(self, rows: list[tuple[Any, ...]], description: Any, lastrowid: int) -> None:
        self._rows = iter(rows)
        self.description = description
        self.lastrowid = lastrowid
        self.rowcount = len(rows)

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(self._rows, None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows


class _Connection:
    def __init__(self, disk: Disk, path: Path) -> None:
        self._connection = _translated(lambda: apsw.Connection(str(path), vfs=disk.vfs))
        # Without shared memory a log needs it; the buffer asks for it anyway.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> _Cursor:
        def run() -> _Cursor:
            cursor = self._connection.cursor()
            cursor.execute(sql, parameters)
            try:
                description = cursor.get_description()
            except apsw.ExecutionCompleteError:
                description = ()  # there are no rows to describe
            return _Cursor(cursor.fetchall(), description, self._connection.last_insert_rowid())

        return _translated(run)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self.execute(sql, row)

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        _translated(self._connection.close)


class _DbapiCursor:
    """What SQLAlchemy's SQLite dialect uses of a cursor."""

    arraysize = 1

    def __init__(self, connection: "_DbapiConnection") -> None:
        self._connection = connection
        self._found: _Cursor | None = None
        self.rowcount = -1
        self.lastrowid = 0

    @property
    def description(self) -> Any:
        found = self._found
        return [(*column[:1], *[None] * 6) for column in found.description] if found else None

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> "_DbapiCursor":
        before = self._connection.total_changes()
        self._found = self._connection.run(sql, parameters)
        self.lastrowid = self._found.lastrowid
        self.rowcount = self._connection.total_changes() - before
        return self

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        before = self._connection.total_changes()
        for row in rows:
            self._found = self._connection.run(sql, row)
        self.rowcount = self._connection.total_changes() - before

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._found.fetchone() if self._found else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._found.fetchall() if self._found else []

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        return [row for row in (self.fetchone() for _ in range(size)) if row is not None]

    def close(self) -> None:
        self._found = None


class _DbapiConnection(_Connection):
    """A connection as the cloud's engine is handed one."""

    isolation_level: str | None = None

    def cursor(self) -> _DbapiCursor:
        return _DbapiCursor(self)

    def run(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> _Cursor:
        return _Connection.execute(self, sql, parameters)

    def total_changes(self) -> int:
        return self._connection.total_changes()

    def create_function(self, *_: Any, **__: Any) -> None:
        """Take no functions of Python's: none of our statements uses one."""


def let_engine_write_to(engine: sa.Engine, disk: Disk, path: Path) -> None:
    """Let an engine open its connections on the disk."""

    @sa.event.listens_for(engine, "do_connect")
    def connect(*_: object) -> _DbapiConnection:
        return _DbapiConnection(disk, path)


def connector(disk: Disk) -> Callable[[Path], sqlite3.Connection]:
    """Return what opens a database on this disk."""
    # Structurally what the stores use of one; `sqlite3` has no type for that.
    return lambda path: cast(sqlite3.Connection, _Connection(disk, path))


def _translated(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except _DAMAGED as error:
        raise sqlite3.DatabaseError(str(error)) from error
    except apsw.ConstraintError as error:
        raise sqlite3.IntegrityError(str(error)) from error
    except apsw.Error as error:
        failure = sqlite3.OperationalError(f"{type(error).__name__}: {error}")
        codes = {apsw.SQLError: sqlite3.SQLITE_ERROR, apsw.FullError: sqlite3.SQLITE_FULL}
        failure.sqlite_errorcode = codes.get(type(error), sqlite3.SQLITE_IOERR)
        raise failure from error
