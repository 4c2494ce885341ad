"""From registers to values: one prepared function a point, exact all the way.

Numbers are those of `protocol.fieldbus.words`, scaled into millionths of the quantity's unit; plain
integers in the usual word orders take a short cut that gives the same. A value that needs more than
six decimals, as a float may, is rounded half-even to the sixth.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeAlias

from edge.drivers.modbus_plan import source_of
from protocol.errors import FrameError
from protocol.fieldbus.words import NumberKind, WordOrder, decode_number, ordered_bytes
from protocol.quantity import MICRO, Kind, decimal_from_micro
from protocol.reading import Reading
from provisioning.profile import Exponent, ModbusSource, PointProfile

# The words of a block to the value of one point in millionths; None where the device says "absent".
Converter: TypeAlias = Callable[[Sequence[int]], int | None]
_Raw: TypeAlias = Callable[[Sequence[int]], int | Decimal | None]


# The sign bit of each plain integer: 0 for those without.
_SIGNS = {"uint16": 0, "int16": 0x8000, "uint32": 0, "int32": 0x8000_0000}
# No device shows more digits than this; a larger number is another thing, or none.
_EXPONENT_MAX = 9


class Doubtful(Exception):
    """A number the point's quantity has no meaning for: kept, but not trusted."""

    def __init__(self, value_micro: int, reason: str) -> None:
        super().__init__(reason)
        self.value_micro = value_micro


def converter(point: PointProfile, start: int) -> Converter:
    """Return the function that takes the point's value out of a block that begins at address `start`.

    FrameError from it: digits that are none. Doubtful: a state code the quantity does not know.
    """
    source = source_of(point)
    raw = _raw_reader(source, source.address - start)
    if source.absent:
        raw = _with_absent(raw, source, source.address - start)
    if source.fraction is not None:
        raw = _with_fraction(raw, _raw_reader(source, source.fraction.address - start), source.fraction.scale)
    if source.exponent is not None:
        raw = _with_exponent(raw, source.exponent, source.exponent.address - start)
    if point.quantity.kind is Kind.STATE:
        return _state(point, raw)
    factor = source.scale * MICRO
    if _is_bare(source) and factor == int(factor):
        # Most points by far: one call a value instead of two.
        return _integer(source, source.address - start, int(factor))
    return _scaled(raw, factor)


def told_value(point: PointProfile, reading: Reading) -> str:
    """Return what a reading of the point says, for a person."""
    if reading.value_micro is None:
        return reading.reason or "nothing"
    code = point.quantity.codes.get(reading.value_micro // MICRO)
    return code or f"{decimal_from_micro(reading.value_micro):f} {point.quantity.unit}".rstrip()


def _raw_reader(source: ModbusSource, at: int) -> _Raw:
    if source.table.is_bits:
        return lambda words: words[at]
    if source.bit is not None:
        bit = source.bit
        return lambda words: words[at] >> bit & 1
    if _is_integer(source):
        return _integer(source, at, 1)
    order = WordOrder(source.word_order)
    if source.encoding == "uint24":
        return lambda words: int.from_bytes(ordered_bytes(words[at : at + 2], order)[:3])
    kind = NumberKind(source.encoding)
    end = at + kind.register_count
    return lambda words: decode_number(words[at:end], kind, order)


def _is_integer(source: ModbusSource) -> bool:
    """Tell whether it is one of the plain integers in one of the usual word orders."""
    return source.encoding in _SIGNS and source.word_order in ("ABCD", "CDAB")


def _is_bare(source: ModbusSource) -> bool:
    """Tell whether nothing but the integer itself makes the value."""
    is_whole = not source.table.is_bits and source.bit is None and not source.absent
    return is_whole and source.fraction is None and source.exponent is None and _is_integer(source)


def _integer(source: ModbusSource, at: int, factor: int) -> Callable[[Sequence[int]], int]:
    sign = _SIGNS[source.encoding]
    if source.width == 1:
        return lambda words: ((words[at] ^ sign) - sign) * factor
    high, low = (at, at + 1) if source.word_order == "ABCD" else (at + 1, at)
    if not sign:
        return lambda words: (words[high] << 16 | words[low]) * factor
    return lambda words: (((words[high] << 16 | words[low]) ^ sign) - sign) * factor


def _with_absent(raw: _Raw, source: ModbusSource, at: int) -> _Raw:
    order, end = WordOrder(source.word_order), at + source.width

    def present(words: Sequence[int]) -> int | Decimal | None:
        unsigned = int.from_bytes(ordered_bytes(words[at:end], order))
        return None if unsigned in source.absent else raw(words)

    return present


def _with_fraction(whole: _Raw, fraction: _Raw, scale: Decimal) -> _Raw:
    def joined(words: Sequence[int]) -> Decimal | None:
        number, behind = whole(words), fraction(words)
        return None if number is None or behind is None else Decimal(number) + Decimal(behind) * scale

    return joined


def _with_exponent(raw: _Raw, exponent: Exponent, at: int) -> _Raw:
    shift, mask = {"both": (0, 0xFFFF), "high": (8, 0xFF), "low": (0, 0xFF)}[exponent.byte]

    def taken(words: Sequence[int]) -> Decimal | None:
        number = raw(words)
        told = words[at] >> shift & mask
        if told > _EXPONENT_MAX:
            raise FrameError(f"register {exponent.address} says {told}, which is no number of decimals")
        power = exponent.offset + (-told if exponent.is_places else told)
        return None if number is None else Decimal(number).scaleb(power)

    return taken


def _scaled(raw: _Raw, factor: Decimal) -> Converter:
    whole = int(factor)
    if whole == factor:

        def value(words: Sequence[int]) -> int | None:
            number = raw(words)
            if type(number) is int:
                return number * whole
            return None if number is None else _rounded(Decimal(number) * factor)

        return value

    def fraction(words: Sequence[int]) -> int | None:
        number = raw(words)
        return None if number is None else _rounded(Decimal(number) * factor)

    return fraction


def _rounded(micro: Decimal) -> int:
    return int(micro.to_integral_value(ROUND_HALF_EVEN))


def _state(point: PointProfile, raw: _Raw) -> Converter:
    known = {int(text): code for text, code in point.codes.items()} or {c: c for c in point.quantity.codes}

    def state(words: Sequence[int]) -> int | None:
        number = raw(words)
        if number is None:
            return None
        code = known.get(int(number))
        if code is None:
            named = ", ".join(f"{key} {point.quantity.codes[known[key]]}" for key in sorted(known))
            raise Doubtful(int(number) * MICRO, f"code {int(number)} is none of {named}")
        return code * MICRO

    return state
