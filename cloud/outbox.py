"""The outbox: sends what was written down until it is heard, or its time is over.

The invariant: what was committed is sent at least once; each lane (other systems' webhooks, people's
notices) goes on by itself, so a provider that hangs in one holds up nothing in the other. A lane takes
rows under a lease, so several processes may send side by side.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cloud.domain.ids import TenantId
from cloud.live import Closed, Hub, Listener
from cloud.services import tenants
from cloud.store.db import Database

# What is announced wakes a lane; besides, it looks this often for what is due again.
LOOK_EVERY_S = 5.0
_NOBODY = TenantId(0)


class Lane(Protocol):
    """One kind of message: how it is taken, and how it is sent."""

    @property
    def name(self) -> str:
        """Return what the lane is called in the log."""
        ...

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Return what must be open while the lane sends."""
        ...

    def is_woken_by(self, change: object) -> bool:
        """Tell whether a change may have written down something to send."""
        ...

    async def send_due(self, tenant_id: TenantId) -> int:
        """Send one round of what is due for a tenant; return how much that was."""
        ...


class Outbox:
    """Sends for all tenants, lane by lane."""

    def __init__(self, database: Database, live: Hub, lanes: Sequence[Lane]) -> None:
        self._database = database
        self._live = live
        self._lanes = lanes

    async def run(self) -> None:
        """Send what is due, now and whenever something is announced, until the process ends."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._keep_sending(lane), name=f"outbox {lane.name}")

    async def _keep_sending(self, lane: Lane) -> None:
        async with lane.opened():
            with self._live.listen_to_all() as listener:
                while await self._send_due(lane) or await _woken(listener, lane):
                    pass

    async def _send_due(self, lane: Lane) -> bool:
        """Send one round; tell whether there may be more at once."""
        sent = 0
        for tenant_id in await self._database.read(_NOBODY, tenants.list_tenants):
            sent += await lane.send_due(tenant_id)
        return sent > 0


async def _woken(listener: Listener, lane: Lane) -> bool:
    """Wait until something is told that the lane sends, or for the time; False at the end."""
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            while not lane.is_woken_by(await listener.next()):
                pass
    except TimeoutError:
        return True
    except Closed:
        return False
    return True
