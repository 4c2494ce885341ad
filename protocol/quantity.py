"""The vocabulary of everything measured: one name, one unit, one meaning each.

A point's quantity decides its unit, whether it is a running total that may be billed
(`cumulative`), a value of the moment (`instant`) or a condition with named codes
(`state`). Values travel and are stored as integers in millionths of the unit
(`value_micro`), which is exact for every meter with up to six decimals; states are
whole codes, also in millionths, so that one column serves all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from protocol.errors import ProtocolError

MICRO = 1_000_000

# A value must fit the signed 64-bit column it ends in on both databases.
_VALUE_MICRO_LIMIT = 2**63 - 1


class Kind(Enum):
    """How a quantity behaves in time."""

    CUMULATIVE = "cumulative"  # a meter's running total; only ever grows, then rolls over
    INSTANT = "instant"  # a value of the moment
    STATE = "state"  # one of a few named codes


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that can be measured.

    `data_identifier` is DL/T 645-2007's (table A.1 ff.), `obis` is IEC 62056-61's, `haystack`
    the Project Haystack tags; empty where the standard has no such thing.
    """

    name: str
    unit: str
    kind: Kind
    data_identifier: str = ""
    obis: str = ""
    haystack: str = ""
    codes: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))


def _state(name: str, haystack: str, *codes: str) -> Quantity:
    return Quantity(name, "", Kind.STATE, haystack=haystack, codes=MappingProxyType(dict(enumerate(codes))))


_C, _I = Kind.CUMULATIVE, Kind.INSTANT

