"""Readings as they come in: a batch of rows, the exchanges behind them, and the newest of each point.

The invariant: a stored reading is never changed. `point_current` only ever moves forward in the
time of measurement, so a backlog that arrives late does not overwrite what is newer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import GatewayId
from cloud.domain.packed_day import DAY_MS
from cloud.store import reading_days
from cloud.store.db import Tx
from cloud.store.schema import evidence
from protocol.evidence import Evidence
from protocol.sync import Stream

# Of `point_current`: series_id, measured_at_ms, value_micro, quality, reason, valued_at_ms, last_value_micro.
CurrentRow = tuple[int, int, int | None, int, str, int | None, int | None]


@dataclass(slots=True)
class ReadingBatch:
    """Readings of one gateway and epoch, column by column: a batch has twenty thousand of them.

    All columns have the same length; `evidence_seq` is the number of the row an exchange is kept under.
    """

    epoch: int
    series_id: list[int] = field(default_factory=list)
    measured_at_ms: list[int] = field(default_factory=list)
    seq: list[int] = field(default_factory=list)
    value_micro: list[int | None] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    clock_quality: list[int] = field(default_factory=list)
    evidence_seq: list[int | None] = field(default_factory=list)


# In the order of the table, so that both engines are told the same.
_COLUMNS = (
    "tenant_id",
    "series_id",
    "measured_at_ms",
    "epoch",
    "seq",
    "value_micro",
    "quality",
    "reason",
    "clock_quality",
    "received_at_ms",
    "evidence_seq",
)
_TYPES = ("int4", "int4", "int8", "int8", "int8", "int8", "int2", "text", "int2", "int8", "int8")
_SQLITE_INSERT = f"INSERT INTO reading ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - constants
_POSTGRESQL_COPY = f"COPY reading ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"


_CURRENT_COLUMNS = (
    "tenant_id, received_at_ms, series_id, measured_at_ms, value_micro, quality, reason, valued_at_ms,"
    " last_value_micro"
)


def _newest(condition: str, *columns: str) -> str:
    return ", ".join(
        f"{name} = CASE WHEN {condition} THEN excluded.{name} ELSE point_current.{name} END"
        for name in columns
    )


# A value that is not there (null) is older than any; of two readings of one moment the later sent counts.
_MOVE = (
    " ON CONFLICT (tenant_id, series_id) DO UPDATE SET "
    + _newest(
        "excluded.measured_at_ms >= point_current.measured_at_ms",
        "received_at_ms",
        "value_micro",
        "quality",
        "reason",
        "measured_at_ms",
    )
    + ", "
    + _newest(
        "coalesce(excluded.valued_at_ms, -1) >= coalesce(point_current.valued_at_ms, 0)",
        "valued_at_ms",
        "last_value_micro",
    )
)
_SQLITE_MOVE = f"INSERT INTO point_current ({_CURRENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?){_MOVE}"  # noqa: S608 - constants
_POSTGRESQL_MOVE = (
    f"INSERT INTO point_current ({_CURRENT_COLUMNS}) SELECT %s, %s, * FROM unnest("  # noqa: S608 - constants
    f"%s::int4[], %s::int8[], %s::int8[], %s::int2[], %s::text[], %s::int8[], %s::int8[]){_MOVE}"
)


def insert_readings(tx: Tx, batch: ReadingBatch) -> None:
    """Add readings whose row numbers are known to be free."""
    if not batch.seq:
        return
    packed_before_ms = tx.now_ms - reading_days.PACKED_AFTER_DAYS * DAY_MS
    if min(batch.measured_at_ms) < packed_before_ms:
        reading_days.forget_days(
            tx,
            (
                pair
                for pair in zip(batch.series_id, batch.measured_at_ms, strict=True)
                if pair[1] < packed_before_ms
            ),
        )
    rows = zip(
        repeat(tx.tenant_id),
        batch.series_id,
        batch.measured_at_ms,
        repeat(batch.epoch),
        batch.seq,
        batch.value_micro,
        batch.quality,
        batch.reason,
        batch.clock_quality,
        repeat(tx.now_ms),
        batch.evidence_seq,
        strict=False,
    )
    if tx.is_postgresql:
        driver: Any = tx.conn.connection.driver_connection
        # Add readings in bulk: binary COPY is four times an INSERT from arrays.
        with driver.cursor() as cursor, cursor.copy(_POSTGRESQL_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)
        return
    # Add readings in bulk, below SQLAlchemy's expressions, which would look at each value.
    tx.conn.exec_driver_sql(_SQLITE_INSERT, list(rows))


def insert_evidence(
    tx: Tx, gateway_id: GatewayId, stream: Stream, epoch: int, exchanges: Iterable[tuple[int, Evidence]]
) -> None:
    """Keep raw exchanges, each under the number of the first row taken from it."""
    rows = [
        {
            "tenant_id": tx.tenant_id,
            "gateway_id": gateway_id,
            "stream": stream.value,
            "epoch": epoch,
            "seq": seq,
            "protocol": exchange.protocol,
            "line": exchange.line,
            "request": exchange.request,
            "reply": exchange.reply,
            "captured_at_ms": exchange.captured_at_ms,
            "round_trip_us": exchange.round_trip_us,
            "sha256": exchange.digest().hex(),
        }
        for seq, exchange in exchanges
    ]
    if rows:
        # Add raw exchanges.
        tx.conn.execute(sa.insert(evidence), rows)


def move_current(tx: Tx, rows: Iterable[CurrentRow]) -> None:
    """Let points say something newer; what is older than what they say already changes nothing."""
    # In one order, so that two transactions cannot wait for each other.
    ordered = sorted(rows, key=lambda row: row[0])
    if not ordered:
        return
    # Move each point's newest reading and its newest value forward, each by its own time.
    if tx.is_postgresql:
        columns = [list(column) for column in zip(*ordered, strict=True)]
        tx.conn.exec_driver_sql(_POSTGRESQL_MOVE, (tx.tenant_id, tx.now_ms, *columns))
    else:
        tx.conn.exec_driver_sql(_SQLITE_MOVE, [(tx.tenant_id, tx.now_ms, *row) for row in ordered])
