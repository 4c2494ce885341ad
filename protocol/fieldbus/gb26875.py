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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

_START, _END = b"@@", b"##"
# §6.3: at most 1024 bytes; 30 surround them.
UNIT_MAX = 1024
_OVERHEAD = 30
_UNIT_START = 27
_TIME_LENGTH = 6


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
    sent: bytes = bytes(_TIME_LENGTH)
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


# Times


def decode_time(wire: bytes) -> datetime | None:
    """Return a time of six binary bytes, None where there is no such time."""
    if len(wire) != _TIME_LENGTH:
        return None
    second, minute, hour, day, month, year = wire
    try:
        # A panel's clock has no zone: it is whatever the installer set.
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None


def encode_time(time: datetime) -> bytes:
    """Return the six bytes of a time in this century."""
    return bytes((time.second, time.minute, time.hour, time.day, time.month, time.year - 2000))


# Application units (§8): status bits by position


SYSTEM_STATUS = (
    "normal run",
    "fire",
    "fault",
    "shielded",
    "supervised",
    "started",
    "feedback",
    "delayed",
    "mains fault",
    "backup fault",
    "bus fault",
    "manual",
    "config changed",
    "reset",
)
COMPONENT_STATUS = (
    "normal run",
    "fire",
    "fault",
    "shielded",
    "supervised",
    "started",
    "feedback",
    "delayed",
    "power fault",
)
TRANSMITTER_STATUS = (
    "monitoring",
    "fire",
    "fault",
    "mains fault",
    "backup fault",
    "link to centre fault",
    "monitoring-line fault",
)
OPERATIONS = ("reset", "mute", "manual alarm", "alarm cleared", "self-test", "roll-call answer", "test")

# Analog quantity -> name, unit, decimals of one step (table 8).
ANALOG_QUANTITIES: Mapping[int, tuple[str, str, int]] = MappingProxyType(
    {
        1: ("events", "", 0),
        2: ("height", "m", 2),
        3: ("temperature", "°C", 1),
        4: ("pressure", "MPa", 1),
        5: ("pressure", "kPa", 1),
        6: ("gas", "%LEL", 1),
        7: ("time", "s", 0),
        8: ("voltage", "V", 1),
        9: ("current", "A", 1),
        10: ("flow", "L/s", 1),
        11: ("air", "m3/min", 1),
        12: ("air speed", "m/s", 0),
    }
)


class UnitType(IntEnum):
    """What an application unit carries (table 4)."""

    SYSTEM_STATUS = 1
    COMPONENT_STATUS = 2
    COMPONENT_ANALOG = 3
    SYSTEM_OPERATION = 4
    SYSTEM_VERSION = 5
    SYSTEM_CONFIGURATION = 6
    COMPONENT_CONFIGURATION = 7
    SYSTEM_TIME = 8
    TRANSMITTER_STATUS = 21
    TRANSMITTER_OPERATION = 24
    TRANSMITTER_VERSION = 25
    TRANSMITTER_CONFIGURATION = 26
    TRANSMITTER_TIME = 28


# Bytes of an object, with the time of six bytes at its end where it has one.
_SIZES = {
    UnitType.SYSTEM_STATUS: 4 + _TIME_LENGTH,
    UnitType.COMPONENT_STATUS: 40 + _TIME_LENGTH,
    UnitType.COMPONENT_ANALOG: 10 + _TIME_LENGTH,
    UnitType.SYSTEM_OPERATION: 4 + _TIME_LENGTH,
    UnitType.SYSTEM_VERSION: 4,
    UnitType.COMPONENT_CONFIGURATION: 38,
    UnitType.SYSTEM_TIME: 2 + _TIME_LENGTH,
    UnitType.TRANSMITTER_STATUS: 1 + _TIME_LENGTH,
    UnitType.TRANSMITTER_OPERATION: 2 + _TIME_LENGTH,
    UnitType.TRANSMITTER_VERSION: 2,
    UnitType.TRANSMITTER_TIME: _TIME_LENGTH,
}
# Objects that end with a text, and where its length stands.
_LENGTH_AT = {UnitType.SYSTEM_CONFIGURATION: 2, UnitType.TRANSMITTER_CONFIGURATION: 0}
# What describes the panel itself and is no state of it: no time of its own at the end.
DESCRIBES = frozenset(UnitType) - {
    UnitType.SYSTEM_STATUS,
    UnitType.COMPONENT_STATUS,
    UnitType.COMPONENT_ANALOG,
    UnitType.SYSTEM_OPERATION,
    UnitType.TRANSMITTER_STATUS,
    UnitType.TRANSMITTER_OPERATION,
}
TEXT_LENGTH = 31


