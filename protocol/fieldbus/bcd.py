"""Packed decimal as meters send it: two digits a byte, lowest byte first.

A value is exact or refused: a nibble above 9 is never read as a digit, and a field whose bytes
are all FF means "not available", which is None and never a number.
"""

from decimal import Decimal

from protocol.errors import FrameError, ProtocolError

_SIGN = 0x80
_FOLD_SIGN = bytes(byte & 0x7F for byte in range(256))


def digits_from_wire(wire: bytes) -> str:
    """Return the nibbles, highest first, as lower-case hex text; not checked for A-F."""
    return wire[::-1].hex()


def wire_from_digits(digits: str) -> bytes:
    """Return the bytes, lowest first, of an even number of hex digits."""
    try:
        return bytes.fromhex(digits)[::-1]
    except ValueError:
        raise ProtocolError(f"{digits!r} is not an even number of digits") from None


def is_absent(wire: bytes) -> bool:
    """Tell whether every byte is FF: the device has no such value."""
    return not wire.strip(b"\xff")


def decimal_from_wire(wire: bytes, decimals: int, *, is_signed: bool = False) -> Decimal | None:
    """Return the exact value, None where absent; FrameError names nibbles that are no digits.

    With `is_signed` the top bit of the last byte on the wire means minus.
    """
    digits = wire[::-1].hex()
    if not digits.isdecimal() or (is_signed and wire[-1] & _SIGN):
        return _unusual_from_wire(wire, decimals, is_signed=is_signed)
    return Decimal(int(digits)).scaleb(-decimals)


def _unusual_from_wire(wire: bytes, decimals: int, *, is_signed: bool) -> Decimal | None:
    if is_absent(wire):
        return None
    is_negative = is_signed and bool(wire[-1] & _SIGN)
    magnitude = wire[:-1] + wire[-1:].translate(_FOLD_SIGN) if is_negative else wire
    digits = digits_from_wire(magnitude)
    if not digits.isdecimal():
        raise FrameError(f"non-BCD {digits_from_wire(wire)}")
    value = Decimal(int(digits)).scaleb(-decimals)
    return -value if is_negative else value


def wire_from_decimal(value: Decimal | None, width: int, decimals: int, *, is_signed: bool = False) -> bytes:
    """Return `width` bytes for an exact value, all FF for None; ProtocolError where it does not fit."""
    if value is None:
        return b"\xff" * width
    scaled = value.scaleb(decimals)
    number = int(scaled)
    if number != scaled:
        raise ProtocolError(f"{value} has more than {decimals} decimals")
    digits = f"{abs(number):0{2 * width}d}"
    is_sign_room_taken = is_signed and digits[0] > "7"
    if len(digits) > 2 * width or (number < 0 and not is_signed) or is_sign_room_taken:
        raise ProtocolError(f"{value} does not fit {width} bytes of {'signed ' * is_signed}BCD")
    wire = bytearray(wire_from_digits(digits))
    if number < 0:
        wire[-1] |= _SIGN
    return bytes(wire)
