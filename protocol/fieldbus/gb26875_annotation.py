"""What a GB/T 26875.3 packet says, as facts and field by field."""

from collections.abc import Mapping
from decimal import Decimal

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.gb26875 import Packet, decode_packet
from protocol.fieldbus.gb26875_table import COMPONENT_TYPES, SYSTEM_TYPES, type_named
from protocol.fieldbus.gb26875_units import (
    ANALOG_QUANTITIES,
    COMPONENT_STATUS,
    DESCRIBES,
    OPERATIONS,
    SYSTEM_STATUS,
    TRANSMITTER_STATUS,
    UnitType,
    bits_named,
    decode_text,
    decode_time,
    split_unit,
)

_COMMAND_NAMES: Mapping[int, str] = {
    1: "control",
    2: "send data",
    3: "confirm",
    4: "request",
    5: "response",
    6: "deny",
}
_TYPE_NAMES: Mapping[int, str] = {
    1: "system status",
    2: "component status",
    3: "component analog",
    4: "operation info",
    5: "software version",
    6: "system config",
    7: "component config",
    8: "system time",
    21: "transmitter status",
    24: "transmitter operation info",
    25: "transmitter software version",
    26: "transmitter config",
    28: "transmitter time",
    61: "read system status",
    62: "read component status",
    63: "read component analog",
    64: "read operation info",
    65: "read software version",
    66: "read system config",
    67: "read component config",
    68: "read system time",
    81: "read transmitter status",
    84: "read transmitter operation info",
    85: "read transmitter software version",
    86: "read transmitter config",
    88: "read transmitter time",
    89: "initialise transmitter",
    90: "synchronise clock",
    91: "roll-call",
}


class _Gb26875:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the packet says; a unit that cannot be taken apart is given raw."""
        packet = decode_packet(message.data)
        facts: Facts = {
            "serial_le": packet.serial,
            "version_main": packet.version[0],
            "version_user": packet.version[1],
            "send_time": _time_text(packet.sent),
            "source_hex_wire": packet.source.hex(),
            "dest_hex_wire": packet.destination.hex(),
            "source_le_int": int.from_bytes(packet.source, "little"),
            "dest_le_int": int.from_bytes(packet.destination, "little"),
            "app_length": len(packet.unit),
            "command": packet.command,
            "command_name": _COMMAND_NAMES.get(packet.command, "vendor"),
        }
        return facts | _unit_facts(packet.unit)

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the packet."""
        packet = decode_packet(message.data)
        cursor = Cursor()
        cursor.take(2, Role.START, "start @@")
        cursor.take(2, Role.SERIAL, f"serial number {packet.serial}, low byte first")
        cursor.take(2, Role.CONTROL, f"version {packet.version[0]}.{packet.version[1]}")
        cursor.take(6, Role.TIME, f"sent {_time_text(packet.sent) or 'at no possible time'}")
        cursor.take(6, Role.ADDRESS, f"source {packet.source.hex()}, low byte first")
        cursor.take(6, Role.ADDRESS, f"destination {packet.destination.hex()}, low byte first")
        cursor.take(2, Role.LENGTH, f"{len(packet.unit)} bytes of application unit")
        command = _COMMAND_NAMES.get(packet.command, "vendor")
        cursor.take(1, Role.FUNCTION_CODE, f"command {packet.command}: {command}")
        _explain_unit(cursor, packet)
        cursor.take(1, Role.CHECKSUM, f"checksum {message.data[-3]:02x}: sum from the serial number; correct")
        cursor.take(2, Role.END, "end ##")
        return cursor.fields


GB26875 = _Gb26875()


def _time_text(wire: bytes) -> str | None:
    time = decode_time(wire)
    return time.strftime("%Y-%m-%d %H:%M:%S") if time else None


def _unit_facts(unit: bytes) -> Facts:
    if not unit:
        return {}
    if len(unit) == 1:
        note = "one-byte application unit (vendor handshake), no count byte"
        return {"app_raw": unit.hex(), "app_note": note}
    facts: Facts = {
        "type": unit[0],
        "type_name": _TYPE_NAMES.get(unit[0], "vendor"),
        "count": unit[1],
    }
    try:
        kind, items = split_unit(unit)
    except FrameError as error:
        return facts | {"app_raw": unit.hex(), "app_note": str(error)}
    return facts | {"objects": [_object_facts(kind, item) for item in items]}


