"""Names in M-Bus telegrams: media, units of old fixed-length replies, products by maker and version.

Names only: nothing is decided by them.
"""

from collections.abc import Mapping

from protocol.fieldbus.mbus import Header

# EN 13757-3 table 3 with OMS additions.
_MEDIA: Mapping[int, str] = {
    0x00: "Other",
    0x01: "Oil",
    0x02: "Electricity",
    0x03: "Gas",
    0x04: "Heat: Outlet",
    0x05: "Steam",
    0x06: "Warm water (30-90°C)",
    0x07: "Water",
    0x08: "Heat Cost Allocator",
    0x09: "Compressed Air",
    0x0A: "Cooling load meter: Outlet",
    0x0B: "Cooling load meter: Inlet",
    0x0C: "Heat: Inlet",
    0x0D: "Heat / Cooling load meter",
    0x0E: "Bus/System",
    0x0F: "Unknown Medium",
    0x10: "Irrigation Water",
    0x11: "Water Logger",
    0x12: "Gas Logger",
    0x13: "Gas Converter",
    0x14: "Calorific value",
    0x15: "Hot water (>90°C)",
    0x16: "Cold water",
    0x17: "Dual water",
    0x18: "Pressure",
    0x19: "A/D Converter",
    0x1A: "Smoke Detector",
    0x1B: "Ambient Sensor",
    0x1C: "Gas Detector",
    0x20: "Breaker: Electricity",
    0x21: "Valve: Gas or Water",
    0x25: "Customer Unit: Display Device",
    0x28: "Waste Water",
    0x29: "Garbage",
    0x30: "Service Unit",
    0x36: "Radio Converter: System",
    0x37: "Radio Converter: Meter",
}
_RESERVED_MEDIA = frozenset(
    {0x22, 0x23, 0x24, 0x26, 0x27, *range(0x2A, 0x30), *range(0x31, 0x35), *range(0x38, 0x40)}
)

# Two bits from each of the two unit bytes of a fixed-length reply.
FIXED_MEDIA = (
    "Other",
    "Oil",
    "Electricity",
    "Gas",
    "Heat",
    "Steam",
    "Hot Water",
    "Water",
    "H.C.A.",
    "Reserved",
    "Gas Mode 2",
    "Heat Mode 2",
    "Hot Water Mode 2",
    "Water Mode 2",
    "H.C.A. Mode 2",
    "Reserved",
)
# From code 02 on, each unit stands for itself, times ten and times a hundred.
_FIXED_UNITS = (
    "Wh",
    "kWh",
    "MWh",
    "kJ",
    "MJ",
    "GJ",
    "W",
    "kW",
    "MW",
    "kJ/h",
    "MJ/h",
    "GJ/h",
    "ml",
    "l",
    "m^3",
)
_FIXED_FLOWS = ("ml/h", "l/h", "m^3/h")
_FIXED_OTHERS = {
    0x00: "h,m,s",
    0x01: "D,M,Y",
    0x38: "1e-3 °C",
    0x39: "units for HCA",
    0x3E: "reserved but historic",
    0x3F: "without units",
}

