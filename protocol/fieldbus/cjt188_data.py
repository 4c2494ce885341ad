"""What the data of CJ/T 188 replies say: water and gas volumes, heat, valve, clock, status.

Every value carries its own unit code on the wire and nothing is believed without it. FF FF FF FF
is None. Decimals are the standard's: volumes and energies XXXXXX.XX, flow XXXX.XXXX,
temperatures XXXX.XX, hours XXXXXX.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.bcd import (
    decimal_from_wire,
    digits_from_wire,
    is_absent,
    wire_from_decimal,
    wire_from_digits,
)

# CJ/T 188-2004 table 6.
UNITS: Mapping[int, str] = MappingProxyType(
    {
        0x01: "J",
        0x02: "Wh",
        0x05: "kWh",
        0x08: "MWh",
        0x0A: "MWh x100",
        0x0B: "kJ",
        0x0E: "MJ",
        0x11: "GJ",
        0x13: "GJ x100",
        0x14: "W",
        0x17: "kW",
        0x1A: "MW",
        0x29: "L",
        0x2C: "m3",
        0x32: "L/h",
        0x35: "m3/h",
    }
)
_CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in UNITS.items()})
_FLOW_UNITS = ("L/h", "m3/h")

# A017: 55 and 99 by the standard, the others by makers.
VALVE_OPERATIONS: Mapping[int, str] = MappingProxyType(
    {0x55: "open", 0x66: "free open (vendor)", 0x77: "free close (vendor)", 0x99: "close"}
)
VALVE_STATES = ("open", "closed", "reserved", "abnormal")

WATER_REPLY_LENGTH = 19  # 901F after the serial number: 5 + 5 + 7 + 2
HEAT_REPLY_LENGTH = 43  # 5 x 5 + 3 + 3 + 3 + 7 + 2
HISTORY_REPLY_LENGTH = 5


@dataclass(frozen=True, slots=True)
class Amount:
    """A value and its unit; the value None where the meter says it has none."""

    value: Decimal | None
    unit: str


@dataclass(frozen=True, slots=True)
class Status:
    """The two status bytes; valve and battery are the standard's, the rest is a maker's own."""

    raw: bytes

    @property
    def valve(self) -> str:
        """Return the valve's state, bits 0-1 of the first byte."""
        return VALVE_STATES[self.raw[0] & 3]

    @property
    def is_battery_low(self) -> bool:
        """Tell whether the meter's battery is low, bit 2 of the first byte."""
        return bool(self.raw[0] & 4)


@dataclass(frozen=True, slots=True)
class WaterData:
    """Reply to 901F of a water, gas or custom meter. `clock` None: not set or impossible."""

    current: Amount
    settlement: Amount
    clock: datetime | None
    status: Status


@dataclass(frozen=True, slots=True)
class HeatData:
    """Reply to 901F of a heat meter. `is_unit_first` tells which side of its value a unit stood."""

    settlement_heat: Amount
    current_heat: Amount
    power: Amount
    flow: Amount
    volume: Amount
    supply_temperature: Decimal | None
    return_temperature: Decimal | None
    working_hours: Decimal | None
    clock: datetime | None
    status: Status
    is_unit_first: bool


def is_heat(meter_type: int) -> bool:
    """Tell whether a meter of this type sends the heat layout."""
    return 0x20 <= meter_type <= 0x29


def decode_amount(wire: bytes, *, is_unit_first: bool = False) -> Amount:
    """Return the value and unit in five bytes, all FF for neither; FrameError for an unknown unit code."""
    if len(wire) != 5:
        raise FrameError(f"{len(wire)} bytes are not a value and its unit")
    if is_absent(wire):
        return Amount(None, "")
    code, digits = (wire[0], wire[1:]) if is_unit_first else (wire[4], wire[:4])
    unit = UNITS.get(code)
    if unit is None:
        raise FrameError(f"unit code {code:02x} is not in table 6 of CJ/T 188")
    return Amount(decimal_from_wire(digits, 4 if unit in _FLOW_UNITS else 2), unit)


