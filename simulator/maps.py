"""Where each device model keeps its points on the wire, and in which steps it counts them.

The same facts as the profiles of `provisioning/profiles/*.toml`, seen from the device's side; a test
holds the two together, since the simulator may not import the other. The invariant: a value leaves as
`quantised` returns it, so what the ledger notes is what the bytes say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simulator.meters import RATE_POINTS

ENERGY = "active_energy_import"


@dataclass(frozen=True, slots=True)
class Item:
    """One point of a DL/T 645 data identifier, and its last digit in millionths."""

    point: str
    step_micro: int
    bit: int | None = None  # of a status word
    code_of_one: int = 1  # what the point is while the bit is set


@dataclass(frozen=True, slots=True)
class MbusRecord:
    """One point of an M-Bus telegram: its VIF, and one raw count in millionths."""

    point: str
    vif: bytes
    step_micro: int


_VOLTAGE = {"02010100": (Item("voltage", 100_000),)}
_CURRENT = {"02020100": (Item("current", 1_000),)}
_POWER = {"02030000": (Item("active_power", 100),)}
_ENERGY = {"00010000": (Item(ENERGY, 10_000),)}
_STATUS = {
    "04000501": (Item("battery_low", 1_000_000, bit=2),),
    "04000503": (Item("relay_state", 1_000_000, bit=4, code_of_one=0),),
}
_RATES = {f"00010{number}00": (Item(point, 10_000),) for number, point in enumerate(RATE_POINTS, start=1)}
_BLOCK = {"0001FF00": tuple(Item(point, 10_000) for point in (ENERGY, *RATE_POINTS))}

# By profile and data identifier: what the meter answers, in wire order. Anything else it refuses.
DLT645: Mapping[str, Mapping[str, tuple[Item, ...]]] = MappingProxyType(
    {
        "dlt645_four_rate": _ENERGY | _RATES | _BLOCK | _VOLTAGE | _CURRENT | _POWER,
        "dlt645_relay_meter": _ENERGY | _VOLTAGE | _CURRENT | _POWER | _STATUS,
        "dlt645_single_phase": _ENERGY | _VOLTAGE | _CURRENT | _POWER,
    }
)

# The same for meters of the 1997 edition, which count whole volts and hundredths of an ampere.
DLT645_1997: Mapping[str, Mapping[str, tuple[Item, ...]]] = MappingProxyType(
    {
        "dlt645_1997_single_phase": {
            "9010": (Item(ENERGY, 10_000),),
            "B611": (Item("voltage", 1_000_000),),
            "B621": (Item("current", 10_000),),
            "B630": (Item("active_power", 100),),
        }
    }
)

# By profile: the telegrams of a readout, in order.
MBUS: Mapping[str, tuple[tuple[MbusRecord, ...], ...]] = MappingProxyType(
    {
        "mbus_heat_meter": (
            (
                MbusRecord("heat_energy", b"\x06", 1_000_000),
                MbusRecord("water_volume", b"\x14", 10_000),
                MbusRecord("heat_power", b"\x2d", 100_000),
            ),
            (
                MbusRecord("volume_flow", b"\x3b", 1_000),
                MbusRecord("flow_temperature", b"\x5a", 100_000),
                MbusRecord("return_temperature", b"\x5e", 100_000),
                MbusRecord("run_time", b"\x22", 1_000_000),
            ),
        )
    }
)
# Bits of the header's status byte.
MBUS_STATUS: Mapping[str, int] = MappingProxyType({"battery_low": 2, "system_fault": 3})

# By profile: point name to field of the 901F reply.
CJT188: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "cjt188_cold_water": {
            "water_volume": "current_volume",
            "valve_state": "valve",
            "battery_low": "battery_low",
        }
    }
)
VOLUME_STEP_MICRO = 10_000  # 0.01 m3

COIL, DISCRETE_INPUT, HOLDING_REGISTER, INPUT_REGISTER = (
    "coil",
    "discrete_input",
    "holding_register",
    "input_register",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a Modbus device: its place, its encoding, and one raw count in millionths."""

    point: str
    table: str
    address: int  # zero-based protocol address
    encoding: str  # "bit" "int16" "uint16" "int32" "uint32" "float32"
    step_micro: int = 1_000_000
    word_order: str = "ABCD"

    @property
    def width(self) -> int:
        """Return how many registers or bits it takes."""
        return 2 if self.encoding.endswith("32") else 1


