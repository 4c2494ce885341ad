"""Civil time: billing periods, ladder years, and where they begin on the clock of a site.

The invariant: a period is half-open, `[start_on, end_on)` in local dates; the site's time zone is
applied here and nowhere else, so the end of one period is the start of the next to the millisecond.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import NewType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.domain.errors import Invalid
from cloud.domain.ids import PeriodId, SiteId

PeriodCode = NewType("PeriodCode", str)

_MONTH_CODE = re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])")
_MONTH_DAY = re.compile(r"(0[1-9]|1[0-2])-(\d{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class ServicePeriod:
    """The local dates `[start_on, end_on)` something is charged for; at least one day."""

    start_on: date
    end_on: date

    def __post_init__(self) -> None:
        if self.end_on <= self.start_on:
            raise Invalid(f"a period ends after it starts: {self.start_on} to {self.end_on}")

    @property
    def days(self) -> int:
        """Return the number of days, the end not counted."""
        return (self.end_on - self.start_on).days

    @property
    def last_on(self) -> date:
        """Return its last day, as people write periods."""
        return self.end_on - timedelta(days=1)

    def bounds_ms(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return the instants its first and its end day begin, in UTC milliseconds."""
        return midnight_ms(self.start_on, zone), midnight_ms(self.end_on, zone)

    def split_at(self, breaks: Iterable[date]) -> list["ServicePeriod"]:
        """Return it cut at those of `breaks` that lie inside, in order; they need not be sorted."""
        inside = sorted({on for on in breaks if self.start_on < on < self.end_on})
        return [ServicePeriod(a, b) for a, b in pairwise([self.start_on, *inside, self.end_on])]

    def meet(self, start_on: date | None, end_on: date | None) -> "ServicePeriod | None":
        """Return the part of it inside `[start_on, end_on)`; None where no day is left."""
        start = max(self.start_on, start_on) if start_on else self.start_on
        end = min(self.end_on, end_on) if end_on else self.end_on
        return ServicePeriod(start, end) if start < end else None

    def months(self) -> list[tuple["ServicePeriod", Fraction]]:
        """Return its calendar months in order, each with the share of the whole month it covers."""
        parts = self.split_at(_firsts(self))
        return [(part, Fraction(part.days, month_of(part.start_on).days)) for part in parts]


class PeriodState(Enum):
    """The life of a billing period."""

    OPEN = "open"  # readings still count towards it
    CLOSING = "closing"  # some accounts have their invoice, others not yet; the run may be resumed
    CLOSED = "closed"  # every account was billed or is listed with the reason why not


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """One billing month of a site."""

    period_id: PeriodId
    site_id: SiteId
    code: PeriodCode
    dates: ServicePeriod
    state: PeriodState


@dataclass(frozen=True, slots=True)
class YearStart:
    """The day a ladder's year begins: 1 January in most cities, 1 July in Shaanxi."""

    month: int = 1
    day: int = 1

    def __post_init__(self) -> None:
        try:
            date(2001, self.month, self.day)  # not a leap year: 29 February does not come every year
        except ValueError:
            raise Invalid(f"a ladder year cannot start on {self.month:02}-{self.day:02}") from None

    def year_of(self, on: date) -> ServicePeriod:
        """Return the ladder year that day lies in."""
        start = date(on.year, self.month, self.day)
        if on < start:
            start = date(on.year - 1, self.month, self.day)
        return ServicePeriod(start, date(start.year + 1, self.month, self.day))

    def starts_in(self, period: ServicePeriod) -> list[date]:
        """Return the days inside `period` on which a new ladder year begins."""
        years = range(period.start_on.year, period.end_on.year + 1)
        days = [date(year, self.month, self.day) for year in years]
        return [on for on in days if period.start_on < on < period.end_on]


@cache
def year_start(text: str) -> YearStart:
    """Return the ladder year that begins on "MM-DD"."""
    match = _MONTH_DAY.fullmatch(text)
    if match is None:
        raise Invalid(f'a year start is written "MM-DD", not {text!r}')
    return YearStart(int(match[1]), int(match[2]))


def month_of(on: date) -> ServicePeriod:
    """Return the calendar month of a day."""
    start = on.replace(day=1)
    return ServicePeriod(start, (start + timedelta(days=31)).replace(day=1))


def billing_month(code: str) -> ServicePeriod:
    """Return the calendar month of a period code such as "2026-10"."""
    match = _MONTH_CODE.fullmatch(code)
    if match is None:
        raise Invalid(f'a billing period is written "YYYY-MM", not {code!r}')
    return month_of(date(int(match[1]), int(match[2]), 1))


def month_code(on: date) -> PeriodCode:
    """Return the code of the billing month of a day: "2026-10"."""
    return PeriodCode(f"{on.year:04}-{on.month:02}")


def time_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name; Invalid names the unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"there is no time zone {name!r}; expected a name such as Asia/Shanghai") from None


def midnight_ms(on: date, zone: ZoneInfo) -> int:
    """Return the instant a local day begins, in UTC milliseconds."""
    return (datetime.combine(on, time(), zone) - _EPOCH) // _MILLISECOND


def local_time(at_ms: int, zone: ZoneInfo) -> datetime:
    """Return the wall-clock time of an instant on the site."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)


def local_date(at_ms: int, zone: ZoneInfo) -> date:
    """Return the day an instant falls on at the site."""
    return local_time(at_ms, zone).date()


def _firsts(period: ServicePeriod) -> list[date]:
    firsts = []
    first = month_of(period.start_on).end_on
    while first < period.end_on:
        firsts.append(first)
        first = month_of(first).end_on
    return firsts
