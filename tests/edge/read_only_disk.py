"""Run inside a mount namespace of its own: a buffer on an ext4 disk that the kernel makes read-only.

`run` stores, then lets the kernel give the file system up as it does after an error of the card, and stores
on; `check` opens what is left after a repair. Each says `ok` and ends with 0;
`tests/edge/test_read_only_disk.py` starts them.
"""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

from edge.buffer import PENDING_READINGS_MAX, Buffer
from protocol.sync import Stream
from provisioning.config import BufferSettings
from tests.edge.building_blocks import ToldClock, reading
from tests.edge.full_disk import fire, is_refused, stored


async def run(folder: Path) -> None:
    """Have the disk made read-only under an open store."""
    async with Buffer(_settings(folder), ToldClock(), random.Random(1)) as buffer:
        buffer.put([reading("em-1/voltage", value) for value in range(1_000)], [fire(1)])
        await buffer.flush()
        subprocess.run(["mount", "-o", "remount,abort", str(folder)], check=True)

        buffer.put([reading("em-1/voltage", value) for value in range(1_000, 2_000)], [fire(2)])
        assert await is_refused(buffer), "a read-only disk took rows"
        assert buffer.fault, "nobody is told"
        assert (await buffer.last_state()).epoch == buffer.epoch
        for _ in range(3):  # again and again, as the agent does
            assert await is_refused(buffer)
        buffer.put([reading("em-1/voltage", value) for value in range(PENDING_READINGS_MAX)])
        assert buffer.rejected[Stream.HISTORY] == PENDING_READINGS_MAX, "memory is not bounded"


async def check(folder: Path) -> None:
    """Find everything that was accepted, and nothing else."""
    async with Buffer(_settings(folder), ToldClock(), random.Random(2)) as buffer:
        assert buffer.moved_aside is None
        assert await stored(buffer, Stream.HISTORY) == 1_000
        assert await stored(buffer, Stream.EVENT) == 1


def _settings(folder: Path) -> BufferSettings:
    return BufferSettings(folder / "buffer.sqlite", 1, 1 << 30)


if __name__ == "__main__":
    asyncio.run({"run": run, "check": check}[sys.argv[1]](Path(sys.argv[2])))
    print("ok")
