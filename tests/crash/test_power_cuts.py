"""Power cuts: the stores open again, and nothing that was accepted is lost, doubled or miscounted."""

import contextlib
import random
import sqlite3

import pytest

from edge.buffer_block import ValueClass
from edge.buffer_file import open_store
from edge.errors import StorageFault
from edge.intents import Intents
from tests.crash.connection import connector
from tests.crash.cuts import BOOK, BUFFER, run_cuts
from tests.crash.disk import Disk
from tests.crash.ledger import BILLED, event, row


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_power_cut_takes_back_nothing_that_was_accepted(seed: int) -> None:
    tally = run_cuts(seed, 250)

    assert tally.cuts == 250
    assert tally.undone > 0  # the cuts do fall into transactions
    assert tally.done > 0
    assert set(tally.steps) == {
        "accept", "acknowledge", "checkpoint", "close", "commit", "evict", "put aside", "settle"
    }  # fmt: skip


def test_what_one_cut_undid_the_next_does_not_bring_back() -> None:
    """Seed 41 of a hundred: pieces of two transactions, cut off one after the other, were one whole."""
    assert run_cuts(41, 200).cuts == 200


def test_a_start_leaves_nothing_in_a_log_that_a_later_cut_could_complete() -> None:
    disk = Disk(random.Random(1))
    try:
        store, book = open_store(BUFFER, lambda: 1, 1, connector(disk)), Intents(BOOK, connector(disk))
        disk.cut_at(3)
        with contextlib.suppress(sqlite3.Error, StorageFault):
            store.commit([row(1, ValueClass.TELEMETRY)], [event(2)], {}, BILLED)
        assert disk.has_failed
        for opened in (store, book):
            with contextlib.suppress(sqlite3.Error, StorageFault):
                opened.close()
        disk.restart()

        store, book = open_store(BUFFER, lambda: 1, 1, connector(disk)), Intents(BOOK, connector(disk))

        assert [disk.read(f"{file}-wal") for file in (BUFFER, BOOK)] == [b"", b""]
        store.close()
        book.close()
    finally:
        disk.unregister()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_disk_that_keeps_nothing_it_synced_is_found_out(seed: int) -> None:
    with pytest.raises(AssertionError, match=f"seed {seed}, cut "):
        run_cuts(seed, 250, disk_lies=True)
