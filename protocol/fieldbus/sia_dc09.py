"""SIA DC-09, how alarm panels report over IP: one line of text for each message.

    LF 4041 003D "ADM-CID" 0002 R1 L1 #1234 [#1234|3110 01 007] _08:05:00,03-01-2026 CR
       CRC  0LLL id        seq  receiver, line, account, data, more data in [], time of sending

The length and the CRC (CRC-16, polynomial A001, initial 0) cover the text from the first quote to
before CR. An id with a star is encrypted. The invariant: strict reading believes a message only if
both fit; `Message` from `read_leniently` is for a person who looks for a fault, never for an alarm.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from protocol.errors import FrameError, ProtocolError

LF, CR = "\n", "\r"
# DC-09 §5.5.1.4: the length has three digits; a message is far shorter.
BODY_MAX = 0xFFF
_HEAD = re.compile(r'([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})(?=")')
_BODY = re.compile(
    r'"(?P<id>[A-Z][A-Z-]{1,9})"(?P<sequence>[0-9]{4})'
    r"(?:R(?P<receiver>[0-9A-Fa-f]{1,6}))?"
    r"(?:L(?P<line>[0-9A-Fa-f]{1,6}?))?"
    r"(?:#(?P<account>[0-9A-Fa-f]{1,16})|A(?P<nak_account>[0-9A-Fa-f]{1,16}))?"
    r"\[(?P<data>[^\[\]]*)\](?P<extra>(?:\[[^\[\]]*\])*)"
    r"(?:_(?P<timestamp>[0-9:,-]{1,20}))?"
)
# Behind a star everything after the bracket is hexadecimal and there is no closing one (§5.4).
_SEALED = re.compile(
    r'"(?P<id>\*[A-Z][A-Z-]{1,9})"(?P<sequence>[0-9]{4})'
    r"(?:R(?P<receiver>[0-9A-Fa-f]{1,6}))?"
    r"(?:L(?P<line>[0-9A-Fa-f]{1,6}?))?"
    r"(?:#(?P<account>[0-9A-Fa-f]{1,16}))?"
    r"\[(?P<data>(?:[0-9A-Fa-f]{32})+)\]?"
)
_CONTACT_ID = re.compile(
    r"(?:#(?P<account>[0-9A-Fa-f]{0,16}))?\|(?P<qualifier>[136])(?P<event>[0-9A-F]{3}) "
    r"(?P<group>[0-9A-F]{2}) (?P<zone>[0-9A-F]{3})"
)
# Modifiers (ti, id, ri, pi ...) stand between N and the two-letter code, each ended by a slash or not.
_SIA = re.compile(
    r"(?:#(?P<account>[0-9A-Fa-f]{0,16}))?\|?N(?:ti[0-9:]{4,8}/?|id[0-9]{1,4}/?|pi[0-9]{1,4}/?){0,3}"
    r"(?:ri(?P<partition>[0-9]{1,4}))?/?(?P<code>[A-Z]{2})(?P<zone>[0-9]{0,6})(?:[\^*](?P<text>[^\^]{0,200})\^?)?"
)
_IDS_WITH_CONTACT_ID = frozenset({"ADM-CID", "HENG-BO"})
_ID_WITH_SIA = "SIA-DCS"


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


@dataclass(frozen=True, slots=True)
class ContactIdData:
    """An event in Contact ID digits."""

    account: str
    qualifier: str
    event: str
    group: str
    zone: str


@dataclass(frozen=True, slots=True)
class SiaData:
    """An event in SIA's two letters; what is not there is None."""

    account: str | None
    partition: str | None
    code: str
    zone: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message taken apart. `extra` is what stands in further brackets, without them."""

    id: str
    sequence: str
    receiver: str | None
    line: str | None
    account: str | None
    data: str
    extra: str | None = None
    timestamp: str | None = None

    @property
    def is_encrypted(self) -> bool:
        """Tell whether data and time are encrypted."""
        return self.id.startswith("*")

    def contact_id(self) -> ContactIdData | None:
        """Return the event if the data are Contact ID; FrameError where they should be and are not."""
        if self.id not in _IDS_WITH_CONTACT_ID:
            return None
        match = _CONTACT_ID.fullmatch(self.data)
        if match is None:
            raise FrameError(f"data {self.data[:40]!r} are no Contact ID event")
        parts = match.groupdict()
        account = parts["account"] or self.account or ""
        return ContactIdData(account, parts["qualifier"], parts["event"], parts["group"], parts["zone"])

    def sia(self) -> SiaData | None:
        """Return the event if the data are SIA; FrameError where they should be and are not."""
        if self.id != _ID_WITH_SIA:
            return None
        match = _SIA.fullmatch(self.data)
        if match is None:
            raise FrameError(f"data {self.data[:40]!r} are no SIA event")
        parts = match.groupdict()
        text = (parts["text"] or "").strip() or None
        return SiaData(
            parts["account"] or self.account, parts["partition"], parts["code"], parts["zone"], text
        )


def encode_message(message: Message) -> bytes:
    """Return the bytes to send, LF and CR included."""
    body = f'"{message.id}"{message.sequence}'
    body += f"R{message.receiver}" if message.receiver is not None else ""
    body += f"L{message.line}" if message.line is not None else ""
    body += f"#{message.account}" if message.account is not None else ""
    body += f"[{message.data}" + ("" if message.is_encrypted else "]")
    body += f"[{message.extra}]" if message.extra is not None else ""
    body += f"_{message.timestamp}" if message.timestamp is not None else ""
    if not body.isascii() or len(body) > BODY_MAX:
        raise ProtocolError(f"message of {len(body)} characters, at most {BODY_MAX} of ASCII are allowed")
    return f"{LF}{checksum(body):04X}{len(body):04X}{body}{CR}".encode("ascii")


def acknowledgement_of(message: Message, timestamp: str | None = None) -> Message:
    """Build the receiver's ACK: same sequence, receiver, line and account."""
    return Message(
        "ACK", message.sequence, message.receiver, message.line, message.account, "", None, timestamp
    )


def encode_nak(timestamp: str) -> bytes:
    """Return the receiver's refusal of a message sent at a wrong time; it carries the receiver's own, UTC."""
    body = f'"NAK"0000R0L0A0[]_{timestamp}'
    return f"{LF}{checksum(body):04X}{len(body):04X}{body}{CR}".encode("ascii")


def decode_message(wire: bytes) -> Message:
    """Return the one message these bytes are; FrameError names all that is wrong."""
    crc, length, body = split_message(wire)
    problems = (
        [] if wire[:1] == b"\n" and wire[-1:] == b"\r" else ["LF at the start or CR at the end is missing"]
    )
    if int(length, 16) != len(body):
        problems.append(f"length field {length} but body has {len(body)} = {len(body):04X}")
    computed = checksum(body)
    if int(crc, 16) != computed:
        problems.append(f"crc is {crc.upper()}, computed {computed:04X}")
    if problems:
        raise FrameError("; ".join(problems))
    return _message_of(body)


def read_leniently(wire: bytes) -> Message:
    """Return what a message whose length or CRC is wrong seems to say; for diagnosis only."""
    return _message_of(split_message(wire)[2])


def split_message(wire: bytes) -> tuple[str, str, str]:
    """Return CRC and length as printed and the body they cover; FrameError where there is no such head."""
    if len(wire) > BODY_MAX + 10:
        raise FrameError(f"{len(wire)} bytes are too many for a message")
    try:
        text = wire.decode("ascii").removeprefix(LF).removesuffix(CR)
    except UnicodeDecodeError:
        raise FrameError(f"{wire[:16].hex()} is not ASCII text") from None
    head = _HEAD.match(text)
    if head is None:
        raise FrameError(f"{text[:20]!r} does not begin with CRC, length and a quote")
    return head.group(1), head.group(2), text[8:]


def _message_of(body: str) -> Message:
    if body.startswith('"*'):
        return _sealed_message(body)
    match = _BODY.fullmatch(body)
    if match is None:
        raise FrameError(f"{body[:60]!r} is not an id, sequence, line, account, data and time")
    parts: Mapping[str, str | None] = match.groupdict()
    extra = parts["extra"]
    return Message(
        str(parts["id"]),
        str(parts["sequence"]),
        parts["receiver"],
        parts["line"],
        parts["account"],
        str(parts["data"]),
        extra[1:-1] if extra else None,
        parts["timestamp"],
    )


def _sealed_message(body: str) -> Message:
    match = _SEALED.fullmatch(body)
    if match is None:
        raise FrameError(f"{body[:60]!r} is not an id, sequence, line, account and sealed data")
    parts: Mapping[str, str | None] = match.groupdict()
    return Message(
        str(parts["id"]),
        str(parts["sequence"]),
        parts["receiver"],
        parts["line"],
        parts["account"],
        str(parts["data"]),
    )


def checksum(body: str) -> int:
    """Return the CRC-16 (polynomial A001, initial 0) of a body."""
    crc = 0
    for byte in body.encode("ascii"):
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


# Contact ID events and what SIA calls their beginning and their end.
_SIA_CODES: Mapping[str, tuple[str, str]] = {
    "100": ("MA", "MR"),
    "110": ("FA", "FR"),
    "111": ("FA", "FR"),
    "112": ("FA", "FR"),
    "113": ("SA", "SR"),
    "114": ("KA", "KR"),
    "115": ("FA", "FR"),
    "117": ("FA", "FR"),
    "120": ("PA", "PR"),
    "121": ("HA", "HR"),
    "130": ("BA", "BR"),
    "131": ("BA", "BR"),
    "132": ("BA", "BR"),
    "133": ("BA", "BR"),
    "134": ("BA", "BR"),
    "137": ("TA", "TR"),
    "144": ("TA", "TR"),
    "151": ("GA", "GR"),
    "154": ("WA", "WR"),
    "158": ("KA", "KR"),
    "159": ("ZA", "ZR"),
    "301": ("AT", "AR"),
    "302": ("YT", "YR"),
    "350": ("YC", "YK"),
    "373": ("FT", "FJ"),
    "380": ("UT", "UJ"),
    "400": ("OP", "CL"),
    "401": ("OP", "CL"),
    "402": ("OG", "CG"),
    "403": ("OA", "CA"),
    "407": ("OQ", "CQ"),
    "408": ("OP", "CL"),
    "409": ("OS", "CS"),
    "570": ("BB", "BU"),
    "601": ("RX", "RX"),
    "602": ("RP", "RP"),
}


def sia_code_of(event: ContactIdData) -> str | None:
    """Return SIA's two letters for a Contact ID event, None where there is no counterpart."""
    codes = _SIA_CODES.get(event.event)
    return None if codes is None else codes[1] if event.qualifier == "3" else codes[0]


def contact_id_of(code: str) -> tuple[str, str] | None:
    """Return Contact ID's event and qualifier for SIA's two letters, None where there is no counterpart."""
    return _CONTACT_ID_EVENTS.get(code)


def _contact_id_events() -> dict[str, tuple[str, str]]:
    """Return the table the other way round; where several events have one code, the first stands for all."""
    events: dict[str, tuple[str, str]] = {}
    for event, (begin, end) in _SIA_CODES.items():
        events.setdefault(begin, (event, "1"))
        events.setdefault(end, (event, "3"))
    return events


_CONTACT_ID_EVENTS = _contact_id_events()
