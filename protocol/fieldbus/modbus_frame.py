"""Modbus frames through pymodbus's framers and PDU decoders.

    RTU   unit id | function code | data ...                                 | CRC-16, low byte first
    TCP   transaction 2 | protocol 0000 | length 2 | unit id | function code | data ...

One frame in, one PDU out, or FrameError: no byte is dropped, none is waited for.
"""

import struct
from enum import Enum, IntEnum

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU

from protocol.errors import FrameError, ProtocolError


class Framing(Enum):
    """How PDUs travel. RTU over TCP is RTU."""

    RTU = "rtu"
    TCP = "tcp"


class FunctionCode(IntEnum):
    """The function codes a building uses (Modbus Application Protocol V1.1b3 §6)."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_COIL = 5
    WRITE_HOLDING_REGISTER = 6
    WRITE_COILS = 15
    WRITE_HOLDING_REGISTERS = 16


_F = FunctionCode
READS_BITS = frozenset({_F.READ_COILS, _F.READ_DISCRETE_INPUTS})
READS_REGISTERS = frozenset({_F.READ_HOLDING_REGISTERS, _F.READ_INPUT_REGISTERS})
# §6: what one request may ask for, so that the PDU stays within 253 bytes.
QUANTITY_MAX = {
    _F.READ_COILS: 2000,
    _F.READ_DISCRETE_INPUTS: 2000,
    _F.READ_HOLDING_REGISTERS: 125,
    _F.READ_INPUT_REGISTERS: 125,
    _F.WRITE_COIL: 1,
    _F.WRITE_HOLDING_REGISTER: 1,
    _F.WRITE_COILS: 1968,
    _F.WRITE_HOLDING_REGISTERS: 123,
}
EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
# A request that met one of these may be repeated unchanged later; the others never succeed.
TRANSIENT_EXCEPTIONS = frozenset({5, 6, 10, 11})

EXCEPTION_BIT = 0x80
# Unit id and CRC, or the MBAP header, around a PDU of at most 253 bytes (§4.1).
RTU_OVERHEAD, TCP_OVERHEAD = 3, 7
RTU_FRAME_MAX = 256
TCP_HEADER = 6

_REPLY_DECODER, _REQUEST_DECODER = DecodePDU(False), DecodePDU(True)
_FRAMERS: dict[tuple[Framing, bool], FramerRTU | FramerSocket] = {
    (Framing.RTU, False): FramerRTU(_REPLY_DECODER),
    (Framing.RTU, True): FramerRTU(_REQUEST_DECODER),
    (Framing.TCP, False): FramerSocket(_REPLY_DECODER),
    (Framing.TCP, True): FramerSocket(_REQUEST_DECODER),
}


def build_frame(pdu: ModbusPDU, framing: Framing, unit_id: int, transaction_id: int) -> bytes:
    """Return the bytes of a PDU in its frame."""
    pdu.dev_id = unit_id
    pdu.transaction_id = transaction_id
    try:
        return _FRAMERS[framing, False].buildFrame(pdu)
    except (ModbusException, ValueError, OverflowError, struct.error) as error:
        raise ProtocolError(f"cannot build function {pdu.function_code}: {error}") from error


def rtu_length(data: bytes, *, is_request: bool) -> int:
    """Return how long the RTU frame beginning here is, 0 where that cannot be known (yet)."""
    if len(data) < 2 or (is_request and data[1] & EXCEPTION_BIT):
        return 0
    try:
        pdu_class = _FRAMERS[Framing.RTU, is_request].decoder.lookupPduClass(data)
        return pdu_class.calculateRtuFrameSize(data) if pdu_class else 0
    except (ModbusException, IndexError, struct.error):
        return 0


def tcp_length(header: bytes) -> int:
    """Return how long the TCP frame with this header is; FrameError where the stream is out of step."""
    protocol_id, length = struct.unpack(">HH", header[2:6])
    if protocol_id:
        raise FrameError(f"protocol id {protocol_id}, expected 0")
    if not 2 <= length <= 254:
        raise FrameError(f"length {length} is not 2 to 254")
    return TCP_HEADER + int(length)


def decode_pdu(frame: bytes, framing: Framing, *, is_request: bool) -> ModbusPDU:
    """Return the PDU of exactly one frame, with its unit and transaction id."""
    content = pdu_bytes(frame, framing, is_request=is_request)
    pdu = _FRAMERS[framing, is_request].decoder.decode(content)
    if pdu is None:
        raise FrameError(f"function {content[0]} with data {content[1:17].hex() or 'none'} cannot be decoded")
    pdu.dev_id = frame[0] if framing is Framing.RTU else frame[6]
    pdu.transaction_id = 0 if framing is Framing.RTU else int.from_bytes(frame[:2])
    return pdu


def pdu_bytes(frame: bytes, framing: Framing, *, is_request: bool) -> bytes:
    """Return function code and data of exactly one frame, checked for length and checksum."""
    if framing is Framing.RTU:
        content = _rtu_pdu_bytes(frame, is_request=is_request)
    else:
        if len(frame) < TCP_HEADER + 2:
            raise FrameError(f"{len(frame)} bytes are too few for a frame")
        length = tcp_length(frame)
        if length != len(frame):
            raise FrameError(
                f"length says {length - TCP_HEADER} bytes, the frame has {len(frame) - TCP_HEADER}"
            )
        content = frame[7:]
    _check_byte_count(content, is_request=is_request)
    return content


def _rtu_pdu_bytes(frame: bytes, *, is_request: bool) -> bytes:
    if len(frame) < 4:
        raise FrameError(f"{len(frame)} bytes are too few for a frame")
    length = rtu_length(frame, is_request=is_request)
    if length == 0:
        raise FrameError(f"function {frame[1]} is unknown, or the frame ends before its byte count")
    if length > len(frame):
        missing = length - len(frame)
        count = (
            f"byte count {frame[2]} but {frame[2] - missing} data bytes: "
            if _has_count(frame, is_request)
            else ""
        )
        raise FrameError(f"{count}{missing} bytes are missing")
    if length < len(frame):
        raise FrameError(f"{len(frame) - length} bytes follow the frame of {length}")
    checksum, computed = frame[-2:], FramerRTU.compute_CRC(frame[:-2]).to_bytes(2)
    if checksum != computed:
        raise FrameError(f"crc is {checksum.hex()}, computed {computed.hex()} (low byte first)")
    return frame[1:-2]


def _has_count(frame: bytes, is_request: bool) -> bool:  # noqa: FBT001 - the frame's own direction
    return not is_request and frame[1] <= FunctionCode.READ_INPUT_REGISTERS


def _check_byte_count(content: bytes, *, is_request: bool) -> None:
    code = content[0]
    if is_request and code in (FunctionCode.WRITE_COILS, FunctionCode.WRITE_HOLDING_REGISTERS):
        if len(content) < 6:
            raise FrameError("the frame ends before its byte count")
        count, present = content[5], len(content) - 6
        quantity = int.from_bytes(content[3:5])
        expected = 2 * quantity if code == FunctionCode.WRITE_HOLDING_REGISTERS else (quantity + 7) // 8
        if count != expected:
            raise FrameError(f"byte count {count} for a write of {quantity}, expected {expected}")
    elif not is_request and code in READS_BITS | READS_REGISTERS:
        if len(content) < 2:
            raise FrameError("the frame ends before its byte count")
        count, present = content[1], len(content) - 2
        if code in READS_REGISTERS and count % 2:
            raise FrameError(f"byte count {count} is odd, registers have two bytes")
    else:
        return
    if count != present:
        raise FrameError(f"byte count {count} but {present} data bytes")
