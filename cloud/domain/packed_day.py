"""Days of readings packed into arrays, and their division by time of use, thousands at a time.

A packed day holds a register's good readings of one UTC day, little-endian: a head (what follows, u1; the
first instant, in milliseconds since midnight, u4; the step, u4; the first value in millionths, i8), then
the times (u4) unless they are equally far apart, then what each value is above the first (u4, or i8 where
that is too narrow): 4 bytes a reading for a meter read on the quarter-hour, 12 at most. The invariant:
whole numbers only, so what is summed here is to the millionth what `split_intervals` gives; an interval
that straddles a bound of the calendar is handed back to it.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from cloud.domain.errors import Invalid
from cloud.domain.time_of_use import Calendar, stretches

DAY_MS = 86_400_000
BYTES_A_READING = 12  # at most, beside the head
_HEAD = struct.Struct("<BIIq")
_HAS_TIMES, _IS_WIDE = 1, 2
_NARROW_MAX = 2**32

Whole = npt.NDArray[np.int64]


class Track(NamedTuple):
    """A register's readings in order of time: when (ms), and what it showed (millionths)."""

    at_ms: Whole
    value_micro: Whole


@dataclass(frozen=True, slots=True)
class Runs:
    """A span of time cut by a calendar: stretch `i` lasts from `bounds[i]` to `bounds[i + 1]`.

    `labels[i]` is the number of its period in `periods`.
    """

    bounds: Whole
    labels: Whole
    periods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackedSplit:
    """Millionths by period, and the intervals (their index) that straddle a bound and are in none of it."""

    by_period: Mapping[str, int]
    straddling: tuple[int, ...]


def pack(day: int, at_ms: Sequence[int], value_micro: Sequence[int]) -> bytes:
    """Return the packed readings of a UTC day, counted from 1970; they must be of that day, in order."""
    times = np.asarray(at_ms, np.int64) - day * DAY_MS
    values = np.asarray(value_micro, np.int64)
    if not times.size:
        return b""
    steps = np.diff(times)
    if times[0] < 0 or times[-1] >= DAY_MS or (steps < 0).any():
        raise Invalid(f"readings of day {day} are packed in order of time, and no others with them")
    step = int(steps[0]) if steps.size else 0
    first = int(values[0])
    # A register that jumps by more than its own width is stored wide, from zero.
    is_wide = int(values.max()) - first >= _NARROW_MAX or int(values.min()) < first
    flags = (_HAS_TIMES if (steps != step).any() else 0) | (_IS_WIDE if is_wide else 0)
    head = _HEAD.pack(flags, int(times[0]), step, first)
    explicit = times.astype("<u4").tobytes() if flags & _HAS_TIMES else b""
    return head + explicit + (values.astype("<i8") if is_wide else (values - first).astype("<u4")).tobytes()


def unpack(day: int, body: bytes) -> Track:
    """Return the readings of a packed day."""
    if not body:
        return track_of((), ())
    flags, start, step, first = _HEAD.unpack_from(body)
    time_bytes, value_bytes = (4 if flags & _HAS_TIMES else 0), (8 if flags & _IS_WIDE else 4)
    count, rest = divmod(len(body) - _HEAD.size, time_bytes + value_bytes)
    if rest:
        raise Invalid(f"a packed day of {len(body)} bytes is none: {rest} are left over")
    midnight_ms = day * DAY_MS
    if time_bytes:
        times = np.frombuffer(body, "<u4", count, _HEAD.size).astype(np.int64) + midnight_ms
    else:
        times = np.arange(count, dtype=np.int64) * step + (midnight_ms + start)
    stored = np.frombuffer(body, "<i8" if flags & _IS_WIDE else "<u4", count, _HEAD.size + time_bytes * count)
    values = stored.astype(np.int64)
    return Track(times, values if flags & _IS_WIDE else values + first)


def track_of(at_ms: Sequence[int], value_micro: Sequence[int]) -> Track:
    """Return the track of these readings, in order of time."""
    return Track(np.asarray(at_ms, np.int64), np.asarray(value_micro, np.int64))


def within(track: Track, opening: tuple[int, int], closing: tuple[int, int]) -> Track:
    """Return a track from one (instant, value) to another, with what lies strictly between them."""
    low = int(np.searchsorted(track.at_ms, opening[0], "right"))
    high = int(np.searchsorted(track.at_ms, closing[0], "left"))
    ends = np.asarray([opening, closing], np.int64)
    return Track(
        np.concatenate([ends[:1, 0], track.at_ms[low:high], ends[1:, 0]]),
        np.concatenate([ends[:1, 1], track.value_micro[low:high], ends[1:, 1]]),
    )


def only_rises(track: Track, max_per_day_micro: int | None) -> bool:
    """Tell whether a register goes on from reading to reading as it should: forwards, and not too fast."""
    elapsed, moved = np.diff(track.at_ms), np.diff(track.value_micro)
    if not ((elapsed > 0).all() and (moved >= 0).all()):
        return False
    if max_per_day_micro is None:
        return True
    days = np.maximum(1, -(-elapsed // DAY_MS))  # begun, not passed, as `judge` counts them
    return bool((moved <= max_per_day_micro * days).all())


def joined(tracks: Sequence[Track]) -> Track:
    """Return tracks that follow each other as one."""
    if not tracks:
        return Track(np.empty(0, np.int64), np.empty(0, np.int64))
    return Track(
        np.concatenate([one.at_ms for one in tracks]), np.concatenate([one.value_micro for one in tracks])
    )


def runs_of(
    calendar: Calendar, start_ms: int, end_ms: int, zone: ZoneInfo, day_types: Mapping[date, str]
) -> Runs:
    """Return how a calendar cuts a span of time; worked out once for all who share it."""
    parts = stretches(calendar, start_ms, end_ms, zone, day_types)
    periods = tuple(dict.fromkeys(period for period, _ in parts))
    numbers = {period: number for number, period in enumerate(periods)}
    bounds = list(accumulate((length for _, length in parts), initial=start_ms))
    labels = [numbers[period] for period, _ in parts]
    return Runs(np.asarray(bounds, np.int64), np.asarray(labels, np.int64), periods)


def split_track(track: Track, runs: Runs) -> PackedSplit:
    """Divide what a register counted between its readings by the stretches they lie in.

    All readings lie in the span of `runs`. Periods come in the order first met.
    """
    moved = np.diff(track.value_micro)
    stretch = np.searchsorted(runs.bounds, track.at_ms, "right") - 1
    # An interval that ends on a bound has not entered the stretch that begins there.
    last = stretch[1:] - (runs.bounds[stretch[1:]] == track.at_ms[1:])
    first = stretch[:-1]
    inside = first == last
    labels = np.where(inside, runs.labels[first], -1)
    by_period = {}
    for number, period in enumerate(runs.periods):
        own = labels == number
        if own.any():
            by_period[period] = int(moved[own].sum())
    return PackedSplit(by_period, tuple(np.flatnonzero(~inside & (moved != 0)).tolist()))
