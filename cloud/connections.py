"""The open connections of gateways, so that revoking one ends them and not only its next request.

The invariant: within five seconds of a revocation no connection of that gateway is open, whether it was
idle, in the middle of a batch, or a command channel; a process that missed the news looks for itself.
"""

import asyncio
import logging
import weakref
from collections import defaultdict
from collections.abc import AsyncIterator

from aiohttp import web

from cloud.domain.change import GatewayChanged
from cloud.domain.gateway import GatewayIdentity, GatewayState
from cloud.domain.ids import GatewayId, TenantId
from cloud.keys import DATABASE, LIVE
from cloud.live import Closed
from cloud.services import gateways

log = logging.getLogger(__name__)

# Time for a command channel to say why it ends.
FAREWELL_S = 1.0


class Connections:
    """Which transports are whose; a closed one is forgotten by itself."""

    def __init__(self) -> None:
        self._open: dict[tuple[TenantId, GatewayId], weakref.WeakSet[asyncio.Transport]]
        self._open = defaultdict(weakref.WeakSet)

    def remember(self, gateway: GatewayIdentity, transport: asyncio.Transport | None) -> None:
        """Note that a gateway has spoken over a connection."""
        if transport is not None:
            self._open[gateway.tenant_id, gateway.gateway_id].add(transport)

    def known(self) -> list[tuple[TenantId, GatewayId]]:
        """Return who has a connection."""
        return [who for who, transports in self._open.items() if transports]

    def end(self, tenant_id: TenantId, gateway_id: GatewayId) -> None:
        """Close what is open of a gateway, after a moment."""
        transports = list(self._open.pop((tenant_id, gateway_id), ()))
        if transports:
            log.info("connections ended", extra={"gateway": gateway_id, "count": len(transports)})
        for transport in transports:
            asyncio.get_running_loop().call_later(FAREWELL_S, transport.abort)


CONNECTIONS: web.AppKey[Connections] = web.AppKey("connections", Connections)


async def keep_watch(app: web.Application) -> AsyncIterator[None]:
    """End the connections of whoever is revoked, for as long as the application runs."""
    watching = asyncio.get_running_loop().create_task(_watch(app), name="connections")
    yield
    watching.cancel()
    await asyncio.wait([watching])


async def _watch(app: web.Application) -> None:
    connections = app[CONNECTIONS]
    with app[LIVE].listen_to_all() as listener:
        while True:
            try:
                change = await listener.next()
            except Closed:
                return
            match change:
                case GatewayChanged(state=GatewayState.REVOKED.value):
                    connections.end(change.tenant_id, change.gateway_id)
            if listener.take_lost():
                for tenant_id, gateway_id in connections.known():
                    if not await app[DATABASE].read(tenant_id, gateways.is_enabled, gateway_id):
                        connections.end(tenant_id, gateway_id)
