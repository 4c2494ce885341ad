"""Readings: the long table, the newest of each point, and the raw exchanges behind them.

The invariant: a stored reading is never changed. `point_current` only ever moves forward in the
time of measurement, so a backlog that arrives late does not overwrite what is newer.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import GatewayId, SeriesId
from cloud.domain.series import Bucket, StoredReading
from cloud.store.db import Tx
from cloud.store.schema import evidence, reading
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality
from protocol.sync import Stream


def last_at_or_before(
    tx: Tx, series_id: SeriesId, at_ms: int, *, only_good: bool = True
) -> StoredReading | None:
    """Return the newest reading measured at or before `at_ms` that has a value, or None.

    `only_good` leaves out suspect and held values, which nothing may be billed by.
    """
    # What did this register say last, up to then?
    return _one(
        tx,
        _valued(tx, series_id, only_good=only_good)
        .where(reading.c.measured_at_ms <= at_ms)
        .order_by(reading.c.measured_at_ms.desc(), reading.c.epoch.desc(), reading.c.seq.desc()),
    )


def first_at_or_after(
    tx: Tx, series_id: SeriesId, at_ms: int, *, only_good: bool = True
) -> StoredReading | None:
    """Return the oldest reading measured at or after `at_ms` that has a value, or None."""
    # What did this register say first, from then on?
    return _one(
        tx,
        _valued(tx, series_id, only_good=only_good)
        .where(reading.c.measured_at_ms >= at_ms)
        .order_by(reading.c.measured_at_ms, reading.c.epoch, reading.c.seq),
    )


def first_reaching(
    tx: Tx, series_id: SeriesId, after_ms: int, limit_micro: int, *, is_below: bool
) -> StoredReading | None:
    """Return the oldest good reading after an instant at or beyond a limit, or None."""
    beyond = reading.c.value_micro <= limit_micro if is_below else reading.c.value_micro >= limit_micro
    # When was this first so much?
    return _one(
        tx,
        _valued(tx, series_id, only_good=True)
        .where(reading.c.measured_at_ms > after_ms, beyond)
        .order_by(reading.c.measured_at_ms, reading.c.epoch, reading.c.seq),
    )


def find_reading(
    tx: Tx, series_id: SeriesId, measured_at_ms: int, epoch: int, seq: int
) -> StoredReading | None:
    """Return the reading with this key, or None."""
    # Which reading is this?
    return _one(
        tx,
        _select(tx, series_id).where(
            reading.c.measured_at_ms == measured_at_ms, reading.c.epoch == epoch, reading.c.seq == seq
        ),
    )


def find_evidence(
    tx: Tx, gateway_id: GatewayId, epoch: int, seq: int, stream: Stream = Stream.HISTORY
) -> Evidence | None:
    """Return the raw exchange a reading's `evidence_seq` (with its gateway and epoch) names, or None."""
    kept = find_kept_evidence(tx, gateway_id, epoch, seq, stream)
    return None if kept is None else kept[0]


def find_kept_evidence(
    tx: Tx, gateway_id: GatewayId, epoch: int, seq: int, stream: Stream = Stream.HISTORY
) -> tuple[Evidence, str] | None:
    """Return a raw exchange with the SHA-256 that was stored when it came in, or None."""
    # What was on the wire?
    row = tx.conn.execute(
        sa.select(
            evidence.c.protocol,
            evidence.c.line,
            evidence.c.request,
            evidence.c.reply,
            evidence.c.captured_at_ms,
            evidence.c.round_trip_us,
            evidence.c.sha256,
        ).where(
            evidence.c.tenant_id == tx.tenant_id,
            evidence.c.gateway_id == gateway_id,
            evidence.c.stream == stream.value,
            evidence.c.epoch == epoch,
            evidence.c.seq == seq,
        )
    ).one_or_none()
    if row is None:
        return None
    exchange = Evidence(
        row.protocol, row.line, bytes(row.request), bytes(row.reply), row.captured_at_ms, row.round_trip_us
    )
    return exchange, str(row.sha256)


def list_readings(
    tx: Tx, series_id: SeriesId, from_ms: int, to_ms: int, after: tuple[int, int, int] | None, limit: int
) -> list[StoredReading]:
    """Return readings measured in `[from_ms, to_ms)`, oldest first, those after the key `after`."""
    query = _select(tx, series_id).where(
        reading.c.measured_at_ms >= from_ms, reading.c.measured_at_ms < to_ms
    )
    if after is not None:
        key = sa.tuple_(reading.c.measured_at_ms, reading.c.epoch, reading.c.seq)
        # The first condition is implied by the second and lets the index find the place.
        query = query.where(reading.c.measured_at_ms >= after[0], key > after)
    # What did this point say in that time?
    rows = tx.conn.execute(
        query.order_by(reading.c.measured_at_ms, reading.c.epoch, reading.c.seq).limit(limit)
    )
    return [_reading_from_row(row) for row in rows]


