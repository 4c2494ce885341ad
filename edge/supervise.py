"""Keeping the parts of the agent alive: a part that fails is logged and begun again, alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

# Long enough not to fill the log, short enough not to lose a night.
RESTART_PAUSE_S = 5.0


async def keep_running(
    name: str, run: Callable[[], Awaitable[None]], note: Callable[[str, Exception], None] | None = None
) -> None:
    """Run the part until cancelled; an unforeseen error costs it a pause, and the others nothing.

    `note` hears of each.
    """
    while True:
        try:
            await run()
        except Exception as error:
            log.exception("a part of the agent failed and is begun again", extra={"part": name})
            if note is not None:
                note(name, error)
        await asyncio.sleep(RESTART_PAUSE_S)
