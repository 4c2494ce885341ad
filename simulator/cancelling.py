"""Being cancelled for certain."""

import asyncio


def heed_cancelling() -> None:
    """Raise the cancellation of the running task that a wait has lost; call it in every endless loop.

    Before Python 3.12 `asyncio.wait_for`, which aiomqtt publishes with, swallows a cancellation that comes
    in the moment its wait is over.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
