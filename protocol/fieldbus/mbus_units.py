"""What a VIF means: quantity, unit and power of ten (EN 13757-3 tables 10, 12 and 14).

A row covers consecutive codes; the last bits of the code are the power of ten or the length of
the time unit. Quantities and unit names are those widely printed for M-Bus, so that readings can
be compared with other tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_EXTENSION = 0x80
_FIRST_TABLE, _SECOND_TABLE, _PLAIN_TEXT = 0xFB, 0xFD, 0x7C
_NN: tuple[tuple[str, Decimal], ...] = (
    ("second(s)", Decimal(1)),
    ("minute(s)", Decimal(60)),
    ("hour(s)", Decimal(3600)),
    ("day(s)", Decimal(86400)),
)
# Mean lengths of a month and of a year in seconds.
_PP = (*_NN[2:], ("month(s)", Decimal("2629743.83")), ("year(s)", Decimal(31556926)))
_PREFIXES: Mapping[int, str] = {
    -6: "my",
    -3: "m",
    0: "",
    1: "10 ",
    2: "100 ",
    3: "k",
    4: "10 k",
    5: "100 k",
    6: "M",
    9: "G",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A quantity and its unit; value = raw * factor + offset.

    `printed` is unit and power of ten as other tools print them.
    """

    symbol: str
    quantity: str
    factor: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    printed: str = ""

    def apply(self, raw: Decimal) -> Decimal:
        """Return the value of a raw number, exactly."""
        return raw * self.factor + self.offset


def prefix(exponent: int) -> str:
    """Return what stands for a power of ten before a unit."""
    return _PREFIXES.get(exponent, f"1e{exponent} ")


# First code, how many codes, exponent of the first, symbol, quantity, printed form around the prefix.
_PRIMARY = (
    (0x00, 8, -3, "Wh", "Energy", "Energy ({}Wh)"),
    (0x08, 8, 0, "J", "Energy", "Energy ({}J)"),
    (0x10, 8, -6, "m^3", "Volume", "Volume ({} m^3)"),
    (0x18, 8, -3, "kg", "Mass", "Mass ({}kg)"),
    (0x28, 8, -3, "W", "Power", "Power ({}W)"),
    (0x30, 8, 0, "J/h", "Power", "Power ({}J/h)"),
    (0x38, 8, -6, "m^3/h", "Volume flow", "Volume flow ({} m^3/h)"),
    (0x40, 8, -7, "m^3/min", "Volume flow", "Volume flow ({} m^3/min)"),
    (0x48, 8, -9, "m^3/s", "Volume flow", "Volume flow ({} m^3/s)"),
    (0x50, 8, -3, "kg/h", "Mass flow", "Mass flow ({} kg/h)"),
    (0x58, 4, -3, "°C", "Flow temperature", "Flow temperature ({}deg C)"),
    (0x5C, 4, -3, "°C", "Return temperature", "Return temperature ({}deg C)"),
    (0x60, 4, -3, "K", "Temperature difference", "Temperature Difference ({} deg C)"),
    (0x64, 4, -3, "°C", "External temperature", "External temperature ({} deg C)"),
    (0x68, 4, -3, "bar", "Pressure", "Pressure ({} bar)"),
)
_PRIMARY_TIMES = (
    (0x20, "On time"),
    (0x24, "Operating time"),
    (0x70, "Averaging Duration"),
    (0x74, "Actuality Duration"),
)
_PRIMARY_SINGLES = {
    0x6C: Unit("-", "Time point (date)", printed="Time Point (date)"),
    0x6D: Unit("-", "Time point (date & time)", printed="Time Point (time & date)"),
    0x6E: Unit("Units for H.C.A.", "H.C.A.", printed="Units for H.C.A."),
    0x6F: Unit("Reserved", "Reserved", Decimal(0), printed="Reserved"),
    0x78: Unit("", "Fabrication No", printed="Fabrication number"),
    0x79: Unit("", "(Enhanced) Identification", printed="Unknown (VIF=0x79)"),
    0x7A: Unit("", "Bus Address", printed="Bus Address"),
    0x7E: Unit("", "Any VIF", printed="Unknown (VIF=0x7E)"),
    0x7F: Unit("", "Manufacturer specific", printed="Manufacturer specific"),
}

