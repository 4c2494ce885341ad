"""Seasons: prices and bounds that follow the calendar month, and the cuts they make in a period.

The invariant: the seasons of a rule name every month of the year exactly once, so that no day is
without a price and none has two.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Protocol, TypeVar

from cloud.domain.ladder import check_months
from cloud.domain.periods import ServicePeriod


class Seasonal(Protocol):
    """Something in force in some months of the year."""

    @property
    def months(self) -> tuple[int, ...]:
        """Return its months, 1 to 12."""
        ...


SeasonT = TypeVar("SeasonT", bound=Seasonal)


def check_seasons(seasons: Sequence[Seasonal]) -> None:
    """Refuse (ValueError) seasons that leave a month out or name one twice."""
    months = [month for season in seasons for month in season.months]
    check_months(months, "seasons")
    missing = sorted(set(range(1, 13)) - set(months))
    if missing:
        raise ValueError(f"seasons: no price for month {', '.join(map(str, missing))}")


def season_at(seasons: Sequence[SeasonT], on: date) -> SeasonT:
    """Return the season of a day."""
    return next(season for season in seasons if on.month in season.months)


def season_breaks(seasons: Sequence[Seasonal], period: ServicePeriod) -> list[date]:
    """Return the days inside `period` on which another season begins."""
    firsts = [part.start_on for part, _ in period.months()]
    return [b for a, b in pairwise(firsts) if season_at(seasons, a) is not season_at(seasons, b)]


def season_part(seasons: Sequence[Seasonal], whole: ServicePeriod, on: date) -> ServicePeriod:
    """Return the stretch of `whole` around a day that lies in one season."""
    parts = whole.split_at(season_breaks(seasons, whole))
    return next(part for part in parts if part.start_on <= on < part.end_on)
