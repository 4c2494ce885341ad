"""Time-of-use calendars published without prices: the hours and the factors, dated and sourced.

Commercial tariffs in China fix the hours and how many times the flat price each period costs; the
flat price itself changes every month. The invariant: a calendar that was parsed covers every minute
of an ordinary day.
"""

from datetime import date

import msgspec
from msgspec import Struct

from cloud.domain.errors import Invalid, Problem
from cloud.domain.tariff_document import Confidence, Source
from cloud.domain.tariffs.time_of_use import Factor
from cloud.domain.time_of_use import Calendar


class Ratio(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many times another period's price each period costs, for one class of customers."""

    customer_class: str = msgspec.field(name="class")
    factors: dict[str, Factor]


class CalendarVersion(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The calendar as valid on `[valid_from, valid_to)`."""

    version: int
    valid_from: date
    valid_to: date | None
    confidence: Confidence
    sources: tuple[Source, ...]
    calendar: Calendar
    ratios: tuple[Ratio, ...] = ()
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.calendar.check_complete()


class CalendarDocument(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A place's calendar in its dated versions."""

    schema: int
    code: str
    name_zh: str
    name_en: str
    region: str
    commodity: str
    versions: tuple[CalendarVersion, ...]


def parse_calendar(body: bytes) -> CalendarDocument:
    """Return a calendar document; Invalid says where it is not one."""
    try:
        return msgspec.json.decode(body, type=CalendarDocument)
    except msgspec.DecodeError as error:
        raise Invalid("the calendar document cannot be read", [Problem("", str(error))]) from error
