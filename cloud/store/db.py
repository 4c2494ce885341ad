"""The database: whole transactions of plain, synchronous code on threads of their own.

The invariant: `work(tx, …)` runs from begin to commit on one thread and either all of it is
durable or none of it. A cancelled awaiter cannot leave half a transaction; nobody hears of a
change (`Tx.announce`) before it is committed.

SQLite: one thread writes, a few others read; what waits behind a short transaction shares its commit.
PostgreSQL: a pool; reads see one snapshot (REPEATABLE READ), writes are READ COMMITTED and lean on
constraints, `ON CONFLICT` and row locks; a deadlock or serialization failure repeats the whole work.
So `work` must have no effect outside `tx`, and may be run more than once.

`work(tx, actor, …)` is held to the actor's sites and buildings (`cloud.store.scope`), whatever it asks.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Concatenate, Generic, ParamSpec, TypeVar

import sqlalchemy as sa

from cloud.domain.ids import TenantId
from cloud.domain.user import User
from cloud.store.audit_chain import link_entries
from cloud.store.engines import SQLITE_BUSY_TIMEOUT_MS as SQLITE_BUSY_TIMEOUT_MS
from cloud.store.engines import engine_url as engine_url
from cloud.store.engines import is_embedded as is_embedded
from cloud.store.engines import postgresql_engines, renewing, sqlite_engine
from cloud.store.faults import DATABASE_ERRORS, is_repeatable, translated
from cloud.store.keyring import Keyring as Keyring
from cloud.store.scope import Holding
from cloud.store.threads import Gate, Job, Lane, NextWaiting, TransactionThreads
from cloud.store.transaction import BuiltInsert as BuiltInsert
from cloud.store.transaction import Clock as Clock
from cloud.store.transaction import NewIds as NewIds
from cloud.store.transaction import Tx as Tx

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_P = ParamSpec("_P")

# A reader thread costs a connection and some cache; pages are short, so few suffice.
SQLITE_READERS = 4
# Beyond about twice the cores, more PostgreSQL connections only wait for each other.
POSTGRESQL_CONNECTIONS = 8
# At 100 short transactions a second this is ten seconds of waiting: past it a caller has given up.
TRANSACTIONS_WAITING_MAX = 1_000
ATTEMPTS_MAX = 5
# Two that got into each other's way settle it one after the other.
ALONE_FROM_ATTEMPT = 2
# Others join a commit while it is this young: what they add to an alarm's way is less than a flush to a disk.
SHARE_WITHIN_S = 0.02


class _Spoilt(Exception):
    """A transaction several shared is no more; nothing of any of them is kept."""


class _Work(Generic[_T]):
    """One piece of work, to be run in a transaction; perhaps more than once."""

    def __init__(
        self,
        database: "Database",
        tenant_id: TenantId,
        actor: User | None,
        *,
        is_read: bool,
        run: Callable[[Tx], _T],
    ) -> None:
        self.is_read = is_read
        self._actor = actor
        self.announced: list[object] = []
        self._database = database
        self._tenant_id = tenant_id
        self._run = run

    def __call__(self) -> _T:
        """Run it in a transaction of its own and tell what it announced."""
        return self._database.transact(self)

    def run(self, conn: sa.Connection) -> _T:
        """Run it in the transaction of `conn`, as if for the first time."""
        self.announced = []
        tx = self._database.new_tx(conn, self._tenant_id, self.announced)
        with self._database.holding.hold(conn, self._tenant_id, self._actor):
            result = self._run(tx)
        self._database.before_commit(tx, self.announced)
        return result


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
        keyring: Keyring | None = None,
    ) -> None:
        """Open `url`. `on_commit` is called on a database thread with what a transaction announced.

        `before_commit` is called inside that transaction, to write down what must not be forgotten of it.
        """
        parsed = engine_url(url)
        self._clock = clock
        self._new_id = NewIds(clock)
        self._on_commit = on_commit
        self._before_commit = before_commit
        self._keyring = keyring
        self.holding = Holding()
        self._gate = Gate()
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        if parsed.get_backend_name() == "sqlite":
            self._write_engine = sqlite_engine(parsed, connections=1, begin="BEGIN IMMEDIATE")
            self._read_engine = sqlite_engine(
                parsed, connections=SQLITE_READERS, begin="BEGIN", is_read_only=True
            )
            self._renew_readers = renewing(self._read_engine)
            self._writers = TransactionThreads(
                "db-write", count=1, waiting_max=TRANSACTIONS_WAITING_MAX, run=self._share_commit
            )
            self._readers = TransactionThreads(
                "db-read", count=SQLITE_READERS, waiting_max=TRANSACTIONS_WAITING_MAX
            )
        else:
            # One more than threads: a thread hands its connection back just before it takes the next.
            self._write_engine, self._read_engine = postgresql_engines(
                parsed, connections=POSTGRESQL_CONNECTIONS + 1
            )
            self._writers = TransactionThreads(
                "db", count=POSTGRESQL_CONNECTIONS, waiting_max=TRANSACTIONS_WAITING_MAX
            )
            self._readers = self._writers
            self._renew_readers = lambda: None  # its connections learn of new statistics by themselves

    async def read(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Run `work(tx, …)` on one consistent snapshot; a write in it is refused by the database."""
        job = _Work(self, tenant_id, _actor_in(args), is_read=True, run=lambda tx: work(tx, *args, **kwargs))
        return await asyncio.wrap_future(self._readers.submit(Lane.LIVE, job))

    async def write(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Run `work(tx, …)`, commit it durably and return its result; an exception rolls all of it back."""
        job = _Work(self, tenant_id, _actor_in(args), is_read=False, run=lambda tx: work(tx, *args, **kwargs))
        return await asyncio.wrap_future(self._writers.submit(Lane.LIVE, job))

    async def write_bulk(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `write`, but every waiting `write` goes first: for backlogs, imports and bill runs."""
        job = _Work(self, tenant_id, _actor_in(args), is_read=False, run=lambda tx: work(tx, *args, **kwargs))
        return await asyncio.wrap_future(self._writers.submit(Lane.BULK, job))

    def read_now(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `read`, for callers without an event loop: the command line, tests, the simulator."""
        job = _Work(self, tenant_id, _actor_in(args), is_read=True, run=lambda tx: work(tx, *args, **kwargs))
        return self._readers.submit(Lane.LIVE, job).result()

    def write_now(
        self,
        tenant_id: TenantId,
        work: Callable[Concatenate[Tx, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Like `write`, for callers without an event loop."""
        job = _Work(self, tenant_id, _actor_in(args), is_read=False, run=lambda tx: work(tx, *args, **kwargs))
        return self._writers.submit(Lane.LIVE, job).result()

    @property
    def writers(self) -> int:
        """Return how many transactions may write at once: one on SQLite."""
        return self._writers.count

    def renew_readers(self) -> None:
        """Let what reads next open anew: SQLite's readers learn of new statistics only so."""
        self._renew_readers()

    def close(self) -> None:
        """Finish what was begun, then let go of all connections."""
        self._readers.close()
        self._writers.close()
        self._read_engine.dispose()
        self._write_engine.dispose()

    def new_tx(self, conn: sa.Connection, tenant_id: TenantId, announced: list[object]) -> Tx:
        """Return what a piece of work is handed; for `_Work` alone."""
        return Tx(conn, tenant_id, self._clock(), self._new_id, announced, keyring=self._keyring)

    def before_commit(self, tx: Tx, announced: Sequence[object]) -> None:
        """Let what was announced be written down beside the work, what was recorded be chained.

        For `_Work` alone. The chain comes last, since others wait for its lock.
        """
        if announced and self._before_commit is not None:
            self._before_commit(tx, tuple(announced))
        link_entries(tx, tx.recorded)

    def transact(self, work: _Work[_T]) -> _T:
        """Run a piece of work in a transaction of its own, again if another's made it fail."""
        engine = self._read_engine if work.is_read else self._write_engine
        for attempt in range(1, ATTEMPTS_MAX + 1):
            is_done = False
            try:
                with self._way(attempt, is_read=work.is_read), engine.begin() as conn:
                    result = work.run(conn)
                    is_done = True
            except DATABASE_ERRORS as error:
                if not is_repeatable(error) or attempt == ATTEMPTS_MAX:
                    raise translated(error, was_committing=is_done and not work.is_read) from error
                self._sleep(self._rng.uniform(0.005, 0.02) * 2**attempt)
                continue
            self._tell(work.announced)
            return result
        raise AssertionError("the last attempt returns or raises")

    def _share_commit(self, first: Job, next_waiting: NextWaiting) -> None:
        """Run a job and, while its transaction is young, those that wait behind it: one flush for all.

        Nobody waits for work less urgent than their own: an alarm may join a backlog's transaction, a
        backlog never an alarm's. Each has a savepoint, so that one's failure costs no other. If their
        common transaction is spoilt (a full disk, a failed commit) nothing of any is kept, and each is
        run again by itself.
        """
        job = next_waiting(first.lane)
        if job is None:
            first.run()
            return
        lane = job.lane
        waiting: list[Job] = [first, job]
        joined: list[Job] = []
        begun_s = time.monotonic()
        try:
            with self._write_engine.begin() as conn:
                while waiting:
                    job = waiting.pop(0)
                    if job.begin():
                        joined.append(job)
                        _join(job, conn)
                    if not waiting and time.monotonic() - begun_s < SHARE_WITHIN_S:
                        job = next_waiting(lane)
                        if job is not None:
                            lane = job.lane
                            waiting.append(job)
        except Exception:  # whatever undid it, undid all of it: each job is still to be done
            log.warning("a shared transaction was undone", extra={"jobs": len(joined)}, exc_info=True)
            for job in [*joined, *waiting]:
                job.run()
            return
        for job in joined:
            if job.error is None:
                self._tell(_work_of(job).announced)
            job.conclude()

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


def _actor_in(args: Sequence[object]) -> User | None:
    """Return on whose behalf a service works: it takes its actor first (`work(tx, actor, …)`)."""
    return args[0] if args and isinstance(args[0], User) else None


def _join(job: Job, conn: sa.Connection) -> None:
    """Run a job inside a common transaction; _Spoilt if that has not survived it."""
    savepoint = conn.begin_nested()
    try:
        job.result = _work_of(job).run(conn)
        savepoint.commit()
    except BaseException as error:  # noqa: BLE001 - handed to whoever waits, who decides
        job.error = error
        # After some failures (a full disk) SQLite has already undone the whole transaction.
        try:
            savepoint.rollback()
        except DATABASE_ERRORS as gone:
            raise _Spoilt from gone
        if isinstance(error, DATABASE_ERRORS):
            job.error = translated(error, was_committing=False)


def _work_of(job: Job) -> "_Work[object]":
    assert isinstance(job.work, _Work), "the writer is given nothing else"
    return job.work
