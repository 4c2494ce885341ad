"""Run inside a mount namespace of its own: a buffer on a small tmpfs that fills up.

Says `ok` and ends with 0 if the buffer came through; `tests/edge/test_full_disk.py` starts it.
"""

import asyncio
import contextlib
import random
import sys
from pathlib import Path

from edge.buffer import Buffer
from edge.errors import StorageFault
from protocol.event import Event, EventState, Severity
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, reading


def fire(number: int) -> Event:
    """A fire alarm that says its number."""
    key = "fire-1/fire_alarm"
    return Event("fire_alarm", EventState.RAISED, Severity.CRITICAL, key, MIDNIGHT_MS, str(number))


def fill(folder: Path) -> None:
    """Write until nothing goes in any more."""
    with (folder / "somebody-elses.log").open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


async def stored(buffer: Buffer, stream: Stream) -> int:
    """Return how many rows of the stream were ever stored."""
    return (await buffer.state()).streams[stream].stored_rows


async def is_refused(buffer: Buffer) -> bool:
    """Try to store what waits; tell whether the disk would not have it."""
    try:
        await buffer.flush()
    except StorageFault:
        return True
    return False


async def main(folder: Path) -> None:
    """Go through it all."""
    ballast = folder / "buffer.sqlite.ballast"
    settings = BufferSettings(folder / "buffer.sqlite", 1, 1 << 30)
    async with Buffer(settings, ToldClock(), random.Random(1)) as buffer:
        assert ballast.stat().st_blocks * 512 >= 8 * 1024 * 1024, "no ballast was laid"
        fill(folder)

        buffer.put([reading("em-1/voltage", value) for value in range(20_000)], [fire(1)])
        await buffer.flush()
        assert not ballast.exists(), "the disk was not full"
        assert await stored(buffer, Stream.EVENT) == 1

        fill(folder)
        buffer.put([reading("em-1/voltage", value) for value in range(200_000, 300_000)], [fire(2)])
        assert await is_refused(buffer)
        (folder / "somebody-elses.log").unlink()
        await buffer.flush()
        assert await stored(buffer, Stream.EVENT) == 2
        assert await stored(buffer, Stream.HISTORY) == 120_000
    async with Buffer(settings, ToldClock(), random.Random(2)) as buffer:
        assert buffer.moved_aside is None
        assert await stored(buffer, Stream.EVENT) == 2
        assert ballast.exists(), "there is room again, and no ballast"


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
    print("ok")
