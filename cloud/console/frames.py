"""A raw exchange made ready for the frame viewer: decoded, explained, and checked against its hash.

The invariant: what is drawn is the bytes as stored; words come from the codec that the driver used,
so that the page cannot explain a frame otherwise than billing read it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cloud.console.language import Language, mark
from cloud.console.pictures.frame import FramePicture, Meaning, draw_frame
from cloud.console.sayings import say
from protocol.errors import ProtocolError
from protocol.evidence import Evidence
from protocol.fieldbus import explain
from protocol.fieldbus.annotation import Field, Role

PHONE_BYTES_A_ROW = 10
# A text message (MQTT) is read as text; no one counts its bytes.
_TEXT_PROTOCOLS = frozenset({"mqtt-zigbee2mqtt"})
# DL/T 645 sends each data byte with 33H added (DL/T 645-2007 §5.2.6).
_SHIFTED_PROTOCOLS = frozenset({"dlt645-1997", "dlt645-2007"})
_SHIFTED_ROLES = frozenset(
    {Role.DATA_IDENTIFIER, Role.VALUE, Role.TIME, Role.STATUS, Role.ERROR, Role.SERIAL}
)

_SHORT: Mapping[Role, str] = MappingProxyType(
    {
        Role.ADDRESS: mark("address"),
        Role.CHECKSUM: mark("checksum"),
        Role.CONTROL: mark("control code"),
        Role.DATA_IDENTIFIER: mark("data identifier"),
        Role.END: "",
        Role.ERROR: mark("error"),
        Role.FUNCTION_CODE: mark("function"),
        Role.LENGTH: "",  # grey framing: the table says it
        Role.PAYLOAD: mark("payload"),
        Role.PREAMBLE: mark("preamble"),
        Role.QUANTITY: mark("count"),
        Role.REGISTER: mark("register"),
        Role.SERIAL: mark("serial number"),
        Role.START: "",
        Role.STATUS: mark("status"),
        Role.TIME: mark("time"),
        Role.TRANSACTION: mark("transaction"),
        Role.UNIT: mark("unit"),
        Role.UNIT_ID: mark("unit id"),
        Role.UNKNOWN: mark("not explained"),
        Role.VALUE: mark("value"),
    }
)

_MINOR_ROLES = frozenset(
    {
        Role.CHECKSUM,
        Role.CONTROL,
        Role.LENGTH,
        Role.PREAMBLE,
        Role.SERIAL,
        Role.START,
        Role.TRANSACTION,
        Role.UNIT,
    }
)

# What of a field's sentence is its value: the part worth reading under the bracket.
_VALUE_IN_TEXT: Mapping[Role, re.Pattern[str]] = MappingProxyType(
    {
        Role.ADDRESS: re.compile(r"(?:address|type) (\w+)"),
        Role.DATA_IDENTIFIER: re.compile(r"identifier (\w+)"),
        Role.FUNCTION_CODE: re.compile(r"function (\d+)"),
        Role.QUANTITY: re.compile(r"(\d+) "),
        Role.REGISTER: re.compile(r"address (\d+)"),
        Role.UNIT: re.compile(r"unit (\S+)"),
        Role.UNIT_ID: re.compile(r"unit id (\d+)"),
        Role.VALUE: re.compile(r"(-?\d[\d.]* ?[^\d\s(:]*)(?: \([0-9a-f]+\))?$"),
    }
)


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """A row of the table beside the picture."""

    offset: int
    length: int
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class FrameView:
    """Everything the frame panel shows of one exchange."""

    protocol: str
    line: str
    captured_at_ms: int
    round_trip_ms: str
    request: bytes
    reply: bytes
    sha256: str
    is_intact: bool
    shows_request: bool
    request_href: str
    reply_href: str
    shown: bytes
    fields: tuple[ExplainedField, ...]
    picture: FramePicture | None
    phone_picture: FramePicture | None
    text: str
    problem: str


def frame_view(
    evidence: Evidence,
    stored_sha256: str,
    language: Language,
    *,
    shows_request: bool = False,
    request_href: str = "",
    reply_href: str = "",
) -> FrameView:
    """Return the exchange as the page shows it: its reply, or its request."""
    shown = evidence.request if shows_request and evidence.request else evidence.reply
    fields: Sequence[Field] = ()
    problem = ""
    try:
        asked, answered = explain(evidence.protocol, evidence.request, evidence.reply)
        fields = asked if shown is evidence.request else answered
    except ProtocolError as error:
        problem = str(error)
    is_text = evidence.protocol in _TEXT_PROTOCOLS
    has_picture = bool(fields) and not is_text
    meanings = [_meaning(field, language) for field in fields]
    plain = _plain_bytes(evidence.protocol, shown, fields)
    return FrameView(
        evidence.protocol,
        evidence.line,
        evidence.captured_at_ms,
        f"{evidence.round_trip_us / 1000:,.0f}"
        if evidence.round_trip_us >= 10_000
        else f"{evidence.round_trip_us / 1000:.1f}",
        evidence.request,
        evidence.reply,
        stored_sha256,
        evidence.digest().hex() == stored_sha256,
        shown is evidence.request,
        request_href,
        reply_href,
        shown,
        tuple(ExplainedField(f.offset, f.length, f.role, say(f.text, language)) for f in fields),
        draw_frame(shown, meanings, plain=plain) if has_picture else None,
        draw_frame(shown, meanings, PHONE_BYTES_A_ROW, plain=plain) if has_picture else None,
        shown.decode("utf-8", "replace") if is_text else "",
        problem,
    )


def _meaning(field: Field, language: Language) -> Meaning:
    short = _SHORT[field.role]
    found = _VALUE_IN_TEXT.get(field.role)
    value = found.search(field.text) if found else None
    label = language.gettext(short) if short else ""
    if field.role is Role.ADDRESS and field.length == 1:
        label = language.gettext("meter type")
    shown = value[1].strip() if value else ""
    return Meaning(field.offset, field.length, field.role.value, label, shown, field.role in _MINOR_ROLES)


def _plain_bytes(protocol: str, shown: bytes, fields: Sequence[Field]) -> Mapping[int, int]:
    """Return, by offset, what data bytes are once the 33H of DL/T 645 is taken off again."""
    if protocol not in _SHIFTED_PROTOCOLS:
        return {}
    return {
        offset: (shown[offset] - 0x33) & 0xFF
        for field in fields
        if field.role in _SHIFTED_ROLES
        for offset in range(field.offset, field.offset + field.length)
    }
