"""A copy of the whole database in one file, taken while the cloud runs.

The invariant: a file under the target's name is complete and has been checked; what was interrupted
leaves nothing there. SQLite is copied by its own backup (page by page, consistent at the end),
PostgreSQL by `pg_dump`, whose custom format `pg_restore` reads.
"""

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path

import sqlalchemy as sa

from cloud.domain.errors import Conflict, GatehouseError, Invalid
from cloud.store.db import engine_url

# Between steps other writers get their turn; 1,000 pages are 4 MB, some milliseconds.
_PAGES_A_STEP = 1_000
_PG_DUMP_TIMEOUT_S = 6 * 3600


class BackupFailed(GatehouseError):
    """The copy could not be made, or is not whole; nothing was left under the target's name."""


def back_up(url: str, target: Path) -> int:
    """Write a checked copy of the database to `target` and return its size in bytes."""
    if target.exists():
        raise Conflict(f"{target} is there already: a backup never overwrites, name another file")
    if not target.parent.is_dir():
        raise Invalid(f"{target.parent} is not a folder: make it first")
    parsed = engine_url(url)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if parsed.get_backend_name() == "sqlite":
            sound_copy(Path(parsed.database or ""), fresh)
        else:
            _dump_postgresql(parsed, fresh)
        fresh.chmod(0o600)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target.stat().st_size


def sound_copy(source: Path, target: Path) -> None:
    """Copy a SQLite database, also one that is in use, and check the copy."""
    if not source.is_file():
        raise Invalid(f"there is no database {source}")
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as ours,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            ours.backup(copy, pages=_PAGES_A_STEP)
            # One plain file: a copy must not need a -wal beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
            verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupFailed(f"backup of {source}: {error}") from error
    if verdict != "ok":
        raise BackupFailed(f"backup of {source}: the copy fails SQLite's integrity check: {verdict}")


def postgresql_address(parsed: sa.URL) -> tuple[str, dict[str, str]]:
    """Return how PostgreSQL's own programs are told a database: its address, and what goes by environment."""
    # Everybody on the machine can read an argument list.
    secret = {} if parsed.password is None else {"PGPASSWORD": str(parsed.password)}
    return parsed.set(drivername="postgresql", password=None).render_as_string(), secret


def _dump_postgresql(parsed: sa.URL, target: Path) -> None:
    address, secret = postgresql_address(parsed)
    try:
        subprocess.run(
            ["pg_dump", "--format=custom", "--no-owner", f"--file={target}", f"--dbname={address}"],
            check=True, capture_output=True, text=True, timeout=_PG_DUMP_TIMEOUT_S,
            env={**os.environ, **secret},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise BackupFailed("pg_dump is not installed: install PostgreSQL's client programs") from error
    except subprocess.CalledProcessError as error:
        raise BackupFailed(f"pg_dump: {error.stderr.strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise BackupFailed(f"pg_dump was not done after {_PG_DUMP_TIMEOUT_S} s") from error
