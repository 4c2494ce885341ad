"""Listening in on a bus where somebody else is the master: nothing is sent, everything is explained.

Bytes that come without a pause are one burst; in each burst the frames of the protocols a building
speaks on RS-485 are found, and what is left is shown as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.clock import Clock
from edge.dial_in import DialInPorts
from edge.errors import LineDown
from edge.transports import transport_for
from protocol.errors import ProtocolError
from protocol.fieldbus import CODECS, cjt188, dlt645
from protocol.fieldbus.annotation import Facts, Message
from provisioning.lines import BusLine

# Longer than any pause inside a frame at 1200 baud, shorter than a device's turnaround.
BURST_PAUSE_S = 0.015
_BURST_MAX = 4096


@dataclass(frozen=True, slots=True)
class Overheard:
    """One frame, or bytes nobody understands (`protocol` "")."""

    at_ms: int
    data: bytes
    protocol: str
    facts: Facts


async def sniff(line: BusLine, clock: Clock) -> AsyncIterator[Overheard]:
    """Yield what is said on the bus until cancelled; LineDown when it goes away."""
    ports = DialInPorts()
    transport = transport_for(line, ports)
    arrived: asyncio.Queue[bytes | str] = asyncio.Queue(maxsize=10_000)
    await transport.open(arrived.put_nowait, lambda reason: arrived.put_nowait(reason))
    burst = b""
    try:
        while True:
            try:
                async with asyncio.timeout(BURST_PAUSE_S if burst else None):
                    part = await arrived.get()
            except TimeoutError:
                part = b""
            if isinstance(part, str):
                raise LineDown(part)
            burst += part
            if burst and (not part or len(burst) > _BURST_MAX):
                for overheard in understand(burst, clock.wall_ms()):
                    yield overheard
                burst = b""
    finally:
        transport.close()
        ports.close()


def understand(burst: bytes, at_ms: int) -> list[Overheard]:
    """Return the frames in a burst in order, and what is between them."""
    for protocol, find in _FINDERS.items():
        frames = find(burst)
        found: list[Overheard] = []
        rest = burst
        for wire in frames:
            before, _, rest = rest.partition(wire)
            if before:
                found.append(Overheard(at_ms, before, "", {}))
            found.append(_explained(protocol, wire, at_ms))
        if found:
            return [*found, Overheard(at_ms, rest, "", {})] if rest else found
    for protocol in _WHOLE:
        overheard = _explained(protocol, burst, at_ms)
        if overheard.protocol:
            return [overheard]
    return [Overheard(at_ms, burst, "", {})]


def _dlt645(burst: bytes) -> list[bytes]:
    reader = dlt645.FrameReader()
    return [dlt645.encode_frame(frame) for frame in (*reader.feed(burst), *reader.flush())]


def _cjt188(burst: bytes) -> list[bytes]:
    reader = cjt188.FrameReader()
    return [cjt188.encode_frame(frame) for frame in (*reader.feed(burst), *reader.flush())]


# Those whose frames are found in the midst of others; the rest must be a burst by themselves.
_FINDERS: Mapping[str, Callable[[bytes], list[bytes]]] = MappingProxyType(
    {"dlt645-2007": _dlt645, "cjt188": _cjt188}
)
_WHOLE = ("mbus", "osdp", "modbus-rtu")


def _explained(protocol: str, wire: bytes, at_ms: int) -> Overheard:
    for is_reply in (None, False, True):
        try:
            return Overheard(at_ms, wire, protocol, CODECS[protocol].facts(Message(wire, is_reply=is_reply)))
        except ProtocolError:
            continue
    return Overheard(at_ms, wire, "", {})
