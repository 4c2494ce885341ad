"""Boundary readings: for many registers at once, what each showed nearest to an instant.

Two statements an instant, each a walk along the primary key of `reading` from the instant on: one
backwards, one forwards. The cost is the number of registers, whatever they read in between.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import SeriesId
from cloud.domain.packed_day import DAY_MS, Track, joined, track_of
from cloud.domain.usage import DialReading, ProblemKind
from cloud.store import reading_days
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
) -> dict[SeriesId, Track]:
    """Return the good readings of registers measured in `(from_ms, until_ms)`, oldest first.

    Whole days long past come packed, a row a day; the rest, and what is not packed yet, row by row.
    """
    wanted = sorted(set(series_ids))
    if not wanted:
        return {}
    first_day, after_day = -(-(from_ms + 1) // DAY_MS), until_ms // DAY_MS
    packed = reading_days.tracks(tx, wanted, first_day, after_day - 1)
    unpacked = [series_id for series_id in wanted if series_id not in packed]
    found = _tracks(tx, unpacked, from_ms, until_ms)
    if packed:
        heads = _tracks(tx, list(packed), from_ms, first_day * DAY_MS)
        tails = _tracks(tx, list(packed), after_day * DAY_MS - 1, until_ms)
        for series_id, days in packed.items():
            found[series_id] = joined([heads[series_id], days, tails[series_id]])
    return found


def _tracks(tx: Tx, series_ids: Sequence[SeriesId], from_ms: int, until_ms: int) -> dict[SeriesId, Track]:
    """Return the good readings of `(from_ms, until_ms)` from their rows."""
    found: dict[SeriesId, tuple[list[int], list[int]]] = {one: ([], []) for one in series_ids}
    if not found or until_ms - from_ms < 2:
        return {series_id: joined([]) for series_id in found}
    # What did these registers say in between?
    rows = tx.conn.execute(
        sa.select(reading.c.series_id, reading.c.measured_at_ms, reading.c.value_micro)
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id.in_(series_ids),
            reading.c.measured_at_ms > from_ms,
            reading.c.measured_at_ms < until_ms,
            *_conditions(reading, is_good=True),
        )
        .order_by(reading.c.series_id, reading.c.measured_at_ms, reading.c.epoch, reading.c.seq)
    )
    for series_id, measured_at_ms, value_micro in rows:
        times, values = found[series_id]
        times.append(measured_at_ms)
        values.append(value_micro)
    return {series_id: track_of(times, values) for series_id, (times, values) in found.items()}


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
