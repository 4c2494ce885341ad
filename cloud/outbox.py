"""The outbox: sends what was written down until it is heard, or a week has passed.

The invariant: a message is sent at least once, under one id and with the same bytes each time; a receiver
that is slow or lost delays no other. Nothing is sent into one's own network unless that was allowed, and no
redirect is followed.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from cloud.config import Webhooks
from cloud.domain.errors import GatehouseError
from cloud.domain.ids import TenantId
from cloud.domain.webhook import DueDelivery, is_private_host, signature
from cloud.live import Closed, Hub, Listener
from cloud.services import tenants, webhooks
from cloud.store.db import Clock, Database

log = logging.getLogger(__name__)

ATTEMPT_TIMEOUT_S = 10.0
AT_ONCE = 5  # connections: a receiver that hangs holds one of them for ten seconds
# What is announced wakes the outbox; besides, it looks this often for what is due again.
LOOK_EVERY_S = 5.0
REPLY_BYTES_MAX = 4_096
_NOBODY = TenantId(0)


class Outbox:
    """Sends to receivers of all tenants."""

    def __init__(self, database: Database, live: Hub, clock: Clock, config: Webhooks) -> None:
        self._database = database
        self._live = live
        self._clock = clock
        self._config = config

    async def run(self) -> None:
        """Send what is due, now and whenever something is announced, until the process ends."""
        resolver = None if self._config.allow_private else OutsideResolver(DefaultResolver())
        async with (
            aiohttp.TCPConnector(limit=AT_ONCE, resolver=resolver) as connector,
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Gatehouse"},
            ) as client,
        ):
            with self._live.listen_to_all() as listener:
                while await self._send_due(client) or await _woken(listener):
                    pass

    async def _send_due(self, client: aiohttp.ClientSession) -> bool:
        """Send one round; tell whether there may be more at once."""
        sent = 0
        for tenant_id in await self._database.read(_NOBODY, tenants.list_tenants):
            if not await self._database.read(tenant_id, webhooks.has_due):
                continue
            due = await self._database.write(tenant_id, webhooks.claim_due)
            sent += len(due)
            async with asyncio.TaskGroup() as group:
                for one in due:
                    group.create_task(self._deliver(client, tenant_id, one))
        return sent > 0

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


async def _woken(listener: Listener) -> bool:
    """Wait until something is told that receivers may hear of, or for the time; False at the end."""
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            while not webhooks.is_told(await listener.next()):
                pass
    except TimeoutError:
        return True
    except Closed:
        return False
    return True


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