# Maker -> version -> product. A version covers itself only, unless listed in _RANGES.
_PRODUCTS: Mapping[str, Mapping[int, str]] = {
    "ABB": {0x02: "ABB Delta-Meter", 0x20: "ABB B21 113-100"},
    "ACW": {
        0x09: "Itron CF Echo 2",
        0x0A: "Itron CF 51",
        0x0B: "Itron CF 55",
        0x0E: "Itron BM +m",
        0x0F: "Itron CF 800",
        0x14: "Itron CYBLE M-Bus 1.4",
    },
    "EFE": {0x00: "Engelmann / Elster SensoStar 2", 0x01: "Engelmann SensoStar 2C"},
    "ELS": {0x02: "Elster TMP-A", 0x0A: "Elster Falcon", 0x2F: "Elster F96 Plus"},
    "EMH": {0x00: "EMH DIZ"},
    "GMC": {0xE6: "GMC-I A230 EMMOD 206"},
    "HYD": {0x28: "ABB F95 Typ US770", 0x2F: "Hydrometer Sharky 775"},
    "KAM": {0x01: "Kamstrup 382 (6850-005)", 0x08: "Kamstrup Multical 601"},
    "LSE": {0x99: "Siemens WFH21"},
    "LUG": {
        0x02: "Landis & Gyr Ultraheat 2WR5",
        0x03: "Landis & Gyr Ultraheat 2WR6",
        0x04: "Landis & Gyr Ultraheat UH50",
        0x07: "Landis & Gyr Ultraheat T230",
    },
    "NZR": {0x01: "NZR DHZ 5/63", 0x50: "NZR IC-M2"},
    "RAM": {0x03: "Rossweiner ETK/ETW Modularis"},
    "REL": {
        0x08: "Relay PadPuls M1",
        0x12: "Relay PadPuls M4",
        0x20: "Relay Padin 4",
        0x30: "Relay AnDi 4",
        0x40: "Relay PadPuls M2",
    },
    "RKE": {0x69: "Ista sensonic II mbus"},
    "SEN": {
        0x08: "Sensus PolluCom E",
        0x0B: "Sensus PolluTherm",
        0x0E: "Sensus PolluStat E",
        0x19: "Sensus PolluCom E",
    },
    "SLB": {0x02: "Allmess Megacontrol CF-50", 0x06: "CF Compact / Integral MK MaXX"},
    "SON": {0x0D: "Sontex Supercal 531"},
    "SPX": {0x31: "Sensus PolluTherm", 0x34: "Sensus PolluTherm"},
    "SVM": {0x08: "Elster F2 / Deltamess F2", 0x09: "Elster F4 / Kamstrup SVM F22"},
    "TCH": {0x26: "Techem m-bus S", 0x40: "Techem ultra S3"},
    "WZG": {0x03: "Modularis ETW-EAX"},
    "ZRM": {0x81: "Minol Minocal C2", 0x82: "Minol Minocal WR3"},
}
_RANGES: Mapping[str, tuple[tuple[range, str], ...]] = {
    "AMT": (
        (range(0xC0, 0x100), "Aquametro CALEC ST"),
        (range(0x80, 0xC0), "Aquametro CALEC MB"),
        (range(0x40, 0x80), "Aquametro SAPHIR"),
        (range(0x40), "Aquametro AMTRON"),
    ),
    "ELV": ((range(0x14, 0x1E), "Elvaco CMa10"), (range(0x32, 0x3C), "Elvaco CMa11")),
}
# Products that only one medium tells from others of the same version.
_BY_MEDIUM: Mapping[tuple[str, int], Mapping[int, str]] = {
    ("BEC", 0x02): {0x00: "Berg DCMi", 0x07: "Berg BLMi"},
    ("BEC", 0x0F): {0x71: "Berg BMB-10S0"},
    ("EFE", 0x06): {0x00: "Engelmann WaterStar"},
    ("EMU", 0x02): {0x10: "EMU Professional 3/75 M-Bus"},
    ("GAV", 0x02): {
        **dict.fromkeys(range(0x2D, 0x31), "Carlo Gavazzi EM24"),
        **dict.fromkeys(range(0x39, 0x3B), "Carlo Gavazzi EM21"),
        0x40: "Carlo Gavazzi EM33",
    },
    ("JAN", 0x02): {0x09: "Janitza UMG 96S"},
}
_SENSOCO = {
    "30": "Sensoco PT100",
    "41": "Sensoco 2-NTC",
    "45": "Sensoco Laser Light",
    "48": "Sensoco ADIO",
    "51": "Sensoco THU",
    "61": "Sensoco THU",
    "80": "Sensoco PulseCounter for E-Meter",
}
# Products told by the first two digits of the identification.
_BY_IDENTIFICATION: Mapping[str, Mapping[str, str]] = {
    "GTE": _SENSOCO,
    "SBC": {"10": "Saia-Burgess ALE3", "11": "Saia-Burgess AWD3", "19": "Saia-Burgess ALE3"},
    "SEO": _SENSOCO,
}


def medium_name(medium: int) -> str:
    """Return the medium's name."""
    if medium in _RESERVED_MEDIA:
        return "Reserved"
    return _MEDIA.get(medium, f"Unknown medium (0x{medium:02x})")


def product_name(header: Header) -> str:
    """Return the product a header is known to be sent by, "" where it is not known."""
    maker, version = header.manufacturer, header.version
    by_identification = _BY_IDENTIFICATION.get(maker, {})
    if by_identification:
        return by_identification.get(header.identification[:2], "")
    by_medium = _BY_MEDIUM.get((maker, header.medium), {})
    if version in by_medium:
        return by_medium[version]
    for versions, name in _RANGES.get(maker, ()):
        if version in versions:
            return name
    return _PRODUCTS.get(maker, {}).get(version, "")


def fixed_unit(code: int) -> str:
    """Return the unit of a fixed-length counter with its power of ten."""
    if code in _FIXED_OTHERS:
        return _FIXED_OTHERS[code]
    units, index = (_FIXED_FLOWS, code - 0x2F) if code >= 0x2F else (_FIXED_UNITS, code - 0x02)
    if index // 3 >= len(units):
        return "reserved"
    return ("", "10 ", "100 ")[index % 3] + units[index // 3]
