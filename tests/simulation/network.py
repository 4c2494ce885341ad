"""The simulated network: connections between machines, over links that can fail in every way we know.

Bytes of a connection arrive in order, once and cut anywhere, or not at all, as TCP has it. A link that
swallows keeps what is sent and hands it over when it heals, unless the connection is gone by then: so a
batch may reach the cloud long after its sender gave it up. A machine whose power is cut says nothing;
one whose process is killed is closed by its kernel.
"""

import asyncio
import contextvars
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.loop import MACHINE, WorldLoop

Address = tuple[str, int]

# As a Linux kernel repeats an unanswered SYN: at 1, 3, 7 seconds. The client gives up before the next.
_SYN_REPEATS_S = (1.0, 2.0, 4.0, 8.0)
_TRICKLE_S = 1.0
PORTAL = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 47\r\n\r\n"
    b"<html><body>Please sign in first.</body></html>"
)


@dataclass(slots=True)
class Link:
    """The way between two machines, both directions; whoever is first in its name is `near`."""

    latency_s: float = 0.02
    refuses: bool = False  # nobody can connect, and what is connected is reset
    swallows_out: bool = False  # near to far: bytes are held
    swallows_in: bool = False  # far to near
    bytes_per_s: float = 0.0  # 0: no limit
    portal: bool = False  # somebody else answers
    cut_after_bytes: int | None = None  # the next connections break after so many bytes
    cut_is_reset: bool = True  # or an end of the stream in good order, too early
    ends: "list[End]" = field(default_factory=list)

    def swallows(self, is_near: bool) -> bool:
        """Tell whether what this side sends is held."""
        return self.swallows_out if is_near else self.swallows_in

    def heal(self) -> None:
        """Be a good link again; what was held goes on its way."""
        latency_s = self.latency_s
        ends, self.ends = self.ends, []
        self.__init__(latency_s)  # type: ignore[misc]  # every fault there is, also one added later
        self.ends = ends
        for end in list(ends):
            end.release()

    def reset(self) -> None:
        """Break every connection, as a router that was switched off and on does."""
        for end in list(self.ends):
            end.break_off(ConnectionResetError("connection reset by the network"))


class End(asyncio.Transport):
    """One side of a connection."""

    def __init__(self, network: "Network", link: Link, machine: str, far: Address, *, is_near: bool) -> None:
        super().__init__()
        self.network = network
        self.link = link
        self.machine = machine
        self.peer: End
        self.protocol: Any = None
        self._far = far
        self._is_near = is_near
        self._context = contextvars.copy_context()
        self._is_closing = False
        self._is_gone = False
        self._is_paused = False
        self._inbox: deque[bytes | None] = deque()
        self._held: list[bytes | None] = []
        self._next_at = 0.0
        self._left = link.cut_after_bytes
        link.ends.append(self)

    # What asyncio and aiohttp ask of a transport.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {"peername": self._far, "sockname": (self.machine, 0), "machine": self.peer.machine}
        return known.get(name, default)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self._is_closing

    def is_reading(self) -> bool:
        return not self._is_paused

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        self._soon(self._read)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        if not self._is_closing and data:
            self._send(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(bytes(part) for part in list_of_data))

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send(None)
            self._soon(self._lose, None)

    def abort(self) -> None:
        if not self._is_gone:
            self.break_off(None)

    # What the network does.

    def break_off(self, error: Exception | None) -> None:
        """End both sides, ours with `error`, the other's with a reset if it can hear of it."""
        self._is_closing = True
        self._held.clear()
        self._soon(self._lose, error)
        if not self.link.swallows(self._is_near):
            at = self.network.loop.time() + self.link.latency_s
            reset = ConnectionResetError("connection reset by peer")
            self.peer.at(at, self.peer.fall, reset)

    def fall(self, error: Exception | None) -> None:
        """Be told that the connection is gone."""
        self._is_closing = True
        self._lose(error)

    def die(self, *, in_silence: bool) -> None:
        """Vanish with the machine: our side hears that it is over, the other perhaps nothing."""
        if in_silence:
            self._is_closing = True
            self._held.clear()
            self._soon(self._lose, ConnectionAbortedError("the machine is gone"))
        else:
            self.break_off(ConnectionAbortedError("the process is gone"))

    def release(self) -> None:
        """Send what was held back."""
        if not self.link.swallows(self._is_near):
            held, self._held = self._held, []
            # The sender's kernel repeats it when its timer next runs out.
            self._next_at = max(self._next_at, self.network.loop.time() + self.network.rng.uniform(0.05, 2.0))
            for part in held:
                self._pass_on(part)

    def at(self, when: float, work: Callable[..., None], *args: Any) -> None:
        """Call on this side's machine, then."""
        self.network.loop.call_at(when, work, *args, context=self._context)

    def _soon(self, work: Callable[..., None], *args: Any) -> None:
        self.network.loop.call_soon(work, *args, context=self._context)

    def _send(self, data: bytes | None) -> None:
        if self._left is not None and data is not None:
            self._left -= len(data)
            if self._left < 0:
                part = data[: self._left]
                if part:
                    self._route(part)
                if self.link.cut_is_reset:
                    self.at(self.network.loop.time() + 0.001, self.break_off, ConnectionResetError("reset"))
                else:
                    self.close()
                return
        self._route(data)

    def _route(self, data: bytes | None) -> None:
        is_first = not self._held
        if not is_first or self.link.swallows(self._is_near) or self.link.bytes_per_s:
            self._held.append(data)
            if is_first and self.link.bytes_per_s:
                self.at(self.network.loop.time() + _TRICKLE_S, self._trickle)
        else:
            self._pass_on(data)

    def _trickle(self) -> None:
        """Let through what the line carries in a while, until it is healed."""
        bytes_left = int(self.link.bytes_per_s * _TRICKLE_S)
        while self._held and bytes_left > 0 and not self.link.swallows(self._is_near):
            part = self._held.pop(0)
            if part is not None and len(part) > bytes_left:
                self._held.insert(0, part[bytes_left:])
                part = part[:bytes_left]
            bytes_left -= len(part or b"")
            self._pass_on(part)
        if self._held and self.link.bytes_per_s:
            self.at(self.network.loop.time() + _TRICKLE_S, self._trickle)

    def _pass_on(self, data: bytes | None) -> None:
        rng = self.network.rng
        if data is not None and len(data) > 64 and rng.random() < 0.1:
            cut = rng.randrange(1, len(data))
            self._pass_on(data[:cut])
            data = data[cut:]
        link = self.link
        takes_s = link.latency_s * rng.uniform(0.8, 1.2)
        # Strictly later than the part before: two timers of one instant have no order.
        self._next_at = max(self._next_at + 1e-6, self.network.loop.time() + takes_s)
        peer = self.peer
        peer.at(self._next_at, peer._arrive, data)

    def _arrive(self, data: bytes | None) -> None:
        if self._is_gone:
            return
        self._inbox.append(data)
        self._read()

    def _read(self) -> None:
        while self._inbox and not self._is_paused and not self._is_gone:
            data = self._inbox.popleft()
            if data is not None:
                self.protocol.data_received(data)
            elif not self.protocol.eof_received():
                self.close()

    def _lose(self, error: Exception | None) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self in self.link.ends and not self._held:
            self.link.ends.remove(self)
        if self.protocol is not None:
            self.protocol.connection_lost(error)


