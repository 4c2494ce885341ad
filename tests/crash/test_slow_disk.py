"""A disk whose sync does not return for a while: nothing but the storage thread waits for it."""

import asyncio
import random
import threading
from pathlib import Path

from edge.buffer import Buffer
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.crash.connection import connector
from tests.crash.disk import Disk
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, reading, rng

_PATIENCE_S = 60


class _HeldDisk(Disk):
    """A sync returns only while `may_go_on` is set, as on a card that tidies itself up."""

    def __init__(self) -> None:
        self.may_go_on, self.is_held = threading.Event(), threading.Event()
        self.may_go_on.set()
        super().__init__(random.Random(1))

    def operate(self, kind: str) -> None:
        """Wait with a sync until it may go on."""
        super().operate(kind)
        if kind == "sync" and not self.may_go_on.is_set():
            self.is_held.set()
            assert self.may_go_on.wait(_PATIENCE_S), "nobody let the disk go on"


async def test_while_the_disk_syncs_reading_goes_on_and_what_is_read_is_stored_after_it(
    tmp_path: Path,
) -> None:
    disk = _HeldDisk()
    settings = BufferSettings(tmp_path / "buffer.sqlite", 3_600_000, 1 << 30)
    fire = Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire_alarm", MIDNIGHT_MS, "")
    try:
        async with Buffer(settings, ToldClock(), rng(), connect=connector(disk)) as buffer:
            disk.may_go_on.clear()
            buffer.put([reading("em/a", 0)], [fire])
            committing = asyncio.create_task(buffer.flush())
            async with asyncio.timeout(_PATIENCE_S):
                while not disk.is_held.is_set():
                    await asyncio.sleep(0.001)
            # Each turn is a poll that came to its end: the loop is nobody's who waits for the disk.
            for value in range(1, 501):
                buffer.put([reading("em/a", value)])
                await asyncio.sleep(0)
            assert not committing.done()

            disk.may_go_on.set()
            async with asyncio.timeout(_PATIENCE_S):
                await committing
                await buffer.flush()

            streams = (await buffer.state()).streams
            assert (streams[Stream.EVENT].stored_rows, streams[Stream.HISTORY].stored_rows) == (1, 501)
    finally:
        disk.may_go_on.set()
        disk.unregister()
