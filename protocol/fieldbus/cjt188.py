"""CJ/T 188, the protocol of Chinese water, heat and gas meters: frames, commands and data.

The frame (CJ/T 188-2004 §5, -2018 §6), here asking cold-water meter 00201510270588 for its data:

    FE FE FE                 preamble, 0 to dozens, not covered by the checksum
    68                       start
    10                       meter type: 10-19 water, 20-29 heat and cold, 30-39 gas, 40-49 custom, AA any
    88 05 27 10 15 20 00     address, 14 BCD digits, lowest byte first
    01                       control code: bit 7 reply, bit 6 abnormal, bits 5-0 function
    03                       length of what follows up to the checksum
    90 1F                    data identifier 901F; high byte first by the standard, low first in many meters
    01                       serial number, repeated in the reply (some meters always send 00)
    25                       checksum: sum modulo 256 from 68 to the last data byte
    16                       end

Data are not offset. An abnormal reply carries no identifier: serial number and status only.
The invariant: which order an identifier came in is kept (`di_low_first`), so that a frame encodes
to the very bytes it was decoded from and a reply can be held against its request.
"""

from dataclasses import dataclass
from enum import IntEnum

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

ANY_METER_TYPE = 0xAA
ANY_ADDRESS = "aaaaaaaaaaaaaa"

START, END = 0x68, 0x16
REPLY, ABNORMAL = 0x80, 0x40
# The longest reply known is 46 (heat); vendors stay below 100. Longer is noise.
DATA_MAX = 200
REQUEST_PREAMBLE_COUNT = 4  # battery meters may want dozens: their profile says so

_OVERHEAD = 13


class Function(IntEnum):
    """What a control code asks for, its low six bits."""

    READ = 0x01
    READ_ADDRESS = 0x03
    WRITE = 0x04
    READ_KEY_VERSION = 0x09
    WRITE_ADDRESS = 0x15
    WRITE_BASE_VALUE = 0x16
    VALVE = 0x2A  # seen in meters after the 2018 edition


# What changes nothing in a meter.
READS = frozenset({Function.READ, Function.READ_KEY_VERSION})

# Data identifiers of table 8 f.; history D120-D12B is one to twelve months back.
CURRENT_DATA = "901F"
ADDRESS = "810A"
VALVE = "A017"
NEW_ADDRESS = "A018"
HISTORY = tuple(f"D1{month:02X}" for month in range(0x20, 0x2C))
_KNOWN_IDENTIFIERS = frozenset(
    [CURRENT_DATA, *HISTORY]
    + [f"81{n:02X}" for n in range(0x02, 0x0B)]
    + [f"A0{n:02X}" for n in range(0x10, 0x1A)]
)
# First bytes of identifiers beyond the table: reads 8x-9x, writes Ax, history Dx.
_IDENTIFIER_FAMILIES = range(0x80, 0x100)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `address` is 14 digits, highest first; `data` is what follows the serial number.

    `data_identifier` is "" in an abnormal reply; `serial` None only where there are no data at all.
    """

    meter_type: int
    address: str
    control_code: int
    data_identifier: str = ""
    di_low_first: bool = False
    serial: int | None = 0
    data: bytes = b""
    preamble_count: int = 0

    @property
    def function(self) -> int:
        """Return the low six bits of the control code, as in the request."""
        return self.control_code & 0x3F

    @property
    def is_reply(self) -> bool:
        """Tell whether a meter sent it; false for our own echo."""
        return bool(self.control_code & REPLY)

    @property
    def is_abnormal(self) -> bool:
        """Tell whether the meter refused."""
        return bool(self.control_code & ABNORMAL)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes to send, preamble included."""
    address = wire_from_digits(frame.address)
    if len(address) != 7:
        raise ProtocolError(f"address {frame.address!r} is not 14 digits")
    identifier = wire_from_digits(frame.data_identifier)
    if len(identifier) not in (0, 2):
        raise ProtocolError(f"data identifier {frame.data_identifier!r} is not 4 hex digits")
    if not frame.di_low_first:
        identifier = identifier[::-1]
    serial = b"" if frame.serial is None else bytes((frame.serial,))
    content = identifier + serial + frame.data
    if len(content) > DATA_MAX:
        raise ProtocolError(f"{len(content)} bytes of data, a frame carries at most {DATA_MAX}")
    covered = bytes((START, frame.meter_type)) + address + bytes((frame.control_code, len(content))) + content
    return b"\xfe" * frame.preamble_count + covered + bytes((sum(covered) & 0xFF, END))