# After FD.
_SECOND = (
    (0x00, 4, -3, "Currency units", "Credit", "Credit of {} of the nominal local legal currency units"),
    (0x04, 4, -3, "Currency units", "Debit", "Debit of {} of the nominal local legal currency units"),
    (0x40, 16, -9, "V", "Voltage", "{} V"),
    (0x50, 16, -12, "A", "Current", "{} A"),
)
_SECOND_TIMES = (
    (0x24, _NN, "Storage interval"),
    (0x28, _PP[2:], "Storage interval"),
    (0x2C, _NN, "Duration since last readout"),
    (0x31, _NN[1:], "Duration of tariff"),
    (0x34, _NN, "Period of tariff"),
    (0x68, _PP, "Duration since last cumulation"),
    (0x6C, _PP, "Operating time battery"),
)
# Code -> quantity, printed form where it differs, unit.
_SECOND_SINGLES: Mapping[int, tuple[str, str, str]] = {
    0x08: ("Access Number (transmission count)", "", ""),
    0x09: ("Medium", "Medium (as in fixed header)", ""),
    0x0A: ("Manufacturer", "Manufacturer (as in fixed header)", ""),
    0x0B: ("Parameter set identification", "", ""),
    0x0C: ("Model / Version", "", ""),
    0x0D: ("Hardware version", "", ""),
    0x0E: ("Firmware version", "", ""),
    0x0F: ("Software version", "", ""),
    0x10: ("Customer location", "", ""),
    0x11: ("Customer", "", ""),
    0x12: ("Access Code User", "", ""),
    0x13: ("Access Code Operator", "", ""),
    0x14: ("Access Code System Operator", "", ""),
    0x15: ("Access Code Developer", "", ""),
    0x16: ("Password", "", ""),
    0x17: ("Error flags", "", ""),
    0x18: ("Error mask", "", ""),
    0x1A: ("Digital Output", "Digital output (binary)", ""),
    0x1B: ("Digital Input", "Digital input (binary)", ""),
    0x1C: ("Baudrate", "", "Baud"),
    0x1D: ("Response delay time", "response delay time", "Bittimes"),
    0x1E: ("Retry", "", ""),
    0x20: ("First storage # for cyclic storage", "", ""),
    0x21: ("Last storage # for cyclic storage", "", ""),
    0x22: ("Size of storage block", "", ""),
    0x30: ("Reserved", "Start (date/time) of tariff", "Reserved"),
    0x38: ("Period of tariff", "Period of tariff months(s)", "s"),
    0x39: ("Period of tariff", "Period of tariff year(s)", "s"),
    0x3A: ("Dimensionless", "dimensionless / no VIF", ""),
    0x60: ("Reset counter", "", ""),
    0x61: ("Cumulation counter", "", ""),
    0x62: ("Control signal", "", ""),
    0x63: ("Day of week", "", ""),
    0x64: ("Week number", "", ""),
    0x65: ("Time point of day change", "", ""),
    0x66: ("State of parameter activation", "", ""),
    0x67: ("Special supplier information", "", ""),
    0x70: ("Date and time of battery change", "", ""),
}
_SECOND_FACTORS = {0x38: _PP[2][1], 0x39: _PP[3][1]}

# After FB; the prefix of a row that starts below one is written out.
_FIRST = (
    (0x00, 2, 5, "Wh", "Energy", "Energy ({}MWh)"),
    (0x08, 2, 8, "Reserved", "Energy", "Energy ({}GJ)"),
    (0x10, 2, 2, "m^3", "Volume", "Volume ({}m3)"),
    (0x18, 2, 5, "kg", "Mass", "Mass ({}t)"),
    (0x21, 1, -1, "feet^3", "Volume", "Volume (0.1 feet^3)"),
    (0x22, 2, -1, "American gallon", "Volume", "Volume ({}american gallon)"),
    (0x24, 1, -3, "American gallon/min", "Volume flow", "Volume flow (0.001 american gallon/min)"),
    (0x25, 1, 0, "American gallon/min", "Volume flow", "Volume flow (american gallon/min)"),
    (0x26, 1, 0, "American gallon/h", "Volume flow", "Volume flow (american gallon/h)"),
    (0x28, 2, 5, "W", "Power", "Power ({}MW)"),
    (0x30, 2, 8, "J", "Power", "Power ({}GJ/h)"),
    (0x58, 4, -3, "°F", "Flow temperature", "Flow Temperature ({} degree F)"),
    (0x5C, 4, -3, "°F", "Return temperature", "Return Temperature ({} degree F)"),
    (0x60, 4, -3, "°F", "Temperature difference", "Temperature Difference ({} degree F)"),
    (0x64, 4, -3, "°F", "External temperature", "External Temperature ({} degree F)"),
    (0x70, 4, -3, "°F", "Cold / Warm Temperature Limit", "Cold / Warm Temperature Limit ({} degree F)"),
    (0x74, 4, -3, "°C", "Cold / Warm Temperature Limit", "Cold / Warm Temperature Limit ({} degree C)"),
    (0x78, 8, -3, "W", "Cumul count max power", "cumul. count max power ({} W)"),
)
# Rows of FB printed relative to a larger unit: code -> prefix.
_FIRST_PREFIXES = {
    0x00: "0.1 ",
    0x01: "",
    0x08: "0.1 ",
    0x09: "",
    0x18: "100 ",
    0x19: "k",
    0x22: "0.1 ",
    0x23: "",
    0x28: "0.1 ",
    0x29: "",
    0x30: "0.1 ",
    0x31: "",
}


