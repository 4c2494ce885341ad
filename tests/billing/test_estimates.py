"""What an estimate is taken from: cycles that were read, and estimates with what settled them."""

from decimal import Decimal

import pytest

from cloud.domain.estimate import BilledCycle, actual_cycles, estimate

READ, ESTIMATED, SETTLED, AGAIN = (False, False), (False, True), (True, False), (True, True)


def cycles(*billed: tuple[int, tuple[bool, bool]]) -> list[Decimal]:
    return actual_cycles([BilledCycle(Decimal(quantity), *ends) for quantity, ends in billed])


@pytest.mark.parametrize(
    ("billed", "actual"),
    [
        pytest.param([(300, READ), (280, READ)], [300, 280], id="read at both ends"),
        pytest.param([(300, READ), (500, ESTIMATED)], [300], id="not settled yet"),
        pytest.param([(300, READ), (500, ESTIMATED), (-100, SETTLED)], [300, 200, 200], id="too much"),
        pytest.param([(300, ESTIMATED), (310, AGAIN), (290, SETTLED)], [300, 300, 300], id="two in a row"),
        pytest.param([(-100, SETTLED), (280, READ)], [280], id="the estimate is too long ago"),
        pytest.param([(500, AGAIN), (-100, SETTLED), (280, READ)], [280], id="so is its beginning"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_cycles_an_estimate_is_taken_from(
    billed: list[tuple[int, tuple[bool, bool]]], actual: list[int]
) -> None:
    assert cycles(*billed) == actual


def test_estimate_after_too_much_was_estimated_is_not_less_than_nothing() -> None:
    assert estimate(cycles((60, ESTIMATED), (-40, SETTLED))) == 10
