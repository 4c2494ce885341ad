"""Live changes: from a committed transaction to whoever is looking, within this process.

The invariant: a slow listener loses messages, never memory and never anybody else's time. It is told
that it lost some, and reads the state again; so nothing that matters travels only here.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence

from cloud.domain.change import Change
from cloud.domain.ids import TenantId

log = logging.getLogger(__name__)

# A page that has not taken this many changes is asleep; it will reload what it shows.
WAITING_MAX = 1_000


class Listener:
    """One listener's queue. Iterate over `changes`, or take one with `next`."""

    def __init__(self, tenant_id: TenantId) -> None:
        self.tenant_id = tenant_id
        self._queue: asyncio.Queue[Change] = asyncio.Queue(WAITING_MAX)
        self._has_lost = False

    async def next(self) -> Change:
        """Wait for the next change of the tenant."""
        return await self._queue.get()

    def take_lost(self) -> bool:
        """Tell, once, whether changes were dropped since the last time of asking."""
        lost, self._has_lost = self._has_lost, False
        return lost

    def offer(self, change: Change) -> None:
        """Queue the change, or forget it and remember that one was forgotten."""
        try:
            self._queue.put_nowait(change)
        except asyncio.QueueFull:
            self._has_lost = True


class Hub:
    """Everybody who listens. Belongs to one event loop; `publish` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: set[Listener] = set()

    @contextlib.contextmanager
    def listen(self, tenant_id: TenantId) -> Iterator[Listener]:
        """Hear the tenant's changes for as long as the block lasts."""
        listener = Listener(tenant_id)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, changes: Sequence[object]) -> None:
        """Hand committed changes to their tenants' listeners; `Database(on_commit=…)` calls it."""
        # A loop that has been closed has no listeners left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._deliver, changes)

    def _deliver(self, changes: Sequence[object]) -> None:
        for change in changes:
            assert isinstance(change, Change), f"{type(change).__name__} is not a change"
            for listener in self._listeners:
                if listener.tenant_id == change.tenant_id:
                    listener.offer(change)