def quantised(value_micro: int, step_micro: int, encoding: str = "") -> int:
    """Return the value as a device shows it: whole steps, cut and not rounded, as counters are."""
    if encoding == "float32":  # has no last digit; the models give what float32 can hold
        return value_micro
    return value_micro // step_micro * step_micro


def _input(point: str, address: int, encoding: str, step_micro: int, word_order: str = "ABCD") -> Cell:
    return Cell(point, INPUT_REGISTER, address, encoding, step_micro, word_order)


def _holding(point: str, address: int, encoding: str, step_micro: int) -> Cell:
    return Cell(point, HOLDING_REGISTER, address, encoding, step_micro)


_MILLI, _CENTI, _DECI, _ONE = 1_000, 10_000, 100_000, 1_000_000
_TENTH_WATT = 100  # in kW

MODBUS: Mapping[str, tuple[Cell, ...]] = MappingProxyType(
    {
        "acrel_ddsy1352": (
            *(_holding(p, 2 * n, "uint32", _CENTI) for n, p in enumerate((ENERGY, *RATE_POINTS))),
            _holding("voltage", 11, "uint16", _DECI),
            _holding("current", 12, "uint16", _CENTI),
            _holding("active_power", 13, "int16", _MILLI),
            _holding("power_factor", 16, "uint16", _MILLI),
        ),
        "carlo_gavazzi_em24": (
            *(_input(f"voltage_{p}", 2 * n, "int32", _DECI, "CDAB") for n, p in enumerate("abc")),
            *(_input(f"current_{p}", 12 + 2 * n, "int32", _MILLI, "CDAB") for n, p in enumerate("abc")),
            _input("active_power", 40, "int32", _TENTH_WATT, "CDAB"),
            _input("power_factor", 53, "int16", _MILLI, "CDAB"),
            _input("frequency", 55, "int16", _DECI, "CDAB"),
            _input(ENERGY, 66, "int32", _DECI, "CDAB"),
        ),
        "eastron_sdm630": (
            *(_input(f"voltage_{p}", 2 * n, "float32", _ONE) for n, p in enumerate("abc")),
            *(_input(f"current_{p}", 6 + 2 * n, "float32", _ONE) for n, p in enumerate("abc")),
            *(_input(f"active_power_{p}", 12 + 2 * n, "float32", _MILLI) for n, p in enumerate("abc")),
            _input("active_power", 52, "float32", _MILLI),
            _input("power_factor", 62, "float32", _ONE),
            _input("frequency", 70, "float32", _ONE),
            _input(ENERGY, 72, "float32", _ONE),
        ),
        "fire_panel_gateway": (
            Cell("fire_alarm", DISCRETE_INPUT, 0, "bit"),
            Cell("system_fault", DISCRETE_INPUT, 1, "bit"),
            *(Cell(f"fire_alarm_{zone}", DISCRETE_INPUT, 15 + zone, "bit") for zone in range(1, 9)),
        ),
        "waveshare_relay_8": (
            Cell("relay_state", COIL, 0, "bit"),
            *(Cell(f"switch_state_{number}", COIL, number - 1, "bit") for number in range(2, 9)),
        ),
        "lift_gateway": (
            _holding("lift_mode", 0, "uint16", _ONE),
            _holding("lift_direction", 1, "uint16", _ONE),
            _holding("lift_door", 2, "uint16", _ONE),
            _holding("floor", 3, "int16", _ONE),
            _holding("fault_code", 4, "uint16", _ONE),
            _holding("trip_count", 6, "uint32", _ONE),
            _holding("run_time", 8, "uint32", _DECI),
        ),
    }
)

