"""A point's readings in the cloud, and what a chart may say of them.

The invariant: what was not measured is a gap. Nothing here draws a line through one, fills it or
spreads a known total over it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloud.domain.ids import DeviceId, GatewayId, SeriesId
from protocol.reading import ClockQuality, Quality


@dataclass(frozen=True, slots=True)
class Point:
    """A point as the cloud knows it. `quantity` is empty until somebody has said what it measures."""

    series_id: SeriesId
    gateway_id: GatewayId
    device_id: DeviceId
    key: str
    name: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading with its place: the key `(series_id, measured_at_ms, epoch, seq)` names it for ever."""

    series_id: SeriesId
    measured_at_ms: int
    epoch: int
    seq: int
    value_micro: int | None
    quality: Quality
    reason: str
    clock_quality: ClockQuality
    received_at_ms: int
    evidence_seq: int | None


@dataclass(frozen=True, slots=True)
class PointValue:
    """What a point says now: its newest reading, and beside it the newest that had a value.

    `value_micro` is None where the newest reading has none; `last_value_micro` with `valued_at_ms`
    then says what it was and when, to be shown with its age. All are None before the first reading.
    """

    point: Point
    device_code: str
    device_title: str
    measured_at_ms: int | None
    received_at_ms: int | None
    value_micro: int | None
    quality: Quality | None
    reason: str
    valued_at_ms: int | None
    last_value_micro: int | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One corner of a chart's line; None interrupts it."""

    at_ms: int
    value_micro: int | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a stretch of time held: lowest and highest value, None if nothing with a value."""

    first_at_ms: int
    last_at_ms: int
    low_micro: int | None
    high_micro: int | None
    count: int


@dataclass(frozen=True, slots=True)
class UsageBar:
    """What a cumulative register grew by in one stretch; None where a reading at an end is missing."""

    from_ms: int
    to_ms: int
    used_micro: int | None


@dataclass(frozen=True, slots=True)
class UsageGap:
    """Consecutive bars without a value; `used_micro` is what is known to have been used in all of it."""

    from_ms: int
    to_ms: int
    used_micro: int | None


def samples_from_buckets(buckets: Iterable[Bucket], *, silence_ms: int) -> list[Sample]:
    """Return a line that keeps every extreme: two corners a bucket, and an interruption where nothing is.

    `silence_ms` is the longest time between two readings that is still normal for the point.
    """
    samples: list[Sample] = []
    last_at_ms: int | None = None
    for bucket in buckets:
        if last_at_ms is not None and bucket.first_at_ms - last_at_ms > silence_ms:
            samples.append(Sample(last_at_ms + 1, None))
        samples.append(Sample(bucket.first_at_ms, bucket.low_micro))
        if bucket.last_at_ms > bucket.first_at_ms:
            samples.append(Sample(bucket.last_at_ms, bucket.high_micro))
        last_at_ms = bucket.last_at_ms
    return samples


def usage_bars(edges: Sequence[tuple[int, int | None]]) -> list[UsageBar]:
    """Return the growth between neighbouring `(at_ms, register_micro)`; their sum is exactly last − first.

    A register that goes back (exchange, rollover) is a gap here: billing decides it, a chart does not.
    """
    bars: list[UsageBar] = []
    for (from_ms, before), (to_ms, after) in pairwise(edges):
        used = None if before is None or after is None or after < before else after - before
        bars.append(UsageBar(from_ms, to_ms, used))
    return bars


def usage_gaps(edges: Sequence[tuple[int, int | None]]) -> list[UsageGap]:
    """Return each run of bars without a value, with its known total where both its ends were read."""
    gaps: list[UsageGap] = []
    known_at: tuple[int, int] | None = None
    begun_ms: int | None = None
    for at_ms, register in edges:
        if register is None:
            begun_ms = known_at[0] if known_at else (at_ms if begun_ms is None else begun_ms)
            continue
        if begun_ms is not None:
            used = register - known_at[1] if known_at and register >= known_at[1] else None
            gaps.append(UsageGap(begun_ms, at_ms, used))
            begun_ms = None
        elif known_at is not None and register < known_at[1]:
            gaps.append(UsageGap(known_at[0], at_ms, None))
        known_at = (at_ms, register)
    if begun_ms is not None and edges:
        gaps.append(UsageGap(begun_ms, edges[-1][0], None))
    return gaps


def total_growth(edges: Sequence[tuple[int, int | None]]) -> int | None:
    """Return last minus first register; None if either was not read, or it went back in between."""
    known = [register for _, register in edges if register is not None]
    if len(edges) < 2 or edges[0][1] is None or edges[-1][1] is None or known != sorted(known):
        return None
    return known[-1] - known[0]
