"""What a database's error means: try again, the machine failed, or we made a mistake."""

import sqlite3
from typing import Final

from sqlalchemy import exc

from cloud.domain.errors import Invalid, Unavailable

_SERIALIZATION_FAILURE: Final = "40001"
_DEADLOCK: Final = "40P01"
# What SQLite says when the machine under it fails, as opposed to a mistake of ours.
_SQLITE_MACHINE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)

# What is raised by a database, its driver, or the pool in front of it.
DatabaseError = exc.DBAPIError | exc.TimeoutError
DATABASE_ERRORS = (exc.DBAPIError, exc.TimeoutError)


def is_repeatable(error: DatabaseError) -> bool:
    """Tell whether the database undid the transaction only because of another one."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) in (_SERIALIZATION_FAILURE, _DEADLOCK):
        return True
    return sqlite_code(original) == sqlite3.SQLITE_BUSY


def translated(error: DatabaseError, *, was_committing: bool) -> Exception:
    """Return Unavailable where the machine failed, and the error itself where we did."""
    original = getattr(error, "orig", None)
    code = sqlite_code(original)
    if code is not None and code not in _SQLITE_MACHINE_CODES:
        return error
    if isinstance(error, exc.DataError):
        return Invalid("the request holds a value that nothing stored could have")
    if was_committing and getattr(error, "connection_invalidated", False):
        return Unavailable(
            "the database was lost while it committed: look whether it was done before trying again",
            retry_after_s=5,
        )
    if isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError):
        return Unavailable("the database cannot take this just now; nothing was changed", retry_after_s=5)
    return error


def sqlite_code(original: object) -> int | None:
    """Return SQLite's primary result code (the low byte of the extended one), or None."""
    code = getattr(original, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
