"""Where the building can be reached: a pseudo-terminal, a TCP serial server, Modbus TCP servers.

The invariant: the ledger is written in the moment a whole reply is handed to the kernel; what could
not be sent was never issued.
"""

import asyncio
import contextlib
import os
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from protocol.errors import FrameError
from protocol.fieldbus.modbus_frame import TCP_HEADER, tcp_length
from simulator.answer import Transmission, transmit
from simulator.bus import Bus
from simulator.clock import Clock
from simulator.faults import FaultBook
from simulator.ledger import Ledger
from simulator.modbus_slaves import ModbusSlaves

# More than the longest request; a master that sends more at once is answered all the same.
_READ_BYTES = 4096

# What a slave needs to begin its answer: DL/T 645 allows 20 to 500 ms, good meters need little.
TURNAROUND_MS = 20


class Hearing(Protocol):
    """What takes bytes and says what is to be sent."""

    def feed(self, data: bytes, at_ms: int, now_s: float) -> list[Transmission]:
        """Return the answers to the requests that are complete now."""


class Speaker:
    """Sends transmissions in their time and notes in the ledger what they issued."""

    def __init__(self, clock: Clock, ledger: Ledger, turnaround_ms: int) -> None:
        self.clock = clock
        self._ledger = ledger
        self._turnaround_ms = turnaround_ms

    def hear(self, data: bytes, hearing: Hearing, send: Callable[[bytes], bool]) -> None:
        """Answer what `data` completes; `send` tells whether the bytes went out.

        While the clock stands, slaves answer at once: a replay is not to wait for them.
        """
        at_ms = self.clock.now_ms()
        turnaround_ms = 0 if self.clock.is_standing else self._turnaround_ms
        for transmission in hearing.feed(data, at_ms, asyncio.get_running_loop().time()):
            delay_ms = turnaround_ms + transmission.delay_ms
            if delay_ms == 0:
                self._say(transmission, send, at_ms)
            else:
                loop = asyncio.get_running_loop()
                loop.call_later(delay_ms / 1000, self._say, transmission, send, at_ms)

    def _say(self, transmission: Transmission, send: Callable[[bytes], bool], at_ms: int) -> None:
        if send(transmission.data) and transmission.issued:
            self._ledger.record(transmission.device_id, transmission.issued, at_ms)


class PtyLine:
    """A bus on a pseudo-terminal; `path` is what a master opens as its serial port."""

    def __init__(self, speaker: Speaker, bus: Bus, link: Path | None) -> None:
        self._speaker = speaker
        self._bus = bus
        self._link = link
        # The far end stays open here too, so that the line outlives a master that goes away.
        self._near_fd, self._far_fd = os.openpty()
        tty.setraw(self._far_fd)
        os.set_blocking(self._near_fd, False)
        self._device = Path(os.ttyname(self._far_fd))

    @property
    def path(self) -> Path:
        """Return the link if one was asked for, else the terminal itself."""
        return self._link or self._device

    def open(self) -> None:
        """Begin to listen; a link left behind by an earlier run is replaced."""
        if self._link is not None:
            if self._link.is_symlink():
                self._link.unlink()
            self._link.symlink_to(self._device)
        asyncio.get_running_loop().add_reader(self._near_fd, self._on_readable)

    def close(self) -> None:
        """Stop listening and take the link away."""
        asyncio.get_running_loop().remove_reader(self._near_fd)
        os.close(self._near_fd)
        os.close(self._far_fd)
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()

    def _on_readable(self) -> None:
        try:
            data = os.read(self._near_fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        self._speaker.hear(data, self._bus, self._send)

    def _send(self, data: bytes) -> bool:
        # A full buffer means that nobody reads; a real line would let the bytes pass unheard, too.
        with contextlib.suppress(BlockingIOError, OSError):
            return os.write(self._near_fd, data) == len(data)
        return False


class TcpEndpoint:
    """A TCP port behind which a bus or Modbus TCP devices answer; each connection hears on its own."""

    def __init__(self, speaker: Speaker, made: Callable[[], Hearing]) -> None:
        self._speaker = speaker
        self._made = made
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    @property
    def port(self) -> int:
        """Return the port it listens on; only while it is open."""
        assert self._server is not None, "the endpoint is not open"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self, host: str, port: int) -> None:
        """Listen on that port, 0 for any; OSError names the address where it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self._speaker, self._made(), self._open), host, port
        )

    def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for transport in tuple(self._open):
            transport.abort()


class _Connection(asyncio.Protocol):
    """One connection; a stream that is out of step is closed."""

    def __init__(self, speaker: Speaker, hearing: Hearing, opened: set[asyncio.Transport]) -> None:
        self._speaker = speaker
        self._hearing = hearing
        self._opened = opened
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._opened.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None:
            self._opened.discard(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._speaker.hear(data, self._hearing, self._send)
        except FrameError:
            if self._transport is not None:
                self._transport.abort()

    def _send(self, data: bytes) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(data)
        return True


class ModbusTcpStream:
    """The requests of one Modbus TCP connection."""

    def __init__(self, slaves: ModbusSlaves, faults: FaultBook) -> None:
        self._slaves = slaves
        self._faults = faults
        self._pending = b""

    def feed(self, data: bytes, at_ms: int, now_s: float) -> list[Transmission]:
        """Return the answers to the requests that are complete now; FrameError where it is out of step."""
        del now_s
        self._pending += data
        sent: list[Transmission] = []
        while len(self._pending) >= TCP_HEADER:
            length = tcp_length(self._pending[:TCP_HEADER])
            if len(self._pending) < length:
                break
            request, self._pending = self._pending[:length], self._pending[length:]
            answer = self._slaves.answer(request, at_ms)
            if answer is None:
                continue
            transmission = transmit(answer, self._faults.on_reply(answer.device_id, at_ms), self._slaves)
            if transmission is not None:
                sent.append(transmission)
        return sent
