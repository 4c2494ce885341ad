"""Keeping a piece of background work alive: what fails is logged and begun anew.

The invariant: a mistake in one piece of work ends neither the process nor the work for good, and a
repeating one does not fill the log: the pause between attempts grows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 60.0
# Work that went well for this long begins again with the shortest pause when it fails.
SOUND_AFTER_S = 300.0


async def supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it returns or is cancelled; begin it again when it fails."""
    loop = asyncio.get_running_loop()
    pause_s = PAUSE_S_MIN
    while True:
        begun_s = loop.time()
        try:
            await work()
        except Exception:  # a supervisor: logged with its traceback, then tried again
            log.exception("background work failed", extra={"work": name, "again_in_s": pause_s})
        else:
            return
        if loop.time() - begun_s >= SOUND_AFTER_S:
            pause_s = PAUSE_S_MIN
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_S_MAX)
