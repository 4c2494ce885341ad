"""The event loop of a simulated world: no time passes, no thread runs, no socket is opened.

Waiting makes the clock jump to whatever is due next; work for a thread is done in the loop itself, some
simulated time later and in its executor's order; connections are the simulated network's. Everything
that happens follows from the seed, so the same seed is the same world to the last byte.
"""

import asyncio
import contextvars
import random
import selectors
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.network import Network

# Which machine the running code is a part of.
MACHINE: contextvars.ContextVar[str] = contextvars.ContextVar("machine", default="")

_BEGINS_AT_S = 1000.0


class _Jumping(selectors.SelectSelector):
    now = _BEGINS_AT_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing is due: a deadlock")
        self.now += max(timeout, 0.0)
        return []


class WorldLoop(asyncio.SelectorEventLoop):
    """Made with the world's chance; the network is put in before anybody connects."""

    def __init__(self, rng: random.Random) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._random = rng
        self._free_at: dict[int, float] = {}
        self.network: Network | None = None
        # By machine: how long its disk takes for a piece of work, at most.
        self.disk_s: dict[str, float] = {}

    def time(self) -> float:
        """Return the simulated seconds."""
        return self._jumping.now

    def disk_pause_s(self) -> float:
        """Return how long the next piece of work on the running machine's disk takes."""
        return self._random.uniform(0.0002, self.disk_s.get(MACHINE.get(), 0.003))

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Do the work here, later: one piece after another where the executor has one thread."""
        future: asyncio.Future[Any] = self.create_future()
        at = self.time() + self.disk_pause_s()
        if executor is not None:
            at = max(at, self._free_at.get(id(executor), 0.0) + 1e-6)
            self._free_at[id(executor)] = at

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - an executor hands on whatever was raised
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_at(at, work)
        return future

    def set_default_executor(self, executor: Any) -> None:
        """Have none: its threads would be the only thing here that is not the seed's."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Take the address: the socket is never connected to anything."""
        assert self.network is not None
        await self.network.dial(sock, MACHINE.get(), (address[0], address[1]))

    async def create_connection(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **options: Any
    ) -> tuple[asyncio.Transport, Any]:
        """Connect over the simulated network."""
        assert self.network is not None
        sock = options.get("sock")
        if sock is None:
            sock = socket.socket()
            await self.network.dial(sock, MACHINE.get(), (host, port))
        return self.network.connect(sock, protocol_factory)

    async def create_server(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **_: Any
    ) -> Any:
        """Listen on the simulated network."""
        assert self.network is not None
        return self.network.listen(MACHINE.get(), (host, port), protocol_factory)

    async def create_unix_server(
        self, protocol_factory: Callable[[], Any], path: Any = None, **_: Any
    ) -> Any:
        """Listen where nobody will ever call: the service hatch is for people."""
        assert self.network is not None
        return self.network.listen(MACHINE.get(), (str(path), 0), protocol_factory)
