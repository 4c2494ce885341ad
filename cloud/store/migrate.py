"""Bringing a database to this program's schema, and telling whether it is there.

The invariant: an upgrade is whole or absent: each step runs in one transaction, with everybody else
kept out. A database newer than this program is left alone and named.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from cloud.domain.errors import Conflict, Unavailable
from cloud.store import row_security
from cloud.store.db import SQLITE_BUSY_TIMEOUT_MS, engine_url

_MIGRATIONS = Path(__file__).parent / "migrations"
# Any number, the same for all our processes: whoever holds it upgrades, the others wait.
_POSTGRESQL_LOCK = 7_210_442_017


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Which step a database is at, and which this program needs. `current` is None for an empty one."""

    current: str | None
    needed: str

    @property
    def is_current(self) -> bool:
        """Tell whether the program can run on it."""
        return self.current == self.needed


def upgrade(url: str, app_role: str = "") -> SchemaState:
    """Bring the database to this program's schema; Conflict if it is newer than the program.

    On PostgreSQL every table is put behind its policy, and `app_role` may read and write rows.
    """
    engine = _engine(url)
    try:
        with _explained(url), engine.begin() as conn:
            if conn.dialect.name == "postgresql":
                conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
            config = _config(conn)
            _refuse_newer(_current(conn), config)
            if conn.dialect.name == "postgresql":
                row_security.loosen(conn)
            command.upgrade(config, "head")
            if conn.dialect.name == "postgresql":
                row_security.enforce(conn)
                if app_role:
                    row_security.grant(conn, app_role)
            return _state(conn, config)
    finally:
        engine.dispose()


def check(url: str) -> SchemaState:
    """Return where the database stands, without changing it."""
    engine = _engine(url)
    try:
        with _explained(url), engine.connect() as conn:
            return _state(conn, _config(conn))
    finally:
        engine.dispose()


def sees_past_policies(url: str) -> str | None:
    """Return who signs in if PostgreSQL shows them every company's rows; None if it does not."""
    engine = _engine(url)
    try:
        with _explained(url), engine.connect() as conn:
            return row_security.sees_past(conn) if conn.dialect.name == "postgresql" else None
    finally:
        engine.dispose()


def write_revision(url: str, message: str) -> str:
    """Write the next migration file, using an empty scratch database; return its path."""
    upgrade(url)
    engine = _engine(url)
    try:
        with engine.begin() as conn:
            config = _config(conn)
            number = sum(1 for _ in ScriptDirectory.from_config(config).walk_revisions()) + 1
            script = command.revision(config, message=message, autogenerate=True, rev_id=f"{number:04d}")
    finally:
        engine.dispose()
    assert script is not None and not isinstance(script, list), "one message makes one script"
    return script.path


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Say which database could not be used, and why, in one sentence without its password."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        shown = sa.make_url(url).render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())
        raise Unavailable(f"the database {shown} cannot be used: {reason}", retry_after_s=5) from error


def _engine(url: str) -> sa.Engine:
    parsed = engine_url(url)
    engine = sa.create_engine(parsed)
    if parsed.get_backend_name() != "sqlite":
        return engine
    Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(conn: sa.Connection) -> None:
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _config(conn: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = conn
    return config


def _current(conn: sa.Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


def _state(conn: sa.Connection, config: Config) -> SchemaState:
    needed = ScriptDirectory.from_config(config).get_current_head()
    assert needed is not None, "there is at least one migration"
    return SchemaState(_current(conn), needed)


def _refuse_newer(current: str | None, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise Conflict(
            f"the database is at step {current}, which this program does not know (it knows up to "
            f"{max(known)}): use the newer program that upgraded it; nothing was changed"
        )