def bits_named(value: int, names: tuple[str, ...]) -> list[str]:
    """Return the names of the bits that are set, lowest first; unnamed ones by their number."""
    set_bits = [bit for bit in range(value.bit_length()) if value >> bit & 1]
    return [names[bit] if bit < len(names) else f"bit {bit}" for bit in set_bits]


def split_unit(unit: bytes) -> tuple[UnitType, list[bytes]]:
    """Return the type of an application unit and its objects, each with its time at the end if it has one.

    FrameError where the type is none of ours or the count does not fit the length.
    """
    if len(unit) < 2:
        raise FrameError(f"application unit of {len(unit)} bytes has no type and count")
    if unit[0] not in set(UnitType):
        raise FrameError(f"application unit of type {unit[0]} is not known")
    kind = UnitType(unit[0])
    if kind in _LENGTH_AT:
        return kind, _split_texts(unit, _LENGTH_AT[kind])
    size = _SIZES[kind]
    if len(unit) != 2 + unit[1] * size:
        raise FrameError(f"{unit[1]} objects of {size} bytes do not fit {len(unit) - 2} bytes")
    return kind, [unit[at : at + size] for at in range(2, len(unit), size)]


def _split_texts(unit: bytes, length_at: int) -> list[bytes]:
    items, at = [], 2
    for _ in range(unit[1]):
        told_at = at + length_at
        end = told_at + 1 + unit[told_at] if told_at < len(unit) else len(unit) + 1
        if end > len(unit):
            raise FrameError(f"{unit[1]} objects with a text do not fit {len(unit) - 2} bytes")
        items.append(unit[at:end])
        at = end
    if at != len(unit):
        raise FrameError(f"{len(unit) - at} bytes follow the {unit[1]} objects")
    return items


def build_unit(kind: UnitType, objects: list[bytes]) -> bytes:
    """Return an application unit of these objects; the reverse of `split_unit`."""
    unit = bytes((kind, len(objects))) + b"".join(objects)
    split_unit(unit)
    return unit


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """What one detector, button or module is doing."""

    system_type: int
    system_address: int
    component_type: int
    component_address: bytes
    status: int
    text: str
    measured: datetime | None

    @property
    def is_fire(self) -> bool:
        """Tell whether it reports fire; false after true is the recovery."""
        return bool(self.status & 0x02)

    @property
    def is_fault(self) -> bool:
        """Tell whether it reports a fault."""
        return bool(self.status & 0x04)


def decode_text(wire: bytes) -> str:
    """Return a text in GB 18030; it ends at the first NUL."""
    return wire.split(b"\0", 1)[0].decode("gb18030", "replace")


def decode_component_status(item: bytes) -> ComponentStatus:
    """Return one object of a component-status unit; its text ends at the first NUL, stale bytes follow."""
    text = decode_text(item[9:40])
    status = int.from_bytes(item[7:9], "little")
    return ComponentStatus(item[0], item[1], item[2], item[3:7], status, text, decode_time(item[40:46]))


def encode_component_status(status: ComponentStatus) -> bytes:
    """Return one object of a component-status unit."""
    text = status.text.encode("gb18030")
    if len(text) > TEXT_LENGTH or len(status.component_address) != 4:
        raise ProtocolError(
            f"text {status.text!r} is over {TEXT_LENGTH} bytes, or the address is not 4 bytes"
        )
    head = bytes((status.system_type, status.system_address, status.component_type))
    time = encode_time(status.measured) if status.measured else bytes(_TIME_LENGTH)
    body = status.component_address + status.status.to_bytes(2, "little") + text.ljust(TEXT_LENGTH, b"\0")
    return head + body + time
