"""What GB/T 26875.3 packets carry: application units of objects, their status bits, texts and times (§8).

    02                                type: what the objects are
    01                                how many objects follow
    01 01 28 0A 00 02 00 02 00 ...    the objects, each laid out by the type
    2D 34 0E 0C 07 16                 at the end of a state: when, second minute hour day month year

The invariant: a unit is taken apart whole or not at all; count and length must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

from protocol.errors import FrameError, ProtocolError

TIME_LENGTH = 6


def decode_time(wire: bytes) -> datetime | None:
    """Return a time of six binary bytes, None where there is no such time."""
    if len(wire) != TIME_LENGTH:
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


# Status bits by position (§8)

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
    UnitType.SYSTEM_STATUS: 4 + TIME_LENGTH,
    UnitType.COMPONENT_STATUS: 40 + TIME_LENGTH,
    UnitType.COMPONENT_ANALOG: 10 + TIME_LENGTH,
    UnitType.SYSTEM_OPERATION: 4 + TIME_LENGTH,
    UnitType.SYSTEM_VERSION: 4,
    UnitType.COMPONENT_CONFIGURATION: 38,
    UnitType.SYSTEM_TIME: 2 + TIME_LENGTH,
    UnitType.TRANSMITTER_STATUS: 1 + TIME_LENGTH,
    UnitType.TRANSMITTER_OPERATION: 2 + TIME_LENGTH,
    UnitType.TRANSMITTER_VERSION: 2,
    UnitType.TRANSMITTER_TIME: TIME_LENGTH,
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
    time = encode_time(status.measured) if status.measured else bytes(TIME_LENGTH)
    body = status.component_address + status.status.to_bytes(2, "little") + text.ljust(TEXT_LENGTH, b"\0")
    return head + body + time
