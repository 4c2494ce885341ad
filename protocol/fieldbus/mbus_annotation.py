"""What an M-Bus frame says, as facts and field by field.

Texts are those widely printed for M-Bus meters, so that a reading can be held against other tools.
"""

from decimal import Decimal

from protocol.errors import FrameError, Refused
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.mbus import (
    ACK,
    CI_ERROR,
    CI_FIXED,
    CI_MSB_FIRST,
    CI_VARIABLE,
    FixedTelegram,
    Frame,
    Header,
    Telegram,
    decode_fixed,
    decode_frame,
    decode_telegram,
)
from protocol.fieldbus.mbus_names import FIXED_MEDIA, fixed_unit, medium_name, product_name
from protocol.fieldbus.mbus_records import Record


class _Mbus:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; `application_error` where only its content cannot be read."""
        if message.data == ACK:
            return {"link": {"ack": True}, "link_layer_valid": True}
        frame = decode_frame(message.data)
        link: dict[str, Fact] = {"c": f"{frame.control:02x}", "a": frame.address}
        if frame.control_information is None:
            return {"link": link, "link_layer_valid": True}
        link["ci"] = f"{frame.control_information:02x}"
        facts: Facts = {"link": link, "link_layer_valid": True}
        try:
            if frame.control_information == CI_FIXED:
                return facts | _fixed_facts(decode_fixed(frame))
            return facts | _telegram_facts(decode_telegram(frame))
        except (FrameError, Refused) as error:
            return facts | {"application_error": str(error)}

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame; content that cannot be read is one field that says why."""
        cursor = Cursor()
        if message.data == ACK:
            cursor.take(1, Role.CONTROL, "acknowledgement")
            return cursor.fields
        frame = decode_frame(message.data)
        if frame.control_information is None:
            cursor.take(1, Role.START, "start of a short frame")
            cursor.take(1, Role.CONTROL, f"control {frame.control:02x}: {_control_name(frame)}")
            cursor.take(1, Role.ADDRESS, f"primary address {frame.address}")
        else:
            cursor.take(1, Role.START, "start of a long frame")
            cursor.take(2, Role.LENGTH, f"{message.data[1]} bytes up to the checksum, given twice")
            cursor.take(1, Role.START, "start, again")
            cursor.take(1, Role.CONTROL, f"control {frame.control:02x}: {_control_name(frame)}")
            cursor.take(1, Role.ADDRESS, f"primary address {frame.address}")
            information = frame.control_information
            cursor.take(1, Role.FUNCTION_CODE, f"control information {information:02x}: {_kind(information)}")
            _explain_content(cursor, frame)
        cursor.take(1, Role.CHECKSUM, f"checksum {message.data[-2]:02x}: sum from control on; correct")
        cursor.take(1, Role.END, "end")
        return cursor.fields


MBUS = _Mbus()


def _control_name(frame: Frame) -> str:
    names = {0x40: "initialise", 0x5B: "request data", 0x7B: "request data", 0x53: "send", 0x73: "send"}
    return names.get(frame.control) or ("reply" if frame.control & 0xCF == 0x08 else "other")


def _kind(information: int) -> str:
    names = {
        0x51: "data to the meter",
        0x52: "selection",
        0x71: "alarm",
        CI_ERROR: "application error",
        CI_FIXED: "fixed-length data",
        CI_VARIABLE: "variable-length data",
        CI_VARIABLE | CI_MSB_FIRST: "variable-length data, most significant byte first",
    }
    return names.get(information, "not supported")


# Facts


def _telegram_facts(telegram: Telegram) -> Facts:
    header = telegram.header
    return {
        "slave": {
            "Id": header.identification.lstrip("0") or "0",
            "Manufacturer": header.manufacturer,
            "Version": str(header.version),
            "ProductName": product_name(header),
            "Medium": medium_name(header.medium),
            "AccessNumber": str(header.access_number),
            "Status": f"{header.status:02X}",
            "Signature": f"{header.signature:04X}",
        },
        "records": [_record_facts(number, record) for number, record in enumerate(telegram.records)],
    }


def _record_facts(number: int, record: Record) -> dict[str, Fact]:
    facts: dict[str, Fact] = {
        "id": str(number),
        "Function": record.function,
        "StorageNumber": str(record.storage),
        "Unit": record.unit.symbol,
        "Quantity": record.unit.quantity,
        "Value": _value_text(record),
        "raw_value": _raw_text(record),
        "raw_unit": None if record.is_manufacturer_data else record.unit.printed,
    }
    if record.tariff is not None:
        facts |= {"Tariff": str(record.tariff), "Device": str(record.subunit)}
    return facts


