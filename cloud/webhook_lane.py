"""Webhooks on their way: messages to other systems, sent until they are heard or a week has passed.

The invariant: a message is sent at least once, under one id and with the same bytes each time; a receiver
that is slow or lost delays no other. Nothing is sent into one's own network unless that was allowed, and no
redirect is followed.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from cloud.config import Webhooks
from cloud.domain.errors import GatehouseError
from cloud.domain.ids import TenantId
from cloud.domain.webhook import DueDelivery, is_private_host, signature
from cloud.services import webhooks
from cloud.store.db import Clock, Database

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT_S = 10.0
AT_ONCE = 5  # connections: a receiver that hangs holds one of them for ten seconds
REPLY_BYTES_MAX = 4_096


class WebhookLane:
    """Sends to other systems."""

    name = "webhooks"

    def __init__(self, database: Database, clock: Clock, config: Webhooks) -> None:
        self._database = database
        self._clock = clock
        self._config = config
        self._client: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep connections to receivers for as long as the block lasts."""
        resolver = None if self._config.allow_private else OutsideResolver(DefaultResolver())
        async with (
            aiohttp.TCPConnector(limit=AT_ONCE, resolver=resolver) as connector,
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Gatehouse"},
            ) as self._client,
        ):
            yield

    def is_woken_by(self, change: object) -> bool:
        """Tell whether receivers may hear of a change."""
        return webhooks.is_told(change)

    async def send_due(self, tenant_id: TenantId) -> int:
        """Send one round of a tenant's messages."""
        assert self._client is not None, "a lane sends while it is open"
        if not await self._database.read(tenant_id, webhooks.has_due):
            return 0
        due = await self._database.write(tenant_id, webhooks.claim_due)
        async with asyncio.TaskGroup() as group:
            for one in due:
                group.create_task(self._deliver(self._client, tenant_id, one))
        return len(due)

    async def _deliver(self, client: aiohttp.ClientSession, tenant_id: TenantId, due: DueDelivery) -> None:
        status, reply = await self._post(client, due)
        try:
            state = await self._database.write(tenant_id, webhooks.report, due, status, reply)
        except GatehouseError as error:
            # The lease ends and it is sent again: at least once is what we promise.
            log.warning("a webhook's outcome was not noted", extra={"error": str(error)})
            return
        log.info(
            "webhook sent",
            extra={"delivery_id": due.delivery_id, "status": status, "state": state.value},
        )

    async def _post(self, client: aiohttp.ClientSession, due: DueDelivery) -> tuple[int | None, str]:
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Id": due.delivery_id,
            "X-Webhook-Signature": signature(due.secrets, self._clock(), due.body),
        }
        host = urlsplit(due.url).hostname or ""
        if not self._config.allow_private and is_private_host(host):
            return None, f"{host} is an address of this network"
        try:
            async with client.post(due.url, data=due.body, headers=headers, allow_redirects=False) as answer:
                text = await answer.content.read(REPLY_BYTES_MAX)
                return answer.status, text.decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return None, f"{type(error).__name__}: {error}"


class OutsideResolver(AbstractResolver):
    """Resolves names to addresses of the open internet and to no others.

    Checked here and not before: a name may change what it means between the check and the connection.
    """

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses outside; OSError if there is none."""
        found: Sequence[ResolveResult] = await self._inner.resolve(host, port, family)
        outside = [one for one in found if not is_private_host(one["host"])]
        if not outside:
            raise OSError(f"{host} leads into this network")
        return outside

    async def close(self) -> None:
        """Let go of the resolver inside."""
        await self._inner.close()
