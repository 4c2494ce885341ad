"""Serial servers that dial in: a 4G DTU behind no public address calls us, and is then a bus like any.

A DTU names itself with its first bytes (its registration packet), so several may call one port; one
that calls again takes the place of its earlier call, which a mobile network may have dropped without
a word. Heartbeats are left out of what the bus hears. The invariant: bytes of one DTU reach only the
line configured for it, and a caller that does not register is put off.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from edge.errors import LineDown
from edge.transport import Lost, Received
from protocol.sync import CONNECT_TIMEOUT_S
from provisioning.lines import DialInLine

log = logging.getLogger(__name__)

# A DTU registers within seconds of its call; who says nothing is a scanner of ports.
_REGISTER_TIMEOUT_S = 30.0
# More callers at once than this are a mistake or an attack; a building has a handful.
_CALLERS_MAX = 64


class DialInPorts:
    """The ports on which DTUs call, opened when first wanted and shared by the lines that name them."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, int], _Port] = {}

    def transport(self, line: DialInLine) -> "DialInTransport":
        """Return the transport of a line whose DTU calls."""
        port = self._ports.setdefault((line.host, line.port), _Port(line.host, line.port))
        transport = DialInTransport(line, port)
        port.expected[line.registration] = transport
        return transport

    def forget(self, line: DialInLine) -> None:
        """Expect the line's DTU no more; a port nobody else uses is closed."""
        port = self._ports.get((line.host, line.port))
        if port is None:
            return
        port.expected.pop(line.registration, None)
        if not port.expected:
            port.close()
            del self._ports[line.host, line.port]

    def close(self) -> None:
        """Stop listening and hang up."""
        for port in self._ports.values():
            port.close()


@dataclass(slots=True)
class _Port:
    """One listening socket and who may call it, by registration packet."""

    host: str
    port: int
    expected: "dict[bytes, DialInTransport]" = field(default_factory=dict)
    callers: "set[_Call]" = field(default_factory=set)
    server: asyncio.Server | None = None

    async def listen(self) -> None:
        if self.server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self.server = await loop.create_server(lambda: _Call(self), self.host, self.port)
        except OSError as error:
            raise LineDown(f"cannot listen on {self.host}:{self.port}: {error.strerror or error}") from error
        # Port 0 in a test: what was given.
        self.port = int(self.server.sockets[0].getsockname()[1])

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for call in list(self.callers):
            call.hang_up()


class _Call(asyncio.Protocol):
    """One connection: unknown until it has registered, then a DTU."""

    def __init__(self, port: _Port) -> None:
        self._port = port
        self._heard = b""
        self._transport: asyncio.Transport | None = None
        self._line: DialInTransport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._port.callers) >= _CALLERS_MAX:
            log.warning("too many callers, one is put off", extra={"port": self._port.port})
            transport.abort()
            return
        self._port.callers.add(self)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(_REGISTER_TIMEOUT_S, self.hang_up)
        if self._port.expected.keys() == {b""}:
            self._register(self._port.expected[b""], b"")

    def data_received(self, data: bytes) -> None:
        if self._line is not None:
            self._line.heard(data)
            return
        self._heard += data
        for registration, line in self._port.expected.items():
            if registration and self._heard.startswith(registration):
                self._register(line, self._heard.removeprefix(registration))
                return
        if not any(registration.startswith(self._heard) for registration in self._port.expected):
            log.warning("a caller that is not expected is put off", extra={"port": self._port.port})
            self.hang_up()

    def _register(self, line: "DialInTransport", rest: bytes) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._line = line
        self._heard = b""
        line.attach(self)
        if rest.strip(b"\r\n"):
            line.heard(rest)

    def write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise LineDown("the DTU has hung up")
        self._transport.write(data)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._port.callers.discard(self)
        if self._line is not None:
            self._line.detach(self, "the DTU hung up" if exc is None else f"the DTU was lost: {exc}")


class DialInTransport:
    """The bus behind one DTU."""

    def __init__(self, line: DialInLine, port: _Port) -> None:
        self._line = line
        self._port = port
        self._call: _Call | None = None
        self._called = asyncio.Event()
        self._received: Received | None = None
        self._lost: Lost | None = None

    async def open(self, received: Received, lost: Lost) -> None:
        """Listen, and wait a moment for the DTU to call if it has not yet."""
        await self._port.listen()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._called.wait()
        except TimeoutError as error:
            who = f" as {self._line.registration!r}" if self._line.registration else ""
            raise LineDown(f"no DTU has called port {self._port.port}{who}") from error
        self._received, self._lost = received, lost

    def write(self, data: bytes) -> None:
        """Send to the DTU, which sends on to its bus."""
        if self._call is None:
            raise LineDown("the DTU has hung up")
        self._call.write(data)

    def close(self) -> None:
        """Hang up; the DTU calls again. The port goes on listening."""
        self._received = self._lost = None
        if self._call is not None:
            self._call.hang_up()

    def attach(self, call: _Call) -> None:
        """Take a call that has registered; the newest is the one that works."""
        earlier, self._call = self._call, call
        if earlier is not None:
            earlier.hang_up()
        self._called.set()
        log.info("a DTU has called", extra={"line": self._line.bus.line_id})

    def heard(self, data: bytes) -> None:
        """Pass on what the bus says, heartbeats left out."""
        if self._line.heartbeat and data.strip(b"\r\n") == self._line.heartbeat:
            return
        if self._received is not None:
            self._received(data)

    def detach(self, call: _Call, reason: str) -> None:
        """Note that a call has ended; an earlier one's end is no news."""
        if call is not self._call:
            return
        self._call = None
        self._called.clear()
        if self._lost is not None:
            self._lost(reason)
