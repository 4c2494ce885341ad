"""Notices on their way to people: taken under a lease, handed to a carrier, the outcome noted.

The invariant: a notice is handed over at least once; a carrier that fails or hangs costs that notice a
later attempt and nobody else anything.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloud.carriers import Carriers, NotCarried
from cloud.domain.change import NoticeWritten
from cloud.domain.errors import GatehouseError
from cloud.domain.ids import TenantId
from cloud.domain.notice import DueNotice
from cloud.services import notices
from cloud.store.db import Database

log = logging.getLogger(__name__)

# Longer than any carrier's own limits, shorter than the lease: a thread that still hangs is left behind.
ATTEMPT_TIMEOUT_S = 30.0


class NoticeLane:
    """Sends to people."""

    name = "notices"

    def __init__(self, database: Database, carriers: Carriers) -> None:
        self._database = database
        self._carriers = carriers

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep the carriers for as long as the block lasts."""
        async with self._carriers.opened():
            yield

    def is_woken_by(self, change: object) -> bool:
        """Tell whether a notice was written down."""
        return isinstance(change, NoticeWritten)

    async def send_due(self, tenant_id: TenantId) -> int:
        """Send one round of a tenant's notices."""
        if not await self._database.read(tenant_id, notices.has_due):
            return 0
        due = await self._database.write(tenant_id, notices.claim_due)
        async with asyncio.TaskGroup() as group:
            for one in due:
                group.create_task(self._deliver(tenant_id, one))
        return len(due)

    async def _deliver(self, tenant_id: TenantId, due: DueNotice) -> None:
        failure: str | None = None
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                await self._carriers.carry(due)
        except NotCarried as error:
            failure = str(error)
        except TimeoutError:
            failure = f"no answer within {ATTEMPT_TIMEOUT_S:.0f} s"
        try:
            state = await self._database.write(tenant_id, notices.report, due, failure)
        except GatehouseError as error:
            # The lease ends and it is sent again: at least once is what we promise.
            log.warning("a notice's outcome was not noted", extra={"error": str(error)})
            return
        log.info(
            "notice sent",
            extra={"delivery_id": due.delivery_id, "channel": due.channel.value, "state": state.value},
        )
