"""The door for commands: each gateway's WebSocket, signed commands down, nonces and outcomes up.

The invariant: a command is marked as sent, durably, before its bytes are on the connection, and never
sent again; so a crash between the two leaves it unknown, not doubled. A gateway has one connection:
a newer one ends the older. What this process does not hold a connection for, another may.
"""

import asyncio
import logging

from aiohttp import WSCloseCode, WSMsgType, web

from cloud.domain.change import CommandChanged, GatewayChanged
from cloud.domain.errors import Forbidden, GatehouseError
from cloud.domain.gateway import GatewayIdentity, GatewayState
from cloud.domain.ids import GatewayId
from cloud.ingest import gateway_of, render_error
from cloud.keys import COMMAND_KEY, DATABASE, LIVE
from cloud.live import Closed, Listener
from cloud.services import alarms, commands, gateways
from cloud.web.door import Door
from protocol.command import COMMAND_BYTES_MAX, CommandState, Nonce, decode_message, encode_signed
from protocol.errors import EnvelopeError
from protocol.sync import COMMANDS_PATH
from provisioning.signing import signed

log = logging.getLogger(__name__)

# Both sides ping; a peer that has gone without a word is noticed within this and half of it again.
HEARTBEAT_S = 10.0

_CONNECTIONS: web.AppKey[dict[GatewayId, "_Connection"]] = web.AppKey("command_connections", dict)


class _Connection:
    """One gateway's open WebSocket and the newest nonce it gave."""

    def __init__(self, socket: web.WebSocketResponse, gateway: GatewayIdentity) -> None:
        self.socket = socket
        self.gateway = gateway
        self.nonce = ""
        # Sending is take, sign, send: one at a time, or two would take turns at the numbers.
        self._turn = asyncio.Lock()

    async def send_waiting(self, app: web.Application) -> None:
        """Send whatever waits for this gateway; nothing before it has given a nonce."""
        async with self._turn:
            if not self.nonce or self.socket.closed:
                return
            waiting = await app[DATABASE].write(
                self.gateway.tenant_id, commands.take_to_send, self.gateway, self.nonce
            )
            for command in waiting:
                await self.socket.send_bytes(encode_signed(signed(command, app[COMMAND_KEY])))


def mount(app: web.Application) -> None:
    """Add the gateways' command address."""
    connections: dict[GatewayId, _Connection] = {}
    app[_CONNECTIONS] = connections
    app.router.add_get(COMMANDS_PATH, _connect)
    app.on_shutdown.append(_close_all)


DISPATCH = Door("dispatch", (COMMANDS_PATH,), mount, render_error, for_gateways=True)


async def _connect(request: web.Request) -> web.WebSocketResponse:
    """Keep one gateway's connection for as long as both sides and its credential last."""
    gateway = await gateway_of(request)
    if await request.app[DATABASE].read(gateway.tenant_id, gateways.is_in_doubt, gateway.gateway_id):
        raise Forbidden("more than one box may hold this key: no command goes out until a person has decided")
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=COMMAND_BYTES_MAX)
    await socket.prepare(request)
    connection = _Connection(socket, gateway)
    connections = request.app[_CONNECTIONS]
    older = connections.get(gateway.gateway_id)
    connections[gateway.gateway_id] = connection
    if older is not None:
        await older.socket.close(code=WSCloseCode.GOING_AWAY, message=b"a newer connection took over")
    log.info("command channel open", extra={"gateway": gateway.code})
    try:
        with request.app[LIVE].listen(gateway.tenant_id) as listener:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(_follow(request.app, connection, listener))
                await _hear(request.app, connection)
                following.cancel()
    finally:
        if connections.get(gateway.gateway_id) is connection:
            del connections[gateway.gateway_id]
        log.info("command channel closed", extra={"gateway": gateway.code})
    return socket


async def _hear(app: web.Application, connection: _Connection) -> None:
    """Take what the gateway says until it goes."""
    async for message in connection.socket:
        if message.type is not WSMsgType.TEXT:
            await connection.socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text was expected")
            return
        try:
            said = decode_message(message.data)
        except EnvelopeError as error:
            reason = str(error).encode()[:120]
            await connection.socket.close(code=WSCloseCode.INVALID_TEXT, message=reason)
            return
        if isinstance(said, Nonce):
            connection.nonce = said.nonce
            await connection.send_waiting(app)
        else:
            tenant_id = connection.gateway.tenant_id
            await app[DATABASE].write(tenant_id, alarms.take_report, connection.gateway, said)


async def _follow(app: web.Application, connection: _Connection, listener: Listener) -> None:
    """Send when something is asked for; end the connection when the gateway is revoked."""
    gateway_id = connection.gateway.gateway_id
    while True:
        try:
            change = await listener.next()
        except Closed:
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)
            return
        try:
            match change:
                case GatewayChanged(gateway_id=changed, state=GatewayState.REVOKED.value):
                    if changed == gateway_id:
                        await connection.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"revoked")
                        return
                case GatewayChanged(gateway_id=changed, state=gateways.DOUBTED):
                    if changed == gateway_id:
                        await connection.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"doubted")
                        return
                case CommandChanged(gateway_id=changed, state=CommandState.REQUESTED.value):
                    if changed == gateway_id:
                        await connection.send_waiting(app)
                case _ if listener.take_lost():
                    await connection.send_waiting(app)
        except (GatehouseError, ConnectionError) as error:
            # The command stays as it is: requested ones are tried at the next nonce, sent ones end unknown.
            log.warning("command not sent", extra={"gateway": connection.gateway.code, "reason": str(error)})


async def _close_all(app: web.Application) -> None:
    for connection in list(app[_CONNECTIONS].values()):
        await connection.socket.close(code=WSCloseCode.GOING_AWAY)