def buckets(tx: Tx, series_id: SeriesId, from_ms: int, to_ms: int, width_ms: int) -> list[Bucket]:
    """Return what each stretch of `width_ms` in `[from_ms, to_ms)` held; empty stretches are left out.

    A value that a person must still decide about counts as a reading and is not drawn.
    """
    drawn = sa.case((reading.c.quality != int(Quality.HELD), reading.c.value_micro))
    number = (reading.c.measured_at_ms - from_ms) // width_ms
    # How low and how high was it, stretch by stretch?
    rows = tx.conn.execute(
        sa.select(
            sa.func.min(reading.c.measured_at_ms),
            sa.func.max(reading.c.measured_at_ms),
            sa.func.min(drawn),
            sa.func.max(drawn),
            sa.func.count(),
        )
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id == series_id,
            reading.c.measured_at_ms >= from_ms,
            reading.c.measured_at_ms < to_ms,
        )
        .group_by(number)
        .order_by(sa.func.min(reading.c.measured_at_ms))
    )
    return [Bucket(first, last, low, high, count) for first, last, low, high, count in rows]


def register_at(
    tx: Tx, series_id: SeriesId, edges_ms: Sequence[int], tolerance_ms: int
) -> list[tuple[int, int | None]]:
    """Return the good register value nearest to each edge, None where none is within `tolerance_ms`."""
    edge = (
        sa.values(sa.column("at_ms", sa.BigInteger), name="edge").data([(at_ms,) for at_ms in edges_ms]).cte()
    )

    def nearest(is_before: bool) -> sa.ScalarSelect[Any]:  # noqa: FBT001 - private
        at_ms = reading.c.measured_at_ms
        side = (
            at_ms.between(edge.c.at_ms - tolerance_ms, edge.c.at_ms)
            if is_before
            else at_ms.between(edge.c.at_ms, edge.c.at_ms + tolerance_ms)
        )
        return (
            sa.select(at_ms)
            .where(
                reading.c.tenant_id == tx.tenant_id,
                reading.c.series_id == series_id,
                reading.c.quality == int(Quality.GOOD),
                side,
            )
            .order_by(at_ms.desc() if is_before else at_ms)
            .limit(1)
            .correlate(edge)
            .scalar_subquery()
        )

    # When was the register read last before each edge, and first after it?
    near = tx.conn.execute(
        sa.select(edge.c.at_ms, nearest(True).label("before_ms"), nearest(False).label("after_ms"))
    ).all()
    chosen: dict[int, int] = {}
    for row in near:
        found = [at_ms for at_ms in (row.before_ms, row.after_ms) if at_ms is not None]
        if found:
            chosen[row.at_ms] = min(found, key=lambda at_ms, edge_ms=row.at_ms: abs(at_ms - edge_ms))  # type: ignore[misc]
    # What did it say then?
    rows = tx.conn.execute(
        sa.select(reading.c.measured_at_ms, sa.func.max(reading.c.value_micro))
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id == series_id,
            reading.c.quality == int(Quality.GOOD),
            reading.c.measured_at_ms.in_(sorted(set(chosen.values()))),
        )
        .group_by(reading.c.measured_at_ms)
    )
    registers = {row[0]: row[1] for row in rows}
    return [(at_ms, registers[chosen[at_ms]] if at_ms in chosen else None) for at_ms in edges_ms]


def _select(tx: Tx, series_id: SeriesId) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [
        reading.c.series_id,
        reading.c.measured_at_ms,
        reading.c.epoch,
        reading.c.seq,
        reading.c.value_micro,
        reading.c.quality,
        reading.c.reason,
        reading.c.clock_quality,
        reading.c.received_at_ms,
        reading.c.evidence_seq,
    ]
    return sa.select(*columns).where(reading.c.tenant_id == tx.tenant_id, reading.c.series_id == series_id)


def _valued(tx: Tx, series_id: SeriesId, *, only_good: bool) -> sa.Select[Any]:
    worst = Quality.GOOD if only_good else Quality.HELD
    return _select(tx, series_id).where(reading.c.quality <= int(worst))


def _one(tx: Tx, query: sa.Select[Any]) -> StoredReading | None:
    row = tx.conn.execute(query.limit(1)).one_or_none()
    return None if row is None else _reading_from_row(row)


def _reading_from_row(row: Any) -> StoredReading:
    return StoredReading(
        SeriesId(row.series_id),
        row.measured_at_ms,
        row.epoch,
        row.seq,
        row.value_micro,
        Quality(row.quality),
        row.reason,
        ClockQuality(row.clock_quality),
        row.received_at_ms,
        row.evidence_seq,
    )
