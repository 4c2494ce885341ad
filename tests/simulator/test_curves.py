"""Consumption: exact sums, never falling, the same for a seed, different for another."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.curves import (
    DAY_MS,
    HANDED_OVER_AT_MS,
    HOUR_MS,
    HOUSEHOLD_ELECTRICITY,
    Consumer,
    Following,
    RatedTotals,
    RunningTotal,
    day_start_ms,
    local_day,
    split_day,
)
from simulator.meters import beijing_rate

END_MS = HANDED_OVER_AT_MS + 4 * 365 * DAY_MS

instants = st.integers(HANDED_OVER_AT_MS, END_MS)
household = Consumer(1, "em-101", 7_400, HOUSEHOLD_ELECTRICITY)
total = RunningTotal(household)
rated = RatedTotals(household, beijing_rate, 4)


@given(instants, st.integers(0, 3 * DAY_MS))
def test_a_running_total_never_falls(at_ms: int, later_ms: int) -> None:
    before, after = total.at(at_ms), total.at(at_ms + later_ms)

    assert after >= before


@given(instants)
def test_the_rates_sum_to_the_total_at_every_instant(at_ms: int) -> None:
    by_rate = rated.at(at_ms)

    assert sum(by_rate) == total.at(at_ms)


@given(st.integers(local_day(HANDED_OVER_AT_MS), local_day(END_MS)))
def test_the_hours_of_a_day_sum_to_the_day(day: int) -> None:
    hours = household.hours_until(day)

    assert len(hours) == 25
    assert hours[0] == 0
    assert hours[-1] == household.day_total(day)
    assert list(hours) == sorted(hours)


@given(st.integers(local_day(HANDED_OVER_AT_MS) + 1, local_day(END_MS)))
def test_midnight_belongs_to_both_days(day: int) -> None:
    midnight_ms = day_start_ms(day)

    assert total.at(midnight_ms) - total.at(midnight_ms - DAY_MS) == household.day_total(day - 1)


@given(instants, st.integers(0, DAY_MS))
def test_a_master_meter_counts_what_is_behind_it_and_hardly_more(at_ms: int, span_ms: int) -> None:
    parts = [Consumer(1, f"em-{number}", 8_000, HOUSEHOLD_ELECTRICITY) for number in range(101, 109)]
    master = RunningTotal(Following(parts, 1_014))
    totals = [RunningTotal(part) for part in parts]

    behind = sum(part.at(at_ms + span_ms) - part.at(at_ms) for part in totals)
    counted = master.at(at_ms + span_ms) - master.at(at_ms)

    # Each part is cut to a whole watt-hour at both ends.
    assert behind - 2 * len(parts) <= counted <= behind * 1.02 + 2 * len(parts)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 1_000), min_size=24, max_size=24))
def test_a_day_is_split_without_remainder(day_total: int, weights: list[int]) -> None:
    until = split_day(day_total, weights)

    assert until[-1] == day_total
    assert all(earlier <= later for earlier, later in itertools.pairwise(until))


def test_a_seed_decides_everything() -> None:
    day = date(2026, 9, 14).toordinal()

    same = Consumer(1, "em-101", 7_400, HOUSEHOLD_ELECTRICITY)
    other_seed = Consumer(2, "em-101", 7_400, HOUSEHOLD_ELECTRICITY)
    other_flat = Consumer(1, "em-102", 7_400, HOUSEHOLD_ELECTRICITY)

    assert same.hours_until(day) == household.hours_until(day)
    assert other_seed.hours_until(day) != household.hours_until(day)
    assert other_flat.hours_until(day) != household.hours_until(day)


def test_the_first_day_of_a_year_is_known_to_the_watt_hour() -> None:
    """Recorded when the curves were laid: a change of them would move every demonstration."""
    first_ms = day_start_ms(date(2026, 1, 1).toordinal())

    assert household.day_total(date(2026, 1, 1).toordinal()) == 7_993
    assert total.at(first_ms) == 8_514_045


def test_an_evening_outweighs_the_small_hours() -> None:
    days = range(date(2026, 9, 1).toordinal(), date(2026, 10, 1).toordinal())
    hours = [household.hours_until(day) for day in days]

    night = sum(until[5] - until[1] for until in hours)
    evening = sum(until[22] - until[18] for until in hours)

    assert evening > 3 * night


def test_july_takes_more_electricity_than_april() -> None:
    def of_month(month: int) -> int:
        return sum(household.day_total(date(2026, month, day).toordinal()) for day in range(1, 31))

    assert of_month(7) > 1.3 * of_month(4)


def test_before_the_hand_over_there_is_nothing_to_ask() -> None:
    with pytest.raises(ValueError, match="before the building's hand-over on 2023-01-01"):
        total.at(HANDED_OVER_AT_MS - 1)


@pytest.mark.parametrize(
    ("month", "hour", "rate"),
    [
        pytest.param(7, 11, 0, id="sharp at noon in July"),
        pytest.param(9, 11, 1, id="peak at noon in September"),
        pytest.param(12, 18, 0, id="sharp in the evening of December"),
        pytest.param(9, 21, 1, id="peak until ten"),
        pytest.param(9, 22, 2, id="flat from ten"),
        pytest.param(9, 23, 3, id="valley from eleven"),
        pytest.param(9, 6, 3, id="valley until seven"),
        pytest.param(9, 7, 2, id="flat from seven"),
    ],
)
def test_the_periods_are_beijings(month: int, hour: int, rate: int) -> None:
    assert beijing_rate(month, hour) == rate


def test_per_hour_is_what_the_hour_takes() -> None:
    hour_ms = day_start_ms(date(2026, 9, 14).toordinal()) + 20 * HOUR_MS

    assert total.per_hour(hour_ms + 1) == total.at(hour_ms + HOUR_MS) - total.at(hour_ms)
