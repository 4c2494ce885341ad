"""Which instants a demonstration lives through: whole past months, and the running one up to now.

The invariant: every instant is a whole hour at the site or, of the running day, five minutes; they
rise, and the first of every month from January on is among them, so that the ladders of a year begin
where a year begins.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_MS = 3_600_000
FIVE_MINUTES_MS = 300_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """`monthly_ms` are single instants, read as meters were before; then hourly to `to_ms`, last midnight."""

    opened_on: str  # ISO date: the first of January
    monthly_ms: tuple[int, ...]
    from_ms: int
    to_ms: int
    months: tuple[str, ...]  # every whole month from January to the last: "2026-01", …

    @property
    def hours(self) -> int:
        """Return how many hourly instants there are."""
        return (self.to_ms - self.from_ms) // HOUR_MS + 1


def plan(now_ms: int, months: int, days: int | None = None) -> Calendar:
    """Return what to live through: `months` whole months hourly and the running one.

    With `days` only that many last days are hourly, and all months are read at their ends: a short
    demonstration.
    """
    now = datetime.fromtimestamp(now_ms / 1000, ZONE)
    this_month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    first = _months_before(this_month, months)
    opened = first.replace(month=1)
    starts = [opened]
    while starts[-1] < this_month:
        starts.append(_months_before(starts[-1], -1))
    hourly_from = first
    if days is not None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        hourly_from = max(first, midnight - timedelta(days=days))
    from_ms = _ms(hourly_from)
    return Calendar(
        opened_on=f"{opened:%Y-%m-%d}",
        monthly_ms=tuple(_ms(start) for start in starts if _ms(start) < from_ms),
        from_ms=from_ms,
        to_ms=_midnight_ms(now),
        months=tuple(f"{start:%Y-%m}" for start in starts[:-1]),
    )


def local_day(now_ms: int) -> date:
    """Return the day it is at the site."""
    return datetime.fromtimestamp(now_ms / 1000, ZONE).date()


def catch_up(last_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the hourly instants after `last_ms` to the last midnight; first is after last if none are."""
    return (last_ms // HOUR_MS + 1) * HOUR_MS, _midnight_ms(datetime.fromtimestamp(now_ms / 1000, ZONE))


def today(last_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the five-minute instants after `last_ms` up to now; first is after last if there are none."""
    return (last_ms // FIVE_MINUTES_MS + 1) * FIVE_MINUTES_MS, now_ms // FIVE_MINUTES_MS * FIVE_MINUTES_MS


def told(at_ms: int) -> str:
    """Return an instant as people at the site write it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, ZONE):%Y-%m-%d %H:%M}"


def _months_before(start: datetime, months: int) -> datetime:
    number = start.year * 12 + start.month - 1 - months
    return start.replace(year=number // 12, month=number % 12 + 1)


def _midnight_ms(now: datetime) -> int:
    return _ms(now.replace(hour=0, minute=0, second=0, microsecond=0))


def _ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) * 1000
