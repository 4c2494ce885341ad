"""Keeping the parts of the agent alive: a part that fails is logged and begun again, alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

# Long enough not to fill the log, short enough not to lose a night.
RESTART_PAUSE_S = 5.0


def heed_cancelling() -> None:
    """Raise the cancellation of the running task that a wait has lost; call it in endless loops that publish.

    Before Python 3.12 `asyncio.wait_for`, which aiomqtt publishes with, swallows a cancellation that comes
    in the moment its wait is over: an agent told to stop would not.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


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
        heed_cancelling()
        await asyncio.sleep(RESTART_PAUSE_S)
