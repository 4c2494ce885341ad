"""What carries a bus's bytes: a serial port, a TCP connection, datagrams; opened, lost, opened again.

A transport only moves bytes and reports loss; turns, deadlines and matching are the line's. Nothing
here blocks the event loop: ports are opened on a thread, descriptors are read when readable.
"""

import asyncio
import contextlib
import os
import termios
from collections.abc import Callable
from typing import Protocol

import serial

from edge.errors import LineDown
from protocol.sync import CONNECT_TIMEOUT_S
from provisioning.lines import Parity, SerialLine

Received = Callable[[bytes], None]
Lost = Callable[[str], None]

_PARITIES = {Parity.EVEN: serial.PARITY_EVEN, Parity.NONE: serial.PARITY_NONE, Parity.ODD: serial.PARITY_ODD}
_READ_MAX = 4096


class Transport(Protocol):
    """Bytes out, bytes in. After `lost` was called, or `close`, it may be opened again."""

    async def open(self, received: Received, lost: Lost) -> None:
        """Connect; LineDown says why it cannot be done now."""
        ...

    def write(self, data: bytes) -> None:
        """Send without waiting; LineDown if that is not possible."""
        ...

    def close(self) -> None:
        """Disconnect without waiting; harmless if not open."""
        ...


class TcpTransport:
    """A TCP connection to a serial server or a Modbus TCP device."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._transport: asyncio.Transport | None = None

    async def open(self, received: Received, lost: Lost) -> None:
        """Connect within the contract's connect timeout, name resolution included."""
        self.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._transport, _ = await loop.create_connection(
                    lambda: _TcpEnds(received, lost), self._host, self._port
                )
        except TimeoutError as error:
            raise LineDown(f"{self._host}:{self._port}: no connection in {CONNECT_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise LineDown(f"{self._host}:{self._port}: {error.strerror or error}") from error

    def write(self, data: bytes) -> None:
        """Hand the bytes to the socket."""
        if self._transport is None or self._transport.is_closing():
            raise LineDown(f"{self._host}:{self._port}: not connected")
        self._transport.write(data)

    def close(self) -> None:
        """Drop the connection at once: what it still had to send is of no use."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class UdpTransport:
    """Frames as datagrams to and from one address; what others send is not ours."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, received: Received, lost: Lost) -> None:
        """Bind the address; whether anybody is there shows with the first question."""
        self.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._transport, _ = await loop.create_datagram_endpoint(
                    lambda: _UdpEnds(received, lost), remote_addr=(self._host, self._port)
                )
        except TimeoutError as error:
            raise LineDown(f"{self._host}:{self._port}: no address in {CONNECT_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise LineDown(f"{self._host}:{self._port}: {error.strerror or error}") from error

    def write(self, data: bytes) -> None:
        """Send one datagram."""
        if self._transport is None or self._transport.is_closing():
            raise LineDown(f"{self._host}:{self._port}: not open")
        self._transport.sendto(data)

    def close(self) -> None:
        """Let go of the address."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class _UdpEnds(asyncio.DatagramProtocol):
    def __init__(self, received: Received, lost: Lost) -> None:
        self._received = received
        self._lost = lost

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr  # the socket is connected: the kernel drops what comes from elsewhere
        self._received(data)

    def error_received(self, exc: Exception) -> None:
        self._lost(f"nobody listens there: {exc}")


class _TcpEnds(asyncio.Protocol):
    def __init__(self, received: Received, lost: Lost) -> None:
        self.data_received = received  # type: ignore[assignment,method-assign]  # one call less for every reply
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost("connection lost" if exc is None else f"connection lost: {exc}")


class SerialTransport:
    """A serial port, read by the event loop whenever it has bytes."""

    def __init__(self, line: SerialLine) -> None:
        self._line = line
        self._port: serial.Serial | None = None
        self._lost: Lost | None = None

    async def open(self, received: Received, lost: Lost) -> None:
        """Open and configure the port on a thread, since drivers may take their time over both."""
        self.close()
        try:
            port = await asyncio.to_thread(self._open_port)
        except (OSError, ValueError) as error:
            hint = ""
            if self._line.parity is not Parity.NONE and "nvalid argument" in str(error):
                hint = "; a pseudo-terminal refuses parity: set parity = 'none'"
            raise LineDown(f"{self._line.path}: {error}{hint}") from error
        self._port, self._lost = port, lost
        asyncio.get_running_loop().add_reader(port.fileno(), self._readable, port.fileno(), received)

    def _open_port(self) -> serial.Serial:
        try:
            return serial.Serial(
                self._line.path,
                baudrate=self._line.bus.baud,
                parity=_PARITIES[self._line.parity],
                stopbits=self._line.stop_bits,
                timeout=0,
                exclusive=True,  # two programs on one bus would take each other's answers
            )
        except (serial.SerialException, termios.error) as error:
            raise OSError(str(error)) from error

    def _readable(self, descriptor: int, received: Received) -> None:
        try:
            data = os.read(descriptor, _READ_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(f"{self._line.path}: {error.strerror}")
            return
        if data:
            received(data)
        else:
            self._fail(f"{self._line.path}: the port is gone")

    def write(self, data: bytes) -> None:
        """Hand the bytes to the driver, which has room for any frame unless the port hangs."""
        if self._port is None:
            raise LineDown(f"{self._line.path}: not open")
        try:
            written = os.write(self._port.fileno(), data)
        except OSError as error:
            raise LineDown(f"{self._line.path}: {error.strerror}") from error
        if written != len(data):
            raise LineDown(f"{self._line.path}: took {written} of {len(data)} bytes, the port hangs")

    def _fail(self, reason: str) -> None:
        lost = self._lost
        self.close()
        if lost is not None:
            lost(reason)

    def close(self) -> None:
        """Close the descriptor."""
        if self._port is not None:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            with contextlib.suppress(OSError):
                self._port.close()
            self._port = self._lost = None
