"""Numbers, money and times are written as the tables of the design say."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cloud.console.formats import Format
from cloud.console.language import language_of
from cloud.domain.user import Locale

# 2026-11-24 08:14:07.300 in Shanghai.
NOW_MS = 1_795_479_247_300
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def chinese() -> Format:
    return Format(language_of(Locale.CHINESE), SHANGHAI, NOW_MS)


@pytest.fixture
def english() -> Format:
    return Format(language_of(Locale.ENGLISH), SHANGHAI, NOW_MS)


@pytest.mark.parametrize(
    ("fen", "zh", "en"),
    [
        (38_039, "380.39 元", "¥380.39"),
        (0, "0.00 元", "¥0.00"),
        (5, "0.05 元", "¥0.05"),
        (-38_039, "−380.39 元", "−¥380.39"),
        (123_456_789, "1,234,567.89 元", "¥1,234,567.89"),
        (None, "—", "—"),
    ],
)
def test_money_shows_exactly_the_stored_fen(
    chinese: Format, english: Format, fen: int | None, zh: str, en: str
) -> None:
    assert chinese.money(fen) == zh
    assert english.money(fen) == en


def test_a_price_is_written_as_it_was_published(chinese: Format, english: Format) -> None:
    assert chinese.price(Decimal("0.4883"), "kWh") == "0.4883 元/kWh"
    assert english.price(Decimal("5.00"), "m3") == "¥5.00/m³"
    assert chinese.price(Decimal("0.66286875")) == "0.66286875 元"


@pytest.mark.parametrize(
    ("micro", "unit", "shown"),
    [
        (151_900_000, "kWh", "151.90"),
        (18_642_170_000, "kWh", "18,642.17"),
        (360_000, "kWh", "0.36"),
        (0, "m3", "0.00"),
        (12_345_678, "kWh", "12.345678"),
        (-5_000_000, "°C", "−5.0"),
        (None, "kWh", "—"),
    ],
)
def test_a_reading_keeps_every_digit_it_was_read_with(
    chinese: Format, micro: int | None, unit: str, shown: str
) -> None:
    assert chinese.measured(micro, unit) == shown


def test_a_value_of_the_moment_is_rounded_half_up(chinese: Format) -> None:
    assert chinese.rounded(86_405_000, "kW") == "86.41"
    assert chinese.rounded(229_950_000, "V") == "230.0"


def test_times_are_the_site_s_own(chinese: Format, english: Format) -> None:
    assert chinese.headline(NOW_MS) == "2026-11-24 周二 08:14"
    assert english.headline(NOW_MS) == "Tue 24 Nov 2026, 08:14"
    assert chinese.moment(NOW_MS) == "11-24 08:14"
    assert english.moment(NOW_MS) == "24 Nov 08:14"
    assert chinese.exact(NOW_MS) == "11-24 08:14:07.3"
    assert chinese.day(date(2025, 12, 31)) == "2025-12-31"
    assert english.day(date(2025, 12, 31)) == "31 Dec 2025"


@pytest.mark.parametrize(
    ("age_s", "zh", "en"),
    [
        (0, "刚刚", "just now"),
        (12, "12 秒前", "12 s ago"),
        (180, "3 分钟前", "3 min ago"),
        (9 * 3600, "9 小时前", "9 h ago"),
        (30 * 3600, "11-23", "23 Nov"),
    ],
)
def test_an_age_is_told_until_a_day_has_passed(
    chinese: Format, english: Format, age_s: int, zh: str, en: str
) -> None:
    assert chinese.ago(NOW_MS - age_s * 1000) == zh
    assert english.ago(NOW_MS - age_s * 1000) == en


def test_periods_are_half_open_for_staff_and_inclusive_for_residents(
    chinese: Format, english: Format
) -> None:
    start, end = date(2026, 10, 1), date(2026, 11, 1)

    assert chinese.period(start, end) == "2026-10-01 → 2026-11-01"
    assert english.period(start, end) == "1 Oct → 1 Nov 2026"
    assert chinese.period_inclusive(start, end) == "10-01 至 10-31"
    assert english.period_inclusive(start, end) == "1–31 October"


def test_durations_and_percentages(chinese: Format, english: Format) -> None:
    assert chinese.duration(12_000_000) == "3 小时 20 分"
    assert english.duration(12_000_000) == "3 h 20 min"
    assert chinese.percent(Decimal("0.04"), signed=True) == "+4.0 %"
    assert english.percent(Decimal("-0.019"), signed=True) == "−1.9%"
    assert chinese.percent(None) == "—"
