"""The few methods of `sqlite3.Connection` that the edge's stores use, on a `Disk`.

The statements, pragmas and migrations are the program's own; only the library differs: apsw brings
a SQLite of its own, because the one Python was built with takes no VFS. Errors become the classes
`sqlite3` would have raised, since the program tells a failing disk from a damaged file by them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import apsw

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
        is_statement = isinstance(error, apsw.SQLError)
        failure.sqlite_errorcode = sqlite3.SQLITE_ERROR if is_statement else sqlite3.SQLITE_IOERR
        raise failure from error
