"""Boundary readings: for many registers at once, what each showed nearest to an instant.

Two statements an instant, each a walk along the primary key of `reading` from the instant on: one
backwards, one forwards. The cost is the number of registers, whatever they read in between.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import SeriesId
from cloud.domain.usage import DialReading, ProblemKind
from cloud.store.db import Tx
from cloud.store.schema import point, reading
from protocol.reading import ClockQuality, Quality

# An hourly meter that missed one night's turn still has a reading this near; beyond, days are billed wrong.
TOLERANCE_MS = 6 * 3600 * 1000

Boundary = DialReading | tuple[ProblemKind, str]


def readings_nearest(
    tx: Tx, series_ids: Iterable[SeriesId], at_ms: int, tolerance_ms: int = TOLERANCE_MS
) -> dict[SeriesId, Boundary]:
    """Return what bills each register at an instant: the good reading nearest to it, or why none does.

    Of two equally near the earlier is taken. Readings that are suspect, held or stamped by an unset
    clock bill nothing; where only such are near, the answer says so.
    """
    wanted = sorted(set(series_ids))
    found: dict[SeriesId, Boundary] = {}
    if not wanted:
        return found
    before = _dial_readings(_beside(tx, wanted, at_ms, tolerance_ms, is_before=True, is_good=True))
    after = _dial_readings(_beside(tx, wanted, at_ms, tolerance_ms, is_before=False, is_good=True))
    found.update(before)
    for series_id, later in after.items():
        earlier = before.get(series_id)
        if earlier is None or later.measured_at_ms - at_ms < at_ms - earlier.measured_at_ms:
            found[series_id] = later
    missing = [series_id for series_id in wanted if series_id not in found]
    if missing:
        found |= _why_missing(tx, missing, at_ms, tolerance_ms)
    return found


def latest_readings(
    tx: Tx, series_ids: Iterable[SeriesId], from_ms: int, until_ms: int
) -> dict[SeriesId, DialReading]:
    """Return each register's newest good reading in `[from_ms, until_ms]`; those without one are left out."""
    wanted = sorted(set(series_ids))
    if not wanted:
        return {}
    return _dial_readings(_beside(tx, wanted, until_ms, until_ms - from_ms, is_before=True, is_good=True))


def readings_between(
    tx: Tx, series_ids: Iterable[SeriesId], from_ms: int, until_ms: int
) -> dict[SeriesId, list[DialReading]]:
    """Return the good readings of registers measured in `(from_ms, until_ms)`, oldest first."""
    wanted = sorted(set(series_ids))
    found: dict[SeriesId, list[DialReading]] = {series_id: [] for series_id in wanted}
    if not wanted:
        return found
    # What did these registers say in between?
    rows = tx.conn.execute(
        sa.select(
            reading.c.series_id,
            reading.c.measured_at_ms,
            reading.c.epoch,
            reading.c.seq,
            reading.c.value_micro,
        )
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id.in_(wanted),
            reading.c.measured_at_ms > from_ms,
            reading.c.measured_at_ms < until_ms,
            *_conditions(reading, is_good=True),
        )
        .order_by(reading.c.series_id, reading.c.measured_at_ms, reading.c.epoch, reading.c.seq)
    )
    for series_id, measured_at_ms, epoch, seq, value_micro in rows:
        found[series_id].append(DialReading(value_micro, measured_at_ms, "wire", series_id, epoch, seq))
    return found


def _beside(
    tx: Tx, series_ids: Sequence[SeriesId], at_ms: int, tolerance_ms: int, *, is_before: bool, is_good: bool
) -> Iterable[Any]:
    there = reading.alias("there")
    if is_before:
        window = there.c.measured_at_ms.between(at_ms - tolerance_ms, at_ms)
        order = there.c.measured_at_ms.desc()
    else:
        window = there.c.measured_at_ms.between(at_ms + 1, at_ms + tolerance_ms)
        order = there.c.measured_at_ms.asc()
    nearest = (
        sa.select(there.c.measured_at_ms)
        .where(
            there.c.tenant_id == tx.tenant_id,
            there.c.series_id == point.c.series_id,
            window,
            *_conditions(there, is_good=is_good),
        )
        .order_by(order)
        .limit(1)
        .correlate(point)
        .scalar_subquery()
    )
    # What did each register say last before the instant (or first after it)?
    return tx.conn.execute(
        sa.select(
            reading.c.series_id,
            reading.c.measured_at_ms,
            reading.c.epoch,
            reading.c.seq,
            reading.c.value_micro,
            reading.c.quality,
            reading.c.clock_quality,
            reading.c.reason,
        )
        .select_from(
            point.join(
                reading,
                sa.and_(
                    reading.c.tenant_id == tx.tenant_id,
                    reading.c.series_id == point.c.series_id,
                    reading.c.measured_at_ms == nearest,
                ),
            )
        )
        .where(
            point.c.tenant_id == tx.tenant_id,
            point.c.series_id.in_(series_ids),
            *_conditions(reading, is_good=is_good),
        )
        # Two readings of one instant (a box begun anew): the later row last, which is the one kept.
        .order_by(reading.c.series_id, reading.c.epoch, reading.c.seq)
    )


def _conditions(table: Any, *, is_good: bool) -> list[sa.ColumnElement[bool]]:
    if is_good:
        return [
            table.c.quality == int(Quality.GOOD),
            table.c.clock_quality == int(ClockQuality.SYNCED),
        ]
    return [table.c.quality <= int(Quality.HELD)]


def _why_missing(
    tx: Tx, series_ids: Sequence[SeriesId], at_ms: int, tolerance_ms: int
) -> dict[SeriesId, Boundary]:
    hours = tolerance_ms // 3_600_000
    nothing = (ProblemKind.MISSING_READING, f"no reading within {hours} h of the boundary")
    found: dict[SeriesId, Boundary] = dict.fromkeys(series_ids, nothing)
    for is_before in (True, False):
        for row in _beside(tx, series_ids, at_ms, tolerance_ms, is_before=is_before, is_good=False):
            found[SeriesId(row.series_id)] = (ProblemKind.HELD_READING, _why_held(row))
    return found


def _why_held(row: Any) -> str:
    if row.quality == int(Quality.GOOD):
        return "the only reading near the boundary was taken before the gateway's clock was set"
    quality = Quality(row.quality).name.lower()
    return f"the only reading near the boundary is {quality}: {row.reason or 'no reason given'}"


def _dial_readings(rows: Iterable[Any]) -> dict[SeriesId, DialReading]:
    return {
        SeriesId(row.series_id): DialReading(
            row.value_micro, row.measured_at_ms, "wire", SeriesId(row.series_id), row.epoch, row.seq
        )
        for row in rows
    }