class _Portal(asyncio.Protocol):
    """A hotel's sign-in page: says 200 OK to whatever is asked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(PORTAL)
        self._transport.close()


class Server:
    """What a listener gets back."""

    def __init__(
        self, network: "Network", machine: str, address: Address, factory: Callable[[], Any]
    ) -> None:
        self.machine = machine
        self.factory = factory
        self.context = contextvars.copy_context()
        self._network = network
        self._address = address

    @property
    def sockets(self) -> tuple[Any, ...]:
        """Return something that knows its name."""
        address = self._address

        class Named:
            def getsockname(self) -> Address:
                return address

        return (Named(),)

    def close(self) -> None:
        """Listen no more."""
        if self._network.listeners.get(self._address) is self:
            del self._network.listeners[self._address]

    def is_serving(self) -> bool:
        return True

    async def wait_closed(self) -> None:
        pass

    async def serve_forever(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class Network:
    """Who listens where, and the links between."""

    def __init__(self, loop: WorldLoop, rng: random.Random) -> None:
        self.loop = loop
        self.rng = rng
        self.listeners: dict[Address, Server] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._dialled: dict[socket.socket, tuple[str, Address]] = {}

    def link(self, near: str, far_host: str) -> Link:
        """Return the way from a machine to a host."""
        return self._links.setdefault((near, far_host), Link())

    def listen(self, machine: str, address: Address, factory: Callable[[], Any]) -> Server:
        """Let connections to the address be served."""
        if address in self.listeners:
            raise OSError(98, f"{address} is taken")
        server = self.listeners[address] = Server(self, machine, address, factory)
        return server

    async def dial(self, sock: socket.socket, machine: str, address: Address) -> None:
        """Wait until the address takes a call; the errors are those of connect(2)."""
        link = self.link(machine, address[0])
        for wait_s in (*_SYN_REPEATS_S, None):
            await asyncio.sleep(2 * link.latency_s)
            if link.portal:
                break
            if link.refuses:
                raise ConnectionRefusedError(111, "connection refused")
            if not link.swallows_out and not link.swallows_in:
                if address not in self.listeners:
                    raise ConnectionRefusedError(111, "connection refused")
                break
            if wait_s is None:
                raise TimeoutError(110, "connection timed out")
            await asyncio.sleep(wait_s)
        self._dialled[sock] = (machine, address)

    def connect(self, sock: socket.socket, factory: Callable[[], Any]) -> tuple[End, Any]:
        """Join both ends of a call that was taken."""
        machine, address = self._dialled.pop(sock)
        sock.close()
        link = self.link(machine, address[0])
        server = self.listeners.get(address)
        if server is None and not link.portal:
            raise ConnectionRefusedError(111, "connection refused")
        near = End(self, link, machine, address, is_near=True)
        far_machine = "portal" if link.portal or server is None else server.machine
        far = End(self, link, far_machine, (machine, 0), is_near=False)
        near.peer, far.peer = far, near
        if link.portal or server is None:
            far.protocol = _Portal()
        else:
            far._context = server.context.copy()
            far.protocol = far._context.run(server.factory)
        protocol = near.protocol = factory()
        far._context.run(far.protocol.connection_made, far)
        protocol.connection_made(near)
        return near, protocol

    def drop_machine(self, machine: str, *, in_silence: bool) -> None:
        """Let a machine's listeners and connections end with it."""
        for address, server in list(self.listeners.items()):
            if server.machine == machine:
                del self.listeners[address]
        for link in list(self._links.values()):
            for end in list(link.ends):
                if end.machine == machine:
                    end.die(in_silence=in_silence)


def on_machine(name: str) -> contextvars.Context:
    """Return a context in which code is a part of that machine."""
    context = contextvars.copy_context()
    context.run(MACHINE.set, name)
    return context
