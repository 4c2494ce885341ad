"""Holidays and make-up workdays: published year by year, never computed.

The invariant: a year nobody published is an error, not a guess. Several programs ship invented dates;
a weekend that is worked can lie in another month than its holiday.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

import msgspec
from msgspec import Struct

from cloud.domain.errors import Invalid, Problem
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff_document import Confidence
from cloud.domain.time_of_use import Calendar

_SATURDAY = 5


class DayKind(Enum):
    """What a day is to people who work."""

    HOLIDAY = "holiday"  # one the holiday regulation itself names
    OFF = "off"  # not worked: a bridge day or an ordinary weekend
    WORKDAY = "workday"  # worked, weekends by decree included


class _Day(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    date: date
    kind: DayKind
    name_zh: str


class _Year(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    year: int
    document: str
    document_date: date
    found_at: str
    confidence: Confidence
    days: tuple[_Day, ...]


class _Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    schema: int
    region: str
    years: tuple[_Year, ...]


@dataclass(frozen=True, slots=True)
class Holidays:
    """A region's published days; `documents` names the notice of each year."""

    region: str
    days: Mapping[date, DayKind]
    documents: Mapping[int, str]

    def kind_of(self, on: date) -> DayKind:
        """Return what kind of day it is; Invalid for a year without a published calendar."""
        if on.year not in self.documents:
            known = ", ".join(str(year) for year in sorted(self.documents)) or "none"
            raise Invalid(
                f"no holiday calendar of {self.region} for {on.year} is known (there are: {known}); "
                "add the year from the official notice"
            )
        return self.days.get(on, DayKind.OFF if on.weekday() >= _SATURDAY else DayKind.WORKDAY)


def parse_holidays(body: bytes) -> Holidays:
    """Return the holidays in a document; Invalid says where it is not one."""
    try:
        document = msgspec.json.decode(body, type=_Document)
    except msgspec.DecodeError as error:
        raise Invalid("the holiday calendar cannot be read", [Problem("", str(error))]) from error
    days: dict[date, DayKind] = {}
    for year in document.years:
        for day in year.days:
            if day.date.year != year.year or day.date in days:
                raise Invalid(f"{day.date} is there twice, or not in {year.year}")
            days[day.date] = day.kind
    return Holidays(document.region, days, {year.year: year.document for year in document.years})


def day_types(
    calendar: Calendar, period: ServicePeriod, holidays: Holidays | None, told: Mapping[date, str]
) -> dict[date, str]:
    """Return the type of every day of a period that the calendar treats specially.

    `told` are days reported from outside ("hot") and hold before holidays. Empty for a calendar that
    treats all days alike; Invalid where it asks for holidays and there is no calendar of the year.
    """
    wanted = {kind for slots in calendar.periods for kind in slots.days}
    if not wanted:
        return {}
    asks_holidays = bool(wanted & {kind.value for kind in DayKind})
    types: dict[date, str] = {}
    for on in _days_of(period):
        if told.get(on) in wanted:
            types[on] = told[on]
        elif asks_holidays:
            if holidays is None:
                raise Invalid("the tariff treats holidays specially and no holiday calendar is known here")
            types[on] = holidays.kind_of(on).value
    return types


def _days_of(period: ServicePeriod) -> Iterable[date]:
    days: Sequence[int] = range(period.days)
    return (period.start_on + timedelta(days=day) for day in days)
