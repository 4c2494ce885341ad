"""Which days are worked and which are not, and spans of dates: what a rule may ask of a day.

The invariant: the wall clock's local date decides, and a day nobody has said anything of is worked
from Monday to Friday. Holidays are told in the configuration, year by year; they cannot be computed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Dates:
    """A span of dates, both ends included; of every year where `year` is not told."""

    first: tuple[int, int, int]  # year 0: of every year
    last: tuple[int, int, int]

    def contain(self, day: date) -> bool:
        """Tell whether a date is in the span; a yearly one may pass the end of the year."""
        if self.first[0]:
            return self.first <= (day.year, day.month, day.day) <= self.last
        here, first, last = (day.month, day.day), self.first[1:], self.last[1:]
        return first <= here <= last if first <= last else here >= first or here <= last


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """The days told to be off, and the weekends told to be worked."""

    days_off: tuple[Dates, ...] = ()
    worked: tuple[Dates, ...] = ()

    def is_worked(self, day: date) -> bool:
        """Tell whether people work on a day."""
        if any(span.contain(day) for span in self.worked):
            return True
        return day.weekday() < _SATURDAY and not any(span.contain(day) for span in self.days_off)


def dates_from_text(text: str) -> Dates:
    """Return `2026-10-01`, `2026-10-01..2026-10-08` or `11-15..03-15`; ValueError says what is wrong."""
    first, dots, last = text.partition("..")
    ends = _end(first), _end(last if dots else first)
    if bool(ends[0][0]) is not bool(ends[1][0]):
        raise ValueError(f"{text!r}: both ends need a year, or neither")
    if ends[0][0] and ends[0] > ends[1]:
        raise ValueError(f"{text!r} ends before it begins")
    return Dates(*ends)


def spans_from_texts(texts: Iterable[str]) -> tuple[Dates, ...]:
    """Return the spans written; ValueError for the first that is none."""
    return tuple(dates_from_text(text) for text in texts)


def _end(text: str) -> tuple[int, int, int]:
    parts = text.strip().split("-")
    try:
        numbers = [int(part) for part in parts]
        year, month, day = numbers if len(numbers) == 3 else (0, *numbers)
        date(year or 2000, month, day)  # 2000 had a 29 February
    except ValueError:
        raise ValueError(f"{text!r} is no date like 2026-10-01, and no day of the year like 11-15") from None
    return year, month, day
