"""Which instants a demonstration lives through."""

from datetime import datetime

import pytest

from gatehouse.demo.calendar import HOUR_MS, ZONE, catch_up, plan, today, told


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()) * 1000


def test_two_whole_months_and_the_running_one_are_hourly() -> None:
    calendar = plan(at("2026-11-23T18:42:07"), months=2)

    assert told(calendar.from_ms) == "2026-09-01 00:00"
    assert told(calendar.to_ms) == "2026-11-23 00:00"
    assert calendar.hours == (30 + 31 + 22) * 24 + 1


def test_the_year_before_is_read_once_a_month() -> None:
    calendar = plan(at("2026-11-23T18:42:07"), months=2)

    assert [told(at_ms)[:10] for at_ms in calendar.monthly_ms] == [
        f"2026-0{month}-01" for month in range(1, 9)
    ]
    assert calendar.opened_on == "2026-01-01"
    assert calendar.months == tuple(f"2026-{month:02d}" for month in range(1, 11))


def test_in_january_the_year_is_that_of_the_first_month() -> None:
    calendar = plan(at("2027-01-05T09:00:00"), months=2)

    assert calendar.opened_on == "2026-01-01"
    assert told(calendar.from_ms) == "2026-11-01 00:00"
    assert calendar.months[-2:] == ("2026-11", "2026-12")


def test_in_february_two_months_span_the_turn_of_the_year() -> None:
    calendar = plan(at("2027-02-05T09:00:00"), months=2)

    assert calendar.opened_on == "2026-01-01"
    assert told(calendar.from_ms) == "2026-12-01 00:00"
    assert calendar.months[-1] == "2027-01"
    assert len(calendar.months) == 13


def test_a_short_one_reads_all_months_at_their_ends() -> None:
    calendar = plan(at("2026-11-23T18:42:07"), months=2, days=3)

    assert told(calendar.from_ms) == "2026-11-20 00:00"
    assert [told(at_ms)[5:10] for at_ms in calendar.monthly_ms][-3:] == ["09-01", "10-01", "11-01"]
    assert len(calendar.months) == 10


def test_on_the_first_of_a_month_its_boundary_is_read() -> None:
    calendar = plan(at("2026-11-01T00:30:00"), months=2, days=0)

    assert (told(calendar.from_ms), told(calendar.to_ms)) == ("2026-11-01 00:00", "2026-11-01 00:00")
    assert calendar.months[-1] == "2026-10"


@pytest.mark.parametrize("now", ["2026-03-01T00:00:00", "2026-12-31T23:59:59", "2028-02-29T12:00:00"])
@pytest.mark.parametrize("days", [None, 0, 5])
def test_instants_rise_and_are_whole_hours(now: str, days: int | None) -> None:
    calendar = plan(at(now), months=2, days=days)

    instants = [*calendar.monthly_ms, calendar.from_ms, calendar.to_ms]
    assert instants == sorted(instants)
    assert all(at_ms % HOUR_MS == 0 for at_ms in instants)
    assert calendar.to_ms <= at(now)


def test_a_second_start_reads_the_hours_it_slept_and_then_its_day() -> None:
    slept_ms, now_ms = at("2026-11-22T18:42:07"), at("2026-11-24T07:08:00")

    first_ms, midnight_ms = catch_up(slept_ms, now_ms)
    next_ms, last_ms = today(midnight_ms, now_ms)

    assert (told(first_ms), told(midnight_ms)) == ("2026-11-22 19:00", "2026-11-24 00:00")
    assert (told(next_ms), told(last_ms)) == ("2026-11-24 00:05", "2026-11-24 07:05")


def test_a_second_start_on_the_same_day_goes_on_where_it_was() -> None:
    slept_ms, now_ms = at("2026-11-23T18:42:07"), at("2026-11-23T18:59:00")

    first_ms, midnight_ms = catch_up(slept_ms, now_ms)
    next_ms, last_ms = today(slept_ms, now_ms)

    assert first_ms > midnight_ms
    assert (told(next_ms), told(last_ms)) == ("2026-11-23 18:45", "2026-11-23 18:55")


def test_a_second_start_within_five_minutes_reads_nothing() -> None:
    next_ms, last_ms = today(at("2026-11-23T18:41:00"), at("2026-11-23T18:44:59"))

    assert next_ms > last_ms
