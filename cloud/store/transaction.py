"""What a transaction is handed, and how the statements and ids in it are made."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cloud.domain.audit_chain import AuditRecord
from cloud.domain.ids import UUID7_ENTROPY_BYTES, TenantId, uuid7
from cloud.store.keyring import Keyring


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
    recorded: list[AuditRecord] = field(default_factory=list)
    keyring: Keyring | None = None  # opens what is sealed; without one nothing is sealed or opened

    def announce(self, change: object) -> None:
        """Tell the listeners of `change` once this transaction has been committed, else never."""
        self._announced.append(change)

    def chain(self, record: AuditRecord) -> None:
        """Have an entry of the audit log hung on its chain when the transaction ends."""
        self.recorded.append(record)

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
