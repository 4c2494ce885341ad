"""Packed days: twelve bytes a reading, the same answer as reading by reading, and never out of date."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.domain.errors import Invalid
from cloud.domain.packed_day import BYTES_A_READING, DAY_MS, Track, pack, runs_of, split_track, unpack
from cloud.domain.periods import midnight_ms
from cloud.domain.time_of_use import Calendar, Interval, Slots, split_intervals
from cloud.store import reading_days
from tests.billing.estate import Estate, at
from tests.databases import TENANT, FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
# Beijing, commercial: sharp lies over peak in July and August.
BEIJING = Calendar(
    periods=(
        Slots(period="sharp", windows=(("11:00", "13:00"), ("16:00", "17:00")), months=(7, 8)),
        Slots(period="peak", windows=(("10:00", "15:00"), ("18:00", "21:00"))),
        Slots(period="valley", windows=(("23:00", "24:00"), ("00:00", "07:00"))),
        Slots(period="flat", windows=(("00:00", "24:00"),)),
    )
)
START, END = midnight_ms(date(2026, 7, 1), ZONE), midnight_ms(date(2026, 7, 4), ZONE)


def by_reading(track: Track) -> dict[str, Decimal]:
    intervals = [
        Interval(int(a), int(b), Decimal(int(moved)).scaleb(-6))
        for a, b, moved in zip(track.at_ms[:-1], track.at_ms[1:], np.diff(track.value_micro), strict=True)
        if moved
    ]
    return {k: v for k, v in split_intervals(intervals, BEIJING, ZONE).by_period.items() if v}


def by_array(track: Track) -> dict[str, Decimal]:
    split = split_track(track, runs_of(BEIJING, START, END, ZONE, {}))
    totals = {period: Decimal(micro).scaleb(-6) for period, micro in split.by_period.items()}
    for index in split.straddling:
        moved = int(track.value_micro[index + 1] - track.value_micro[index])
        one = Interval(int(track.at_ms[index]), int(track.at_ms[index + 1]), Decimal(moved).scaleb(-6))
        for period, quantity in split_intervals([one], BEIJING, ZONE).by_period.items():
            totals[period] = totals.get(period, Decimal(0)) + quantity
    return {k: v for k, v in totals.items() if v}


@given(
    st.lists(st.integers(0, 3 * DAY_MS), min_size=2, max_size=60, unique=True),
    st.lists(st.integers(0, 10**9), min_size=60, max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_arrays_divide_as_reading_by_reading(offsets: list[int], steps: list[int]) -> None:
    times = np.asarray(sorted(offsets), np.int64) + START
    values = np.cumsum(np.asarray(steps[: len(times)], np.int64)) + 10**15

    track = Track(times, values)

    assert by_array(track) == by_reading(track)


def test_quarter_hours_straddle_nothing() -> None:
    times = np.arange(START, END + 1, 900_000, dtype=np.int64)
    track = Track(times, np.arange(len(times), dtype=np.int64) * 250_000)

    split = split_track(track, runs_of(BEIJING, START, END, ZONE, {}))

    assert split.straddling == ()
    # Of 24 hours 3 are sharp, 6 peak, 8 valley and 7 flat; four steps an hour, three days.
    assert split.by_period == {
        "valley": 8 * 4 * 3 * 250_000,
        "flat": 7 * 4 * 3 * 250_000,
        "peak": 6 * 4 * 3 * 250_000,
        "sharp": 3 * 4 * 3 * 250_000,
    }


DAY = START // DAY_MS + 1
QUARTERS = [DAY * DAY_MS + 900_000 * number for number in range(96)]
JITTER = [at_ms + number % 7 for number, at_ms in enumerate(QUARTERS)]


@pytest.mark.parametrize(
    ("times", "values", "bytes_a_reading"),
    [
        (QUARTERS, [10**15 + 250_000 * number for number in range(96)], 4),
        (JITTER, [10**15 + 250_000 * number for number in range(96)], 8),
        (QUARTERS, [-(2**62), *range(94), 2**62], 8),
        (JITTER, [5, 4, *range(94)], 12),
        ([QUARTERS[3]], [7], 4),
    ],
    ids=["on the quarter-hour", "irregular", "wide", "irregular and wide", "one reading"],
)
def test_a_packed_day_comes_back_whole_in_at_most_twelve_bytes_a_reading(
    times: list[int], values: list[int], bytes_a_reading: int
) -> None:
    body = pack(DAY, times, values)
    track = unpack(DAY, body)

    assert len(body) == 17 + bytes_a_reading * len(times)
    assert bytes_a_reading <= BYTES_A_READING
    assert (track.at_ms.tolist(), track.value_micro.tolist()) == (times, values)


def test_a_day_without_readings_is_empty() -> None:
    assert pack(DAY, [], []) == b""
    assert unpack(DAY, b"").at_ms.tolist() == []


def test_a_reading_of_another_day_is_not_packed() -> None:
    with pytest.raises(Invalid, match="no others"):
        pack(7, [8 * DAY_MS], [1])
    with pytest.raises(Invalid, match="left over"):
        unpack(7, pack(7, [7 * DAY_MS], [1]) + b"x")


async def test_a_late_reading_takes_its_packed_day_away(estate: Estate, clock: FakeClock) -> None:
    estate.add_flat("101", water=None)
    noon = at(date(2026, 10, 5), 12)
    estate.read("E-101", noon, "10")
    day = noon // DAY_MS
    series = estate.database.read_now(TENANT, reading_days.unpacked_series, day, 10)
    estate.database.write_now(TENANT, reading_days.pack_day, day, series)
    assert estate.database.read_now(TENANT, reading_days.unpacked_series, day, 10) == []
    (track,) = estate.database.read_now(TENANT, reading_days.tracks, series, day, day).values()
    assert track.value_micro.tolist() == [10_000_000]
    clock.now_ms = max(clock.now_ms, noon + 10 * DAY_MS)

    estate.read("E-101", noon + 60_000, "11")

    assert estate.database.read_now(TENANT, reading_days.unpacked_series, day, 10) == series
    estate.database.write_now(TENANT, reading_days.pack_day, day, series)
    (track,) = estate.database.read_now(TENANT, reading_days.tracks, series, day, day).values()
    assert track.value_micro.tolist() == [10_000_000, 11_000_000]