_ALL = (
    Quantity("active_energy_import", "kWh", _C, "00010000", "1-0:1.8.0", "elec energy import"),
    Quantity("active_energy_import_sharp", "kWh", _C, "00010100", "1-0:1.8.1", "elec energy import"),
    Quantity("active_energy_import_peak", "kWh", _C, "00010200", "1-0:1.8.2", "elec energy import"),
    Quantity("active_energy_import_flat", "kWh", _C, "00010300", "1-0:1.8.3", "elec energy import"),
    Quantity("active_energy_import_valley", "kWh", _C, "00010400", "1-0:1.8.4", "elec energy import"),
    Quantity("active_energy_export", "kWh", _C, "00020000", "1-0:2.8.0", "elec energy export"),
    Quantity("active_energy_combined", "kWh", _C, "00000000", "", "elec energy"),
    Quantity("reactive_energy_import", "kvarh", _C, "00030000", "1-0:3.8.0", "elec reactive energy import"),
    Quantity("reactive_energy_export", "kvarh", _C, "00040000", "1-0:4.8.0", "elec reactive energy export"),
    Quantity("voltage", "V", _I, "02010100", "1-0:12.7.0", "elec volt"),
    Quantity("voltage_a", "V", _I, "02010100", "1-0:32.7.0", "elec volt phase:A"),
    Quantity("voltage_b", "V", _I, "02010200", "1-0:52.7.0", "elec volt phase:B"),
    Quantity("voltage_c", "V", _I, "02010300", "1-0:72.7.0", "elec volt phase:C"),
    Quantity("current", "A", _I, "02020100", "1-0:11.7.0", "elec current"),
    Quantity("current_a", "A", _I, "02020100", "1-0:31.7.0", "elec current phase:A"),
    Quantity("current_b", "A", _I, "02020200", "1-0:51.7.0", "elec current phase:B"),
    Quantity("current_c", "A", _I, "02020300", "1-0:71.7.0", "elec current phase:C"),
    Quantity("active_power", "kW", _I, "02030000", "1-0:1.7.0", "elec active power"),
    Quantity("active_power_a", "kW", _I, "02030100", "1-0:21.7.0", "elec active power phase:A"),
    Quantity("active_power_b", "kW", _I, "02030200", "1-0:41.7.0", "elec active power phase:B"),
    Quantity("active_power_c", "kW", _I, "02030300", "1-0:61.7.0", "elec active power phase:C"),
    Quantity("reactive_power", "kvar", _I, "02040000", "1-0:3.7.0", "elec reactive power"),
    Quantity("apparent_power", "kVA", _I, "02050000", "1-0:9.7.0", "elec apparent power"),
    Quantity("power_factor", "", _I, "02060000", "1-0:13.7.0", "elec pf"),
    Quantity("frequency", "Hz", _I, "02800002", "1-0:14.7.0", "elec freq"),
    Quantity("water_volume", "m3", _C, "", "8-0:1.0.0", "water volume"),
    Quantity("hot_water_volume", "m3", _C, "", "9-0:1.0.0", "hot water volume"),
    Quantity("gas_volume", "m3", _C, "", "7-0:3.0.0", "gas volume"),
    Quantity("heat_energy", "kWh", _C, "", "6-0:1.0.0", "heat energy"),
    # Meters in joules: 1 GJ is 277.77… kWh, which no integer of millionths is.
    Quantity("heat_energy_joule", "GJ", _C, "", "6-0:1.0.0", "heat energy"),
    Quantity("heat_power", "kW", _I, "", "6-0:8.0.0", "heat power"),
    Quantity("cooling_energy", "kWh", _C, "", "5-0:1.0.0", "cool energy"),
    Quantity("volume_flow", "m3/h", _I, "", "8-0:2.0.0", "flow"),
    Quantity("flow_temperature", "°C", _I, "", "6-0:10.0.0", "supply temp"),
    Quantity("return_temperature", "°C", _I, "", "6-0:11.0.0", "return temp"),
    Quantity("temperature", "°C", _I, "", "", "temp"),
    Quantity("humidity", "%", _I, "", "", "humidity"),
    Quantity("pressure", "kPa", _I, "", "", "pressure"),
    Quantity("battery_voltage", "V", _I, "", "", "battery volt"),
    Quantity("battery_level", "%", _I, "", "", "battery level"),
    Quantity("signal_quality", "", _I, "", "", "signal"),
    Quantity("run_time", "h", _C, "", "", "run"),
    Quantity("trip_count", "", _C, "", "", "trips"),
    Quantity("pulse_count", "", _C, "", "", "pulses"),
    Quantity("floor", "", _I, "", "", "elevator floor"),
    Quantity("fault_code", "", _I, "", "", "fault"),
    Quantity("status_word", "", _I, "", "", "status"),
    Quantity("analog", "", _I, "", "", "sensor"),
    _state("valve_state", "valve", "open", "closed", "moving", "fault"),
    _state("relay_state", "relay", "open", "closed"),
    _state("lock_state", "lock", "locked", "unlocked", "not_fully_locked"),
    _state("door_contact", "door", "closed", "open", "fault"),
    _state("lift_mode", "elevator mode", "normal", "inspection", "fire", "fault", "out_of_service"),
    _state("lift_direction", "elevator direction", "stopped", "up", "down"),
    _state("lift_door", "elevator door", "closed", "open", "moving", "fault"),
    _state("fire_alarm", "fire", "normal", "alarm"),
    _state("system_fault", "fault", "normal", "fault"),
    _state("water_leak", "leak", "dry", "wet"),
    _state("tamper", "tamper", "normal", "tampered"),
    _state("battery_low", "battery", "normal", "low"),
    _state("availability", "comm", "offline", "online"),
    _state("occupancy", "occupied", "clear", "occupied"),
    _state("switch_state", "run", "off", "on"),
)

QUANTITIES: Mapping[str, Quantity] = MappingProxyType({q.name: q for q in _ALL})


def quantity_named(name: str) -> Quantity:
    """Return the quantity of that name; ProtocolError names the unknown one."""
    try:
        return QUANTITIES[name]
    except KeyError:
        raise ProtocolError(f"no quantity is called {name!r}") from None


def micro_from_decimal(value: Decimal) -> int:
    """Return `value` in millionths, exactly; ProtocolError where that would lose a digit."""
    scaled = value.scaleb(6)
    micro = int(scaled)
    if micro != scaled:
        raise ProtocolError(f"{value} has more than six decimals")
    if abs(micro) > _VALUE_MICRO_LIMIT:
        raise ProtocolError(f"{value} is too large to store")
    return micro


def decimal_from_micro(value_micro: int) -> Decimal:
    """Return millionths as an exact Decimal with no superfluous trailing zeros."""
    # Whole numbers are written as such: normalising alone makes 1E+2 of a hundred.
    whole, rest = divmod(value_micro, MICRO)
    return Decimal(value_micro).scaleb(-6).normalize() if rest else Decimal(whole)
