"""GB/T 26875.3-2011, what fire-alarm transmission devices send to a monitoring centre.

    40 40                start
    07 00                serial number, low byte first: +1 a packet, repeated by the confirmation
    01 02                version: main (1 by the standard, 10H in the field), user
    2D 34 0E 0C 07 16    time sent: second minute hour day month year, plain binary
    00 00 00 00 00 00    source address, low byte first
    64 00 00 00 00 00    destination address; some devices put IP and port here
    30 00                length of the application unit, low byte first, at most 1024
    02                   command: 1 control, 2 send, 3 confirm, 4 request, 5 response, 6 deny
    ...                  application unit: type, count, objects (each with its own time of six bytes)
    1A                   sum modulo 256 from the serial number to the end of the application unit
    23 23                end

A status is a snapshot: no fire bit after a fire bit is the recovery. The invariant: what the panel
says and when it says so are kept apart from when we heard it: panel clocks are years off.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.gb26875_units import TIME_LENGTH, UnitType, decode_time, split_unit
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

_START, _END = b"@@", b"##"
# §6.3: at most 1024 bytes; 30 surround them.
UNIT_MAX = 1024
_OVERHEAD = 30
_UNIT_START = 27


class Command(IntEnum):
    """What a packet is for (§7.2)."""

    CONTROL = 1
    SEND = 2
    CONFIRM = 3
    REQUEST = 4
    RESPONSE = 5
    DENY = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. Addresses are the six bytes as sent; `sent` is the six bytes of the time as sent."""

    serial: int
    command: int
    unit: bytes = b""
    sent: bytes = bytes(TIME_LENGTH)
    source: bytes = bytes(6)
    destination: bytes = bytes(6)
    version: tuple[int, int] = (1, 0)


def encode_packet(packet: Packet) -> bytes:
    """Return the bytes to send."""
    if len(packet.unit) > UNIT_MAX:
        raise ProtocolError(f"{len(packet.unit)} bytes of application unit, at most {UNIT_MAX} are allowed")
    if any(len(part) != 6 for part in (packet.sent, packet.source, packet.destination)):
        raise ProtocolError("time and addresses have six bytes each")
    covered = b"".join(
        (
            struct.pack("<HBB", packet.serial, *packet.version),
            packet.sent,
            packet.source,
            packet.destination,
            struct.pack("<HB", len(packet.unit), packet.command),
            packet.unit,
        )
    )
    return _START + covered + bytes((sum(covered) & 0xFF,)) + _END


def decode_packet(wire: bytes) -> Packet:
    """Return the one packet these bytes are; FrameError names all that is wrong."""
    problems = _problems(wire)
    if problems:
        raise FrameError("; ".join(problems))
    serial, main, user = struct.unpack("<HBB", wire[2:6])
    return Packet(serial, wire[26], wire[27:-3], wire[6:12], wire[12:18], wire[18:24], (main, user))


def _problems(wire: bytes) -> list[str]:
    if len(wire) < _OVERHEAD:
        return [f"{len(wire)} bytes are too few for a packet, the shortest has {_OVERHEAD}"]
    problems = []
    length = int.from_bytes(wire[24:26], "little")
    if wire[:2] != _START:
        problems.append(f"start is {wire[:2].hex()}, expected 4040")
    if length > UNIT_MAX:
        problems.append(f"length is {length}, at most {UNIT_MAX} are allowed")
    elif len(wire) != length + _OVERHEAD:
        problems.append(f"length says {length} bytes, the packet has {len(wire) - _OVERHEAD}")
    if wire[-2:] != _END:
        problems.append(f"end marks are {wire[-2:].hex()}, expected 2323")
    checksum = sum(wire[2:-3]) & 0xFF
    if wire[-3] != checksum:
        problems.append(f"checksum {wire[-3]:02x}, computed {checksum:02x}")
    return problems


def _measure(buffer: bytes, at: int) -> int:
    if len(buffer) - at < 26:
        return MORE_NEEDED
    length = int.from_bytes(buffer[at + 24 : at + 26], "little")
    return length + _OVERHEAD if length <= UNIT_MAX else NOT_A_FRAME


class PacketReader:
    """Finds packets in a TCP stream: split, glued and preceded by what a vendor likes to send."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = FrameStream(_START, _measure, decode_packet)

    def feed(self, data: bytes) -> list[Packet]:
        """Take more bytes and return the packets that are now complete, in order."""
        return self._stream.feed(data)

    def flush(self) -> list[Packet]:
        """Return packets found behind an unfinished start, when the line has gone quiet."""
        return self._stream.flush()


def confirmation_of(packet: Packet, sent: bytes) -> Packet:
    """Build the centre's confirmation: same serial number and version, addresses exchanged."""
    return Packet(
        packet.serial, Command.CONFIRM, b"", sent, packet.destination, packet.source, packet.version
    )


class Wish(IntEnum):
    """What a centre may ask of a transmitter: the type of the unit it sends (table 4)."""

    READ_SYSTEM_STATUS = 61
    READ_TRANSMITTER_STATUS = 81
    READ_TRANSMITTER_TIME = 88
    SYNCHRONISE_CLOCK = 90
    ROLL_CALL = 91


def wish_of(
    wish: Wish,
    serial: int,
    sent: bytes,
    destination: bytes,
    *,
    system: tuple[int, int] = (0, 0),
    answer_min: int = 10,
) -> Packet:
    """Build what a centre asks.

    `system` is the type and address of the system whose status is read; a roll-call says within how many
    minutes the guard must press the button.
    """
    match wish:
        case Wish.READ_SYSTEM_STATUS:
            return Packet(serial, Command.REQUEST, bytes((wish, 1, *system)), sent, bytes(6), destination)
        case Wish.READ_TRANSMITTER_STATUS | Wish.READ_TRANSMITTER_TIME:
            return Packet(serial, Command.REQUEST, bytes((wish, 1, 0)), sent, bytes(6), destination)
        case Wish.SYNCHRONISE_CLOCK:
            return Packet(serial, Command.CONTROL, bytes((wish, 1)) + sent, sent, bytes(6), destination)
        case Wish.ROLL_CALL:
            unit = bytes((wish, 1, answer_min))
            return Packet(serial, Command.CONTROL, unit, sent, bytes(6), destination)


def time_told(packet: Packet) -> datetime | None:
    """Return what a transmitter says its own clock shows; None where the packet is about something else."""
    if not packet.unit or packet.unit[0] != UnitType.TRANSMITTER_TIME:
        return None
    try:
        _, items = split_unit(packet.unit)
    except FrameError:
        return None
    return decode_time(items[0]) if items else None
