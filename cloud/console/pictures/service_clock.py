"""The maintenance clock: one cell a day since the last signature, the limit as a line.

Not a dial: rows of it are compared with one another. The invariant: the number of filled cells is
the number of days, whatever the limit says.
"""

from dataclasses import dataclass
from enum import Enum

WIDTH = 300.0
_GAP = 2.0
# Cells beyond the limit, so that being over it can be seen.
_ROOM_DAYS = 3
_WARN_DAYS = 2  # the limit's own day and the two before it


class Day(Enum):
    """What a day's cell says."""

    PASSED = "passed"
    NEAR = "near"
    OVER = "over"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class DayCell:
    """One day."""

    number: int
    kind: Day
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class ServiceClock:
    """Everything the template draws."""

    width: float
    cells: tuple[DayCell, ...]
    limit_x: float
    planned_x: float | None


def draw_clock(days: int, limit: int, planned_day: int | None = None) -> ServiceClock:
    """Return the clock of a service last signed `days` ago that is due by day `limit`."""
    shown = max(limit, days) + _ROOM_DAYS if limit <= 60 else max(limit, days)
    step = WIDTH / shown
    gap = _GAP if step > 5 else 0.5
    cells = tuple(
        DayCell(number, _kind(number, days, limit), (number - 1) * step, step - gap)
        for number in range(1, shown + 1)
    )
    planned_x = None
    if planned_day is not None and 1 <= planned_day <= shown:
        planned_x = (planned_day - 0.5) * step - gap / 2
    return ServiceClock(WIDTH, cells, limit * step - gap / 2, planned_x)


def _kind(number: int, days: int, limit: int) -> Day:
    if number > days:
        return Day.AHEAD
    if number > limit:
        return Day.OVER
    return Day.NEAR if number >= limit - _WARN_DAYS else Day.PASSED