def _rows(
    table: tuple[tuple[int, int, int, str, str, str], ...], prefixes: Mapping[int, str]
) -> dict[int, Unit]:
    return {
        first + step: Unit(
            symbol,
            quantity,
            Decimal(1).scaleb(exponent + step),
            printed=printed.format(prefixes.get(first + step, prefix(exponent + step))).lstrip(),
        )
        for first, count, exponent, symbol, quantity, printed in table
        for step in range(count)
    }


def _primary() -> dict[int, Unit]:
    units = _rows(_PRIMARY, {}) | _PRIMARY_SINGLES
    for first, quantity in _PRIMARY_TIMES:
        for step, (name, seconds) in enumerate(_NN):
            printed = f"{quantity} ({name.replace('(s)', 's')})"
            units[first + step] = Unit("s", quantity, seconds, printed=printed)
    return units


def _second() -> dict[int, Unit]:
    reserved = Unit("Reserved", "Reserved", printed="Reserved")
    units = dict.fromkeys(range(0x80), reserved)
    units |= dict.fromkeys(range(0x71, 0x80), Unit("Reserved", "Reserved", printed="Reserved VIF extension"))
    units |= _rows(_SECOND, {})
    for first, steps, quantity in _SECOND_TIMES:
        for step, (name, seconds) in enumerate(steps):
            units[first + step] = Unit("s", quantity, seconds, printed=f"{quantity} {name}")
    for code, (quantity, printed, symbol) in _SECOND_SINGLES.items():
        factor = _SECOND_FACTORS.get(code, Decimal(1))
        units[code] = Unit(symbol, quantity, factor, printed=printed or quantity)
    return units


def _first() -> dict[int, Unit]:
    units = {code: Unit("Reserved", "Reserved", printed=f"Reserved (0x{code:02x})") for code in range(0x80)}
    return units | _rows(_FIRST, _FIRST_PREFIXES)


_PRIMARY_UNITS, _FIRST_UNITS, _SECOND_UNITS = _primary(), _first(), _second()


@lru_cache(maxsize=1024)
def unit_of(vib: bytes, text: str = "") -> Unit:
    """Return what VIF and VIFEs mean; `text` is that of a plain-text VIF. Never fails: unknown says so."""
    vif = vib[0]
    extension = vib[1] & ~_EXTENSION if len(vib) > 1 else None
    if vif == _SECOND_TABLE and extension is not None:
        return _SECOND_UNITS[extension]
    if vif == _FIRST_TABLE and extension is not None:
        return _FIRST_UNITS[extension]
    code = vif & ~_EXTENSION
    if code == _PLAIN_TEXT:
        unit = Unit("-", text, printed=_plain_text_printed(extension, text))
    else:
        unknown = f"Unknown (VIF=0x{vif:02X})"
        unit = _PRIMARY_UNITS.get(code) or Unit(unknown, "Unknown", Decimal(0), printed=unknown)
    return unit if extension is None else _corrected(unit, extension)


def _plain_text_printed(extension: int | None, text: str) -> str:
    if extension is None:
        return text
    return f"{prefix((extension & 0x07) - 6)} {text}" if extension & 0x78 == 0x70 else "Custom VIF"


def _corrected(unit: Unit, extension: int) -> Unit:
    """Return the unit with the correction of table 15: a factor of 10^(n-6), an offset, or 1000."""
    factor, offset = unit.factor, unit.offset
    if 0x70 <= extension <= 0x77:
        factor = factor.scaleb((extension & 0x07) - 6)
    elif 0x78 <= extension <= 0x7B:
        offset += Decimal(1).scaleb((extension & 0x03) - 3)
    elif extension == 0x7D:
        factor *= 1000
    return Unit(unit.symbol, unit.quantity, factor, offset, unit.printed)