def _object_facts(kind: UnitType, item: bytes) -> dict[str, Fact]:
    if kind in DESCRIBES:
        return _describing_facts(kind, item)
    time: dict[str, Fact] = {"time_raw": item[-6:].hex(), "time": _time_text(item[-6:])}
    match kind:
        case UnitType.SYSTEM_STATUS:
            return _system(item) | _status(item[2:4], SYSTEM_STATUS) | time
        case UnitType.COMPONENT_STATUS:
            return _component(item) | _status(item[7:9], COMPONENT_STATUS) | _description(item[9:40]) | time
        case UnitType.COMPONENT_ANALOG:
            return _component(item) | _analog(item[7], item[8:10]) | time
        case UnitType.SYSTEM_OPERATION:
            return _system(item) | _operation(item[2], item[3]) | time
        case UnitType.TRANSMITTER_STATUS:
            return _status(item[:1], TRANSMITTER_STATUS) | time
        case _:
            return _operation(item[0], item[1]) | time


def _describing_facts(kind: UnitType, item: bytes) -> dict[str, Fact]:
    """Return what a panel says of itself: versions, descriptions, its clock."""
    match kind:
        case UnitType.SYSTEM_VERSION:
            return _system(item) | {"version": f"{item[2]}.{item[3]}"}
        case UnitType.SYSTEM_CONFIGURATION:
            return _system(item) | {"description": decode_text(item[3:])}
        case UnitType.COMPONENT_CONFIGURATION:
            return _component(item) | {"description": decode_text(item[7:])}
        case UnitType.SYSTEM_TIME:
            return _system(item) | {"clock": _time_text(item[2:])}
        case UnitType.TRANSMITTER_VERSION:
            return {"version": f"{item[0]}.{item[1]}"}
        case UnitType.TRANSMITTER_CONFIGURATION:
            return {"description": decode_text(item[1:])}
        case _:
            return {"clock": _time_text(item)}


def _system(item: bytes) -> dict[str, Fact]:
    return {
        "system_type": item[0],
        "system_type_name": type_named(item[0], SYSTEM_TYPES),
        "system_addr": item[1],
    }


def _component(item: bytes) -> dict[str, Fact]:
    return _system(item) | {
        "component_type": item[2],
        "component_type_name": type_named(item[2], COMPONENT_TYPES),
        "component_addr_wire": item[3:7].hex(),
        "zone_le": int.from_bytes(item[3:5], "little"),
        "position_le": int.from_bytes(item[5:7], "little"),
    }


def _status(wire: bytes, names: tuple[str, ...]) -> dict[str, Fact]:
    status = int.from_bytes(wire, "little")
    return {"status": status, "status_bits": [*bits_named(status, names)]}


def _operation(flags: int, operator: int) -> dict[str, Fact]:
    return {"op_flags": flags, "op": [*bits_named(flags, OPERATIONS)], "operator": operator}


def _analog(quantity: int, wire: bytes) -> dict[str, Fact]:
    raw = int.from_bytes(wire, "little", signed=True)
    name, unit, decimals = ANALOG_QUANTITIES.get(quantity, ("vendor", "", 0))
    value = Decimal(raw).scaleb(-decimals)
    return {"analog_type": quantity, "analog_type_name": name, "raw": raw, "value": value, "unit": unit}


def _description(wire: bytes) -> dict[str, Fact]:
    """Return the text with what stands behind its first NUL, since a person may want to see it."""
    return {"description": wire.decode("gb18030", "replace").rstrip("\0"), "description_hex": wire.hex()}


# Field by field


def _explain_unit(cursor: Cursor, packet: Packet) -> None:
    unit = packet.unit
    if len(unit) < 2:
        cursor.take(len(unit), Role.PAYLOAD, f"application unit {unit.hex()}: a vendor's handshake")
        return
    cursor.take(1, Role.DATA_IDENTIFIER, f"type {unit[0]}: {_TYPE_NAMES.get(unit[0], 'vendor')}")
    try:
        kind, items = split_unit(unit)
    except FrameError as error:
        cursor.take(len(unit) - 1, Role.UNKNOWN, str(error))
        return
    cursor.take(1, Role.QUANTITY, f"{unit[1]} objects")
    for item in items:
        facts = _object_facts(kind, item)
        shown = {
            name: fact for name, fact in facts.items() if name not in ("description_hex", "time_raw", "time")
        }
        text = ", ".join(f"{name.replace('_', ' ')} {fact}" for name, fact in shown.items())
        if kind in DESCRIBES:
            cursor.take(len(item), Role.STATUS, text)
            continue
        cursor.take(len(item) - 6, Role.STATUS, text.replace("\0", " "))
        cursor.take(6, Role.TIME, f"at {facts['time'] or 'no possible time'}")