def encode_amount(amount: Amount, *, is_unit_first: bool = False) -> bytes:
    """Return the five bytes of a value and its unit; all FF for neither."""
    if amount.value is None and not amount.unit:
        return b"\xff" * 5
    if amount.unit not in _CODES:
        raise ProtocolError(f"unit {amount.unit!r} is not in table 6 of CJ/T 188")
    code = bytes((_CODES[amount.unit],))
    digits = wire_from_decimal(amount.value, 4, 4 if amount.unit in _FLOW_UNITS else 2)
    return code + digits if is_unit_first else digits + code


def decode_water(data: bytes) -> WaterData:
    """Return what follows the serial number of a 901F reply: volumes, clock and status."""
    if len(data) < WATER_REPLY_LENGTH:
        raise FrameError(f"{len(data)} bytes of water data, expected {WATER_REPLY_LENGTH}")
    return WaterData(
        decode_amount(data[0:5]),
        decode_amount(data[5:10]),
        decode_clock(data[10:17]),
        Status(data[17:19]),
    )


def encode_water(water: WaterData) -> bytes:
    """Return the data of a 901F reply, as a water meter sends them."""
    amounts = encode_amount(water.current) + encode_amount(water.settlement)
    return amounts + encode_clock(water.clock) + water.status.raw


def decode_history(data: bytes) -> Amount:
    """Return the settlement volume of a past month (D120 to D12B)."""
    if len(data) < HISTORY_REPLY_LENGTH:
        raise FrameError(f"{len(data)} bytes of history, expected {HISTORY_REPLY_LENGTH}")
    return decode_amount(data[:5])


def decode_heat(data: bytes) -> HeatData:
    """Return what follows the serial number of a heat meter's 901F reply.

    The standard prints each unit after its value, meters in the field send it before; whichever
    side holds five known unit codes is right.
    """
    if len(data) < HEAT_REPLY_LENGTH:
        raise FrameError(f"{len(data)} bytes of heat data, expected {HEAT_REPLY_LENGTH}")
    is_unit_first = all(data[at] in UNITS for at in range(0, 25, 5))
    settlement_heat, current_heat, power, flow, volume = (
        decode_amount(data[at : at + 5], is_unit_first=is_unit_first) for at in range(0, 25, 5)
    )
    return HeatData(
        settlement_heat,
        current_heat,
        power,
        flow,
        volume,
        supply_temperature=decimal_from_wire(data[25:28], 2),
        return_temperature=decimal_from_wire(data[28:31], 2),
        working_hours=decimal_from_wire(data[31:34], 0),
        clock=decode_clock(data[34:41]),
        status=Status(data[41:43]),
        is_unit_first=is_unit_first,
    )


def encode_heat(heat: HeatData) -> bytes:
    """Return the data of a 901F reply, as a heat meter sends them."""
    amounts = (heat.settlement_heat, heat.current_heat, heat.power, heat.flow, heat.volume)
    return b"".join(
        [
            *(encode_amount(amount, is_unit_first=heat.is_unit_first) for amount in amounts),
            wire_from_decimal(heat.supply_temperature, 3, 2),
            wire_from_decimal(heat.return_temperature, 3, 2),
            wire_from_decimal(heat.working_hours, 3, 0),
            encode_clock(heat.clock),
            heat.status.raw,
        ]
    )


def decode_clock(wire: bytes) -> datetime | None:
    """Return the meter's local time from ss mm hh DD MM YY CC; None where it is not set or impossible."""
    if len(wire) != 7 or is_absent(wire):
        return None
    digits = digits_from_wire(wire)
    if not digits.isdecimal():
        return None
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    try:
        # A meter's clock has no zone: it is whatever the installer set.
        return datetime(int(digits[:4]), month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None


def encode_clock(clock: datetime | None) -> bytes:
    """Return the seven bytes of a meter's clock, zeros where it is not set."""
    return wire_from_digits(clock.strftime("%Y%m%d%H%M%S")) if clock else bytes(7)
