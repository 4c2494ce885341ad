"""Lines that are not plain sockets: a serial server that calls the gateway, and one that speaks datagrams."""

import asyncio
import contextlib
from collections.abc import Callable

from simulator.endpoints import Hearing, Speaker

# A real DTU waits longer; a demonstration should not.
_CALL_AGAIN_S = 0.5
_HEARTBEAT_S = 20.0
_READ_BYTES = 4096


class DtuCaller:
    """A 4G serial server: it calls, registers, and is a bus from then on; it calls again when cut off."""

    def __init__(
        self,
        speaker: Speaker,
        made: Callable[[], Hearing],
        host: str,
        port: int,
        registration: bytes,
        heartbeat: bytes,
    ) -> None:
        self._speaker = speaker
        self._made = made
        self._host = host
        self._port = port
        self._registration = registration
        self._heartbeat = heartbeat

    async def run(self) -> None:
        """Call until cancelled."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                try:
                    await self._serve(reader, writer)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(_CALL_AGAIN_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hearing = self._made()
        writer.write(self._registration)

        def send(data: bytes) -> bool:
            if writer.is_closing():
                return False
            writer.write(data)
            return True

        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    data = await reader.read(_READ_BYTES)
            except TimeoutError:
                send(self._heartbeat)
                continue
            if not data:
                return
            self._speaker.hear(data, hearing, send)


class UdpEndpoint(asyncio.DatagramProtocol):
    """A port for frames as datagrams; each sender is heard on its own."""

    def __init__(self, speaker: Speaker, made: Callable[[], Hearing]) -> None:
        self._speaker = speaker
        self._made = made
        self._hearings: dict[object, Hearing] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def port(self) -> int:
        """Return the port it listens on; only while it is open."""
        assert self._transport is not None, "the endpoint is not open"
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    async def open(self, host: str, port: int) -> None:
        """Listen on that port, 0 for any."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.abort()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Answer what a datagram asks."""
        hearing = self._hearings.setdefault(addr, self._made())
        self._speaker.hear(data, hearing, lambda reply: self._send(reply, addr))

    def _send(self, reply: bytes, addr: object) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.sendto(reply, addr)  # type: ignore[arg-type]  # what the kernel gave us
        return True
