"""Power cuts: the stores open again, and nothing that was accepted is lost, doubled or miscounted."""

import pytest

from tests.crash.cuts import run_cuts


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_power_cut_takes_back_nothing_that_was_accepted(seed: int) -> None:
    tally = run_cuts(seed, 250)

    assert tally.cuts == 250
    assert tally.undone > 0  # the cuts do fall into transactions
    assert tally.done > 0
    assert set(tally.steps) == {
        "accept", "acknowledge", "checkpoint", "close", "commit", "evict", "put aside", "settle"
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_disk_that_keeps_nothing_it_synced_is_found_out(seed: int) -> None:
    with pytest.raises(AssertionError, match=f"seed {seed}, cut "):
        run_cuts(seed, 250, disk_lies=True)
