"""Charts say what was measured and no more: extremes stay, gaps stay, sums telescope."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.series import (
    Bucket,
    Sample,
    UsageBar,
    UsageGap,
    samples_from_buckets,
    total_growth,
    usage_bars,
    usage_gaps,
)

_REGISTERS = st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=2, max_size=40)


def _edges(registers: list[int | None]) -> list[tuple[int, int | None]]:
    return [(number * 3600, register) for number, register in enumerate(registers)]


def test_a_bucket_keeps_its_lowest_and_its_highest() -> None:
    buckets = [Bucket(0, 90, 5, 900, 10), Bucket(100, 190, 7, 7, 1)]

    assert samples_from_buckets(buckets, silence_ms=50) == [
        Sample(0, 5),
        Sample(90, 900),
        Sample(100, 7),
        Sample(190, 7),
    ]


def test_a_silence_interrupts_the_line() -> None:
    buckets = [Bucket(0, 0, 1, 1, 1), Bucket(1000, 1000, 2, 2, 1)]

    assert samples_from_buckets(buckets, silence_ms=999) == [Sample(0, 1), Sample(1, None), Sample(1000, 2)]
    assert samples_from_buckets(buckets, silence_ms=1000) == [Sample(0, 1), Sample(1000, 2)]


def test_readings_without_a_value_interrupt_the_line() -> None:
    buckets = [Bucket(0, 0, 1, 1, 1), Bucket(10, 10, None, None, 1), Bucket(20, 20, 2, 2, 1)]

    samples = samples_from_buckets(buckets, silence_ms=100)

    assert samples == [Sample(0, 1), Sample(10, None), Sample(20, 2)]


@pytest.mark.parametrize(
    ("registers", "bars", "gaps"),
    [
        pytest.param([10, 12, 15], [2, 3], [], id="all read"),
        pytest.param([10, None, 15], [None, None], [(0, 7200, 5)], id="one missing: its total is known"),
        pytest.param([None, 12, 15], [None, 3], [(0, 3600, None)], id="beginning missing"),
        pytest.param([10, 12, None], [2, None], [(3600, 7200, None)], id="end missing"),
        pytest.param([10, 3, 5], [None, 2], [(0, 3600, None)], id="register went back"),
        pytest.param([10, None, 3], [None, None], [(0, 7200, None)], id="went back while nobody looked"),
        pytest.param([None, None], [None], [(0, 3600, None)], id="nothing read"),
        pytest.param([7, 7], [0], [], id="nothing used is zero, not a gap"),
    ],
)
def test_bars_are_growth_and_gaps_say_what_is_known_of_them(
    registers: list[int | None], bars: list[int | None], gaps: list[tuple[int, int, int | None]]
) -> None:
    edges = _edges(registers)

    assert [bar.used_micro for bar in usage_bars(edges)] == bars
    assert usage_gaps(edges) == [UsageGap(*gap) for gap in gaps]


@given(_REGISTERS)
def test_every_bar_without_a_value_lies_in_a_gap_and_no_other_does(registers: list[int | None]) -> None:
    edges = _edges(registers)
    bars, gaps = usage_bars(edges), usage_gaps(edges)

    for bar in bars:
        inside = [gap for gap in gaps if gap.from_ms <= bar.from_ms and bar.to_ms <= gap.to_ms]
        assert len(inside) == (1 if bar.used_micro is None else 0), (bar, gaps)
    assert all(earlier.to_ms <= later.from_ms for earlier, later in pairwise(gaps))


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=40).map(sorted), st.data())
def test_what_is_known_adds_up_to_last_minus_first(registers: list[int], data: st.DataObject) -> None:
    missing = data.draw(st.sets(st.integers(1, max(1, len(registers) - 2))))
    seen: list[int | None] = [
        None if number in missing and number < len(registers) - 1 else register
        for number, register in enumerate(registers)
    ]
    edges = _edges(seen)

    known = sum(bar.used_micro or 0 for bar in usage_bars(edges))
    known += sum(gap.used_micro or 0 for gap in usage_gaps(edges))

    assert known == registers[-1] - registers[0] == total_growth(edges)


def test_the_total_of_a_register_that_went_back_is_not_known() -> None:
    assert total_growth(_edges([10, 3, 20])) is None
    assert total_growth(_edges([None, 3, 20])) is None
    assert usage_bars(_edges([10, 3]))[0] == UsageBar(0, 3600, None)
