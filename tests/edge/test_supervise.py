"""A cancellation that a wait has lost is heeded all the same."""

import asyncio
import contextlib

from edge.supervise import heed_cancelling


async def test_a_loop_ends_although_its_wait_swallowed_the_cancellation() -> None:
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while True:
            heed_cancelling()
            rounds += 1
            with contextlib.suppress(asyncio.CancelledError):  # as wait_for does before Python 3.12
                await asyncio.sleep(3600)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])

    assert task.cancelled()
    assert rounds == 1
