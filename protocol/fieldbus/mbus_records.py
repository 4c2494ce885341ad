"""Records of an M-Bus telegram (EN 13757-3 §6): what was measured, when, in which unit.

    DIF [DIFE ...]  VIF [VIFE ...]  [LVAR]  data

DIF says how the data are written, of what function (instantaneous, maximum ...) and which storage;
each DIFE adds four bits of storage number, two of tariff, one of subunit. VIF says quantity, unit
and power of ten. The invariant: numbers are exact, raw integer times a power of ten; a record
that is cut short makes the whole telegram a FrameError, since everything after it would be guessed.
"""

import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.mbus_units import Unit, unit_of

Raw: TypeAlias = int | Decimal | str | None

EXTENSION = 0x80
_MANUFACTURER, _MORE_FOLLOWS, _FILLER = 0x0F, 0x1F, 0x2F
# EN 13757-3 §6.2 and §6.3: at most ten extensions of each kind.
_EXTENSIONS_MAX = 10
_INTEGER_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
_BCD_WIDTHS = {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
_REAL, _VARIABLE, _SPECIAL = 0x5, 0xD, 0xF
_PLAIN_TEXT_VIF = 0x7C
_DATE_VIF, _TIME_VIF = 0x6C, 0x6D
# FD 30 start of tariff, FD 70 battery change: times by their width, like 6D.
_TIMES_AFTER_FD = (0x30, 0x70)

FUNCTIONS = ("Instantaneous value", "Maximum value", "Minimum value", "Value during error state")


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `raw` is the number, text or time as sent, None for no data or no valid value.

    `tariff` and `subunit` are None where the record has no DIFE. `start` and `widths` locate it in
    the telegram's data: DIF with DIFEs, VIF with VIFEs and text, LVAR, data.
    """

    dif: int
    function: str
    storage: int
    tariff: int | None
    subunit: int | None
    vif: bytes
    unit: Unit
    raw: Raw
    data: bytes
    start: int
    widths: tuple[int, int, int, int]

    @property
    def value(self) -> Decimal | str | None:
        """Return the value in `unit.symbol`, exact; text and times as they are."""
        if isinstance(self.raw, int | Decimal):
            return self.unit.apply(Decimal(self.raw))
        return self.raw

    @property
    def is_more_following(self) -> bool:
        """Tell whether this is the mark that another telegram follows."""
        return self.dif == _MORE_FOLLOWS

    @property
    def is_manufacturer_data(self) -> bool:
        """Tell whether this is the rest of the telegram, of the maker's own making."""
        return self.dif in (_MANUFACTURER, _MORE_FOLLOWS)


def decode_records(data: bytes, *, is_msb_first: bool = False) -> tuple[Record, ...]:
    """Return the records of a telegram in order; FrameError where one is cut short or reserved."""
    records: list[Record] = []
    at = 0
    while at < len(data):
        if data[at] == _FILLER:
            at += 1
            continue
        record = _record_at(data, at, is_msb_first=is_msb_first)
        records.append(record)
        at += sum(record.widths)
    return tuple(records)


def _record_at(data: bytes, start: int, *, is_msb_first: bool) -> Record:
    dif = data[start]
    if dif in (_MANUFACTURER, _MORE_FOLLOWS):
        rest = data[start + 1 :]
        function = "Manufacturer specific" if dif == _MANUFACTURER else "More records follow"
        shown = rest.hex(" ").upper()
        return Record(
            dif, function, 0, None, None, b"", Unit("", ""), shown, rest, start, (1, 0, 0, len(rest))
        )
    dib = _extended(data, start, "DIF")
    vib_start = start + len(dib)
    vib, text, vib_width = _vib_at(data, vib_start)
    at = vib_start + vib_width
    lvar = b""
    if dif & 0x0F == _VARIABLE:
        lvar = _slice(data, at, 1, "LVAR")
        width = _variable_width(lvar[0])
    else:
        width = _data_width(dif)
    content = _slice(data, at + len(lvar), width, "data")
    wire = content[::-1] if is_msb_first and not lvar else content
    storage, tariff, subunit = _storage(dib)
    return Record(
        dif,
        FUNCTIONS[dif >> 4 & 3],
        storage,
        tariff,
        subunit,
        vib,
        unit_of(vib, text),
        _raw_value(dif, vib, lvar, wire),
        content,
        start,
        (len(dib), vib_width, len(lvar), width),
    )


def _slice(data: bytes, at: int, width: int, what: str) -> bytes:
    content = data[at : at + width]
    if len(content) < width:
        raise FrameError(f"premature end of {what}: {width} bytes at {at}, {len(data)} in all")
    return content


def _extended(data: bytes, start: int, what: str) -> bytes:
    """Return the byte at `start` and its extensions, each announced by the top bit of the one before."""
    at = start
    while _slice(data, at, 1, what)[0] & EXTENSION:
        at += 1
        if at - start > _EXTENSIONS_MAX:
            raise FrameError(f"more than {_EXTENSIONS_MAX} {what}Es")
    return data[start : at + 1]


def _vib_at(data: bytes, start: int) -> tuple[bytes, str, int]:
    """Return VIF and VIFEs, the text of a plain-text VIF, and the width of it all.

    The text stands between the VIF and its VIFEs, last character first.
    """
    vif = _slice(data, start, 1, "VIF")[0]
    if vif & ~EXTENSION != _PLAIN_TEXT_VIF:
        vib = _extended(data, start, "VIF")
        return vib, "", len(vib)
    length = _slice(data, start + 1, 1, "VIF text")[0]
    text = _slice(data, start + 2, length, "VIF text")[::-1].decode("latin-1")
    vifes = _extended(data, start + 2 + length, "VIF") if vif & EXTENSION else b""
    return bytes((vif,)) + vifes, text, 2 + length + len(vifes)


def _storage(dib: bytes) -> tuple[int, int | None, int | None]:
    storage = dib[0] >> 6 & 1
    if len(dib) == 1:
        return storage, None, None
    tariff = subunit = 0
    for number, dife in enumerate(dib[1:]):
        storage |= (dife & 0x0F) << (1 + 4 * number)
        tariff |= (dife >> 4 & 3) << (2 * number)
        subunit |= (dife >> 6 & 1) << number
    return storage, tariff, subunit


def _data_width(dif: int) -> int:
    code = dif & 0x0F
    if code == _SPECIAL:
        raise FrameError(f"DIF {dif:02x} is reserved")
    if code == _REAL:
        return 4
    return _INTEGER_WIDTHS.get(code) or _BCD_WIDTHS.get(code, 0)


def _variable_width(lvar: int) -> int:
    """Return how many bytes follow LVAR (EN 13757-3 §6.2.3): text, BCD, binary."""
    if lvar < 0xC0:
        return lvar
    if 0xC0 <= lvar <= 0xC9 or 0xD0 <= lvar <= 0xD9:
        return lvar & 0x0F
    if 0xE0 <= lvar <= 0xEF:
        return lvar - 0xE0
    if 0xF0 <= lvar <= 0xF4:
        return 4 * (lvar - 0xEC)
    widths = {0xF5: 48, 0xF6: 64}
    if lvar not in widths:
        raise FrameError(f"LVAR {lvar:02x} is reserved")
    return widths[lvar]


def _raw_value(dif: int, vib: bytes, lvar: bytes, wire: bytes) -> Raw:
    code = dif & 0x0F
    if lvar:
        return _variable_value(lvar[0], wire)
    if code in _BCD_WIDTHS:
        return _bcd_value(wire)
    if code == _REAL:
        return _real_value(wire)
    if not wire:
        return ""
    if _is_time(vib, len(wire)):
        return _time_value(wire)
    return int.from_bytes(wire, "little", signed=True)


def _variable_value(lvar: int, wire: bytes) -> Raw:
    if lvar < 0xC0:
        return wire[::-1].decode("latin-1").strip()
    if lvar < 0xE0:
        value = _bcd_value(wire) if wire else 0
        return -value if lvar >= 0xD0 and isinstance(value, int) else value
    return wire[::-1].hex(" ").upper()


def _bcd_value(wire: bytes) -> Raw:
    """Return the number; a top nibble F is a minus, and all other nibbles above 9 mean no valid value."""
    digits = digits_from_wire(wire)
    is_negative = digits[0] == "f"
    magnitude = digits[1:] if is_negative else digits
    if not magnitude.isdecimal():
        return None
    return -int(magnitude) if is_negative else int(magnitude)


def _real_value(wire: bytes) -> Decimal | None:
    number: float = struct.unpack("<f", wire)[0]
    value = Decimal(number)
    return value if value.is_finite() else None


def _is_time(vib: bytes, width: int) -> bool:
    if vib[0] == 0xFD:
        return len(vib) > 1 and vib[1] & ~EXTENSION in _TIMES_AFTER_FD and width in (4, 6)
    vif = vib[0] & ~EXTENSION
    return (vif == _DATE_VIF and width == 2) or (vif == _TIME_VIF and width in (4, 6))


def _time_value(wire: bytes) -> str:
    """Return a date (type G) or date and time (types F, I) as sent, impossible days included.

    A time the meter marks as invalid is all zeros with the epoch's year: 1900-01-00T00:00:00.
    """
    if len(wire) == 2:
        return _date_text(wire[0], wire[1], century=0)
    seconds, minutes, hours, day, month = (0, *wire) if len(wire) == 4 else wire[:5]
    if minutes & 0x80:
        return "1900-01-00T00:00:00"
    # Type F alone has century bits; in type I those bits of the hour are something else.
    century = hours >> 5 & 3 if len(wire) == 4 else 0
    date = _date_text(day, month, century=century)
    return f"{date}T{hours & 0x1F:02d}:{minutes & 0x3F:02d}:{seconds & 0x3F:02d}"


def _date_text(day: int, month: int, *, century: int) -> str:
    """Return year-month-day; without a century, years up to 80 are of this one (EN 13757-3 annex A)."""
    year = day >> 5 | (month & 0xF0) >> 1
    year += 2000 if century == 0 and year <= 80 else 1900 + 100 * century
    return f"{year:04d}-{month & 0x0F:02d}-{day & 0x1F:02d}"


# The meter's side


def encode_record(
    vib: bytes,
    value: int,
    *,
    width: int = 4,
    is_bcd: bool = False,
    function: int = 0,
    storage: int = 0,
    tariff: int = 0,
    subunit: int = 0,
) -> bytes:
    """Return the record of an integer, already divided by the VIF's power of ten.

    `function` is the index into FUNCTIONS; DIFEs are added as storage, tariff and subunit need.
    """
    codes = _BCD_WIDTHS if is_bcd else _INTEGER_WIDTHS
    code = next((code for code, size in codes.items() if size == width), None)
    if code is None:
        raise ProtocolError(f"no {'BCD' if is_bcd else 'integer'} record is {width} bytes wide")
    dib = [code | function << 4 | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or subunit:
        dib[-1] |= EXTENSION
        dib.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    return bytes(dib) + vib + _encode_integer(value, width, is_bcd=is_bcd)


def _encode_integer(value: int, width: int, *, is_bcd: bool) -> bytes:
    if not is_bcd:
        try:
            return value.to_bytes(width, "little", signed=True)
        except OverflowError:
            raise ProtocolError(f"{value} does not fit {width} bytes") from None
    digits = f"{abs(value):0{2 * width}d}"
    if value < 0:
        digits = f"f{digits[1:]}" if digits[0] == "0" else "-"
    if len(digits) != 2 * width:
        raise ProtocolError(f"{value} does not fit {width} bytes of BCD")
    return wire_from_digits(digits)
