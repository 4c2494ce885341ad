"""The ledger keeps what went out, in order, and counts it."""

from simulator.ledger import IssuedReading, Ledger


def test_entries_come_back_as_they_were_written() -> None:
    ledger = Ledger()

    ledger.record("em-101", [("voltage", 230_100_000), ("active_power", -5)], 1_000)
    ledger.record("wm-101", [("water_volume", 0)], 2_000)

    assert list(ledger.items()) == [
        IssuedReading("em-101", "voltage", 230_100_000, 1_000),
        IssuedReading("em-101", "active_power", -5, 1_000),
        IssuedReading("wm-101", "water_volume", 0, 2_000),
    ]
    assert len(ledger) == 3


def test_pages_join_without_gap_or_overlap() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.record("em-101", [("voltage", number)], number)

    pages = [item for first in range(0, 120, 7) for item in ledger.items(first, 7)]

    assert [item.value_micro for item in pages] == list(range(100))


def test_counts_are_by_device_over_all_points() -> None:
    ledger = Ledger()

    ledger.record("em-102", [("voltage", 1), ("current", 2)], 1)
    ledger.record("em-101", [("voltage", 1)], 1)
    ledger.record("em-102", [("voltage", 1)], 2)

    assert ledger.count_by_device() == {"em-101": 1, "em-102": 3}
