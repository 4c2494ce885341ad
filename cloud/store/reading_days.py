"""Packed days: a register's good readings of one UTC day in one row, made from `reading`.

The invariant: a packed day says what the readings of that day say. It is made once the day is long past,
and a reading that comes later still takes it away, in the transaction in which it comes.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from cloud.domain.ids import SeriesId
from cloud.domain.packed_day import DAY_MS, Track, joined, pack, unpack
from cloud.store.db import Tx
from cloud.store.schema import installation, reading, reading_day
from protocol.reading import ClockQuality, Quality

# What a building's box still keeps when its line was cut comes within this; later is an exception.
PACKED_AFTER_DAYS = 2

_D = reading_day.c


def unpacked_series(tx: Tx, day: int, limit: int) -> list[SeriesId]:
    """Return some registers of meters whose readings of that day are not packed yet."""
    start_ms, end_ms = day * DAY_MS, (day + 1) * DAY_MS
    is_packed = sa.exists().where(
        _D.tenant_id == installation.c.tenant_id, _D.series_id == installation.c.series_id, _D.day == day
    )
    # Whose day is still in rows?
    rows = tx.conn.execute(
        sa.select(installation.c.series_id)
        .distinct()
        .where(
            installation.c.tenant_id == tx.tenant_id,
            installation.c.series_id.is_not(None),
            installation.c.from_at_ms < end_ms,
            sa.or_(installation.c.to_at_ms.is_(None), installation.c.to_at_ms > start_ms),
            ~is_packed,
        )
        .limit(limit)
    )
    return [SeriesId(row.series_id) for row in rows]


def pack_day(tx: Tx, day: int, series_ids: Sequence[SeriesId]) -> None:
    """Pack the good readings of a day, one row a register; one without readings has an empty row."""
    found: dict[SeriesId, tuple[list[int], list[int]]] = {one: ([], []) for one in series_ids}
    # What did these registers say on that day?
    rows = tx.conn.execute(
        sa.select(reading.c.series_id, reading.c.measured_at_ms, reading.c.value_micro)
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id.in_(series_ids),
            reading.c.measured_at_ms >= day * DAY_MS,
            reading.c.measured_at_ms < (day + 1) * DAY_MS,
            reading.c.quality == int(Quality.GOOD),
            reading.c.clock_quality == int(ClockQuality.SYNCED),
        )
        .order_by(reading.c.series_id, reading.c.measured_at_ms, reading.c.epoch, reading.c.seq)
    )
    for series_id, at_ms, value_micro in rows:
        times, values = found[series_id]
        times.append(at_ms)
        values.append(value_micro)
    # One row a register and day; whoever was first has written the same.
    tx.conn.execute(
        tx.insert(reading_day).on_conflict_do_nothing(index_elements=["tenant_id", "series_id", "day"]),
        [
            {"tenant_id": tx.tenant_id, "series_id": series_id, "day": day, "body": pack(day, times, values)}
            for series_id, (times, values) in found.items()
        ],
    )


def forget_days(tx: Tx, late: Iterable[tuple[int, int]]) -> None:
    """Take away the packed days of (series, instant): something came for them after all."""
    days = sorted({(series_id, at_ms // DAY_MS) for series_id, at_ms in late})
    if days:
        # These days are to be packed anew.
        tx.conn.execute(
            sa.delete(reading_day).where(
                _D.tenant_id == tx.tenant_id,
                _D.series_id == sa.bindparam("late_series"),
                _D.day == sa.bindparam("late_day"),
            ),
            [{"late_series": series_id, "late_day": day} for series_id, day in days],
        )


def tracks(tx: Tx, series_ids: Sequence[SeriesId], first_day: int, last_day: int) -> dict[SeriesId, Track]:
    """Return what registers said from one UTC day to another, both included, of those packed throughout."""
    if first_day > last_day:
        return {}
    # What is packed of these days?
    rows = tx.conn.execute(
        sa.select(_D.series_id, _D.day, _D.body)
        .where(
            _D.tenant_id == tx.tenant_id,
            _D.series_id.in_(series_ids),
            _D.day >= first_day,
            _D.day <= last_day,
        )
        .order_by(_D.series_id, _D.day)
    )
    days: dict[SeriesId, list[Track]] = {}
    for series_id, day, body in rows:
        days.setdefault(series_id, []).append(unpack(day, body))
    whole = last_day - first_day + 1
    return {series_id: joined(found) for series_id, found in days.items() if len(found) == whole}