# By profile: point name to key of the JSON message; availability has a topic of its own.
ZIGBEE2MQTT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "zigbee2mqtt_leak_sensor": {
            "water_leak": "water_leak",
            "tamper": "tamper",
            "battery_level": "battery",
            "battery_low": "battery_low",
            "signal_quality": "linkquality",
            "availability": "availability",
        },
        "zigbee2mqtt_lock": {
            "lock_state": "lock_state",
            "battery_level": "battery",
            "battery_low": "battery_low",
            "signal_quality": "linkquality",
            "availability": "availability",
        },
    }
)


# By profile, for devices that speak over MQTT in their own ways or call: point name to its last digit.
TALKERS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "lift_mqtt": {
            "lift_mode": _ONE,
            "lift_direction": _ONE,
            "lift_door": _ONE,
            "floor": _ONE,
            "fault_code": _ONE,
            "trip_count": _ONE,
            "run_time": _DECI,
        },
        "shelly_plug": {
            ENERGY: 1_000,
            "active_power": 100,
            "voltage": 100_000,
            "current": 1_000,
            "frequency": 100_000,
            "power_factor": 10_000,
            "relay_state": _ONE,
            "availability": _ONE,
        },
        "sparkplug_meter": {ENERGY: 10_000, "active_power": 1_000},
        "tasmota_energy_meter": {
            ENERGY: 1_000,
            "active_power": 1_000,
            "voltage": _ONE,
            "current": 1_000,
            "power_factor": 10_000,
            "relay_state": _ONE,
            "availability": _ONE,
        },
    }
)
CALLERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gb26875_fire_panel": ("fire_alarm", "system_fault"),
        "sia_dc09_alarm_panel": ("fire_alarm", "system_fault", "tamper"),
    }
)


# By profile, for what the box itself tells of: point name to its quantity.
TOLD_BY_THE_BOX: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "osdp_door": {
            "availability": "availability",
            "secure_channel": "switch_state",
            "lock_state": "lock_state",
            "door_contact": "door_contact",
            "exit_button": "switch_state",
            "tamper": "tamper",
            "power_fault": "system_fault",
        },
        "onvif_camera": {
            "availability": "availability",
            "picture_fault": "system_fault",
            "clock_fault": "system_fault",
        },
    }
)


def shown_values(profile: str, values_micro: Mapping[str, int]) -> dict[str, int]:
    """Return what a device of that profile tells of these values: its own points, in its own steps."""
    shown: dict[str, int] = {}
    for items in (*DLT645.get(profile, {}).values(), *DLT645_1997.get(profile, {}).values()):
        shown |= {item.point: quantised(values_micro[item.point], item.step_micro) for item in items}
    for cell in MODBUS.get(profile, ()):
        shown[cell.point] = quantised(values_micro[cell.point], cell.step_micro, cell.encoding)
    for telegram in MBUS.get(profile, ()):
        shown |= {r.point: quantised(values_micro[r.point], r.step_micro) for r in telegram}
        shown |= {point: values_micro[point] for point in MBUS_STATUS}
    for point in (*CJT188.get(profile, ()), *ZIGBEE2MQTT.get(profile, ())):
        step_micro = VOLUME_STEP_MICRO if point == "water_volume" else _ONE
        shown[point] = quantised(values_micro[point], step_micro)
    for point, step_micro in TALKERS.get(profile, {}).items():
        shown[point] = quantised(values_micro[point], step_micro)
    for point in (*CALLERS.get(profile, ()), *TOLD_BY_THE_BOX.get(profile, ())):
        shown[point] = values_micro[point]
    return shown
