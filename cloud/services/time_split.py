"""Dividing a register's usage by time of use from the readings in between.

The invariant: the parts add up to the segments. Where a register goes on as it should, a month is divided
by arrays in one go; where something in between does not fit, or the order of use is asked, reading by
reading. Both give the same to the millionth.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloud.domain import money
from cloud.domain.meter import Installation
from cloud.domain.packed_day import Runs, Track, joined, only_rises, runs_of, split_track, within
from cloud.domain.time_of_use import Calendar, Interval, TimeSplit, split_intervals
from cloud.domain.usage import Dial, DialReading, UsageSegment, judge, quantity_of
from cloud.services.dials import Dials

_NO_READINGS = joined([])


class TimeSplitter:
    """Divides segments by one calendar; what the calendar makes of a span is worked out once."""

    def __init__(
        self, calendar: Calendar, zone: ZoneInfo, day_types: Mapping[date, str], *, in_order: bool
    ) -> None:
        self._calendar = calendar
        self._zone = zone
        self._day_types = day_types
        self._in_order = in_order
        self._runs: dict[tuple[int, int], Runs] = {}

    def split(
        self, segments: Sequence[UsageSegment], installations: Sequence[Installation], dials: Dials
    ) -> TimeSplit:
        """Return the segments' usage by period; `sequence` only where the order was asked for."""
        if not self._in_order:
            found = self._by_arrays(segments, installations, dials)
            if found is not None:
                return found
        intervals = [
            interval for segment in segments for interval in _intervals(segment, installations, dials)
        ]
        split = split_intervals(intervals, self._calendar, self._zone, self._day_types)
        return split if self._in_order else TimeSplit(split.by_period, (), split.is_linear)

    def _by_arrays(
        self, segments: Sequence[UsageSegment], installations: Sequence[Installation], dials: Dials
    ) -> TimeSplit | None:
        totals: dict[str, Decimal] = {}
        straddling: list[Interval] = []
        for segment in segments:
            track = _track_of(segment, installations, dials)
            if track is None:
                return None
            split = split_track(track, self._runs_of(int(track.at_ms[0]), int(track.at_ms[-1])))
            for period, micro in split.by_period.items():
                quantity = quantity_of(micro, segment.multiplier)
                totals[period] = money.EXACT.add(totals.get(period, Decimal(0)), quantity)
            for index in split.straddling:
                (start_ms, end_ms) = (int(at_ms) for at_ms in track.at_ms[index : index + 2])
                (before, after) = (int(value) for value in track.value_micro[index : index + 2])
                straddling.append(Interval(start_ms, end_ms, quantity_of(after - before, segment.multiplier)))
        rest = split_intervals(straddling, self._calendar, self._zone, self._day_types)
        for period, quantity in rest.by_period.items():
            totals[period] = money.EXACT.add(totals.get(period, Decimal(0)), quantity)
        used = {period: quantity for period, quantity in totals.items() if quantity}
        return TimeSplit(MappingProxyType(used), (), rest.is_linear)

    def _runs_of(self, start_ms: int, end_ms: int) -> Runs:
        key = start_ms, end_ms
        if key not in self._runs:
            self._runs[key] = runs_of(self._calendar, start_ms, end_ms, self._zone, self._day_types)
        return self._runs[key]


def _track_of(segment: UsageSegment, installations: Sequence[Installation], dials: Dials) -> Track | None:
    """Return a segment's readings if nothing about them needs judging one by one."""
    hung = _hung(segment, installations)
    opening, closing = segment.opening, segment.closing
    if opening.measured_at_ms >= closing.measured_at_ms or hung.series_id is None:
        return None
    track = within(
        dials.between.get(hung.series_id, _NO_READINGS),
        (opening.measured_at_ms, opening.value_micro),
        (closing.measured_at_ms, closing.value_micro),
    )
    return track if only_rises(track, hung.meter.max_per_day_micro) else None


def _intervals(segment: UsageSegment, installations: Sequence[Installation], dials: Dials) -> list[Interval]:
    """Return what a meter measured from reading to reading; their sum is the segment's quantity.

    A reading in between that does not fit is passed over; where then nothing adds up, the segment is
    one long interval.
    """
    hung = _hung(segment, installations)
    dial = Dial(hung.meter.register_modulus_micro, hung.meter.max_per_day_micro)
    inside = dials.between.get(hung.series_id, _NO_READINGS) if hung.series_id is not None else _NO_READINGS
    start_ms, end_ms = segment.opening.measured_at_ms, segment.closing.measured_at_ms
    fitting: list[DialReading] = [segment.opening]
    between = [
        DialReading(value, at_ms)
        for at_ms, value in zip(inside.at_ms.tolist(), inside.value_micro.tolist(), strict=True)
        if start_ms < at_ms < end_ms
    ]
    for reading in [*between, segment.closing]:
        elapsed_ms = reading.measured_at_ms - fitting[-1].measured_at_ms
        if (
            elapsed_ms > 0
            and judge(fitting[-1].value_micro, reading.value_micro, dial, elapsed_ms).is_billable
        ):
            fitting.append(reading)
    intervals = []
    for earlier, later in pairwise(fitting):
        elapsed_ms = later.measured_at_ms - earlier.measured_at_ms
        moved = judge(earlier.value_micro, later.value_micro, dial, elapsed_ms).modular_micro
        if moved:
            quantity = quantity_of(moved, segment.multiplier)
            intervals.append(Interval(earlier.measured_at_ms, later.measured_at_ms, quantity))
    if money.add([one.quantity for one in intervals]) == segment.quantity:
        return intervals
    return [Interval(start_ms, max(end_ms, start_ms + 1), segment.quantity)]


def _hung(segment: UsageSegment, installations: Sequence[Installation]) -> Installation:
    return next(one for one in installations if one.installation_id == segment.installation_id)
