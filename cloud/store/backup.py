"""A copy of the whole database in one file, taken while the cloud runs.

The invariant: a file under the target's name is complete and has been checked; what was interrupted
leaves nothing there. SQLite is copied by its own backup (page by page, consistent at the end),
PostgreSQL by `pg_dump`, whose custom format `pg_restore` reads.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from cloud.domain.errors import Conflict, Invalid
from cloud.store.db import engine_url
from cloud.store.postgresql_programs import BackupFailed, run_program

# Between steps other writers get their turn; 1,000 pages are 4 MB, some milliseconds.
_PAGES_A_STEP = 1_000


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
            run_program("pg_dump", parsed, "--format=custom", "--no-owner", f"--file={fresh}")
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
