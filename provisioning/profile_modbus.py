"""What a profile says of Modbus: where a point's words are, and which points may be written.

The invariant: a point that is written can be read back by the same words; nothing that is billed, no
lift and no fire panel is ever written.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from protocol.errors import ProtocolError
from protocol.quantity import MICRO, Kind, Quantity, decimal_from_micro, micro_from_decimal
from provisioning.profile import (
    ENCODING_WORDS,
    Exponent,
    Fraction,
    ModbusSource,
    ModbusTable,
    PointProfile,
    Profile,
    WriteLimits,
)
from provisioning.profile_numbers import decimal_from_text
from provisioning.profile_tables import ModbusPoint, WriteTable
from provisioning.strict import Malformed

# State points that are switched by acts of their own, which fire and interlocks hold.
SWITCHED_STATES = ("relay_state", "valve_state")

_WORD_ORDERS = ("ABCD", "BADC", "CDAB", "DCBA")
_WRITABLE_TABLES = (ModbusTable.COIL, ModbusTable.HOLDING_REGISTER)
# The first words of the Haystack tags of what is only ever read.
_ONLY_READ = ("elevator", "fire")


def modbus_source(
    point: ModbusPoint, word_order: str, registers_max: int, at: str, problems: list[str]
) -> ModbusSource:
    """Return where the point is read."""
    is_bit = point.table.is_bits or point.bit is not None
    encoding = point.encoding or ("bit" if is_bit else "uint16")
    order = point.word_order or word_order
    if encoding not in ENCODING_WORDS:
        problems.append(f"{at}.encoding: {encoding!r} is none of {', '.join(ENCODING_WORDS)}")
        encoding = "uint16"
    if order not in _WORD_ORDERS:
        problems.append(f"{at}.word_order: {order!r} is none of {', '.join(_WORD_ORDERS)}")
    if is_bit != (encoding == "bit"):
        problems.append(f"{at}: encoding {encoding!r} does not go with table and bit")
    if not point.table.is_bits and (point.bit is None) == (encoding == "bit"):
        problems.append(f"{at}.bit: encoding 'bit' in a register needs the bit's number, 0 to 15")
    if is_bit and (point.fraction is not None or point.exponent is not None):
        problems.append(f"{at}: a bit has neither fraction nor exponent")
    source = ModbusSource(
        point.table,
        point.address,
        encoding,
        order,
        None if point.table.is_bits else point.bit,
        decimal_from_text(point.scale, f"{at}.scale", problems),
        frozenset(point.absent),
        _fraction(point, at, problems),
        _exponent(point),
    )
    if source.end > 0x10000:
        problems.append(f"{at}.address: {source.width} words from {source.address} pass 65535")
    if not point.table.is_bits and source.end - source.first > registers_max:
        problems.append(
            f"{at}: its registers {source.first} to {source.end - 1} cannot be read together; a read has at "
            f"most {registers_max}"
        )
    return source


def _fraction(point: ModbusPoint, at: str, problems: list[str]) -> Fraction | None:
    table = point.fraction
    if table is None:
        return None
    return Fraction(table.address, decimal_from_text(table.scale, f"{at}.fraction.scale", problems))


def _exponent(point: ModbusPoint) -> Exponent | None:
    table = point.exponent
    if table is None:
        return None
    return Exponent(table.address, table.byte, table.offset, is_places=table.is_places)


def write_limits(
    table: WriteTable | None, source: ModbusSource, quantity: Quantity, at: str, problems: list[str]
) -> WriteLimits | None:
    """Return between which values the point may be written, None where it is only read."""
    if table is None:
        return None
    if source.table not in _WRITABLE_TABLES or source.bit is not None or source.encoding == "uint24":
        problems.append(f"{at}.write: only coils and whole holding registers can be written")
    if source.fraction is not None or source.exponent is not None:
        problems.append(f"{at}.write: a value in several places cannot be written at once")
    if quantity.kind is Kind.CUMULATIVE:
        problems.append(f"{at}.write: {quantity.name} counts, and what counts is never written")
    if quantity.kind is Kind.STATE:
        if table.min or table.max:
            problems.append(f"{at}.write: {quantity.name} is a state; its codes are its limits")
        return WriteLimits(min(quantity.codes) * MICRO, max(quantity.codes) * MICRO)
    if not table.min or not table.max:
        problems.append(f"{at}.write: min and max are required: what may be asked of the device at most")
        return None
    low, high = (
        int(decimal_from_text(text, f"{at}.write.{key}", problems) * MICRO)
        for key, text in (("min", table.min), ("max", table.max))
    )
    if low > high:
        problems.append(f"{at}.write: min {table.min} is above max {table.max}")
    return WriteLimits(low, high)


def value_to_write(profile: Profile, name: str, text: str) -> int:
    """Return the value a person wrote for a point, in millionths; Malformed says what was expected."""
    point = profile.point_named(name)
    if point is None or point.write is None:
        known = ", ".join(p.name for p in profile.points if p.write is not None) or "none"
        raise Malformed(
            profile.name, [f"is no point of {profile.name} that can be written; those are: {known}"]
        )
    for code, word in point.quantity.codes.items():
        if word == text:
            return code * MICRO
    try:
        value_micro = micro_from_decimal(Decimal(text))
    except (InvalidOperation, ProtocolError):
        expected = (
            ", ".join(point.quantity.codes.values()) or f"a number in {point.quantity.unit or 'no unit'}"
        )
        raise Malformed(profile.name, [f"{text!r} is not {expected}"]) from None
    if point.quantity.codes or not point.write.min_micro <= value_micro <= point.write.max_micro:
        low, high = (decimal_from_micro(m) for m in (point.write.min_micro, point.write.max_micro))
        expected = ", ".join(point.quantity.codes.values()) or f"{low:f} to {high:f}"
        raise Malformed(profile.name, [f"{text} is not {expected}"])
    return value_micro


def refuse_writing(points: Iterable[PointProfile], problems: list[str]) -> None:
    """Note a problem where a device that is only ever read, a lift or a fire panel, has a point to write."""
    points = tuple(points)
    only_read = sorted(p.name for p in points if p.quantity.haystack.split(" ")[0] in _ONLY_READ)
    writable = sorted(p.name for p in points if p.write is not None)
    if only_read and writable:
        problems.append(
            f"points: {', '.join(writable)} cannot be written: with {', '.join(only_read)} this is a lift or "
            "a fire panel, which are only ever read"
        )
