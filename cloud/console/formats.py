"""How numbers, money, dates and ages are written, in both languages.

The one place that turns values into text. The invariant: money shows exactly the stored fen, an
unknown value is "—" and never 0, and a time is always the site's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date

from cloud.console.language import Language
from cloud.domain.user import Locale
from protocol.quantity import decimal_from_micro

UNKNOWN = "—"
MINUS = "\N{MINUS SIGN}"

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
# A value as fresh as this is "just now": one polling round of a line.
_JUST_NOW_MS = 5_000

# The decimals a value of that unit is shown with at least, and (instants) at most.
_DECIMALS = {
    "kWh": 2,
    "kvarh": 2,
    "m3": 2,
    "kW": 2,
    "V": 1,
    "A": 2,
    "m3/h": 3,
    "kPa": 1,
    "°C": 1,
    "%": 0,
    "h": 1,
}
_EXACT_UNITS = frozenset({"kWh", "kvarh", "m3"})
_UNITS = {"m3": "m³", "m3/h": "m³/h", "m2": "m²"}


@dataclass(frozen=True, slots=True)
class Format:
    """Writes values for one reader: their language, the site's time zone, and now."""

    language: Language
    zone: ZoneInfo
    now_ms: int

    @property
    def is_chinese(self) -> bool:
        """Tell which of the two ways of writing this is."""
        return self.language.tag is Locale.CHINESE

    # Money and quantities

    def amount(self, fen: int | None) -> str:
        """Write an amount for a column headed with the currency: 1,380.39."""
        if fen is None:
            return UNKNOWN
        sign = MINUS if fen < 0 else ""
        return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"

    def money(self, fen: int | None) -> str:
        """Write an amount with its currency: 380.39 元, ¥380.39."""
        if fen is None:
            return UNKNOWN
        if self.is_chinese:
            return f"{self.amount(fen)} 元"
        return f"{MINUS if fen < 0 else ''}¥{self.amount(abs(fen))}"

    @property
    def currency(self) -> str:
        """Return what follows a large amount in small type; in English the sign leads instead."""
        return "元" if self.is_chinese else ""

    def large(self, fen: int | None) -> str:
        """Write an amount to stand alone in large type; in Chinese 元 follows it in small."""
        return self.amount(fen) if self.is_chinese else self.money(fen)

    def price(self, price: Decimal, unit: str = "") -> str:
        """Write a price as it was published: 0.4883 元/kWh, ¥0.4883/kWh."""
        per = f"/{self.unit(unit)}" if unit else ""
        digits = self.price_digits(price)
        return f"{digits} 元{per}" if self.is_chinese else f"¥{digits}{per}"

    def price_digits(self, price: Decimal) -> str:
        """Write a price without its currency: all digits it has, and two decimals at least."""
        own = -int(price.normalize().as_tuple().exponent)
        return self.digits(price, max(2, own))

    def digits(self, value: Decimal | int, decimals: int | None = None) -> str:
        """Write a number with thousands separators; `decimals` rounds half up, None keeps it exact."""
        exact = Decimal(value)
        if decimals is not None:
            exact = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        return f"{exact:,f}".replace("-", MINUS)

    def plain(self, value: Decimal) -> str:
        """Write a number without zeros that say nothing: 1, 2,880, 0.5."""
        return self.digits(value.normalize() if value else Decimal(0))

    def number(self, value: Decimal | None, unit: str) -> str:
        """Write a quantity without its unit, with the decimals its meter has and never fewer digits."""
        if value is None:
            return UNKNOWN
        own = -int(value.normalize().as_tuple().exponent)
        return self.digits(value, max(_DECIMALS.get(unit, 0), own))

    def quantity(self, value: Decimal | None, unit: str) -> str:
        """Write a quantity with its unit: 286.42 kWh."""
        return UNKNOWN if value is None else f"{self.number(value, unit)} {self.unit(unit)}".rstrip()

    def measured(self, value_micro: int | None, unit: str) -> str:
        """Write a reading's number: one that may be billed exactly as it was read, others rounded."""
        if value_micro is None:
            return UNKNOWN
        if unit not in _EXACT_UNITS:
            return self.rounded(value_micro, unit)
        return self.number(decimal_from_micro(value_micro), unit)

    def rounded(self, value_micro: int | None, unit: str) -> str:
        """Write a value of the moment, rounded to what is worth reading."""
        if value_micro is None:
            return UNKNOWN
        return self.digits(decimal_from_micro(value_micro), _DECIMALS.get(unit, 0))

    def unit(self, unit: str) -> str:
        """Write a unit as it is printed: m³."""
        return _UNITS.get(unit, unit)

    def percent(self, ratio: Decimal | None, decimals: int = 1, *, signed: bool = False) -> str:
        """Write a ratio as a percentage: 4.0 %, +4.0%."""
        if ratio is None:
            return UNKNOWN
        digits = self.digits(ratio * 100, decimals)
        plus = "+" if signed and ratio > 0 else ""
        return f"{plus}{digits}{' %' if self.is_chinese else '%'}"

    # Times

    def local(self, at_ms: int) -> datetime:
        """Return the instant as the site's wall clock showed it."""
        seconds, rest_ms = divmod(at_ms, 1000)
        return datetime.fromtimestamp(seconds, self.zone) + timedelta(milliseconds=rest_ms)

    @property
    def today(self) -> date:
        """Return the site's date now."""
        return self.local(self.now_ms).date()

    def clock(self, at_ms: int | None) -> str:
        """Write the time of day: 08:14."""
        return UNKNOWN if at_ms is None else f"{self.local(at_ms):%H:%M}"

    def clock_seconds(self, at_ms: int | None) -> str:
        """Write the time of day with seconds: 08:14:07."""
        return UNKNOWN if at_ms is None else f"{self.local(at_ms):%H:%M:%S}"

    def day(self, on: date | int | None) -> str:
        """Write a date, without its year if that is this one: 11-24, 24 Nov."""
        if on is None:
            return UNKNOWN
        local = self.local(on).date() if isinstance(on, int) else on
        is_this_year = local.year == self.today.year
        if self.is_chinese:
            return f"{local:%m-%d}" if is_this_year else f"{local:%Y-%m-%d}"
        return self._babel(local, "d MMM" if is_this_year else "d MMM yyyy")

    def full_day(self, on: date | int | None) -> str:
        """Write a date with its year: 2026-11-24, 24 Nov 2026."""
        if on is None:
            return UNKNOWN
        local = self.local(on).date() if isinstance(on, int) else on
        return f"{local:%Y-%m-%d}" if self.is_chinese else self._babel(local, "d MMM yyyy")

    def moment(self, at_ms: int | None) -> str:
        """Write date and time: 11-24 08:14, 24 Nov 08:14."""
        return UNKNOWN if at_ms is None else f"{self.day(at_ms)} {self.clock(at_ms)}"

    def exact(self, at_ms: int | None) -> str:
        """Write date and time to the tenth of a second, for evidence."""
        if at_ms is None:
            return UNKNOWN
        return f"{self.day(at_ms)} {self.local(at_ms):%H:%M:%S}.{at_ms % 1000 // 100}"

    def headline(self, at_ms: int) -> str:
        """Write the moment in full: 2026-11-24 周二 08:14, Tue 24 Nov 2026, 08:14."""
        local = self.local(at_ms).date()
        if self.is_chinese:
            return f"{local:%Y-%m-%d} {self._babel(local, 'EEE')} {self.clock(at_ms)}"
        return f"{self._babel(local, 'EEE d MMM yyyy')}, {self.clock(at_ms)}"

    def weekday(self, on: date) -> str:
        """Write the day of the week, short: 周二, Tue."""
        return self._babel(on, "EEE")

    def ago(self, at_ms: int | None) -> str:
        """Write how long ago that was, up to a day; then the date."""
        if at_ms is None:
            return self.language.gettext("never")
        age_ms = max(0, self.now_ms - at_ms)
        if age_ms < _JUST_NOW_MS:
            return self.language.gettext("just now")
        if age_ms >= _DAY_MS:
            return self.day(at_ms)
        return self.language.gettext("%s ago") % self.age(age_ms)

    def age(self, age_ms: int) -> str:
        """Write a stretch of time in its largest unit: 12 s, 3 min, 9 h, 2 days."""
        if age_ms < _MINUTE_MS:
            return self.language.gettext("%s s") % (age_ms // 1000)
        if age_ms < _HOUR_MS:
            return self.language.gettext("%s min") % (age_ms // _MINUTE_MS)
        if age_ms < 2 * _DAY_MS:
            return self.language.gettext("%s h") % (age_ms // _HOUR_MS)
        days = age_ms // _DAY_MS
        return self.language.ngettext("%s day", "%s days", days) % days

    def duration(self, span_ms: int) -> str:
        """Write a stretch of time to the minute: 3 小时 20 分, 3 h 20 min."""
        hours, minutes = divmod(span_ms // _MINUTE_MS, 60)
        if hours == 0:
            return self.age(span_ms)
        if hours >= 48 or minutes == 0:
            return self.age(span_ms)
        return self.language.gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}

    def month(self, on: date) -> str:
        """Write the month with its year: 2026 年 10 月, October 2026."""
        return f"{on.year} 年 {on.month} 月" if self.is_chinese else self._babel(on, "LLLL yyyy")

    def month_name(self, on: date) -> str:
        """Write the month alone: 10 月, October."""
        return f"{on.month} 月" if self.is_chinese else self._babel(on, "LLLL")

    def month_short(self, on: date) -> str:
        """Write the month for an axis: 10月, Oct."""
        return f"{on.month} 月" if self.is_chinese else self._babel(on, "LLL")

    def period(self, start: date, end: date) -> str:
        """Write a half-open period as staff read it: 2026-10-01 → 2026-11-01."""
        if self.is_chinese:
            return f"{start:%Y-%m-%d} → {end:%Y-%m-%d}"
        return f"{self._babel(start, 'd MMM')} → {self._babel(end, 'd MMM yyyy')}"

    def period_inclusive(self, start: date, end: date) -> str:
        """Write a period as residents read it, last day included: 10-01 至 10-31."""
        last = end - timedelta(days=1)
        if self.is_chinese:
            return f"{start:%m-%d} 至 {last:%m-%d}"
        first = "d" if (start.year, start.month) == (last.year, last.month) else "d MMMM"
        return f"{self._babel(start, first)}–{self._babel(last, 'd MMMM')}"

    def joined(self, parts: Sequence[str]) -> str:
        """Write a list: 电、水, electricity, water."""
        return ("、" if self.is_chinese else ", ").join(parts)

    def _babel(self, on: date, pattern: str) -> str:
        return str(format_date(on, pattern, locale=self.language.rules))
