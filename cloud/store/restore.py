"""Putting a backup in the place of a database that is lost.

The invariant: nothing that is there is overwritten, and the database is whole or not there at all. What was
leased to gateways since the backup is forgotten with it: otherwise every box would look like an old copy of
itself. Their readings and alarms they send again by themselves, as far back as they keep them.
"""

import os
from pathlib import Path

import sqlalchemy as sa

from cloud.domain.errors import Conflict, Invalid
from cloud.store import row_security
from cloud.store.backup import sound_copy
from cloud.store.db import engine_url
from cloud.store.postgresql_programs import run_program
from cloud.store.schema import gateway_identity

_NOTHING_LEASED = {"lease": None, "lease_before": "", "boot_id": "", "boot_id_before": "", "leased_at_ms": 0}


def restore(url: str, source: Path) -> None:
    """Make the database anew from a backup; Conflict if there is one already."""
    if not source.is_file():
        raise Invalid(f"there is no backup {source}")
    parsed = engine_url(url)
    if parsed.get_backend_name() == "sqlite":
        _restore_sqlite(source, Path(parsed.database or ""))
    else:
        _restore_postgresql(source, parsed)
        engine = sa.create_engine(parsed)
        try:
            with engine.begin() as conn:
                # Behind their policies the owner would find no row to forget a lease in.
                row_security.loosen(conn)
                conn.execute(sa.update(gateway_identity).values(_NOTHING_LEASED))
                row_security.enforce(conn)
        finally:
            engine.dispose()


def _restore_sqlite(source: Path, target: Path) -> None:
    for part in (target, target.with_name(target.name + "-wal")):
        if part.exists():
            raise Conflict(f"{part} is there already: stop the cloud and move it away first")
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        sound_copy(source, fresh)
        engine = sa.create_engine(f"sqlite:///{fresh}")
        try:
            with engine.begin() as conn:
                conn.execute(sa.update(gateway_identity).values(_NOTHING_LEASED))
        finally:
            engine.dispose()
        fresh.chmod(0o600)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _restore_postgresql(source: Path, parsed: sa.URL) -> None:
    engine = sa.create_engine(parsed)
    try:
        with engine.connect() as conn:
            if sa.inspect(conn).get_table_names():
                raise Conflict(f"the database {parsed.database} has tables: restore into an empty one")
    finally:
        engine.dispose()
    run_program("pg_restore", parsed, "--no-owner", "--single-transaction", str(source))
