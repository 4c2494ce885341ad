"""Days and seasons in rules: worked days, days off, spans of dates, and nights that pass midnight."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.calendar import WorkingDays, dates_from_text, spans_from_texts
from edge.field import scope_of
from edge.rule import RuleScope
from edge.rules import load_rules
from protocol.quantity import MICRO, quantity_named
from provisioning.config import RuleEntry
from provisioning.config_file import parse_config
from provisioning.strict import Malformed
from tests.edge.building_blocks import BUILDING, reading

KEY = "em-pump/active_power"
ZONE = ZoneInfo("Asia/Shanghai")
# The National Day of 2026 with the weekend that is worked for it (as published for that year's pattern).
CALENDAR = WorkingDays(spans_from_texts(["2026-10-01..2026-10-08"]), spans_from_texts(["2026-10-10"]))
SCOPE = RuleScope({KEY: quantity_named("active_power")}, ZONE, CALENDAR)


def tells(during: dict[str, object], at: str) -> bool:
    """Tell whether a limit that is exceeded at a local time raises."""
    (rule,) = load_rules(
        [RuleEntry("r", "threshold", {"points": [KEY], "above": "1", "during": during})], SCOPE
    )
    at_ms = int(datetime.fromisoformat(at).replace(tzinfo=ZONE).timestamp() * 1000)
    return bool(rule.observe(reading(KEY, 2 * MICRO, at_ms), at_ms))


@pytest.mark.parametrize(
    ("days", "at", "expected"),
    [
        pytest.param(["workday"], "2026-09-30T12:00", True, id="Wednesday"),
        pytest.param(["workday"], "2026-10-01T12:00", False, id="holiday on a Thursday"),
        pytest.param(["workday"], "2026-10-10T12:00", True, id="Saturday that is worked"),
        pytest.param(["workday"], "2026-10-11T12:00", False, id="Sunday"),
        pytest.param(["day_off"], "2026-10-08T12:00", True, id="last day of the holiday"),
        pytest.param(["day_off"], "2026-10-09T12:00", False, id="Friday after it"),
        pytest.param(["day_off", "fri"], "2026-10-09T12:00", True, id="Friday as well"),
        pytest.param([], "2026-10-01T12:00", True, id="every day"),
    ],
)
def test_worked_days_and_days_off_follow_the_calendar(days: list[str], at: str, expected: bool) -> None:
    assert tells({"days": days}, at) is expected


def test_a_night_belongs_to_the_day_it_began_on() -> None:
    night = {"from": "22:00", "to": "06:00", "days": ["workday"]}

    assert tells(night, "2026-10-01T02:00")  # the night of Wednesday, which was worked
    assert not tells(night, "2026-10-01T23:00")


@pytest.mark.parametrize(
    ("during", "at", "expected"),
    [
        pytest.param({"dates": ["11-15..03-15"]}, "2026-12-31T12:00", True, id="heating season, December"),
        pytest.param({"dates": ["11-15..03-15"]}, "2027-03-15T23:59", True, id="its last day"),
        pytest.param({"dates": ["11-15..03-15"]}, "2027-03-16T00:00", False, id="the day after"),
        pytest.param({"dates": ["2026-10-01"]}, "2026-10-01T12:00", True, id="one date"),
        pytest.param({"dates": ["2026-10-01"]}, "2027-10-01T12:00", False, id="another year"),
        pytest.param({"except": ["05-01"]}, "2030-05-01T12:00", False, id="never on the first of May"),
        pytest.param({"except": ["05-01"]}, "2030-05-02T12:00", True, id="the day after it"),
    ],
)
def test_a_rule_counts_in_its_season_only(during: dict[str, object], at: str, expected: bool) -> None:
    assert tells(during, at) is expected


@pytest.mark.parametrize(
    ("during", "told"),
    [
        pytest.param({"days": ["holiday"]}, "during.days: 'holiday' is none of mon,", id="word"),
        pytest.param({"dates": ["2026-02-30"]}, "during.dates: '2026-02-30' is no date", id="no such day"),
        pytest.param({"dates": ["2026-10-08..2026-10-01"]}, "ends before it begins", id="backwards"),
        pytest.param({"except": ["05-01..2026-05-03"]}, "both ends need a year", id="half a year"),
    ],
)
def test_a_window_that_is_none_is_refused(during: dict[str, object], told: str) -> None:
    with pytest.raises(Malformed) as refused:
        tells(during, "2026-10-01T12:00")

    assert told in str(refused.value)


def test_the_leap_day_is_a_day_of_the_year() -> None:
    assert dates_from_text("02-29").contain(date(2028, 2, 29))


def test_the_calendar_is_read_from_the_configuration() -> None:
    text = BUILDING.read_text(encoding="utf-8")
    told = '[calendar]\ndays_off = ["2026-10-01..2026-10-08"]\nworked = ["2026-10-10"]\n'

    assert scope_of(parse_config(text + told, BUILDING)).working_days == CALENDAR
    with pytest.raises(Malformed, match="calendar: '2026-02-30'"):
        scope_of(parse_config(text + '[calendar]\ndays_off = ["2026-02-30"]\n', BUILDING))
    with pytest.raises(Malformed, match=r"calendar\.days_off"):
        parse_config(text + '[calendar]\ndays_off = ["yesterday"]\n', BUILDING)
