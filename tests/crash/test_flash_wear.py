"""What a day of polling writes to a memory card, counted by the disk itself."""

import random
from pathlib import Path

from edge.buffer_file import open_store
from protocol.sync import Stream
from tests.crash.connection import connector
from tests.crash.disk import Disk
from tests.edge.building_blocks import MIDNIGHT_MS, reading

POINTS = 200  # read once a minute
COMMIT_EVERY_S = 5
HOURS = 1
# Three pages a commit and one an acknowledgement, each written to the log, and the log folded into the file.
# Measured 102, and 301 with pages of 4 KiB.
MIB_A_DAY_MAX = 120


def test_a_day_of_two_hundred_points_writes_little_to_the_card(tmp_path: Path) -> None:
    disk, rng = Disk(random.Random(1)), random.Random(2)
    try:
        store = open_store(tmp_path / "b.sqlite", lambda: 1, 1, connector(disk))
        before = disk.written_bytes
        for number in range(HOURS * 3600 // COMMIT_EVERY_S):
            at_ms = MIDNIGHT_MS + number * COMMIT_EVERY_S * 1000
            rows = [
                reading(f"em-{point}/voltage", 220_000_000 + rng.randrange(10**6), at_ms)
                for point in range(number % 12, POINTS, 60 // COMMIT_EVERY_S)
            ]
            store.commit(rows, [], {}, frozenset())
            store.acknowledge(Stream.HISTORY, store.next_seqs()[Stream.HISTORY] - 1)
        store.close()
        a_day_mib = (disk.written_bytes - before) * 24 // HOURS // 2**20
    finally:
        disk.unregister()

    assert a_day_mib <= MIB_A_DAY_MAX
