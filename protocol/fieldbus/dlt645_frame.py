"""The frame of DL/T 645, 2007 and 1997: what it is built of and how it is found on a line.

The frame (DL/T 645-2007 §5.2), here with one energy of 1234.56 kWh:

    FE FE FE FE              preamble, 0 to 7 or more, not covered by the checksum
    68                       start
    12 90 78 56 34 12        meter address 123456789012, 12 BCD digits, lowest byte first
    68                       start, again
    91                       control code: D7 reply, D6 abnormal, D5 more frames follow, D4-D0 function
    08                       length of the data, at most 200 when reading, 50 when writing
    33 33 34 33  89 67 45 33 data, each byte +33H: here the data identifier 00010000 and the value
    54                       checksum: sum modulo 256 from the first 68 to the last data byte
    16                       end

The invariant: a frame is built and believed only as a whole; `Frame.data` never carries the +33H.
The 1997 edition has the same frame with other functions and shorter identifiers.
"""

from dataclasses import dataclass

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.bcd import digits_from_wire, wire_from_digits
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME, FrameStream

START = 0x68
END = 0x16
# §5.2.5: reads carry at most 200 bytes of data.
DATA_MAX = 200
# Bits of the control code.
REPLY, ABNORMAL, FOLLOW_UP, FUNCTION_BITS = 0x80, 0x40, 0x20, 0x1F
# What a master sends before a request; some modems swallow the first byte.
REQUEST_PREAMBLE_COUNT = 4

_OVERHEAD = 12
_ADD_33 = bytes((byte + 0x33) & 0xFF for byte in range(256))
_SUBTRACT_33 = bytes((byte - 0x33) & 0xFF for byte in range(256))


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `meter_address` is 12 digits, highest first; `data` is as meant, without the +33H."""

    meter_address: str
    control_code: int
    data: bytes = b""
    preamble_count: int = 0

    @property
    def function(self) -> int:
        """Return bits D4-D0 of the control code."""
        return self.control_code & FUNCTION_BITS

    @property
    def is_reply(self) -> bool:
        """Tell whether a meter sent it; false for our own echo."""
        return bool(self.control_code & REPLY)

    @property
    def is_abnormal(self) -> bool:
        """Tell whether the meter refused."""
        return bool(self.control_code & ABNORMAL)

    @property
    def has_follow_up(self) -> bool:
        """Tell whether more frames of the same answer can be asked for."""
        return bool(self.control_code & FOLLOW_UP)


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes to send, preamble included."""
    if len(frame.data) > DATA_MAX:
        raise ProtocolError(f"{len(frame.data)} bytes of data, a frame carries at most {DATA_MAX}")
    if len(frame.meter_address) != 12:
        raise ProtocolError(f"meter address {frame.meter_address!r} is not 12 digits")
    covered = b"".join(
        (
            b"\x68",
            wire_from_digits(frame.meter_address),
            bytes((START, frame.control_code, len(frame.data))),
            frame.data.translate(_ADD_33),
        )
    )
    return b"\xfe" * frame.preamble_count + covered + bytes((sum(covered) & 0xFF, END))


def decode_frame(wire: bytes) -> Frame:
    """Return the one frame these bytes are; FrameError names all that is wrong."""
    body = wire.lstrip(b"\xfe")
    problems = _problems(body)
    if problems:
        raise FrameError("; ".join(problems))
    return Frame(
        digits_from_wire(body[1:7]),
        body[8],
        body[10:-2].translate(_SUBTRACT_33),
        len(wire) - len(body),
    )


def _problems(body: bytes) -> list[str]:
    if len(body) < _OVERHEAD:
        return [f"{len(body)} bytes are too few for a frame, the shortest has {_OVERHEAD}"]
    problems = []
    length, checksum = body[9], sum(body[:-2]) & 0xFF
    if body[0] != START:
        problems.append(f"start is {body[0]:02x}, expected 68")
    if body[7] != START:
        problems.append(f"second 68 missing: {body[7]:02x}")
    if length > DATA_MAX:
        problems.append(f"length is {length}, at most {DATA_MAX} are allowed")
    elif len(body) != length + _OVERHEAD:
        problems.append(f"length says {length} bytes of data, the frame has {len(body) - _OVERHEAD}")
    if body[-1] != END:
        problems.append(f"end byte is {body[-1]:02x}, expected 16")
    if body[-2] != checksum:
        problems.append(f"checksum is {body[-2]:02x}, computed {checksum:02x}")
    return problems


def measure(buffer: bytes, at: int) -> int:
    """Return the length of the frame that may begin at `at`, see `stream.FrameStream`."""
    available = len(buffer) - at
    if available > 7 and buffer[at + 7] != START:
        return NOT_A_FRAME
    if available < 10:
        return MORE_NEEDED
    length = buffer[at + 9]
    return length + _OVERHEAD if length <= DATA_MAX else NOT_A_FRAME


def is_answer(buffer: bytes, at: int) -> bool:
    """Tell whether a meter's answer begins at `at`: decimal address, second start, reply bit."""
    return buffer[at + 1 : at + 7].hex().isdecimal() and bool(buffer[at + 8] & REPLY)


class FrameReader:
    """Finds frames in what a line delivers: junk, echoes and glued replies included.

    Keeps back at most one unfinished frame. Compare address, function and identifier with the
    request before believing a frame: `check_reply`.
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
