"""Numbers and text in 16-bit registers: widths, signs and the four word orders of the field.

    ABCD  high word first, high byte first (the Modbus way)
    CDAB  low word first, high byte first in each word (very common)
    BADC  high word first, bytes swapped in each word
    DCBA  everything reversed

A float32 becomes the shortest decimal that means it, which is what the device meant: 230.2, not
230.19999694824219. NaN and infinities are None. Everything else is exact.
"""

import math
import struct
from collections.abc import Sequence
from decimal import Decimal
from enum import Enum

from protocol.errors import FrameError, ProtocolError


class WordOrder(Enum):
    """Where byte A, the most significant, stands."""

    ABCD = "ABCD"
    BADC = "BADC"
    CDAB = "CDAB"
    DCBA = "DCBA"

    @property
    def is_low_word_first(self) -> bool:
        """Tell whether the least significant word comes first."""
        return self in (WordOrder.CDAB, WordOrder.DCBA)

    @property
    def is_byte_swapped(self) -> bool:
        """Tell whether the bytes inside each word are swapped."""
        return self in (WordOrder.BADC, WordOrder.DCBA)


class NumberKind(Enum):
    """How a number is written. BCD is four decimal digits a register."""

    BCD16 = "bcd16"
    BCD32 = "bcd32"
    BCD64 = "bcd64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"

    @property
    def register_count(self) -> int:
        """Return how many registers hold one number."""
        return int(self.value[-2:]) // 16


def decode_number(
    registers: Sequence[int], kind: NumberKind, order: WordOrder = WordOrder.ABCD
) -> Decimal | None:
    """Return the number in exactly `kind.register_count` registers; None for NaN and infinities."""
    if len(registers) != kind.register_count:
        raise FrameError(f"{len(registers)} registers for a {kind.value}, expected {kind.register_count}")
    content = ordered_bytes(registers, order)
    match kind:
        case NumberKind.FLOAT32 | NumberKind.FLOAT64:
            return _decimal_from_float(content)
        case NumberKind.BCD16 | NumberKind.BCD32 | NumberKind.BCD64:
            digits = content.hex()
            if not digits.isdecimal():
                raise FrameError(f"non-BCD {digits}")
            return Decimal(digits)
        case _:
            return Decimal(int.from_bytes(content, signed=not kind.value.startswith("u")))


def encode_number(value: Decimal, kind: NumberKind, order: WordOrder = WordOrder.ABCD) -> list[int]:
    """Return the registers that hold a number; ProtocolError where it does not fit."""
    size = 2 * kind.register_count
    if kind in (NumberKind.FLOAT32, NumberKind.FLOAT64):
        try:
            content = struct.pack(">f" if size == 4 else ">d", float(value))
        except OverflowError:
            raise ProtocolError(f"{value} does not fit a {kind.value}") from None
        return registers_from_bytes(content, order)
    number = int(value)
    if number != value:
        raise ProtocolError(f"{value} is not whole, a {kind.value} holds whole numbers")
    try:
        if kind.value.startswith("bcd"):
            content = bytes.fromhex(f"{number:0{2 * size}d}")
            if number < 0 or len(content) != size:
                raise OverflowError  # noqa: TRY301 - one answer for all that does not fit
        else:
            content = number.to_bytes(size, signed=not kind.value.startswith("u"))
    except (OverflowError, ValueError):
        raise ProtocolError(f"{value} does not fit a {kind.value}") from None
    return registers_from_bytes(content, order)


def ordered_bytes(registers: Sequence[int], order: WordOrder) -> bytes:
    """Return the registers' bytes, most significant first."""
    words = registers[::-1] if order.is_low_word_first else registers
    return struct.pack(f"{'<' if order.is_byte_swapped else '>'}{len(words)}H", *words)


def registers_from_bytes(content: bytes, order: WordOrder) -> list[int]:
    """Return the registers of an even number of bytes; the reverse of `ordered_bytes`."""
    words = struct.unpack(f"{'<' if order.is_byte_swapped else '>'}{len(content) // 2}H", content)
    return list(words[::-1] if order.is_low_word_first else words)


def decode_text(registers: Sequence[int], order: WordOrder, *, is_byte_a_character: bool = False) -> str:
    """Return ASCII text up to the first NUL: one character a register, or one a byte."""
    content = ordered_bytes(registers, order)
    characters = content if is_byte_a_character else content[1::2]
    text = characters.split(b"\0", 1)[0]
    if not text.isascii():
        raise FrameError(f"non-ASCII text {text.hex()}")
    return text.decode("ascii")


def _decimal_from_float(content: bytes) -> Decimal | None:
    number: float = struct.unpack(">f" if len(content) == 4 else ">d", content)[0]
    if not math.isfinite(number):
        return None
    if len(content) == 8:
        return Decimal(repr(number))
    # 6 digits always survive a float32, 9 always suffice.
    for digits in range(6, 10):
        text = f"{number:.{digits}g}"
        if struct.pack(">f", float(text)) == content:
            return Decimal(text)
    raise AssertionError(f"float32 {content.hex()} has no 9-digit decimal")