def decode_frame(wire: bytes) -> Frame:
    """Return the one frame these bytes are; FrameError names all that is wrong."""
    body = wire.lstrip(b"\xfe")
    problems = _problems(body)
    if problems:
        raise FrameError("; ".join(problems))
    identifier, di_low_first, serial, data = _split_content(body[9], body[11:-2])
    return Frame(
        body[1],
        digits_from_wire(body[2:9]),
        body[9],
        identifier,
        di_low_first,
        serial,
        data,
        len(wire) - len(body),
    )


def _problems(body: bytes) -> list[str]:
    if len(body) < _OVERHEAD:
        return [f"{len(body)} bytes are too few for a frame, the shortest has {_OVERHEAD}"]
    problems = []
    length, checksum = body[10], sum(body[:-2]) & 0xFF
    if body[0] != START:
        problems.append(f"start is {body[0]:02x}, expected 68")
    if length > DATA_MAX:
        problems.append(f"length is {length}, at most {DATA_MAX} are allowed")
    elif len(body) != length + _OVERHEAD:
        problems.append(f"length says {length} bytes of data, the frame has {len(body) - _OVERHEAD}")
    if body[-1] != END:
        problems.append(f"end byte is {body[-1]:02x}, expected 16")
    if body[-2] != checksum:
        problems.append(f"checksum is {body[-2]:02x}, computed {checksum:02x}")
    return problems


def _split_content(control_code: int, content: bytes) -> tuple[str, bool, int | None, bytes]:
    if not content:
        return "", False, None, b""
    is_refusal = control_code & REPLY and control_code & ABNORMAL
    if is_refusal or len(content) < 3:
        return "", False, content[0], content[1:]
    high_first, low_first = content[:2].hex().upper(), content[1::-1].hex().upper()
    is_low_first = high_first not in _KNOWN_IDENTIFIERS and (
        low_first in _KNOWN_IDENTIFIERS or content[0] not in _IDENTIFIER_FAMILIES
    )
    return low_first if is_low_first else high_first, is_low_first, content[2], content[3:]


def measure(buffer: bytes, at: int) -> int:
    """Return the length of the frame that may begin at `at`, see `stream.FrameStream`."""
    available = len(buffer) - at
    if available > 1 and not _is_meter_type(buffer[at + 1]):
        return NOT_A_FRAME
    if available < 11:
        return MORE_NEEDED
    length = buffer[at + 10]
    return length + _OVERHEAD if length <= DATA_MAX else NOT_A_FRAME


def _is_meter_type(code: int) -> bool:
    return 0x10 <= code <= 0x49 or code == ANY_METER_TYPE


def is_answer(buffer: bytes, at: int) -> bool:
    """Tell whether a meter's answer begins at `at`: decimal address, reply bit."""
    return buffer[at + 2 : at + 9].hex().isdecimal() and bool(buffer[at + 9] & REPLY)


class FrameReader:
    """Finds frames in what a line delivers: junk, echoes, modem trailers and glued replies included.

    Compare type, address, identifier and serial with the request before believing: `check_reply`.
    """

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = FrameStream(b"\x68", measure, decode_frame, b"\xfe", is_answer)

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

    @property
    def pending_count(self) -> int:
        """Return how many bytes wait for the rest of a frame."""
        return self._stream.pending_count


# Requests, as a master sends them


def read_request(
    meter_type: int,
    address: str,
    data_identifier: str = CURRENT_DATA,
    *,
    serial: int = 1,
    di_low_first: bool = False,
    preamble_count: int = REQUEST_PREAMBLE_COUNT,
) -> Frame:
    """Build the request for one data identifier; the reply repeats serial and byte order."""
    return Frame(
        meter_type, address, Function.READ, data_identifier, di_low_first, serial, b"", preamble_count
    )


