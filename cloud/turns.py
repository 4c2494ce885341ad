"""Turns: so few at a time that nobody urgent waits for many, the others in the order they came.

The invariant: whoever is let wait comes on before their own patience ends, as far as turns have lately
taken; the rest are told when to come again, instead of being served when they have long given up.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from cloud.domain.errors import TooMany

# A turn's length is taken from about so many of the last ones.
_REMEMBERED = 16


class Turns:
    """So many turns at once; belongs to one event loop."""

    def __init__(self, count: int, *, patience_s: float) -> None:
        self._free = asyncio.Semaphore(count)
        self._count = count
        self._patience_s = patience_s
        self._waiting = 0
        self._usual_s = 0.0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and take it; TooMany if it would come too late."""
        expected_s = self._waiting * self._usual_s / self._count
        if expected_s > self._patience_s:
            raise TooMany(f"{self._waiting} are waiting for their turn", retry_after_s=math.ceil(expected_s))
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            yield
        finally:
            self._usual_s += (loop.time() - begun_s - self._usual_s) / _REMEMBERED
            self._free.release()
