"""One cell to one value: forgiving what spreadsheets do to what people type, refusing what they lose.

Full-width digits, stray blanks, numbers kept as text, dates as serial numbers or in Chinese are read.
A long number kept as a number is refused: beyond fifteen digits a spreadsheet has lost its last ones.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from cloud.domain import money
from cloud.domain.imports.fault import BadCell

# What a reader of spreadsheets gives; a float is how the file has its numbers.
Cell = str | int | float | bool | date | datetime | None
Value = str | int | Decimal | date | None
Read = Callable[[Cell], Value]

TEXT_LENGTH_MAX = 200
# A spreadsheet's numbers have 53 bits: up to here every whole number is exactly itself.
_EXACT_DIGITS = 15
# Day 0 of a spreadsheet's calendar, and the serials of 1954 to 2118.
_DAY_ZERO = date(1899, 12, 30)
_SERIAL_MIN, _SERIAL_MAX = 20_000, 80_000
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?: 00:00(?::00)?)?|(\d{4})(\d{2})(\d{2})")
# No bill of ours or of a system before is older than tariffs reach back; beyond is a slip of the pen.
_YEAR_MIN, _YEAR_MAX = 2000, 2099
_MONTH = re.compile(r"(\d{4})(?:[-/.年] ?)?(\d{1,2})月?")


def code(cell: Cell) -> Value:
    """Read an identifier: what was typed, without blanks around it; a number only if none of it is lost."""
    if isinstance(cell, str):
        return text(cell)
    if isinstance(cell, float) and not isinstance(cell, bool):
        if not cell.is_integer():
            raise BadCell("precision", cell)
        cell = int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        digits = str(cell)
        if len(digits) > _EXACT_DIGITS:
            raise BadCell("precision", digits)
        return digits
    return text(cell)


def text(cell: Cell) -> Value:
    """Read words; nothing for an empty cell."""
    if cell is None:
        return None
    said = cell if isinstance(cell, str) else _shown(cell)
    # Full-width letters and digits become ordinary ones; Chinese punctuation in names stays.
    plain = "".join(unicodedata.normalize("NFKC", one) if one.isalnum() else one for one in said)
    plain = " ".join(plain.split())
    if plain.startswith("#") and plain.rstrip("!?/0").isupper():
        raise BadCell("formula_error", plain)
    if len(plain) > TEXT_LENGTH_MAX:
        raise BadCell("length", len(plain), TEXT_LENGTH_MAX)
    return plain or None


def whole(least: int, most: int) -> Read:
    """Return what reads a whole number within bounds."""

    def read(cell: Cell) -> Value:
        value = _decimal(cell)
        if value is None:
            return None
        if value != value.to_integral_value():
            raise BadCell("whole", _shown(cell))
        if not least <= value <= most:
            raise BadCell("range", _shown(cell), least, most)
        return int(value)

    return read


def decimal(places: int, most: Decimal) -> Read:
    """Return what reads a number from zero up, with so many decimals at most."""

    def read(cell: Cell) -> Value:
        value = _decimal(cell)
        if value is None:
            return None
        if not 0 <= value <= most:
            raise BadCell("range", _shown(cell), 0, money.plain(most))
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, int) and -exponent > places:
            raise BadCell("places", _shown(cell), places)
        return Decimal(money.plain(value.normalize()))

    return read


def day(cell: Cell) -> Value:
    """Read a date: one of the file's own, as people write them, or a serial number."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        if _SERIAL_MIN <= cell <= _SERIAL_MAX and cell == int(cell):
            return _DAY_ZERO + timedelta(days=int(cell))
        if not (isinstance(cell, int) or cell.is_integer()) or len(str(int(cell))) != 8:
            raise BadCell("day", _shown(cell))
        cell = str(int(cell))
    said = text(cell)
    if said is None:
        return None
    found = _DAY.fullmatch(str(said).replace(" 月", "月"))
    if found is None:
        raise BadCell("day", said)
    parts = [int(part) for part in found.groups() if part is not None]
    try:
        return date(*parts)
    except ValueError as error:
        raise BadCell("day", said) from error


def month(cell: Cell) -> Value:
    """Read a month: 2026-08, 2026年8月, 202608, or any day of it; its code is returned."""
    if not isinstance(cell, date) and (found := _MONTH.fullmatch(str(text(cell) or ""))):
        cell = f"{found[1]}-{found[2]}-1"
    try:
        on = day(cell)
    except BadCell as error:
        raise BadCell("month", _shown(cell)) from error
    if isinstance(on, date) and not _YEAR_MIN <= on.year <= _YEAR_MAX:
        raise BadCell("month", _shown(cell))
    return f"{on:%Y-%m}" if isinstance(on, date) else None


def choice(words: Mapping[str, str]) -> Read:
    """Return what reads one of several words; `words` leads from every way of saying it to its value."""

    def read(cell: Cell) -> Value:
        said = text(cell)
        if said is None:
            return None
        found = words.get(str(said)) or words.get(str(said).lower())
        if found is None:
            raise BadCell("choice", said, "、".join(words))
        return found

    return read


def _decimal(cell: Cell) -> Decimal | None:
    if isinstance(cell, bool | date):
        raise BadCell("number", _shown(cell))
    if isinstance(cell, int):
        return Decimal(cell)
    if isinstance(cell, float):
        # The shortest digits that give this float are those the person typed.
        return Decimal(repr(cell))
    said = text(cell)
    if said is None:
        return None
    # A full-width stop, or a Chinese one between digits, was meant to be a decimal point.
    digits = str(said).replace(",", "").replace("，", "").replace("。", ".").replace("．", ".")
    try:
        value = Decimal(digits)
    except InvalidOperation as error:
        raise BadCell("number", said) from error
    if not value.is_finite():
        raise BadCell("number", said)
    return value


def _shown(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)
