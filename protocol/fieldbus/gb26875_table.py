"""GB/T 26875.3-2011 tables 5 and 6: which system, and which part of it, a status speaks of.

Types from 128 on are the maker's own; those between are reserved.
"""

from collections.abc import Mapping
from types import MappingProxyType

SYSTEM_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "general",
        1: "fire alarm system",
        10: "linkage controller",
        11: "hydrant system",
        12: "sprinkler system",
        13: "gas extinguishing system",
        14: "pumped water spray system",
        15: "pressurised water spray system",
        16: "foam system",
        17: "dry powder system",
        18: "smoke control system",
        19: "fire doors and shutters",
        20: "fire lift",
        21: "emergency broadcast",
        22: "emergency lighting",
        23: "fire power supply",
        24: "fire telephone",
    }
)

COMPONENT_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "general",
        1: "fire alarm panel",
        10: "gas detector",
        11: "point gas detector",
        12: "stand-alone gas detector",
        13: "line gas detector",
        16: "electrical fire alarm unit",
        17: "residual current detector",
        18: "temperature detector",
        21: "loop",
        22: "fire display panel",
        23: "manual call point",
        24: "hydrant button",
        25: "fire detector",
        30: "heat detector",
        31: "point heat detector",
        32: "type S point heat detector",
        33: "type R point heat detector",
        34: "line heat detector",
        35: "type S line heat detector",
        36: "type R line heat detector",
        37: "optical fibre heat detector",
        40: "smoke detector",
        41: "ionisation smoke detector",
        42: "photoelectric smoke detector",
        43: "beam smoke detector",
        44: "aspirating smoke detector",
        50: "combined detector",
        51: "combined smoke and heat detector",
        52: "combined light and heat detector",
        53: "combined light and smoke detector",
        61: "ultraviolet flame detector",
        62: "infrared flame detector",
        69: "flame detector",
        74: "gas detector",
        78: "video fire detector",
        79: "sound fire detector",
        81: "gas extinguishing controller",
        82: "electric control unit",
        83: "graphic display",
        84: "module",
        85: "input module",
        86: "output module",
        87: "input and output module",
        88: "relay module",
        91: "fire pump",
        92: "fire water tank",
        95: "spray pump",
        96: "flow switch",
        97: "signal valve",
        98: "alarm valve",
        99: "pressure switch",
        101: "valve actuator",
        102: "fire door",
        103: "fire damper",
        104: "ventilation and air conditioning",
        105: "foam pump",
        106: "pipe network solenoid valve",
        111: "smoke exhaust fan",
        113: "smoke exhaust fire damper",
        114: "normally closed air outlet",
        115: "smoke exhaust outlet",
        116: "smoke curtain",
        117: "fire shutter controller",
        118: "fire door monitor",
        121: "alarm sounder",
    }
)

_MAKERS_FROM = 128


def type_named(number: int, names: Mapping[int, str]) -> str:
    """Return what a type of either table is called, for a person."""
    if number in names:
        return names[number]
    return f"maker's type {number}" if number >= _MAKERS_FROM else f"reserved type {number}"
