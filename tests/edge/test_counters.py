"""Counter sanity: what cannot be is held, is not the measure of what follows, and is told once."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.counters import CounterGuard, CounterLimits
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Quality, Reading
from tests.edge.building_blocks import MIDNIGHT_MS, reading

KEY = "em-101/active_energy_import"
MODULUS = 1_000_000 * MICRO
HOUR_MS = 3_600_000


def guard(modulus: int = MODULUS, max_per_h: int = 30) -> CounterGuard:
    return CounterGuard({KEY: CounterLimits(modulus, max_per_h * MICRO)})


def at(hours: float, value: float) -> Reading:
    return reading(KEY, round(value * MICRO), MIDNIGHT_MS + round(hours * HOUR_MS))


def judged(watching: CounterGuard, *readings: Reading) -> list[Quality]:
    return [watching.judge(one)[0].quality for one in readings]


G, H = Quality.GOOD, Quality.HELD


def test_a_register_that_counts_is_good() -> None:
    assert judged(guard(), at(0, 100), at(1, 110), at(1.5, 110), at(2, 120.5)) == [G, G, G, G]


def test_one_bad_digit_is_held_and_the_next_good_reading_is_measured_by_the_last_good_one() -> None:
    watching = guard()

    assert judged(watching, at(0, 100), at(1, 9_100), at(2, 105), at(3, 99), at(4, 110)) == [G, H, G, H, G]


def test_a_doubt_is_told_once_and_its_end_once() -> None:
    watching = guard()
    readings = [at(0, 100), at(1, 50), at(2, 51), at(3, 101), at(4, 102)]

    events = [
        (hour, event.state.value) for hour, one in enumerate(readings) for event in watching.judge(one)[1]
    ]

    assert events == [(1, "raised"), (3, "cleared")]


def test_a_held_reading_keeps_its_value_and_says_why() -> None:
    watching = guard()
    watching.judge(at(0, 100))

    held, _ = watching.judge(at(1, 200))

    assert held.value_micro == 200 * MICRO
    assert held.reason == "more than can be: stood at 100, now 200, at most 32.5 were possible"


@pytest.mark.parametrize(
    ("before", "after", "quality"),
    [
        pytest.param(999_995, 3, G, id="past the end"),
        pytest.param(999_995, 900, H, id="past the end by more than an hour carries"),
        pytest.param(500_000, 3, H, id="not near the end"),
    ],
)
def test_a_register_may_only_roll_over_at_its_end(before: int, after: int, quality: Quality) -> None:
    assert judged(guard(), at(0, before), at(1, after)) == [G, quality]


def test_without_a_modulus_nothing_rolls_over() -> None:
    assert judged(guard(modulus=0), at(0, 999_995), at(1, 3)) == [G, H]


def test_what_was_counted_while_nobody_asked_is_measured_by_the_time_that_passed() -> None:
    assert judged(guard(), at(0, 100), at(48, 1_500)) == [G, G]


def test_an_unconfirmed_clock_measures_no_rate_but_a_register_that_goes_back_is_seen() -> None:
    def unsynced(hours: float, value: float) -> Reading:
        return msgspec.structs.replace(at(hours, value), clock_quality=ClockQuality.UNSYNCED)

    assert judged(guard(), at(0, 100), unsynced(1, 5_000), unsynced(2, 4_000)) == [G, G, H]


def test_readings_without_a_value_or_of_an_earlier_past_judge_nothing() -> None:
    watching = guard()
    failed = reading(KEY, None, MIDNIGHT_MS)

    assert judged(watching, at(1, 100), failed, at(0, 90), at(2, 101)) == [G, Quality.NO_REPLY, G, G]


def test_an_exchanged_meter_is_held_until_a_person_has_recorded_it() -> None:
    watching = guard()
    assert judged(watching, at(0, 8_000), at(1, 0.5), at(2, 0.7)) == [G, H, H]

    watching.accept(KEY, MIDNIGHT_MS + HOUR_MS // 2, 0)

    assert judged(watching, at(3, 0.9), at(4, 1.1)) == [G, G]


def test_an_old_exchange_does_not_excuse_a_new_doubt() -> None:
    watching = guard()
    judged(watching, at(0, 8_000), at(1, 7_000))

    watching.accept(KEY, MIDNIGHT_MS - HOUR_MS, 0)

    assert judged(watching, at(2, 7_001)) == [H]


def test_the_baseline_survives_a_restart() -> None:
    before = guard()
    judged(before, at(0, 8_000), at(1, 5))
    after = guard()
    after.restore(before.state(0))

    assert judged(after, at(2, 6), at(3, 8_001)) == [H, G]


def test_the_baseline_is_not_written_with_every_reading() -> None:
    watching = guard()
    judged(watching, at(0, 100))
    first = watching.state(1_000_000)
    judged(watching, at(1, 101))

    assert watching.state(1_001_000) == first
    assert watching.state(1_600_000) != first


@given(st.lists(st.integers(0, 2 * 10**12), min_size=2, max_size=30))
def test_good_readings_never_count_backwards_but_at_the_end_of_the_register(values: list[int]) -> None:
    watching = guard()
    readings = [
        reading(KEY, value % MODULUS, MIDNIGHT_MS + hour * HOUR_MS) for hour, value in enumerate(values)
    ]

    good = [one for one, _ in (watching.judge(one) for one in readings) if one.quality is G]

    for earlier, later in itertools.pairwise(good):
        assert earlier.value_micro is not None
        assert later.value_micro is not None
        counted = (later.value_micro - earlier.value_micro) % MODULUS
        hours = (later.measured_at_ms - earlier.measured_at_ms) / HOUR_MS
        assert counted <= 30 * MICRO * (hours + 1 / 12)
