"""How DL/T 645 writes the data of an identifier: formats, items, blocks.

A format is written as the standard prints it: `XXXXXX.XX` packed decimal (a byte for two digits,
lowest first), a leading `±` where the top bit is the sign, `YYMMDDWW`, `hhmmss`, `YYMMDDhhmm`,
`NN..` digits, `ASCII6` text stored last character first, `HEX2` bits. Values are exact Decimals;
all FF is None; anything else that is no digit raises FrameError and is never a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.bcd import (
    decimal_from_wire,
    digits_from_wire,
    is_absent,
    wire_from_decimal,
    wire_from_digits,
)

Value: TypeAlias = Decimal | str | None

# How the parts of a time are printed, in the order of the pattern (highest byte first).
_TIME_PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "DDhh": "{0} {1}",
        "MMDDhhmm": "{0}-{1} {2}:{3}",
        "YYMMDD": "20{0}-{1}-{2}",
        "YYMMDDWW": "20{0}-{1}-{2} wd{3}",
        "YYMMDDWWhhmmss": "20{0}-{1}-{2} wd{3} {4}:{5}:{6}",
        "YYMMDDhhmm": "20{0}-{1}-{2} {3}:{4}",
        "YYMMDDhhmmss": "20{0}-{1}-{2} {3}:{4}:{5}",
        "hhmm": "{0}:{1}",
        "hhmmss": "{0}:{1}:{2}",
    }
)


@dataclass(frozen=True, slots=True)
class Format:
    """How one item is written: `width` bytes on the wire, 0 for all that remain."""

    kind: str  # "decimal" "digits" "text" "bits" "time"
    width: int
    decimals: int = 0
    is_signed: bool = False
    pattern: str = ""

    def decode(self, wire: bytes) -> Value:
        """Return the item: Decimal, or str for text, digits, bits (hex) and times; None if absent."""
        match self.kind:
            case "decimal":
                return decimal_from_wire(wire, self.decimals, is_signed=self.is_signed)
            case "text":
                return _text_from_wire(wire)
            case "bits" | "digits":
                return digits_from_wire(wire)
            case _:
                return _time_from_wire(wire, self.pattern)

    def encode(self, value: Value) -> bytes:
        """Return the item's bytes; the reverse of `decode`."""
        if value is None:
            return b"\xff" * self.width
        if self.kind == "decimal":
            if not isinstance(value, Decimal):
                raise ProtocolError(f"{value!r} is text where a number is expected")
            return wire_from_decimal(value, self.width, self.decimals, is_signed=self.is_signed)
        text = str(value)
        if self.kind == "text":
            return text.encode("ascii").ljust(self.width, b"\0")[::-1]
        if self.kind == "time":
            text = "".join(c for c in text.replace("wd", "") if c.isdigit())[-2 * self.width :]
        wire = wire_from_digits(text)
        if self.width and len(wire) != self.width:
            raise ProtocolError(f"{value!r} is not {self.width} bytes long")
        return wire


@dataclass(frozen=True, slots=True)
class DataIdentifier:
    """What one identifier names: its items in wire order, their formats, unit and quantities.

    `is_block` means that the one format repeats for as long as the reply goes on, at most
    `len(names)` times. `quantities` are names of `protocol.quantity`, empty where there is none.
    """

    di: str
    title: str
    formats: tuple[Format, ...]
    unit: str = ""
    names: tuple[str, ...] = ("",)
    quantities: tuple[str, ...] = ("",)
    is_block: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """What a reply's payload holds: the values in order and what a meter appended to them."""

    values: tuple[Value, ...]
    widths: tuple[int, ...]
    extra: bytes


@lru_cache(maxsize=256)
def format_from_pattern(pattern: str) -> Format:
    """Return the format the standard writes as `pattern`; ProtocolError where it means nothing."""
    body = pattern.removeprefix("±")
    if body and set(body) <= {"X", "."} and body.count(".") <= 1:
        digits = body.replace(".", "")
        decimals = len(body) - body.index(".") - 1 if "." in body else 0
        if len(digits) % 2 == 0:
            return Format("decimal", len(digits) // 2, decimals, body != pattern, pattern)
    if pattern == "N*":
        return Format("digits", 0, pattern=pattern)
    if pattern and set(pattern) == {"N"} and len(pattern) % 2 == 0:
        return Format("digits", len(pattern) // 2, pattern=pattern)
    for prefix, kind in (("ASCII", "text"), ("HEX", "bits")):
        if pattern.startswith(prefix) and pattern[len(prefix) :].isdecimal():
            return Format(kind, int(pattern[len(prefix) :]), pattern=pattern)
    if pattern in _TIME_PATTERNS:
        return Format("time", len(pattern) // 2, pattern=pattern)
    raise ProtocolError(f"{pattern!r} is not a format such as XXXXXX.XX, ±XX.XXXX, YYMMDDWW, ASCII6 or HEX2")


def decode_items(identifier: DataIdentifier, payload: bytes) -> Items:
    """Split the payload of a reply (what follows the identifier) into its items.

    FrameError where it is too short for the first item or holds digits that are none.
    """
    formats: tuple[Format, ...] = identifier.formats
    if identifier.is_block:
        width = formats[0].width
        formats = formats * min(len(payload) // width, len(identifier.names))
    values: list[Value] = []
    widths: list[int] = []
    offset = 0
    for item in formats:
        width = item.width or len(payload) - offset
        wire = payload[offset : offset + width]
        if len(wire) < width or not wire:
            raise FrameError(
                f"{identifier.di}: {len(payload)} bytes of data end inside item {len(values) + 1}"
            )
        values.append(item.decode(wire))
        widths.append(width)
        offset += width
    if not values:
        raise FrameError(f"{identifier.di}: {len(payload)} bytes of data hold no item")
    return Items(tuple(values), tuple(widths), payload[offset:])


def encode_items(identifier: DataIdentifier, values: Sequence[Value]) -> bytes:
    """Return the payload of a reply for these values, in order; ProtocolError where one does not fit."""
    formats: tuple[Format, ...] = identifier.formats
    if identifier.is_block:
        formats = formats * len(values)
    if len(formats) != len(values) or len(values) > max(len(identifier.names), len(identifier.formats)):
        raise ProtocolError(f"{identifier.di} has {len(identifier.names)} items, {len(values)} given")
    return b"".join(item.encode(value) for item, value in zip(formats, values, strict=True))


def _text_from_wire(wire: bytes) -> str:
    if is_absent(wire):
        return ""
    text = wire[::-1].strip(b"\0 ")
    if not text.isascii():
        raise FrameError(f"non-ASCII text {text.hex()}")
    return text.decode("ascii")


def _time_from_wire(wire: bytes, pattern: str) -> str | None:
    if is_absent(wire):
        return None
    digits = digits_from_wire(wire)
    if not digits.isdecimal():
        raise FrameError(f"non-BCD {digits}")
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    return _TIME_PATTERNS[pattern].format(*pairs)
