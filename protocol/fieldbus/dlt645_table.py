"""The data identifiers of DL/T 645-2007, Annex A: energies A.1, demands A.2, variables A.3,
events A.4, parameters A.5, freezes A.6.

One identifier means one thing; whatever the table does not know is refused, never guessed.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from protocol.errors import ProtocolError
from protocol.fieldbus.dlt645_format import DataIdentifier, format_from_pattern

# Total and up to 63 tariffs (table A.1).
_BLOCK_MAX = 64


@lru_cache(maxsize=1024)
def data_identifier(di: str) -> DataIdentifier:
    """Return what DL/T 645-2007 says of an identifier, 8 hex digits, DI3 first.

    ProtocolError for one the table does not know; a profile may then give its own format.
    """
    try:
        number = bytes.fromhex(di)
    except ValueError:
        number = b""
    if len(number) != 4:
        raise ProtocolError(f"data identifier {di!r} is not 8 hex digits")
    di = di.upper()
    known = _LITERAL.get(di)
    if known is None and number[0] in _FAMILIES:
        known = _FAMILIES[number[0]](di, number)
    if known is None:
        raise ProtocolError(f"data identifier {di} is not in the table of DL/T 645-2007")
    return known


_TARIFFS = ("total", "T1 sharp", "T2 peak", "T3 flat", "T4 valley")
_TARIFF_SUFFIXES = ("", "_sharp", "_peak", "_flat", "_valley")
_PHASES = ("A", "B", "C")

_ENERGY_KINDS = (
    ("combined active", "kWh"),
    ("forward active", "kWh"),
    ("reverse active", "kWh"),
    ("combined reactive 1", "kvarh"),
    ("combined reactive 2", "kvarh"),
    ("quadrant I reactive", "kvarh"),
    ("quadrant II reactive", "kvarh"),
    ("quadrant III reactive", "kvarh"),
    ("quadrant IV reactive", "kvarh"),
    ("forward apparent", "kVAh"),
    ("reverse apparent", "kVAh"),
)
_OTHER_ENERGIES = (
    "associated",
    "forward active fundamental",
    "reverse active fundamental",
    "forward active harmonic",
    "reverse active harmonic",
    "copper loss",
    "iron loss compensation",
)
# DI2 of the phase groups: 15..1E is phase A, 29..32 B, 3D..46 C; 94.., A8.., BC.. their other energies.
_PHASE_ENERGY_BASES = {"A": (0x14, 0x94), "B": (0x28, 0xA8), "C": (0x3C, 0xBC)}
_SIGNED_ENERGIES = {"combined active", "combined reactive 1", "combined reactive 2"}


def _energy_kinds() -> dict[int, tuple[str, str]]:
    kinds = dict(enumerate(_ENERGY_KINDS))
    kinds.update((0x80 + n, (name, "kWh")) for n, name in enumerate(_OTHER_ENERGIES))
    for phase, (base, other_base) in _PHASE_ENERGY_BASES.items():
        kinds.update(
            (base + n, (f"phase {phase} {name}", unit)) for n, (name, unit) in enumerate(_ENERGY_KINDS) if n
        )
        kinds.update(
            (other_base + n, (f"phase {phase} {name}", "kWh")) for n, name in enumerate(_OTHER_ENERGIES)
        )
    return kinds


_ENERGIES = _energy_kinds()
_ENERGY_QUANTITIES = {
    "combined active": "active_energy_combined",
    "forward active": "active_energy_import",
    "reverse active": "active_energy_export",
    "combined reactive 1": "reactive_energy_import",
    "combined reactive 2": "reactive_energy_export",
}


def _tariff_name(tariff: int) -> str:
    return _TARIFFS[tariff] if tariff < len(_TARIFFS) else f"T{tariff}"


def _energy_quantity(kind: str, tariff: int, settlement: int) -> str:
    base = _ENERGY_QUANTITIES.get(kind, "")
    if settlement or not base or (tariff and (kind != "forward active" or tariff > 4)):
        return ""
    return base + (_TARIFF_SUFFIXES[tariff] if tariff else "")


def _energy(di: str, number: bytes) -> DataIdentifier | None:
    _, kind_code, tariff, settlement = number
    if kind_code not in _ENERGIES or settlement > 0x0C or (tariff > 0x3F and tariff != 0xFF):
        return None
    kind, unit = _ENERGIES[kind_code]
    is_signed = kind.split(" ", 2)[-1] in _SIGNED_ENERGIES or kind in _SIGNED_ENERGIES
    item = format_from_pattern("±XXXXXX.XX" if is_signed else "XXXXXX.XX")
    tariffs = range(_BLOCK_MAX) if tariff == 0xFF else range(tariff, tariff + 1)
    day = f"settlement {settlement}"
    what = "block total, T1.." if tariff == 0xFF else _tariff_name(tariff)
    return DataIdentifier(
        di,
        f"{kind} energy {what} ({day})",
        (item,),
        unit,
        tuple(_tariff_name(number_of) for number_of in tariffs),
        tuple(_energy_quantity(kind, number_of, settlement) for number_of in tariffs),
        is_block=tariff == 0xFF,
    )


def _demand(di: str, number: bytes) -> DataIdentifier | None:
    energy = _energy(di, number)
    if energy is None or energy.is_block or number[1] >= 0x80:
        return None
    unit = energy.unit.removesuffix("h")
    formats = (format_from_pattern("XX.XXXX"), format_from_pattern("YYMMDDhhmm"))
    title = energy.title.replace(" energy ", " maximum demand ")
    return DataIdentifier(di, title, formats, unit, ("demand", "occurred"), ("", ""))


# DI2 of group 02 -> what, format, unit, quantity, whether a total precedes the phases.
_VARIABLES: Mapping[int, tuple[str, str, str, str, bool]] = MappingProxyType(
    {
        0x01: ("voltage", "XXX.X", "V", "voltage", False),
        0x02: ("current", "±XXX.XXX", "A", "current", False),
        0x03: ("active power", "±XX.XXXX", "kW", "active_power", True),
        0x04: ("reactive power", "±XX.XXXX", "kvar", "reactive_power", True),
        0x05: ("apparent power", "XX.XXXX", "kVA", "apparent_power", True),
        0x06: ("power factor", "±X.XXX", "", "power_factor", True),
        0x07: ("phase angle", "XXX.X", "°", "", False),
        0x08: ("voltage distortion", "XX.XX", "%", "", False),
        0x09: ("current distortion", "XX.XX", "%", "", False),
    }
)
_PHASED_QUANTITIES = {"voltage", "current", "active_power"}


def _phase_quantity(quantity: str, phase: int) -> str:
    if phase == 0:
        return quantity
    return f"{quantity}_{_PHASES[phase - 1].lower()}" if quantity in _PHASED_QUANTITIES else ""


def _variable(di: str, number: bytes) -> DataIdentifier | None:
    _, kind, phase, order = number
    if kind in (0x0A, 0x0B) and 1 <= phase <= 3 and 1 <= order <= 0x15:
        what = "voltage" if kind == 0x0A else "current"
        title = f"{what} {_PHASES[phase - 1]} harmonic {order}"
        return DataIdentifier(di, title, (format_from_pattern("XX.XX"),), "%")
    if kind not in _VARIABLES or order:
        return None
    what, pattern, unit, quantity, has_total = _VARIABLES[kind]
    formats = (format_from_pattern(pattern),)
    if phase == 0xFF:
        phases = range(0 if has_total else 1, 4)
    elif phase <= 3 and (phase or has_total):
        phases = range(phase, phase + 1)
    else:
        return None
    names = tuple("total" if p == 0 else _PHASES[p - 1] for p in phases)
    title = f"{what} block" if phase == 0xFF else f"{what} {names[0]}"
    quantities = tuple(_phase_quantity(quantity, p) for p in phases)
    return DataIdentifier(di, title, formats, unit, names, quantities, is_block=phase == 0xFF)


_STATUS_WORDS = tuple(f"status word {n}" for n in range(1, 8))
_ALARM_LEVELS = {
    "04000E01": ("forward active power limit", "XX.XXXX", "kW"),
    "04000E02": ("reverse active power limit", "XX.XXXX", "kW"),
    "04000E03": ("voltage upper limit", "XXX.X", "V"),
    "04000E04": ("voltage lower limit", "XXX.X", "V"),
    "04000F01": ("alarm energy 1", "XXXXXX.XX", "kWh"),
    "04000F02": ("alarm energy 2", "XXXXXX.XX", "kWh"),
    "04001001": ("alarm amount 1", "XXXXXX.XX", "CNY"),
    "04001002": ("alarm amount 2", "XXXXXX.XX", "CNY"),
    "04001003": ("overdraft amount limit", "XXXXXX.XX", "CNY"),
}

# di -> title, format, unit
_SIMPLE: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "00900100": ("remaining energy", "±XXXXXX.XX", "kWh"),
        "00900101": ("overdraft energy", "±XXXXXX.XX", "kWh"),
        "00900200": ("remaining amount", "±XXXXXX.XX", "CNY"),
        "00900201": ("overdraft amount", "±XXXXXX.XX", "CNY"),
        "02800001": ("neutral current", "±XXX.XXX", "A"),
        "02800002": ("grid frequency", "XX.XX", "Hz"),
        "02800003": ("one-minute active power", "±XX.XXXX", "kW"),
        "02800004": ("present active demand", "±XX.XXXX", "kW"),
        "02800005": ("present reactive demand", "±XX.XXXX", "kvar"),
        "02800006": ("present apparent demand", "±XX.XXXX", "kVA"),
        "02800007": ("meter internal temperature", "±XXX.X", "°C"),
        "02800008": ("clock battery voltage", "XX.XX", "V"),
        "02800009": ("outage reading battery voltage", "XX.XX", "V"),
        "0280000A": ("battery working time", "XXXXXXXX", "min"),
        "0280000B": ("present step price", "XXXX.XXXX", "CNY/kWh"),
        "02800020": ("present price", "XXXX.XXXX", "CNY/kWh"),
        "02800021": ("present tariff price", "XXXX.XXXX", "CNY/kWh"),
        "03110000": ("outage count", "XXXXXX", ""),
        "03300000": ("programming count", "XXXXXX", ""),
        "03300100": ("meter clear count", "XXXXXX", ""),
        "03300200": ("demand clear count", "XXXXXX", ""),
        "03300300": ("event clear count", "XXXXXX", ""),
        "03300400": ("clock setting count", "XXXXXX", ""),
        "03300500": ("day table programming count", "XXXXXX", ""),
        "03300600": ("zone table programming count", "XXXXXX", ""),
        "03300700": ("weekend programming count", "XXXXXX", ""),
        "03300800": ("holiday programming count", "XXXXXX", ""),
        "03300900": ("active combination programming count", "XXXXXX", ""),
        "03300A00": ("reactive combination 1 programming count", "XXXXXX", ""),
        "03300B00": ("reactive combination 2 programming count", "XXXXXX", ""),
        "03300C00": ("settlement day programming count", "XXXXXX", ""),
        "03300D00": ("cover-open count", "XXXXXX", ""),
        "03300E00": ("terminal cover-open count", "XXXXXX", ""),
        "04000101": ("date+weekday YYMMDDWW", "YYMMDDWW", ""),
        "04000102": ("time hhmmss", "hhmmss", ""),
        "04000103": ("demand period", "XX", "min"),
        "04000104": ("demand sliding step", "XX", "min"),
        "04000105": ("calibration pulse width", "XXXX", "ms"),
        "04000106": ("zone table switch time", "YYMMDDhhmm", ""),
        "04000107": ("day table switch time", "YYMMDDhhmm", ""),
        "0400010C": ("date, weekday and time", "YYMMDDWWhhmmss", ""),
        "04000201": ("zones a year", "XX", ""),
        "04000202": ("day tables", "XX", ""),
        "04000203": ("periods a day", "XX", ""),
        "04000204": ("tariffs", "XX", ""),
        "04000205": ("public holidays", "XXXX", ""),
        "04000206": ("harmonics analysed", "XX", ""),
        "04000301": ("auto display screens", "XX", ""),
        "04000302": ("seconds a screen", "XX", "s"),
        "04000303": ("energy decimals shown", "XX", ""),
        "04000304": ("power decimals shown", "XX", ""),
        "04000305": ("key display screens", "XX", ""),
        "04000306": ("current transformer ratio", "XXXXXX", ""),
        "04000307": ("voltage transformer ratio", "XXXXXX", ""),
        "04000401": ("meter address", "NNNNNNNNNNNN", ""),
        "04000402": ("meter number", "NNNNNNNNNNNN", ""),
        "04000403": ("asset number", "ASCII32", ""),
        "04000404": ("rated voltage ASCII", "ASCII6", ""),
        "04000405": ("rated current ASCII", "ASCII6", ""),
        "04000406": ("maximum current ASCII", "ASCII6", ""),
        "04000407": ("active accuracy class ASCII", "ASCII4", ""),
        "04000408": ("reactive accuracy class ASCII", "ASCII4", ""),
        "04000409": ("active meter constant", "XXXXXX", "imp/kWh"),
        "0400040A": ("reactive meter constant", "XXXXXX", "imp/kvarh"),
        "0400040B": ("meter model ASCII", "ASCII10", ""),
        "0400040C": ("production date ASCII", "ASCII10", ""),
        "0400040D": ("protocol version ASCII", "ASCII16", ""),
        "0400040E": ("customer number", "NNNNNNNNNNNN", ""),
        "04000601": ("active combination word", "HEX1", ""),
        "04000602": ("reactive combination word 1", "HEX1", ""),
        "04000603": ("reactive combination word 2", "HEX1", ""),
        "04000701": ("infrared baud flag", "HEX1", ""),
        "04000702": ("contact infrared baud flag", "HEX1", ""),
        "04000703": ("channel 1 baud flag", "HEX1", ""),
        "04000704": ("channel 2 baud flag", "HEX1", ""),
        "04000705": ("channel 3 baud flag", "HEX1", ""),
        "04000801": ("weekend word", "HEX1", ""),
        "04000802": ("weekend day table", "XX", ""),
        "04000901": ("load record mode", "HEX1", ""),
        "04000A01": ("load record start", "MMDDhhmm", ""),
        "04000B01": ("settlement day 1", "DDhh", ""),
        "04000B02": ("settlement day 2", "DDhh", ""),
        "04000B03": ("settlement day 3", "DDhh", ""),
        **{f"04000A0{n + 1}": (f"load record {n} interval", "XXXX", "min") for n in range(1, 7)},
        **{f"0400050{n}": (title, "HEX2", "") for n, title in enumerate(_STATUS_WORDS, start=1)},
        **_ALARM_LEVELS,
        "04800001": ("firmware version ASCII", "ASCII32", ""),
        "04800002": ("hardware version ASCII", "ASCII32", ""),
        "04800003": ("manufacturer code ASCII", "ASCII32", ""),
        "1D000001": ("relay trip count", "XXXXXX", ""),
        "1E000001": ("relay closing count", "XXXXXX", ""),
    }
)
_SIMPLE_QUANTITIES = {"02800002": "frequency", "02800007": "temperature", "02800008": "battery_voltage"}


def _literal_table() -> dict[str, DataIdentifier]:
    table = {
        di: DataIdentifier(
            di, title, (format_from_pattern(pattern),), unit, quantities=(_SIMPLE_QUANTITIES.get(di, ""),)
        )
        for di, (title, pattern, unit) in _SIMPLE.items()
    }
    words = (format_from_pattern("HEX2"),)
    table["040005FF"] = DataIdentifier(
        "040005FF", "status word block", words, "", _STATUS_WORDS, ("",) * len(_STATUS_WORDS), is_block=True
    )
    return table


_LITERAL: Mapping[str, DataIdentifier] = MappingProxyType(_literal_table())

# What the second byte of a freeze identifier (05 xx DI1 nn) says, table A.6.
_FREEZES = {
    0x00: "timed",
    0x01: "instantaneous",
    0x02: "zone switch",
    0x03: "day table switch",
    0x04: "hourly",
    0x06: "daily",
    0x07: "step switch",
}
_FROZEN_ENERGIES = range(1, 9)


def _freeze(di: str, number: bytes) -> DataIdentifier | None:
    _, group, content, _ = number
    if group not in _FREEZES:
        return None
    title = f"{_FREEZES[group]} freeze {number[3]}"
    if content == 0x00:
        return DataIdentifier(di, f"{title}: time", (format_from_pattern("YYMMDDhhmm"),))
    if content == 0x10:
        formats = (format_from_pattern("±XX.XXXX"),)
        names = tuple(f"{kind} {p}" for kind in ("active", "reactive") for p in ("total", *_PHASES))
        return DataIdentifier(di, f"{title}: powers", formats, "", names, ("",) * 8, is_block=True)
    if group == 0x04 and content in (0x01, 0x02):
        kind, unit = _ENERGY_KINDS[content]
        return DataIdentifier(di, f"{title}: {kind} energy", (format_from_pattern("XXXXXX.XX"),), unit)
    if content in _FROZEN_ENERGIES:
        block = data_identifier(f"00{content:02X}FF00")
        quantities = ("",) * len(block.names)
        return DataIdentifier(
            di, f"{title}: {block.title}", block.formats, block.unit, block.names, quantities, is_block=True
        )
    return None


_FAMILIES = {0x00: _energy, 0x01: _demand, 0x02: _variable, 0x05: _freeze}
