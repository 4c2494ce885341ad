"""Ademco Contact ID: sixteen digits in which alarm panels report one event.

    1234 18 1 110 01 007 5       account, message type, qualifier, event, partition, zone or user, check

Digits are 0-9 and B-F; A stands for 0. The check digit makes the sum of all digits, with 0 counting
10, divisible by 15. The invariant: qualifier 1 begins an event or opens, 3 ends it or closes, 6 says
that it still is so; an event that has ended is not a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Cursor, Facts, Field, Message, Role

LENGTH = 16
MESSAGE_TYPES = ("18", "98")
QUALIFIERS: Mapping[str, str] = MappingProxyType(
    {"1": "new event/opening", "3": "restore/closing", "6": "status"}
)

# SIA DC-05 event codes a building meets; hundreds give the class.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "100": "medical alarm",
        "110": "fire alarm",
        "111": "smoke",
        "112": "combustion",
        "113": "water flow",
        "114": "heat",
        "115": "pull station",
        "116": "duct",
        "117": "flame",
        "118": "near alarm",
        "120": "panic alarm",
        "121": "duress",
        "130": "burglary",
        "131": "perimeter burglary",
        "132": "interior burglary",
        "133": "24-hour burglary",
        "134": "entry/exit",
        "137": "tamper",
        "144": "sensor tamper",
        "151": "gas detected",
        "154": "water leakage",
        "158": "high temperature",
        "159": "low temperature",
        "162": "carbon monoxide",
        "200": "fire supervisory",
        "201": "low water pressure",
        "301": "AC loss",
        "302": "low battery",
        "305": "system reset",
        "309": "battery test failure",
        "350": "communication trouble",
        "373": "fire loop trouble",
        "380": "sensor trouble",
        "381": "loss of sensor supervision",
        "383": "sensor tamper",
        "384": "sensor low battery",
        "400": "open/close",
        "401": "open/close by user",
        "402": "group open/close",
        "403": "automatic open/close",
        "407": "remote arm/disarm",
        "408": "quick arm",
        "409": "keyswitch open/close",
        "441": "armed stay",
        "456": "partial arm",
        "570": "zone bypass",
        "601": "manual test",
        "602": "periodic test",
        "737": "vendor-specific (Hengbo)",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One report, digits as text with A written as 0."""

    account: str
    qualifier: str
    code: str
    partition: str
    zone: str
    message_type: str = "18"


def decode_event(text: str) -> Event:
    """Return the event of sixteen digits; FrameError where length, digits or check are wrong."""
    text = text.strip().upper()
    if len(text) != LENGTH:
        raise FrameError(f"length is {len(text)} digits, expected {LENGTH}")
    if not set(text) <= set("0123456789ABCDEF"):
        raise FrameError(f"{text!r} has characters that are no digits")
    computed = check_digit(text[:-1])
    # Ten may be written A or, as 0 counts ten, 0.
    if text[-1] != computed and (text[-1], computed) != ("0", "A"):
        raise FrameError(f"checksum is {text[-1]}, computed {computed}")
    digits = text.replace("A", "0")
    if digits[4:6] not in MESSAGE_TYPES:
        raise FrameError(f"message type {digits[4:6]}, expected 18 or 98")
    return Event(digits[:4], digits[6], digits[7:10], digits[10:12], digits[12:15], digits[4:6])


def encode_event(event: Event) -> str:
    """Return the sixteen digits of an event, check digit included."""
    parts = (event.account, event.message_type, event.qualifier, event.code, event.partition, event.zone)
    if [len(part) for part in parts] != [4, 2, 1, 3, 2, 3]:
        raise ProtocolError(f"{parts} are not 4, 2, 1, 3, 2 and 3 digits")
    body = "".join(parts)
    if not set(body) <= set("0123456789BCDEF"):
        raise ProtocolError(f"{body!r} has characters that are no digits")
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """Return the digit that makes the sum divisible by 15; a remainder of nothing is written F."""
    missing = -sum(int(digit, 16) or 10 for digit in body) % 15
    return f"{missing or 15:X}"


class _ContactId:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the report says."""
        text = _text(message.data)
        event = decode_event(text)
        return {
            "account": event.account,
            "message_type": event.message_type,
            "qualifier": event.qualifier,
            "qualifier_name": QUALIFIERS.get(event.qualifier, "unknown"),
            "event": event.code,
            "event_name": EVENTS.get(event.code),
            "partition": event.partition,
            "zone_or_user": event.zone,
            "checksum": text.strip().upper()[-1],
        }

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the report."""
        text = _text(message.data)
        event = decode_event(text)
        cursor = Cursor()
        cursor.take(len(text) - len(text.lstrip()), Role.UNKNOWN, "blank")
        cursor.take(4, Role.ADDRESS, f"account {event.account}")
        cursor.take(2, Role.START, f"message type {event.message_type}: Contact ID")
        name = QUALIFIERS.get(event.qualifier, "unknown")
        cursor.take(1, Role.CONTROL, f"qualifier {event.qualifier}: {name}")
        cursor.take(3, Role.VALUE, f"event {event.code}: {EVENTS.get(event.code, 'not in our table')}")
        cursor.take(2, Role.ADDRESS, f"partition {event.partition}")
        cursor.take(3, Role.ADDRESS, f"zone or user {event.zone}")
        cursor.take(1, Role.CHECKSUM, "check digit: all digits sum to a multiple of 15; correct")
        cursor.take(len(text) - cursor.offset, Role.UNKNOWN, "blank")
        return cursor.fields


CONTACT_ID = _ContactId()


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise FrameError(f"{data[:16].hex()} is not ASCII text") from None
