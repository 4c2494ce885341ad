"""The database: whole transactions of plain, synchronous code on threads of their own.

The invariant: `work(tx, …)` runs from begin to commit on one thread and either all of it is
durable or none of it. A cancelled awaiter cannot leave half a transaction; nobody hears of a
change (`Tx.announce`) before it is committed.

SQLite: one thread writes (`BEGIN IMMEDIATE`, WAL, `synchronous=FULL`), a few others read.
PostgreSQL: a pool; reads see one snapshot (REPEATABLE READ), writes are READ COMMITTED and lean on
constraints, `ON CONFLICT` and row locks; a deadlock or serialization failure repeats the whole work.
So `work` must have no effect outside `tx`, and may be run more than once.
"""

import asyncio
import logging
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import QueuePool

from cloud.domain.errors import Invalid, Unavailable
from cloud.domain.ids import UUID7_ENTROPY_BYTES, TenantId, uuid7
from cloud.store.threads import Gate, Lane, TransactionThreads

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_P = ParamSpec("_P")

# A reader thread costs a connection and some cache; pages are short, so few suffice.
SQLITE_READERS = 4
# Beyond about twice the cores, more PostgreSQL connections only wait for each other.
POSTGRESQL_CONNECTIONS = 8
# At 100 short transactions a second this is ten seconds of waiting: past it a caller has given up.
TRANSACTIONS_WAITING_MAX = 1_000
# A second process (an upgrade, a backup) may hold SQLite's write lock this long.
SQLITE_BUSY_TIMEOUT_MS = 5_000
ATTEMPTS_MAX = 5
# Two that got into each other's way settle it one after the other.
ALONE_FROM_ATTEMPT = 2

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


class Clock(Protocol):
    """Tells the time: UTC, epoch milliseconds."""

    def __call__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction of one tenant: the connection, the moment it began, and where new ids come from.

    Every statement names `tenant_id`. `now_ms` is the same throughout, so a transaction has one time.
    """

    conn: sa.Connection
    tenant_id: TenantId
    now_ms: int
    new_id: Callable[[], str]
    _announced: list[object] = field(default_factory=list)

    def announce(self, change: object) -> None:
        """Tell the listeners of `change` once this transaction has been committed, else never."""
        self._announced.append(change)

    def insert(self, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
        """Return an INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        if self.is_postgresql:
            return postgresql.insert(table)
        return sqlite.insert(table)

    @property
    def is_postgresql(self) -> bool:
        """Tell which of the two engines this is, for the few statements that differ."""
        return self.conn.dialect.name == "postgresql"


class BuiltInsert:
    """An INSERT with an `ON CONFLICT` for either engine, built once: for what runs with every event.

    Building a statement costs about as much as running it.
    """

    def __init__(
        self, build: Callable[[Callable[[sa.Table], "sqlite.Insert | postgresql.Insert"]], sa.Insert]
    ) -> None:
        """Build it; `build` is handed what makes an engine's INSERT of a table."""
        self._sqlite = build(sqlite.insert)
        self._postgresql = build(postgresql.insert)

    def of(self, tx: Tx) -> sa.Insert:
        """Return the statement of the transaction's engine."""
        return self._postgresql if tx.is_postgresql else self._sqlite


