"""What a CJ/T 188 frame says, as facts and field by field."""

from datetime import datetime

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Facts, Field, Message, Role, amount_text
from protocol.fieldbus.bcd import digits_from_wire
from protocol.fieldbus.cjt188 import (
    ADDRESS,
    ANY_METER_TYPE,
    CURRENT_DATA,
    NEW_ADDRESS,
    VALVE,
    Frame,
    Function,
    decode_frame,
)
from protocol.fieldbus.cjt188_data import (
    VALVE_OPERATIONS,
    Amount,
    HeatData,
    Status,
    WaterData,
    decode_heat,
    decode_history,
    decode_water,
    is_heat,
)

_TYPE_NAMES = {
    0x10: "cold water",
    0x11: "hot water",
    0x12: "drinking water",
    0x13: "reclaimed water",
    0x20: "heat",
    0x21: "cooling",
    0x22: "heat and cooling",
    0x30: "gas",
    0x40: "custom",
    ANY_METER_TYPE: "any type",
}
_FUNCTION_NAMES = {
    Function.READ: "read data",
    Function.READ_ADDRESS: "read address",
    Function.WRITE: "write data",
    Function.READ_KEY_VERSION: "read key version",
    Function.WRITE_ADDRESS: "write address",
    Function.WRITE_BASE_VALUE: "write base value",
    Function.VALVE: "valve control (2018-style)",
}
_TITLES = {
    CURRENT_DATA: "current data",
    ADDRESS: "address",
    VALVE: "valve",
    NEW_ADDRESS: "new address",
    "8102": "prices",
    "8103": "settlement day",
    "8104": "reading day",
    "8105": "purchase",
    "8106": "key version",
    "A010": "price",
    "A011": "settlement day",
    "A012": "reading day",
    "A013": "purchase",
    "A014": "key",
    "A015": "clock",
    "A016": "base value",
    "A019": "factory enabling",
}


class _Cjt188:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; `decode_error` where its data are no digits or units."""
        frame = decode_frame(message.data)
        facts: Facts = {
            "preamble_fe": frame.preamble_count,
            "meter_type": f"{frame.meter_type:02x}",
            "meter_type_name": _type_name(frame.meter_type),
            "address": frame.address,
            "control": f"{frame.control_code:02x}",
            "function": _function_name(frame),
            "direction_bit": "slave" if frame.is_reply else "master",
            "abnormal": frame.is_abnormal,
            "length": message.data[frame.preamble_count + 10],
        }
        if frame.serial is not None:
            facts["serial"] = frame.serial
        if frame.data_identifier:
            facts.update(_identifier_facts(frame))
        if frame.data:
            facts["data_raw"] = frame.data.hex()
        try:
            facts.update(_content_facts(frame))
        except FrameError as error:
            facts["decode_error"] = str(error)
        return facts

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame."""
        frame = decode_frame(message.data)
        cursor = Cursor()
        sender = "reply" if frame.is_reply else "request"
        cursor.take(frame.preamble_count, Role.PREAMBLE, "wake-up FE")
        cursor.take(1, Role.START, "start")
        cursor.take(1, Role.ADDRESS, f"meter type {frame.meter_type:02x}: {_type_name(frame.meter_type)}")
        cursor.take(7, Role.ADDRESS, f"meter address {frame.address}, lowest byte first")
        refused = ", refused" if frame.is_abnormal else ""
        control = f"control {frame.control_code:02x}: {sender}, {_function_name(frame)}{refused}"
        cursor.take(1, Role.CONTROL, control)
        length = message.data[frame.preamble_count + 10]
        cursor.take(1, Role.LENGTH, f"{length} bytes up to the checksum")
        if frame.data_identifier:
            order = "low" if frame.di_low_first else "high"
            title = _title(frame.data_identifier)
            text = f"data identifier {frame.data_identifier}: {title}, {order} byte first"
            cursor.take(2, Role.DATA_IDENTIFIER, text)
        if frame.serial is not None:
            cursor.take(1, Role.SERIAL, f"serial number {frame.serial}")
        _explain_content(cursor, frame)
        text = f"checksum {message.data[-2]:02x}: sum from 68, modulo 256; correct"
        cursor.take(1, Role.CHECKSUM, text)
        cursor.take(1, Role.END, "end")
        return cursor.fields


CJT188 = _Cjt188()


def _type_name(meter_type: int) -> str:
    families = {1: "water", 2: "heat", 3: "gas", 4: "custom"}
    return _TYPE_NAMES.get(meter_type) or families.get(meter_type >> 4, "unknown type")


def _function_name(frame: Frame) -> str:
    if frame.function in set(Function):
        return _FUNCTION_NAMES[Function(frame.function)]
    return f"function {frame.function:02x}"


def _title(identifier: str) -> str:
    if identifier.startswith("D1") and "20" <= identifier[2:] <= "2B":
        return f"settlement value {int(identifier[2:], 16) - 0x1F} months back"
    return _TITLES.get(identifier, "not in the table of the standard")


def _identifier_facts(frame: Frame) -> Facts:
    low = frame.di_low_first
    wire = frame.data_identifier[2:] + frame.data_identifier[:2] if low else frame.data_identifier
    return {
        "di": frame.data_identifier,
        "di_wire": wire.lower(),
        "di_byte_order": f"DI {'low' if low else 'high'} byte first on the wire",
    }


