"""Connections to the two databases, prepared for what we promise of them.

SQLite: WAL, `synchronous=FULL`, foreign keys, and transactions that hold the write lock from their first
statement on. PostgreSQL: one pool under two isolation levels, one for writing and one for reading.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.pool import QueuePool

from cloud.domain.errors import Invalid
from cloud.store.scope import prepare_sqlite

# A second process (an upgrade, a backup) may hold SQLite's write lock this long.
SQLITE_BUSY_TIMEOUT_MS = 5_000
_OPENED_IN = "opened_in_generation"


def engine_url(url: str) -> sa.URL:
    """Return the parsed address with our driver in it; Invalid for a database we don't speak."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise Invalid(f"the database address is not a URL: {url!r}") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database in (None, "", ":memory:"):
            raise Invalid("SQLite needs a file: sqlite:///path/to/gatehouse.db")
        case "sqlite":
            return parsed.set(drivername="sqlite")
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise Invalid(f"the database must be sqlite or postgresql, not {other!r}")


def is_embedded(url: str) -> bool:
    """Tell whether the database is a file that one process has to itself."""
    return engine_url(url).get_backend_name() == "sqlite"


def postgresql_engines(url: sa.URL, *, connections: int) -> tuple[sa.Engine, sa.Engine]:
    """Return an engine to write by and one to read by, over one pool of so many connections."""
    pool = sa.create_engine(url, pool_size=connections, max_overflow=0, pool_pre_ping=True)
    # Without `preserve_rowcount` an INSERT's count is -1 here, and nobody would see a conflict.
    writing = pool.execution_options(isolation_level="READ COMMITTED", preserve_rowcount=True)
    reading = pool.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return writing, reading


def sqlite_engine(url: sa.URL, *, connections: int, begin: str, is_read_only: bool = False) -> sa.Engine:
    """Return an engine of so many connections to a file, each prepared as the promises above need."""
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # A connection is used by one thread at a time, but not always by the same one.
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        prepare_sqlite(connection, record.info)
        # The driver's own transactions begin too late to hold the write lock from the first read on.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Negative: kibibytes. The upper pages of the reading index of a large site.
        connection.execute("PRAGMA cache_size = -65536")
        if is_read_only:
            connection.execute("PRAGMA query_only = ON")

    @sa.event.listens_for(engine, "begin")
    def begin_transaction(conn: sa.Connection) -> None:
        conn.exec_driver_sql(begin)

    return engine


def renewing(engine: sa.Engine) -> Callable[[], None]:
    """Return what makes each connection of the engine's pool open anew when it is next asked for.

    To dispose of the pool instead would let whoever waits in the old one wait for its timeout, half a minute.
    """
    generation = 0

    @sa.event.listens_for(engine, "connect")
    def note(_connection: Any, record: Any) -> None:
        record.info[_OPENED_IN] = generation

    @sa.event.listens_for(engine, "checkout")
    def check(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info[_OPENED_IN] != generation:
            raise exc.DisconnectionError("opened before the last renewal")

    def renew() -> None:
        nonlocal generation
        generation += 1

    return renew
