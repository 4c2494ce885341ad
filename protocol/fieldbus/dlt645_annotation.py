"""What a DL/T 645-2007 frame says, as facts and field by field.

The same decoder the drivers use; nothing here reads bytes its own way.
"""

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role, amount_text
from protocol.fieldbus.bcd import digits_from_wire
from protocol.fieldbus.dlt645 import (
    BAUD_RATES,
    ERROR_BITS,
    Frame,
    Function,
    RelayAction,
    decode_frame,
    describe_error,
)
from protocol.fieldbus.dlt645_format import DataIdentifier, Items, decode_items, format_from_pattern
from protocol.fieldbus.dlt645_table import data_identifier

_FUNCTION_NAMES = {
    Function.BROADCAST_TIME: "broadcast time sync",
    Function.READ: "read data",
    Function.READ_FOLLOW_UP: "read follow-up",
    Function.READ_ADDRESS: "read address",
    Function.WRITE: "write data",
    Function.WRITE_ADDRESS: "write address",
    Function.FREEZE: "freeze command",
    Function.CHANGE_BAUD: "change baud",
    Function.CHANGE_PASSWORD: "change password",
    Function.CLEAR_DEMAND: "clear maximum demand",
    Function.CLEAR_METER: "clear meter",
    Function.CLEAR_EVENTS: "clear events",
    Function.RELAY: "relay control",
}
_TIME = format_from_pattern("YYMMDDhhmmss")
_SHORT_TIME = format_from_pattern("YYMMDDhhmm")


class _Dlt645Of2007:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; `decode_error` where its data are no digits."""
        frame = decode_frame(message.data)
        facts = frame_facts(frame, "DL/T 645-2007", function_name(frame))
        if frame.is_reply and frame.is_abnormal:
            facts.update(error_facts(frame.data))
        else:
            facts.update(_content_facts(frame))
        return facts

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame; data are explained as they are without the +33H."""
        frame = decode_frame(message.data)
        cursor = Cursor()
        explain_head(cursor, frame, function_name(frame))
        if frame.is_reply and frame.is_abnormal:
            cursor.take(len(frame.data), Role.ERROR, describe_error(frame.data[0] if frame.data else 0))
        else:
            _explain_content(cursor, frame)
        explain_tail(cursor, message.data)
        return cursor.fields


DLT645_2007 = _Dlt645Of2007()


def function_name(frame: Frame) -> str:
    """Return the function in words; FrameError where the 2007 edition has no such function."""
    try:
        return _FUNCTION_NAMES[Function(frame.function)]
    except ValueError:
        raise FrameError(f"function {frame.function:02x} is not one of DL/T 645-2007") from None


def frame_facts(frame: Frame, edition: str, function: str) -> Facts:
    """Return the facts every frame has, in both editions."""
    facts: Facts = {
        "protocol_version": edition,
        "preamble_fe": frame.preamble_count,
        "address": frame.meter_address,
        "control": f"{frame.control_code:02x}",
        "length": len(frame.data),
        "direction_bit": "slave" if frame.is_reply else "master",
        "function": function,
    }
    if frame.is_reply:
        facts["abnormal"] = frame.is_abnormal
        facts["has_followup"] = frame.has_follow_up
    return facts


def error_facts(data: bytes) -> Facts:
    """Return what the ERR byte of an abnormal reply says."""
    if not data:
        return {"error_byte": None, "error_bits": []}
    bits: list[Fact] = [name for bit, name in enumerate(ERROR_BITS) if data[0] >> bit & 1]
    return {"error_byte": f"{data[0]:02x}", "error_bits": bits}


def item_facts(identifier: DataIdentifier, payload: bytes) -> Facts:
    """Return the values of a read reply, or why they cannot be read."""
    try:
        items = decode_items(identifier, payload)
    except FrameError as error:
        return {"decode_error": str(error)}
    facts: Facts = {}
    if identifier.is_block:
        facts["values"] = list(items.values)
    else:
        facts["value"] = items.values[0]
        if identifier.names[1:] == ("occurred",):
            facts["time"] = items.values[1]
    if identifier.unit:
        facts["unit"] = identifier.unit
    if items.extra:
        facts["extra_trailing_bytes"] = items.extra.hex()
    return facts


def _known(wire: bytes) -> DataIdentifier | None:
    try:
        return data_identifier(digits_from_wire(wire))
    except ProtocolError:
        return None


def _read_facts(frame: Frame) -> Facts:
    if len(frame.data) < 4:
        return {"data_raw": frame.data.hex()}
    identifier, payload = _known(frame.data[:4]), frame.data[4:]
    facts: Facts = {"di": digits_from_wire(frame.data[:4]).upper()}
    if identifier is not None:
        facts["item"] = identifier.title
    if frame.function == Function.READ_FOLLOW_UP and payload:
        facts["frame_seq"] = payload[-1]
        payload = payload[:-1]
    if payload:
        facts["data_raw"] = payload.hex()
    if not frame.is_reply:
        return facts | _block_request_facts(payload)
    return facts if identifier is None else facts | item_facts(identifier, payload)


