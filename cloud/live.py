"""Live changes: from a committed transaction to whoever is looking, within this process.

The invariant: a slow listener loses messages, never memory and never anybody else's time. It is told
that it lost some, and reads the state again; so nothing that matters travels only here.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Iterator, Sequence

from cloud.domain.change import Change
from cloud.domain.ids import TenantId

log = logging.getLogger(__name__)

# A page that has not taken this many changes is asleep; it will reload what it shows.
WAITING_MAX = 1_000
# A browser whose connection broke comes back within seconds; a busy site makes some tens a second.
REMEMBERED_MAX = 2_000


class Closed(Exception):
    """The process is ending: no more changes will come."""


class Listener:
    """One listener's queue: take changes one by one with `next`; `mark` then names the place reached."""

    def __init__(self, tenant_id: TenantId | None, mark: str) -> None:
        self.tenant_id = tenant_id
        self.mark = mark
        self._queue: asyncio.Queue[tuple[str, Change] | None] = asyncio.Queue(WAITING_MAX)
        self._has_lost = False

    async def next(self) -> Change:
        """Wait for the next change of the tenant; Closed when there will be none."""
        entry = await self._queue.get()
        if entry is None:
            raise Closed
        self.mark, change = entry
        return change

    def take_lost(self) -> bool:
        """Tell, once, whether changes were dropped since the last time of asking."""
        lost, self._has_lost = self._has_lost, False
        return lost

    def offer(self, mark: str, change: Change) -> None:
        """Queue the change, or forget it and remember that one was forgotten."""
        try:
            self._queue.put_nowait((mark, change))
        except asyncio.QueueFull:
            self._has_lost = True

    def lose(self) -> None:
        """Remember that something was missed."""
        self._has_lost = True

    def end(self) -> None:
        """Let the reader stop: after what is queued, or at once if nothing more fits."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


class Hub:
    """Everybody who listens. Belongs to one event loop; `publish` may be called from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: set[Listener] = set()
        # Marks of another run of the process mean nothing to this one.
        self._run = secrets.token_hex(4)
        self._count = 0
        self._remembered: deque[tuple[int, Change]] = deque(maxlen=REMEMBERED_MAX)
        self._is_closed = False

    @contextlib.contextmanager
    def listen(self, tenant_id: TenantId, after: str = "") -> Iterator[Listener]:
        """Hear the tenant's changes for as long as the block lasts.

        `after` is the mark a listener had reached when it went away: what came since is queued first, or,
        where that is no longer known, the listener has lost something.
        """
        listener = Listener(tenant_id, self._mark(self._count))
        if after:
            self._catch_up(listener, after)
        if self._is_closed:
            listener.end()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    @contextlib.contextmanager
    def listen_to_all(self) -> Iterator[Listener]:
        """Hear every tenant's changes: for the cloud's own work, never for a person."""
        listener = Listener(None, self._mark(self._count))
        if self._is_closed:
            listener.end()
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

    def miss(self) -> None:
        """Tell every listener that something was missed: another process's changes could not be heard."""
        for listener in self._listeners:
            listener.lose()

    def close(self) -> None:
        """Let every listener stop: the process is ending."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()

    def _deliver(self, changes: Sequence[object]) -> None:
        for change in changes:
            assert isinstance(change, Change), f"{type(change).__name__} is not a change"
            self._count += 1
            self._remembered.append((self._count, change))
            for listener in self._listeners:
                if listener.tenant_id in (None, change.tenant_id):
                    listener.offer(self._mark(self._count), change)

    def _catch_up(self, listener: Listener, after: str) -> None:
        run, _, count = after.partition("-")
        oldest = self._remembered[0][0] if self._remembered else self._count + 1
        if run != self._run or not count.isdecimal() or not oldest - 1 <= int(count) <= self._count:
            listener.lose()
            return
        for number, change in self._remembered:
            if number > int(count) and change.tenant_id == listener.tenant_id:
                listener.offer(self._mark(number), change)

    def _mark(self, count: int) -> str:
        return f"{self._run}-{count}"
