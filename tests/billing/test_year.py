"""A year of an estate in which everything happens; `make books` lets it happen to a thousand accounts."""

import random

import pytest

from tests.billing.estate import Estate
from tests.billing.year import Year
from tests.databases import FakeClock

FLATS = [str(101 + number) for number in range(6)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_year_in_which_everything_happens(estate: Estate, clock: FakeClock, seed: int) -> None:
    year = Year(estate, clock, random.Random(seed))

    await year.live(FLATS)

    year.check()
    assert year.done["line recomputed"] > 300
