"""Opening the buffer's file: new, older or damaged, which is known before anything is written."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edge.buffer_check import check_structure
from edge.buffer_store import Store
from edge.errors import StorageFault

SCHEMA_VERSION = 5
# A number further ahead than this is a flipped bit and not a newer agent's.
_NEWER_VERSIONS_MAX = 100
# The write-ahead log is cut back to this after a checkpoint; SQLite checkpoints every 1,000 pages.
_WAL_BYTES_MAX = 8 * 1024 * 1024
# Of a new store; one that exists keeps its own. A commit changes a few pages by a few hundred bytes each and
# writes them whole: pages of a quarter wear a memory card a third as much.
_PAGE_BYTES = 1024

Connect: TypeAlias = Callable[[Path], sqlite3.Connection]


def connect_file(path: Path) -> sqlite3.Connection:
    """Open a database file, or make it; transactions are begun by whoever uses it."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def open_store(
    path: Path,
    new_epoch: Callable[[], int],
    created_at_ms: int,
    connect: Callable[[Path], sqlite3.Connection] = connect_file,
    boot_id: str = "",
    *,
    is_whole: bool = True,
) -> Store:
    """Open the store, making it if there is none; sqlite3.DatabaseError if the file is damaged.

    `boot_id` names the time in which the monotonic clock runs on; "" where nobody will date anything. A large
    store is not read whole (`is_whole`) before it is used, see `edge.buffer_check`.
    StorageFault if it was written by a newer agent: that file is left untouched.
    """
    connection = connect(path)
    try:
        version = _version(connection, path)
        _configure(connection)
        check_structure(connection, is_whole=is_whole)
        if version != SCHEMA_VERSION:
            # Here and not above: only a new or an older store pays for it, see there.
            from edge.buffer_schema import migrate

            migrate(connection)
            # A damaged file is evidence: nothing is written before it is known to be sound.
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        # The epoch of this store, chosen once.
        connection.execute(
            "INSERT INTO store (id, epoch, created_at_ms) VALUES (1, ?, ?) ON CONFLICT DO NOTHING",
            (new_epoch(), created_at_ms),
        )
        (epoch,) = connection.execute("SELECT epoch FROM store").fetchone()
        store = Store(connection, epoch, boot_id)
        store.check(is_whole=is_whole)
        if version == SCHEMA_VERSION:
            fold_log(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        if _is_damage(error, path):
            raise sqlite3.DatabaseError(f"{path} is not as this agent wrote it: {error}") from error
        raise
    except UnicodeError as error:
        # Python could not even read what SQLite says is wrong with the schema.
        connection.close()
        raise sqlite3.DatabaseError(f"{path} has text in it that is none: {error}") from error
    except BaseException:
        connection.close()
        raise
    return store


def fold_log(connection: sqlite3.Connection) -> None:
    """Fold the log into the file and begin it anew, so that what a power cut undid stays undone.

    Pieces of a transaction that was found undone lie in the log still. The next one is written over
    them, and if that is cut off as well, its pieces may complete theirs: they are alike where their
    pages are. A log that is begun anew has another salt, by which SQLite knows its own.
    """
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        # Without room it stays as it is: worse than an old log is a store that does not open.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL:
            raise


def _is_damage(error: sqlite3.OperationalError, path: Path) -> bool:
    """Tell a file with other tables than ours, or with text that is none, from a disk that fails."""
    # Python's own complaints, of text that is not UTF-8, carry no code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_READONLY:
        # A file may call itself unwritable: byte 18 is 1 or 2 in one that SQLite writes.
        with path.open("rb") as file:
            return file.read(19)[18:] not in (b"\1", b"\2")
    return bool(code == sqlite3.SQLITE_ERROR)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version <= SCHEMA_VERSION + _NEWER_VERSIONS_MAX:
        raise sqlite3.DatabaseError(f"{path} has schema {version}, which no agent ever wrote")
    if version > SCHEMA_VERSION:
        raise StorageFault(
            f"{path} has schema {version}, this agent knows up to {SCHEMA_VERSION}: "
            "run the newer agent, or move the file away to begin a new one"
        )
    return version


def _configure(connection: sqlite3.Connection) -> None:
    for pragma in (
        f"page_size = {_PAGE_BYTES}",  # before the first page is written, and nothing afterwards
        "locking_mode = EXCLUSIVE",  # a second opener is refused, and no shared memory file is needed
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {_WAL_BYTES_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}")