class NewIds:
    """Makes UUIDv7s that sort in the order they were made, also within a millisecond."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._last = (0, -1)

    def __call__(self) -> str:
        """Return a new id."""
        with self._lock:
            at_ms, counter = self._last
            now_ms = self._clock()
            # A clock that stands or goes back keeps counting in its last millisecond (RFC 9562 §6.2).
            self._last = (now_ms, 0) if now_ms > at_ms else (at_ms, counter + 1)
            if self._last[1] > 0xFFF:
                self._last = (at_ms + 1, 0)
            at_ms, counter = self._last
        return uuid7(at_ms, counter, self._entropy(UUID7_ENTROPY_BYTES))


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


class Database:
    """Runs transactions. Made once by the wiring; closed when all doors are."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        on_commit: Callable[[Sequence[object]], None] | None = None,
        before_commit: Callable[[Tx, Sequence[object]], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """Open `url`. `on_commit` is called on a database thread with what a transaction announced.

        `before_commit` is called inside that transaction, to write down what must not be forgotten of it.
        """
        parsed = engine_url(url)
        self._clock = clock
        self._new_id = NewIds(clock)
        self._on_commit = on_commit
        self._before_commit = before_commit
        self._gate = Gate()
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        if parsed.get_backend_name() == "sqlite":
            self._write_engine = _sqlite_engine(parsed, connections=1, begin="BEGIN IMMEDIATE")
            self._read_engine = _sqlite_engine(
                parsed, connections=SQLITE_READERS, begin="BEGIN", is_read_only=True
            )
            self._writers = TransactionThreads("db-write", count=1, waiting_max=TRANSACTIONS_WAITING_MAX)
            self._readers = TransactionThreads(
                "db-read", count=SQLITE_READERS, waiting_max=TRANSACTIONS_WAITING_MAX
            )
        else:
            # One more than threads: a thread hands its connection back just before it takes the next.
            pool = sa.create_engine(
                parsed, pool_size=POSTGRESQL_CONNECTIONS + 1, max_overflow=0, pool_pre_ping=True
            )
            # Without `preserve_rowcount` an INSERT's count is -1 here, and nobody would see a conflict.
            self._write_engine = pool.execution_options(
                isolation_level="READ COMMITTED", preserve_rowcount=True
            )
            self._read_engine = pool.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._writers = TransactionThreads(
                "db", count=POSTGRESQL_CONNECTIONS, waiting_max=TRANSACTIONS_WAITING_MAX
            )
            self._readers = self._writers

    async def read(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Run `work(tx, …)` on one consistent snapshot; a write in it is refused by the database."""
        return await asyncio.wrap_future(
            self._readers.submit(Lane.LIVE, lambda: self._transact(True, tenant_id, work, *args, **kwargs))
        )

    async def write(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Run `work(tx, …)`, commit it durably and return its result; an exception rolls all of it back."""
        return await asyncio.wrap_future(
            self._writers.submit(Lane.LIVE, lambda: self._transact(False, tenant_id, work, *args, **kwargs))
        )

    async def write_bulk(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `write`, but every waiting `write` goes first: for backlogs, imports and bill runs."""
        return await asyncio.wrap_future(
            self._writers.submit(Lane.BULK, lambda: self._transact(False, tenant_id, work, *args, **kwargs))
        )

    def read_now(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `read`, for callers without an event loop: the command line, tests, the simulator."""
        return self._readers.submit(
            Lane.LIVE, lambda: self._transact(True, tenant_id, work, *args, **kwargs)
        ).result()

    def write_now(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `write`, for callers without an event loop."""
        return self._writers.submit(
            Lane.LIVE, lambda: self._transact(False, tenant_id, work, *args, **kwargs)
        ).result()

    def close(self) -> None:
        """Finish what was begun, then let go of all connections."""
        self._readers.close()
        self._writers.close()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _transact(
        self,
        is_read: bool,  # noqa: FBT001 - private, and called in six places just above
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        engine = self._read_engine if is_read else self._write_engine
        for attempt in range(1, ATTEMPTS_MAX + 1):
            announced: list[object] = []
            is_done = False
            try:
                with self._way(attempt, is_read=is_read), engine.begin() as conn:
                    tx = Tx(conn, tenant_id, self._clock(), self._new_id, announced)
                    result = work(tx, *args, **kwargs)
                    if announced and self._before_commit is not None:
                        self._before_commit(tx, tuple(announced))
                    is_done = True
            except (exc.DBAPIError, exc.TimeoutError) as error:
                if not _is_repeatable(error) or attempt == ATTEMPTS_MAX:
                    raise _translated(error, was_committing=is_done and not is_read) from error
                self._sleep(self._rng.uniform(0.005, 0.02) * 2**attempt)
                continue
            self._tell(announced)
            return result
        raise AssertionError("the last attempt returns or raises")

    def _tell(self, announced: list[object]) -> None:
        if not announced or self._on_commit is None:
            return
        try:
            self._on_commit(announced)
        except Exception:  # what is committed stays so, and must not look to the caller as if it had failed
            log.exception("committed, but the listeners could not be told")

    def _way(self, attempt: int, *, is_read: bool) -> AbstractContextManager[None]:
        """Return how to begin: with everybody, or, having been in another's way, alone."""
        if is_read:
            return nullcontext()
        return self._gate.together() if attempt < ALONE_FROM_ATTEMPT else self._gate.alone()


def _sqlite_engine(url: sa.URL, *, connections: int, begin: str, is_read_only: bool = False) -> sa.Engine:
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # A connection is used by one thread at a time, but not always by the same one.
        connect_args={"check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
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


def _is_repeatable(error: exc.DBAPIError | exc.TimeoutError) -> bool:
    """Tell whether the database undid the transaction only because of another one."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) in (_SERIALIZATION_FAILURE, _DEADLOCK):
        return True
    return _sqlite_code(original) == sqlite3.SQLITE_BUSY


def _translated(error: exc.DBAPIError | exc.TimeoutError, *, was_committing: bool) -> Exception:
    """Return Unavailable where the machine failed, and the error itself where we did."""
    original = getattr(error, "orig", None)
    code = _sqlite_code(original)
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


def _sqlite_code(original: object) -> int | None:
    """Return SQLite's primary result code (the low byte of the extended one), or None."""
    code = getattr(original, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