def _content_facts(frame: Frame) -> Facts:
    data, identifier = frame.data, frame.data_identifier
    if frame.is_reply and frame.is_abnormal:
        return {"status": _status_facts(Status(data[:2]))} if len(data) >= 2 else {"status": data.hex()}
    if frame.function == Function.READ and frame.is_reply:
        if identifier == CURRENT_DATA:
            if is_heat(frame.meter_type):
                return _heat_facts(decode_heat(data))
            return _water_facts(decode_water(data))
        if identifier.startswith("D1"):
            amount = decode_history(data)
            return {"volume": amount.value, "volume_unit": amount.unit or None}
    if identifier == VALVE:
        return _valve_facts(frame)
    if identifier == NEW_ADDRESS and len(data) == 7:
        return {"new_address": digits_from_wire(data)}
    return {}


def _valve_facts(frame: Frame) -> Facts:
    if frame.is_reply:
        facts: Facts = {"valve_op": None}
        if len(frame.data) >= 2:
            facts["status"] = _status_facts(Status(frame.data[:2]))
        return facts
    return {"valve_op": VALVE_OPERATIONS.get(frame.data[0]) if frame.data else None}


def _status_facts(status: Status) -> Facts:
    return {"raw": status.raw.hex(), "valve": status.valve, "battery_low": status.is_battery_low}


def _clock_text(clock: datetime | None) -> str | None:
    return clock.strftime("%Y-%m-%d %H:%M:%S") if clock else None


def _water_facts(water: WaterData) -> Facts:
    return {
        "current_volume": water.current.value,
        "current_unit": water.current.unit or None,
        "settlement_volume": water.settlement.value,
        "settlement_unit": water.settlement.unit or None,
        "time": _clock_text(water.clock),
        "status": _status_facts(water.status),
    }


def _heat_facts(heat: HeatData) -> Facts:
    facts: Facts = {}
    for name, amount in _heat_amounts(heat):
        facts[name] = amount.value
        facts[f"{name}_unit"] = amount.unit or None
    side = "BEFORE" if heat.is_unit_first else "AFTER"
    return facts | {
        "field_order": f"unit byte {side} the 4 value bytes",
        "supply_temp_C": heat.supply_temperature,
        "return_temp_C": heat.return_temperature,
        "work_hours": heat.working_hours,
        "time": _clock_text(heat.clock),
        "status": heat.status.raw.hex(),
    }


def _heat_amounts(heat: HeatData) -> tuple[tuple[str, Amount], ...]:
    return (
        ("settlement_heat", heat.settlement_heat),
        ("current_heat", heat.current_heat),
        ("power", heat.power),
        ("flow", heat.flow),
        ("volume", heat.volume),
    )


# Field by field


def _explain_content(cursor: Cursor, frame: Frame) -> None:
    start = cursor.offset
    try:
        if frame.is_reply and frame.function == Function.READ and frame.data_identifier == CURRENT_DATA:
            if is_heat(frame.meter_type):
                _explain_heat(cursor, decode_heat(frame.data))
            else:
                _explain_water(cursor, decode_water(frame.data))
        elif frame.data:
            facts = _content_facts(frame)
            text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
            role = Role.STATUS if "status" in facts else Role.PAYLOAD
            cursor.take(len(frame.data), role, text or f"data {frame.data.hex()}")
    except FrameError as error:
        cursor.take(len(frame.data), Role.UNKNOWN, str(error))
    rest = len(frame.data) - (cursor.offset - start)
    cursor.take(rest, Role.UNKNOWN, "appended by the maker, not used")


def _explain_amount(cursor: Cursor, name: str, amount: Amount, *, is_unit_first: bool) -> None:
    unit = f"unit {amount.unit or 'not given'}"
    if is_unit_first:
        cursor.take(1, Role.UNIT, unit)
    cursor.take(4, Role.VALUE, f"{name} {amount_text(amount.value, amount.unit)}")
    if not is_unit_first:
        cursor.take(1, Role.UNIT, unit)


def _explain_clock(cursor: Cursor, clock: datetime | None, status: Status) -> None:
    cursor.take(7, Role.TIME, f"meter clock {_clock_text(clock) or 'not set'}")
    battery = "low" if status.is_battery_low else "good"
    cursor.take(2, Role.STATUS, f"status {status.raw.hex()}: valve {status.valve}, battery {battery}")


def _explain_water(cursor: Cursor, water: WaterData) -> None:
    _explain_amount(cursor, "current volume", water.current, is_unit_first=False)
    _explain_amount(cursor, "volume at settlement", water.settlement, is_unit_first=False)
    _explain_clock(cursor, water.clock, water.status)


def _explain_heat(cursor: Cursor, heat: HeatData) -> None:
    for name, amount in _heat_amounts(heat):
        _explain_amount(cursor, name.replace("_", " "), amount, is_unit_first=heat.is_unit_first)
    cursor.take(3, Role.VALUE, f"supply {amount_text(heat.supply_temperature, '°C')}")
    cursor.take(3, Role.VALUE, f"return {amount_text(heat.return_temperature, '°C')}")
    cursor.take(3, Role.VALUE, f"working {amount_text(heat.working_hours, 'h')}")
    _explain_clock(cursor, heat.clock, heat.status)
