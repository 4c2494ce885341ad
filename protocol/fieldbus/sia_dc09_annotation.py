"""What a SIA DC-09 message says, as facts and field by field."""

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Role
from protocol.fieldbus.annotation import Message as Frame
from protocol.fieldbus.contact_id import EVENTS, QUALIFIERS
from protocol.fieldbus.sia_dc09 import (
    ContactIdData,
    Message,
    SiaData,
    decode_message,
    read_leniently,
    sia_code_of,
    split_message,
)

_ID_NAMES = {
    "ACK": "acknowledgement",
    "ADM-CID": "Contact ID event",
    "DUH": "not understood",
    "HENG-BO": "Contact ID event of a Hengbo panel",
    "NAK": "refusal, with the receiver's time",
    "NULL": "link test",
    "SIA-DCS": "SIA event",
}


class _SiaDc09:
    """The codec as the registry sees it."""

    def facts(self, message: Frame) -> Facts:
        """Return everything the message says, if length and CRC fit."""
        return _facts(message.data, decode_message(message.data))

    def lenient_facts(self, message: Frame) -> Facts:
        """Return what a message with wrong length or CRC seems to say, and its event as SIA code."""
        read = read_leniently(message.data)
        facts = _facts(message.data, read)
        contact_id, sia = read.contact_id(), read.sia()
        if sia is not None:
            facts["sia_code"] = sia.code
        elif contact_id is not None:
            facts["sia_code"] = sia_code_of(contact_id)
        return facts

    def explain(self, message: Frame) -> list[Field]:
        """Return the fields of the message."""
        read = decode_message(message.data)
        cursor = Cursor()
        cursor.take(1, Role.START, "line feed")
        cursor.take(4, Role.CHECKSUM, "CRC-16 from the first quote; correct")
        cursor.take(4, Role.LENGTH, f"{len(message.data) - 10} characters from the first quote")
        name = _ID_NAMES.get(read.id.removeprefix("*"), "unknown")
        cursor.take(len(read.id) + 2, Role.CONTROL, f"{read.id}: {name}")
        cursor.take(4, Role.SERIAL, f"sequence {read.sequence}")
        _explain_route(cursor, message.data, read)
        cursor.take(len(read.data) + (1 if read.is_encrypted else 2), Role.PAYLOAD, _data_text(read))
        if read.extra is not None:
            cursor.take(len(read.extra) + 2, Role.PAYLOAD, f"more data {read.extra}")
        if read.timestamp is not None:
            cursor.take(len(read.timestamp) + 1, Role.TIME, f"sent {read.timestamp}, UTC by the standard")
        cursor.take(len(message.data) - cursor.offset, Role.END, "carriage return")
        return cursor.fields


SIA_DC09 = _SiaDc09()


def _facts(wire: bytes, message: Message) -> Facts:
    crc, length, _ = split_message(wire)
    facts: Facts = {
        "id": message.id,
        "sequence": message.sequence,
        "receiver": message.receiver,
        "line": message.line,
        "account": message.account,
        "data": message.data,
        "extra": message.extra,
        "timestamp": message.timestamp,
        "crc": crc,
        "length": length,
        "encrypted": message.is_encrypted,
    }
    try:
        contact_id, sia = message.contact_id(), message.sia()
    except FrameError as error:
        return facts | {"data_error": str(error)}
    if contact_id is not None:
        facts["contact_id"] = _contact_id_facts(contact_id)
    if sia is not None:
        facts["sia"] = _sia_facts(sia)
    return facts


def _contact_id_facts(event: ContactIdData) -> dict[str, Fact]:
    return {
        "account": event.account,
        "qualifier": QUALIFIERS[event.qualifier],
        "event": event.event,
        "event_name": EVENTS.get(event.event),
        "group": event.group,
        "zone": event.zone,
    }


def _sia_facts(event: SiaData) -> dict[str, Fact]:
    return {
        "account": event.account,
        "partition": event.partition,
        "code": event.code,
        "zone": event.zone,
        "text": event.text,
    }


def _explain_route(cursor: Cursor, wire: bytes, message: Message) -> None:
    if message.receiver is not None:
        cursor.take(len(message.receiver) + 1, Role.ADDRESS, f"receiver {message.receiver}")
    if message.line is not None:
        cursor.take(len(message.line) + 1, Role.ADDRESS, f"line {message.line}")
    if message.account is not None:
        cursor.take(len(message.account) + 1, Role.ADDRESS, f"account {message.account}")
    cursor.take(wire.index(b"[") - cursor.offset, Role.ADDRESS, "account, in the form of a refusal")


def _data_text(message: Message) -> str:
    if message.is_encrypted:
        return "data, encrypted"
    if not message.data:
        return "no data"
    try:
        contact_id, sia = message.contact_id(), message.sia()
    except FrameError as error:
        return str(error)
    if contact_id is not None:
        name = EVENTS.get(contact_id.event, "event not in our table")
        qualifier = QUALIFIERS[contact_id.qualifier]
        return f"{name}, {qualifier}, group {contact_id.group}, zone {contact_id.zone}"
    if sia is not None:
        return f"event {sia.code}, zone {sia.zone or 'none'} {sia.text or ''}".strip()
    return f"data {message.data}"
