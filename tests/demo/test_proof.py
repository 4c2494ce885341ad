"""The comparison of readings: equal only if they are the same, and a difference is named."""

from collections import Counter

import pytest

from gatehouse.demo.errors import ProofFailed
from gatehouse.demo.proof import ReadingKey, compare

READINGS: Counter[ReadingKey] = Counter(
    {
        ("em-101/voltage", 230_100_000, 1_700_000_000_000): 1,
        ("em-101/voltage", 230_200_000, 0): 2,
        ("wm-101/water_volume", 12_340_000, 1_700_000_000_000): 1,
    }
)


def test_the_same_readings_pass() -> None:
    compare(READINGS, 4, READINGS.copy())


def test_a_lost_reading_is_named() -> None:
    visible = READINGS - Counter({("wm-101/water_volume", 12_340_000, 1_700_000_000_000): 1})

    with pytest.raises(
        ProofFailed, match=r"1 readings issued are not visible.*\n.*lost:.*wm-101/water_volume"
    ):
        compare(READINGS, 4, visible)


def test_a_doubled_reading_is_named() -> None:
    visible = READINGS + Counter({("em-101/voltage", 230_200_000, 0): 1})

    with pytest.raises(ProofFailed, match=r"1 visible were never issued\n.*never issued:.*em-101/voltage"):
        compare(READINGS, 4, visible)


def test_a_changed_value_is_both_lost_and_never_issued() -> None:
    visible = READINGS.copy()
    visible["em-101/voltage", 230_100_000, 1_700_000_000_000] = 0
    visible["em-101/voltage", 230_100_001, 1_700_000_000_000] = 1

    with pytest.raises(ProofFailed, match="1 readings issued are not visible, 1 visible were never issued"):
        compare(READINGS, 4, +visible)


def test_an_edge_that_counts_otherwise_is_told() -> None:
    with pytest.raises(ProofFailed, match="issued 4 readings, the edge accepted 3"):
        compare(READINGS, 3, READINGS.copy())