def read_address_request(
    meter_type: int = ANY_METER_TYPE, *, serial: int = 1, preamble_count: int = REQUEST_PREAMBLE_COUNT
) -> Frame:
    """Build the question for the address; only with ONE meter on the line."""
    return Frame(meter_type, ANY_ADDRESS, Function.READ_ADDRESS, ADDRESS, False, serial, b"", preamble_count)


def valve_request(
    meter_type: int,
    address: str,
    operation_code: int,
    *,
    control_code: int = Function.WRITE,
    serial: int = 1,
    di_low_first: bool = False,
    preamble_count: int = REQUEST_PREAMBLE_COUNT,
) -> Frame:
    """Build a valve command; 55 opens and 99 closes by the standard, other codes are a model's own.

    A reply is no proof of the valve's position: read the status back.
    """
    operation = bytes((operation_code,))
    return Frame(meter_type, address, control_code, VALVE, di_low_first, serial, operation, preamble_count)


def write_address_request(
    meter_type: int, address: str, new_address: str, *, serial: int = 0, di_low_first: bool = False
) -> Frame:
    """Build the command that gives a meter another address."""
    wire = wire_from_digits(new_address)
    if len(wire) != 7 or not new_address.isdecimal():
        raise ProtocolError(f"address {new_address!r} is not 14 digits")
    return Frame(
        meter_type,
        address,
        Function.WRITE_ADDRESS,
        NEW_ADDRESS,
        di_low_first,
        serial,
        wire,
        REQUEST_PREAMBLE_COUNT,
    )


# Replies, as a meter sends them


def reply_to(request: Frame, meter_type: int, address: str, data: bytes = b"") -> Frame:
    """Build the answer of one meter: identifier, byte order and serial as in the request."""
    return Frame(
        meter_type,
        address,
        request.function | REPLY,
        request.data_identifier,
        request.di_low_first,
        request.serial,
        data,
        REQUEST_PREAMBLE_COUNT,
    )


def abnormal_reply(request: Frame, meter_type: int, address: str, status: bytes = b"\x00\x00") -> Frame:
    """Build the meter's refusal: serial number and status, no identifier."""
    control_code = request.function | REPLY | ABNORMAL
    return Frame(meter_type, address, control_code, "", False, request.serial, status, 4)


# What a master makes of a reply


def check_reply(request: Frame, reply: Frame) -> bytes:
    """Return the reply's data after the serial number, if it answers the request.

    FrameError where it answers something else; Refused, with the first status byte as code,
    where the meter says no.
    """
    if not reply.is_reply:
        raise FrameError(f"control {reply.control_code:02x} is a request: our own echo or another master")
    if request.meter_type != ANY_METER_TYPE and reply.meter_type != request.meter_type:
        raise FrameError(
            f"meter type {reply.meter_type:02x} answered a request to type {request.meter_type:02x}"
        )
    if not is_addressed(request.address, reply.address):
        raise FrameError(f"meter {reply.address} answered a request to {request.address}")
    if reply.function != request.function:
        raise FrameError(f"function {reply.function:02x} in reply to function {request.function:02x}")
    if reply.is_abnormal:
        status = reply.data.hex() or "not given"
        raise Refused(
            f"meter {reply.address} refused function {request.function:02x}, status {status}",
            code=reply.data[0] if reply.data else None,
        )
    if reply.data_identifier != request.data_identifier:
        raise FrameError(
            f"data identifier {reply.data_identifier or 'none'} in reply to {request.data_identifier}"
        )
    if reply.serial not in (request.serial, 0):
        raise FrameError(f"serial {reply.serial} in reply to {request.serial}: a late answer")
    return reply.data


def is_addressed(asked: str, answered: str) -> bool:
    """Tell whether meter `answered` may answer a question to `asked`; AA bytes match anything."""
    asked, answered = asked.lower(), answered.lower()
    return all(asked[at : at + 2] in ("aa", answered[at : at + 2]) for at in range(0, 14, 2))
