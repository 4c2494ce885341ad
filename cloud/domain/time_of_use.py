"""Time of use: which period of the day an instant belongs to, and how an interval is divided.

The invariant: slots are half-open `[start, end)` in local civil time with minute resolution, so
08:30 belongs to the slot that starts at 08:30. Where slots overlap the one listed first wins: sharp
lies over peak. An interval that straddles a bound is divided by time and flagged, since nobody
measured how the energy was spread inside it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.ladder import check_months
from cloud.domain.periods import local_time

_HOUR_MINUTE = re.compile(r"(\d{2}):(\d{2})")
_DAY_MINUTES = 24 * 60
_MINUTE_MS = 60_000

# Day types come from outside: a holiday list, a weather service. A day without one is ordinary.
ORDINARY = "ordinary"


class Slots(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a period applies: its windows ("08:30" to "11:30", "24:00" ends the day) in these months.

    With `days`, only on days of those types ("holiday", "hot"); without, on every day.
    """

    period: str
    windows: tuple[tuple[str, str], ...]
    months: tuple[int, ...] = tuple(range(1, 13))
    days: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_months(self.months, "months")
        for start, end in self.windows:
            if minute_of_day(start) >= minute_of_day(end):
                raise ValueError(f"{self.period}: a window ends after it starts, not {start} to {end}")

    def covers(self, month: int, day_type: str, minute: int) -> bool:
        """Tell whether a minute of the day lies in one of its windows."""
        if month not in self.months or (self.days and day_type not in self.days):
            return False
        return any(minute_of_day(a) <= minute < minute_of_day(b) for a, b in self.windows)