def _block_request_facts(extra: bytes) -> Facts:
    """Return what may follow the identifier of a load-profile request: count, then start time."""
    facts: Facts = {}
    if extra:
        facts["block_count"] = extra[0]
    if len(extra) == 6:
        facts["time"] = _time_or_none(extra[1:])
    return facts


def _time_or_none(wire: bytes) -> Fact:
    pattern = _TIME if len(wire) == 6 else _SHORT_TIME
    try:
        return pattern.decode(wire)
    except FrameError:
        return None


def _content_facts(frame: Frame) -> Facts:
    data = frame.data
    match frame.function:
        case Function.READ | Function.READ_FOLLOW_UP:
            return _read_facts(frame)
        case Function.READ_ADDRESS if len(data) == 6:
            return {"meter_address": digits_from_wire(data)}
        case Function.BROADCAST_TIME if len(data) == 6:
            return {"time": _time_or_none(data)}
        case Function.WRITE_ADDRESS if len(data) == 6:
            return {"new_address": digits_from_wire(data)}
        case Function.FREEZE if len(data) == 4:
            return {"freeze_pattern": digits_from_wire(data)}
        case Function.CHANGE_BAUD if data:
            return {"baud_flag": f"{data[0]:02x}", "baud": BAUD_RATES.get(data[0])}
        case Function.WRITE if len(data) >= 12:
            facts: Facts = {"di": digits_from_wire(data[:4]).upper(), "password_level": data[4]}
            identifier = _known(data[:4])
            if identifier is not None:
                facts["item"] = identifier.title
            return facts | {"operator": digits_from_wire(data[8:12]), "data_raw": data[12:].hex()}
        case Function.RELAY if len(data) >= 16:
            return {
                "password_level": data[0],
                "operator": digits_from_wire(data[4:8]),
                "relay_code": f"{data[8]:02x}",
                "relay_action": _relay_action(data[8]),
                "valid_until": _time_or_none(data[10:16]),
            }
        case _:
            return {"data_raw": data.hex()} if data else {}


def _relay_action(code: int) -> str | None:
    return RelayAction(code).name.lower().replace("_", " ") if code in set(RelayAction) else None


# Field by field


def explain_head(cursor: Cursor, frame: Frame, function: str) -> None:
    """Add preamble to length, which both editions share."""
    sender = "reply" if frame.is_reply else "request"
    state = (
        ", refused" * (frame.is_reply and frame.is_abnormal) + ", more frames follow" * frame.has_follow_up
    )
    cursor.take(frame.preamble_count, Role.PREAMBLE, "wake-up FE")
    cursor.take(1, Role.START, "start")
    cursor.take(6, Role.ADDRESS, f"meter address {frame.meter_address}, lowest byte first")
    cursor.take(1, Role.START, "start, again")
    cursor.take(1, Role.CONTROL, f"control {frame.control_code:02x}: {sender}, {function}{state}")
    cursor.take(1, Role.LENGTH, f"{len(frame.data)} bytes of data, each sent with 33H added")


def explain_tail(cursor: Cursor, wire: bytes) -> None:
    """Add checksum and end."""
    cursor.take(1, Role.CHECKSUM, f"checksum {wire[-2]:02x}: sum from the first 68, modulo 256; correct")
    cursor.take(1, Role.END, "end")


def explain_items(cursor: Cursor, identifier: DataIdentifier, payload: bytes) -> None:
    """Add one field a value, and what a meter appended."""
    try:
        items: Items = decode_items(identifier, payload)
    except FrameError as error:
        cursor.take(len(payload), Role.UNKNOWN, str(error))
        return
    names = identifier.names if len(identifier.names) >= len(items.values) else ("",) * len(items.values)
    for name, value, width in zip(names, items.values, items.widths, strict=False):
        text = amount_text(value, identifier.unit)
        cursor.take(width, Role.TIME if name == "occurred" else Role.VALUE, f"{name} {text}".strip())
    cursor.take(len(items.extra), Role.UNKNOWN, "appended by the maker, not used")


def _explain_content(cursor: Cursor, frame: Frame) -> None:
    data = frame.data
    if frame.function not in (Function.READ, Function.READ_FOLLOW_UP) or len(data) < 4:
        facts = _content_facts(frame)
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        role = Role.ADDRESS if "address" in text else Role.TIME if "time" in facts else Role.PAYLOAD
        cursor.take(len(data), role, text)
        return
    identifier = _known(data[:4])
    title = identifier.title if identifier else "not in the table of the standard"
    di = digits_from_wire(data[:4]).upper()
    cursor.take(4, Role.DATA_IDENTIFIER, f"data identifier {di}: {title}")
    payload = data[4:]
    sequence = payload[-1:] if frame.function == Function.READ_FOLLOW_UP else b""
    payload = payload[: len(payload) - len(sequence)]
    if frame.is_reply and identifier is not None and payload:
        explain_items(cursor, identifier, payload)
    else:
        cursor.take(len(payload), Role.PAYLOAD, "block count and start" if not frame.is_reply else "data")
    cursor.take(len(sequence), Role.SERIAL, f"follow-up frame {sequence[0] if sequence else ''}")