def _value_text(record: Record) -> str:
    if isinstance(record.value, Decimal):
        return f"{record.value:.6f}"
    if isinstance(record.raw, str):
        return f"{record.raw}Z" if _is_time(record) else record.raw
    return f"{record.unit.apply(_naive_number(record.data)):.6f}"


def _naive_number(wire: bytes) -> Decimal:
    """Return what other tools print for BCD with nibbles above nine: the high one of a byte as none.

    For comparing by eye only; to a driver such a record has no value.
    """
    number = 0
    for byte in wire[::-1]:
        high, low = byte >> 4, byte & 0x0F
        number = (number * 10 + (high if high <= 9 else 0)) * 10 + low
    return Decimal(-number if wire[-1] >> 4 == 0xF else number)


def _raw_text(record: Record) -> str:
    if record.raw is None:
        return record.data[::-1].hex().upper()
    return f"{record.raw:.6f}" if isinstance(record.raw, Decimal) else str(record.raw)


def _is_time(record: Record) -> bool:
    return isinstance(record.raw, str) and len(record.data) in (4, 6) and record.raw[10:11] == "T"


def _fixed_facts(fixed: FixedTelegram) -> Facts:
    function = "Stored value" if fixed.is_stored else "Actual value"
    return {
        "slave": {
            "Id": fixed.identification.lstrip("0") or "0",
            "Medium": FIXED_MEDIA[fixed.medium],
            "AccessNumber": str(fixed.access_number),
            "Status": f"{fixed.status:02X}",
        },
        "records": [
            {
                "id": str(number),
                "Function": function,
                "Unit": fixed_unit(counter.unit_code),
                "Value": str(counter.value),
                "raw_value": str(counter.value),
                "raw_unit": fixed_unit(counter.unit_code),
            }
            for number, counter in enumerate(fixed.counters)
        ],
    }


# Field by field


def _explain_content(cursor: Cursor, frame: Frame) -> None:
    try:
        if frame.control_information == CI_FIXED:
            _explain_fixed(cursor, decode_fixed(frame))
        else:
            telegram = decode_telegram(frame)
            _explain_header(cursor, telegram.header)
            _explain_records(cursor, frame.data, telegram)
    except (FrameError, Refused) as error:
        role = Role.ERROR if isinstance(error, Refused) else Role.UNKNOWN
        cursor.take(len(frame.data), role, str(error))


def _explain_header(cursor: Cursor, header: Header) -> None:
    cursor.take(4, Role.ADDRESS, f"identification {header.identification}")
    cursor.take(2, Role.ADDRESS, f"manufacturer {header.manufacturer}")
    cursor.take(1, Role.ADDRESS, f"version {header.version} {product_name(header)}".strip())
    cursor.take(1, Role.ADDRESS, f"medium {header.medium:02x}: {medium_name(header.medium)}")
    cursor.take(1, Role.SERIAL, f"access number {header.access_number}")
    cursor.take(1, Role.STATUS, f"status {header.status:02x}")
    cursor.take(2, Role.CONTROL, f"signature {header.signature:04x}: not encrypted")


def _explain_records(cursor: Cursor, data: bytes, telegram: Telegram) -> None:
    base = cursor.offset - 12
    for record in telegram.records:
        cursor.take(record.start + 12 - (cursor.offset - base), Role.UNKNOWN, "filler")
        dib, vib, lvar, width = record.widths
        where = f", storage {record.storage}" if record.storage else ""
        where += f", tariff {record.tariff}" if record.tariff else ""
        cursor.take(dib, Role.CONTROL, f"{record.function}{where}")
        cursor.take(vib, Role.UNIT, f"{record.unit.quantity}: {record.unit.printed}")
        cursor.take(lvar, Role.LENGTH, "length of the value")
        text = f"{record.value if record.value is not None else 'not valid'} {record.unit.symbol}".strip("- ")
        role = Role.UNKNOWN if record.is_manufacturer_data else Role.TIME if _is_time(record) else Role.VALUE
        cursor.take(width, role, text or "empty")
    cursor.take(len(data) - (cursor.offset - base), Role.UNKNOWN, "filler")


def _explain_fixed(cursor: Cursor, fixed: FixedTelegram) -> None:
    cursor.take(4, Role.ADDRESS, f"identification {fixed.identification}")
    cursor.take(1, Role.SERIAL, f"access number {fixed.access_number}")
    cursor.take(1, Role.STATUS, f"status {fixed.status:02x}")
    cursor.take(2, Role.UNIT, f"units and medium: {FIXED_MEDIA[fixed.medium]}")
    for number, counter in enumerate(fixed.counters, start=1):
        cursor.take(4, Role.VALUE, f"counter {number}: {counter.value} {fixed_unit(counter.unit_code)}")
