"""Rating a month of quarter-hour readings by time of use, from packed days, beside reading by reading.

10,000 meters, 30 days, 96 readings a day and the one that ends the month: 28.8 million readings of sharp,
peak, flat and valley. Ours reads the packed days from the database and divides them by arrays; the other
way is `split_intervals`, reading by reading, on a few meters, scaled. Both must agree to the millionth.
"""

import os
import sqlite3
import tempfile
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bench.billing_site import TENANT
from bench.measure import integer, row, usage_of
from cloud.domain.ids import SeriesId
from cloud.domain.packed_day import BYTES_A_READING, DAY_MS, Track, pack, runs_of, split_track
from cloud.domain.periods import midnight_ms
from cloud.domain.tariff_calendar import parse_calendar
from cloud.domain.time_of_use import Interval, split_intervals
from cloud.store import reading_days
from cloud.store.db import Database, Tx
from cloud.store.migrate import upgrade
from cloud.store.schema import reading_day
from cloud.store.tenants import add_tenant
from cloud.tariffs import shipped_calendars

METERS = int(os.environ.get("BENCH_METERS", "10000"))
DAYS, QUARTER_MS = 30, 900_000
AT_ONCE = 500
CHECKED = 5
ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 7, 1)
START_MS, END_MS = midnight_ms(FIRST, ZONE), midnight_ms(FIRST + timedelta(DAYS), ZONE)
_WIDTHS = (34, 12, 14, 12, 12)


def main() -> int:
    """Fill, rate, compare; return 0."""
    calendar = next(
        parse_calendar(body).versions[-1].calendar for name, body in shipped_calendars() if "beijing" in name
    )
    times = np.arange(START_MS, END_MS + 1, QUARTER_MS, dtype=np.int64)
    readings = METERS * (len(times) - 1)
    print(f"rating {integer(readings)} quarter-hour readings of {integer(METERS)} meters by time of use")
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        url = f"sqlite:///{folder}/days.db"
        upgrade(url)
        database = Database(url, clock=lambda: END_MS + 40 * DAY_MS)
        database.write_now(TENANT, add_tenant, "one", "one")
        for first in range(0, METERS, AT_ONCE):
            database.write_now(TENANT, _fill, first, min(AT_ONCE, METERS - first), times)
        size = Path(f"{folder}/days.db").stat().st_size
        with sqlite3.connect(f"{folder}/days.db") as connection:
            packed = connection.execute("SELECT sum(length(body)) FROM reading_day").fetchone()[0]
        runs = runs_of(calendar, START_MS, END_MS, ZONE, {})
        usage, started = usage_of(os.getpid()).cpu_s, time.monotonic()
        totals: dict[str, int] = {}
        checked: list[tuple[Track, dict[str, int]]] = []
        for first in range(0, METERS, AT_ONCE):
            series = [SeriesId(number) for number in range(first, min(first + AT_ONCE, METERS))]
            for track in database.read_now(TENANT, _month, series).values():
                split = split_track(track, runs)
                assert not split.straddling, "quarter-hours meet the calendar's bounds"
                for period, micro in split.by_period.items():
                    totals[period] = totals.get(period, 0) + micro
                if len(checked) < CHECKED:
                    checked.append((track, dict(split.by_period)))
        seconds = time.monotonic() - started
        after = usage_of(os.getpid())
        database.close()
    one_by_one = _one_by_one(checked, calendar)
    print(row("", "seconds", "readings/s", "CPU-s", "ratio", widths=_WIDTHS))
    print(
        row(
            "packed days, arrays",
            seconds,
            integer(readings / seconds),
            after.cpu_s - usage,
            1.0,
            widths=_WIDTHS,
        )
    )
    slow = one_by_one * METERS / CHECKED
    name = f"reading by reading (of {CHECKED}, scaled)"
    print(row(name, slow, integer(readings / slow), slow, slow / seconds, widths=_WIDTHS))
    print(f"{packed / (readings + METERS):.2f} bytes a reading packed (at most {BYTES_A_READING}), "
          f"{size / (readings + METERS):.2f} in the file; RSS {after.rss_peak_mib:.0f} MiB")  # fmt: skip
    print("by period: " + ", ".join(f"{name} {micro // 1_000_000:,} kWh" for name, micro in totals.items()))
    return 0


def _fill(tx: Tx, first: int, count: int, times: np.ndarray) -> None:
    rng = np.random.default_rng(first)
    rows = []
    for series in range(first, first + count):
        values = np.cumsum(rng.integers(0, 400_000, len(times))) + 10**12
        days = times // DAY_MS
        for day in range(int(days[0]), int(days[-1]) + 1):
            own = days == day
            body = pack(day, times[own].tolist(), values[own].tolist())
            rows.append({"tenant_id": tx.tenant_id, "series_id": series, "day": day, "body": body})
    tx.conn.execute(tx.insert(reading_day), rows)


def _month(tx: Tx, series: list[SeriesId]) -> dict[SeriesId, Track]:
    return reading_days.tracks(tx, series, START_MS // DAY_MS, END_MS // DAY_MS)


def _one_by_one(checked, calendar) -> float:  # type: ignore[no-untyped-def]
    started = time.monotonic()
    for track, by_period in checked:
        pairs = zip(
            track.at_ms[:-1].tolist(),
            track.at_ms[1:].tolist(),
            np.diff(track.value_micro).tolist(),
            strict=True,
        )
        intervals = [Interval(a, b, Decimal(moved).scaleb(-6)) for a, b, moved in pairs]
        split = split_intervals(intervals, calendar, ZONE)
        expected = {name: Decimal(micro).scaleb(-6) for name, micro in by_period.items()}
        assert dict(split.by_period) == expected, "both ways agree to the millionth"
    return time.monotonic() - started


if __name__ == "__main__":
    raise SystemExit(main())