class Calendar(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Periods in order of priority: the first whose slot covers a minute has it.

    `time_zone` is for tariffs that do not follow the site's clock (Economy 7 runs on UTC all year).
    """

    periods: tuple[Slots, ...]
    time_zone: str | None = None

    def period_at(self, month: int, day_type: str, minute: int) -> str | None:
        """Return the period of a minute of the day, None where the calendar has a hole."""
        return next((slot.period for slot in self.periods if slot.covers(month, day_type, minute)), None)

    def bounds(self, month: int, day_type: str) -> list[int]:
        """Return the minutes of the day at which the period may change, in order, 0 included."""
        minutes = {0}
        for slot in self.periods:
            if month in slot.months and (not slot.days or day_type in slot.days):
                minutes.update(minute_of_day(bound) for window in slot.windows for bound in window)
        return sorted(minutes - {_DAY_MINUTES})

    def check_complete(self) -> None:
        """Refuse (ValueError) a calendar in which an ordinary day has a minute without a period."""
        for month in range(1, 13):
            for minute in self.bounds(month, ORDINARY):
                if self.period_at(month, ORDINARY, minute) is None:
                    raise ValueError(f"month {month}: {clock_text(minute)} belongs to no period")


@dataclass(frozen=True, slots=True)
class Interval:
    """A quantity measured between two readings."""

    start_ms: int
    end_ms: int
    quantity: Decimal

    def __post_init__(self) -> None:
        if self.end_ms <= self.start_ms:
            raise Invalid(f"an interval ends after it starts: {self.start_ms} to {self.end_ms}")


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """A quantity by period, in the order first met, and whether some interval had to be divided by time.

    `sequence` is the same in order of time, a new entry whenever the period changes.
    """

    by_period: Mapping[str, Decimal]
    sequence: tuple[tuple[str, Decimal], ...]
    is_linear: bool


def split_intervals(
    intervals: Iterable[Interval],
    calendar: Calendar,
    site_zone: ZoneInfo,
    day_types: Mapping[date, str] = MappingProxyType({}),
) -> TimeSplit:
    """Divide measured intervals by the calendar; parts add up to each interval exactly."""
    zone = ZoneInfo(calendar.time_zone) if calendar.time_zone else site_zone
    totals: dict[str, Decimal] = {}
    sequence: list[tuple[str, Decimal]] = []
    is_linear = False
    for interval in intervals:
        parts = _periods_of(interval, calendar, zone, day_types)
        is_linear |= len(parts) > 1
        quantities = [interval.quantity]
        if len(parts) > 1:
            quantities = money.split_quantity(interval.quantity, [length for _, length in parts])
        for (period, _), quantity in zip(parts, quantities, strict=True):
            totals[period] = money.EXACT.add(totals.get(period, Decimal(0)), quantity)
            if sequence and sequence[-1][0] == period:
                quantity = money.EXACT.add(sequence.pop()[1], quantity)
            sequence.append((period, quantity))
    return TimeSplit(MappingProxyType(totals), tuple(sequence), is_linear)


def stretches(
    calendar: Calendar, start_ms: int, end_ms: int, site_zone: ZoneInfo, day_types: Mapping[date, str]
) -> list[tuple[str, int]]:
    """Return (period, milliseconds) of a span in order of time, one entry per uninterrupted stretch."""
    zone = ZoneInfo(calendar.time_zone) if calendar.time_zone else site_zone
    return _periods_of(Interval(start_ms, end_ms, Decimal(0)), calendar, zone, day_types)


def period_at(
    at_ms: int,
    calendar: Calendar,
    site_zone: ZoneInfo,
    day_types: Mapping[date, str] = MappingProxyType({}),
) -> str:
    """Return the period an instant belongs to; Invalid names a minute the calendar leaves out."""
    zone = ZoneInfo(calendar.time_zone) if calendar.time_zone else site_zone
    local = local_time(at_ms, zone)
    period = calendar.period_at(local.month, day_types.get(local.date(), ORDINARY), _minute(local))
    if period is None:
        raise Invalid(f"{local:%Y-%m-%d %H:%M} belongs to no period of the time-of-use calendar")
    return period


def minute_of_day(text: str) -> int:
    """Return the minutes since midnight of "HH:MM", 0 to 1440; ValueError for anything else."""
    match = _HOUR_MINUTE.fullmatch(text)
    minute = -1 if match is None else int(match[1]) * 60 + int(match[2])
    if match is None or int(match[2]) > 59 or minute > _DAY_MINUTES:
        raise ValueError(f'a time of day is written "HH:MM", 00:00 to 24:00, not {text!r}')
    return minute


def clock_text(minute: int) -> str:
    """Return minutes since midnight as "HH:MM"."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _periods_of(
    interval: Interval, calendar: Calendar, zone: ZoneInfo, day_types: Mapping[date, str]
) -> list[tuple[str, int]]:
    """Return (period, milliseconds) in order of time, one entry per uninterrupted stretch."""
    parts: list[tuple[str, int]] = []
    at_ms = interval.start_ms
    while at_ms < interval.end_ms:
        period = period_at(at_ms, calendar, zone, day_types)
        until_ms = min(_next_bound_ms(at_ms, calendar, zone, day_types), interval.end_ms)
        if parts and parts[-1][0] == period:
            parts[-1] = (period, parts[-1][1] + until_ms - at_ms)
        else:
            parts.append((period, until_ms - at_ms))
        at_ms = until_ms
    return parts


def _next_bound_ms(at_ms: int, calendar: Calendar, zone: ZoneInfo, day_types: Mapping[date, str]) -> int:
    """Return the next instant at which the wall clock shows a bound; clock changes are walked through."""
    local = local_time(at_ms, zone)
    bounds: Sequence[int] = calendar.bounds(local.month, day_types.get(local.date(), ORDINARY))
    into_ms = (local.minute * 60 + local.second) * 1000 + local.microsecond // 1000 + local.hour * 3_600_000
    later = [bound * _MINUTE_MS - into_ms for bound in (*bounds, _DAY_MINUTES)]
    until_ms = at_ms + min(step for step in later if step > 0)
    # In the hour a clock is put forward or back, elapsed time and wall time differ: go minute by minute.
    end_offset = local_time(until_ms, zone).utcoffset()
    if local.utcoffset() != end_offset:
        return at_ms - at_ms % _MINUTE_MS + _MINUTE_MS
    return until_ms


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute
