"""Wired M-Bus (EN 13757-2, -3), the bus of heat and water meters: frames, requests, telegrams.

    E5                                            acknowledgement
    10  C  A  CS  16                              short frame: SND_NKE 40, REQ_UD2 5B or 7B
    68  L  L  68  C  A  CI  data ...  CS  16      long frame; L counts from C to the last data byte

CS is the sum modulo 256 from C to the last data byte. C of a reply is 08 (bits 4 and 5: data
flow, access demand). CI 72 carries twelve bytes of header and then records, see `mbus_records`.
The invariant: the frame's bit of toggling (FCB) is the caller's; nothing here remembers a meter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.mbus_records import Record, decode_records
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

ACK = b"\xe5"
_SHORT_START, _LONG_START, _END = 0x10, 0x68, 0x16
# L is one byte and counts C, A and CI too.
_LENGTH_MIN, _LENGTH_MAX = 3, 255
_LONG_OVERHEAD, _SHORT_LENGTH = 6, 5

SND_NKE, REQ_UD2, SND_UD, RSP_UD = 0x40, 0x5B, 0x53, 0x08
FCB = 0x20
_MASTER_BIT = 0x40
# The address of the meter that a selection chose.
SELECTED = 253

CI_SELECT, CI_ERROR = 0x52, 0x70
CI_VARIABLE, CI_FIXED = 0x72, 0x73
# Bit 2 of CI: multi-byte fields most significant byte first.
CI_MSB_FIRST = 0x04
_HEADER_LENGTH, _FIXED_LENGTH = 12, 16
# Security mode in bits 8-12 of the signature, where a meter means it so: AES (EN 13757-7). Old
# meters put anything there.
_ENCRYPTED_MODES = frozenset({5, 7, 13})

# EN 13757-3 table "general application errors".
APPLICATION_ERRORS = (
    "unspecified error",
    "unimplemented CI field",
    "buffer too long, truncated",
    "too many records",
    "premature end of record",
    "more than 10 DIFEs",
    "more than 10 VIFEs",
    "reserved",
    "application busy",
    "too many readouts",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One short or long frame; `control_information` None makes it a short one."""

    control: int
    address: int
    control_information: int | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Header:
    """The twelve bytes before the records: who speaks. `identification` is 8 digits, hex if faulty."""

    identification: str
    manufacturer: str
    version: int
    medium: int
    access_number: int = 0
    status: int = 0
    signature: int = 0


@dataclass(frozen=True, slots=True)
class Telegram:
    """What a meter said in one variable-length reply."""

    header: Header
    records: tuple[Record, ...]

    @property
    def has_more(self) -> bool:
        """Tell whether the meter has another telegram: ask again with the other FCB."""
        return any(record.is_more_following for record in self.records)


@dataclass(frozen=True, slots=True)
class FixedCounter:
    """One of the two counters of an old fixed-length reply; `unit_code` is six bits."""

    value: int
    unit_code: int


@dataclass(frozen=True, slots=True)
class FixedTelegram:
    """What an old meter said in a fixed-length reply (CI 73)."""

    identification: str
    access_number: int
    status: int
    medium: int
    counters: tuple[FixedCounter, FixedCounter]

    @property
    def is_stored(self) -> bool:
        """Tell whether the counters are those of the fixed date rather than the present."""
        return bool(self.status & 0x02)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes to send."""
    if frame.control_information is None:
        covered = bytes((frame.control, frame.address))
        return bytes((_SHORT_START,)) + covered + bytes((sum(covered) & 0xFF, _END))
    covered = bytes((frame.control, frame.address, frame.control_information)) + frame.data
    if len(covered) > _LENGTH_MAX:
        raise ProtocolError(f"{len(frame.data)} bytes of data, a frame carries at most {_LENGTH_MAX - 3}")
    head = bytes((_LONG_START, len(covered), len(covered), _LONG_START))
    return head + covered + bytes((sum(covered) & 0xFF, _END))


def decode_frame(wire: bytes) -> Frame:
    """Return the one frame these bytes are; FrameError names all that is wrong. ACK is no frame."""
    if not wire or wire[0] not in (_SHORT_START, _LONG_START):
        raise FrameError(f"start byte is {wire[:1].hex() or 'missing'}, expected 10 or 68")
    problems = _short_problems(wire) if wire[0] == _SHORT_START else _long_problems(wire)
    if problems:
        raise FrameError("; ".join(problems))
    if wire[0] == _SHORT_START:
        return Frame(wire[1], wire[2])
    return Frame(wire[4], wire[5], wire[6], wire[7:-2])


def _short_problems(wire: bytes) -> list[str]:
    if len(wire) != _SHORT_LENGTH:
        return [f"length is {len(wire)}, a short frame has {_SHORT_LENGTH} bytes"]
    return _end_problems(wire, sum(wire[1:3]) & 0xFF)


def _long_problems(wire: bytes) -> list[str]:
    if len(wire) < _LONG_OVERHEAD + _LENGTH_MIN:
        return [f"{len(wire)} bytes are too few for a long frame"]
    problems = []
    if wire[1] != wire[2]:
        problems.append(f"length is given twice differently: {wire[1]} and {wire[2]}")
    if wire[3] != _LONG_START:
        problems.append(f"second start byte is {wire[3]:02x}, expected 68")
    if wire[1] < _LENGTH_MIN:
        problems.append(f"length {wire[1]} is below {_LENGTH_MIN}")
    if len(wire) != wire[1] + _LONG_OVERHEAD:
        problems.append(f"length says {wire[1]} bytes, the frame has {len(wire) - _LONG_OVERHEAD}")
    return problems + _end_problems(wire, sum(wire[4:-2]) & 0xFF)


def _end_problems(wire: bytes, checksum: int) -> list[str]:
    problems = []
    if wire[-1] != _END:
        problems.append(f"end byte is {wire[-1]:02x}, expected 16")
    if wire[-2] != checksum:
        problems.append(f"checksum is {wire[-2]:02x}, computed {checksum:02x}")
    return problems


def _measure(buffer: bytes, at: int) -> int:
    available = len(buffer) - at
    if available < 4:
        return MORE_NEEDED
    length = buffer[at + 1]
    if length != buffer[at + 2] or buffer[at + 3] != _LONG_START or length < _LENGTH_MIN:
        return NOT_A_FRAME
    return length + _LONG_OVERHEAD


def _is_answer(buffer: bytes, at: int) -> bool:
    """Tell whether a meter's answer begins at `at`: what a master sends has bit 6 of its control set."""
    return not buffer[at + 4] & _MASTER_BIT


class FrameReader:
    """Finds long frames, which all readings are, in what a line delivers."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = FrameStream(b"\x68", _measure, decode_frame, is_answer=_is_answer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take more bytes and return the frames that are now complete, in order."""
        return self._stream.feed(data)

    def flush(self) -> list[Frame]:
        """Return frames found behind an unfinished start, when the line has gone quiet."""
        return self._stream.flush()

    @property
    def has_torn_head(self) -> bool:
        """Tell whether an answer began and did not end as one."""
        return self._stream.has_torn_head


# Requests


def reset_request(address: int) -> Frame:
    """Build SND_NKE: initialise a meter, or end a selection; answered by ACK."""
    return Frame(SND_NKE, address)


def data_request(address: int, *, frame_count_bit: bool) -> Frame:
    """Build REQ_UD2; the same bit again means "repeat", the other one "next telegram"."""
    return Frame(REQ_UD2 | (FCB if frame_count_bit else 0), address)


def select_request(
    identification: str = "ffffffff", manufacturer: int = 0xFFFF, version: int = 0xFF, medium: int = 0xFF
) -> Frame:
    """Build the selection of one meter by its header, F nibbles and FF match anything; answered by ACK."""
    wire = wire_from_digits(identification)
    if len(wire) != 4:
        raise ProtocolError(f"identification {identification!r} is not 8 digits")
    data = wire + manufacturer.to_bytes(2, "little") + bytes((version, medium))
    return Frame(SND_UD, SELECTED, CI_SELECT, data)


# Replies


def encode_header(header: Header) -> bytes:
    """Return the twelve bytes before the records, least significant byte first."""
    wire = wire_from_digits(header.identification)
    if len(wire) != 4:
        raise ProtocolError(f"identification {header.identification!r} is not 8 digits")
    return b"".join(
        (
            wire,
            manufacturer_code(header.manufacturer).to_bytes(2, "little"),
            bytes((header.version, header.medium, header.access_number, header.status)),
            header.signature.to_bytes(2, "little"),
        )
    )


def telegram_reply(address: int, header: Header, records: Sequence[bytes]) -> Frame:
    """Build a meter's variable-length reply; the records come from `mbus_records.encode_record`."""
    return Frame(RSP_UD, address, CI_VARIABLE, encode_header(header) + b"".join(records))


def decode_telegram(frame: Frame) -> Telegram:
    """Return header and records of a variable-length reply.

    Refused where the meter reports an application error; FrameError where the content is cut
    short, encrypted or of another kind.
    """
    information = frame.control_information
    if information == CI_ERROR:
        code = frame.data[0] if frame.data else 0
        known = APPLICATION_ERRORS[code] if code < len(APPLICATION_ERRORS) else f"error {code}"
        raise Refused(f"the meter reports: {known}", code=code)
    if information is None or information & ~CI_MSB_FIRST != CI_VARIABLE:
        shown = "none" if information is None else f"{information:02x}"
        raise FrameError(f"control information {shown} is not a variable-length reply (72, 76)")
    is_msb_first = bool(information & CI_MSB_FIRST)
    header = _decode_header(frame.data, is_msb_first=is_msb_first)
    mode = header.signature >> 8 & 0x1F
    if mode in _ENCRYPTED_MODES:
        raise FrameError(f"the records are encrypted, security mode {mode}")
    return Telegram(header, decode_records(frame.data[_HEADER_LENGTH:], is_msb_first=is_msb_first))


def _decode_header(data: bytes, *, is_msb_first: bool) -> Header:
    if len(data) < _HEADER_LENGTH:
        raise FrameError(f"{len(data)} bytes are too few for the header of {_HEADER_LENGTH}")
    order: Literal["big", "little"] = "big" if is_msb_first else "little"
    identification = data[:4].hex() if is_msb_first else digits_from_wire(data[:4])
    return Header(
        identification,
        manufacturer_letters(int.from_bytes(data[4:6], order)),
        data[6],
        data[7],
        data[8],
        data[9],
        int.from_bytes(data[10:12], order),
    )


def decode_fixed(frame: Frame) -> FixedTelegram:
    """Return the two counters of an old meter's fixed-length reply (CI 73)."""
    if frame.control_information != CI_FIXED:
        raise FrameError("not a fixed-length reply (73)")
    data = frame.data
    if len(data) != _FIXED_LENGTH:
        raise FrameError(f"{len(data)} bytes of data, a fixed-length reply has {_FIXED_LENGTH}")
    is_binary = bool(data[5] & 0x01)
    counters = [
        FixedCounter(_fixed_value(wire, is_binary=is_binary), code & 0x3F)
        for wire, code in ((data[8:12], data[6]), (data[12:16], data[7]))
    ]
    medium = data[6] >> 6 | (data[7] >> 6) << 2
    return FixedTelegram(digits_from_wire(data[:4]), data[4], data[5], medium, (counters[0], counters[1]))


def _fixed_value(wire: bytes, *, is_binary: bool) -> int:
    if is_binary:
        return int.from_bytes(wire, "little", signed=True)
    digits = digits_from_wire(wire)
    if not digits.isdecimal():
        raise FrameError(f"non-BCD {digits}")
    return int(digits)


def manufacturer_letters(code: int) -> str:
    """Return the three letters packed in 15 bits."""
    return "".join(chr((code >> shift & 0x1F) + 64) for shift in (10, 5, 0))


def manufacturer_code(letters: str) -> int:
    """Return the 15 bits of three capital letters."""
    if len(letters) != 3 or not all("@" <= letter <= "_" for letter in letters):
        raise ProtocolError(f"manufacturer {letters!r} is not three capital letters")
    first, second, third = (ord(letter) - 64 for letter in letters)
    return first << 10 | second << 5 | third
