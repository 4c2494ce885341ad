"""Modbus RTU and TCP through pymodbus: requests, replies and exceptions of both sides, no I/O.

    RTU   unit id | function code | data ...                                 | CRC-16, low byte first
    TCP   transaction 2 | protocol 0000 | length 2 | unit id | function code | data ...

Framing, checksum and PDUs are pymodbus's; this adapter adds what a shared line needs: the length
of the reply known from the request, and a reply that is believed only if unit id, transaction,
function code and quantity are those asked for. Addresses are zero-based protocol addresses.
pymodbus's exceptions end here: callers meet ProtocolError only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import unpack

from pymodbus.pdu import ExceptionResponse, ModbusPDU, bit_message, register_message

from protocol.errors import FrameError, ProtocolError, Refused
from protocol.fieldbus.modbus_frame import (
    EXCEPTION_BIT,
    EXCEPTIONS,
    QUANTITY_MAX,
    READS_BITS,
    READS_REGISTERS,
    RTU_FRAME_MAX,
    RTU_OVERHEAD,
    TCP_HEADER,
    TCP_OVERHEAD,
    TRANSIENT_EXCEPTIONS,
    Framing,
    FunctionCode,
    build_frame,
    decode_pdu,
    pdu_bytes,
    rtu_length,
    tcp_length,
)

__all__ = [
    "EXCEPTIONS",
    "QUANTITY_MAX",
    "TRANSIENT_EXCEPTIONS",
    "Framing",
    "FunctionCode",
    "ReplyReader",
    "Request",
    "RequestReader",
    "decode_request",
    "encode_exception",
    "encode_reply",
    "encode_request",
    "reply_length",
    "reply_values",
]

_F = FunctionCode
_SERVED = frozenset(FunctionCode)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `values` are the registers, or 0 and 1 for coils, to be written; empty for reads."""

    unit_id: int
    function_code: FunctionCode
    start: int
    quantity: int
    values: tuple[int, ...] = ()
    transaction_id: int = 0

    def __post_init__(self) -> None:
        limit = QUANTITY_MAX[self.function_code]
        if not 1 <= self.quantity <= limit:
            raise ProtocolError(
                f"quantity {self.quantity} is not 1 to {limit} for function {self.function_code}"
            )
        if not 0 <= self.start <= 0xFFFF or self.start + self.quantity > 0x1_0000:
            raise ProtocolError(f"start {self.start} with quantity {self.quantity} leaves 0 to 65535")
        if not 0 <= self.unit_id <= 255:
            raise ProtocolError(f"unit id {self.unit_id} is not 0 to 255")
        if self.is_write and len(self.values) != self.quantity:
            raise ProtocolError(f"{len(self.values)} values for a write of {self.quantity}")

    @property
    def is_write(self) -> bool:
        """Tell whether it changes something in the device."""
        return self.function_code >= _F.WRITE_COIL

    @property
    def counts_bits(self) -> bool:
        """Tell whether the quantity counts bits rather than 16-bit registers."""
        return self.function_code in READS_BITS or self.function_code in (_F.WRITE_COIL, _F.WRITE_COILS)


def encode_request(request: Request, framing: Framing) -> bytes:
    """Return the bytes a master sends."""
    return build_frame(_request_pdu(request), framing, request.unit_id, request.transaction_id)


def encode_reply(request: Request, framing: Framing, values: Sequence[int] = ()) -> bytes:
    """Return a device's answer; `values` are registers or bits (0, 1) for reads, ignored for writes."""
    code = request.function_code
    pdu: ModbusPDU
    if code in READS_BITS:
        bits = [bool(value) for value in values]
        pdu = bit_message.ReadCoilsResponse(bits=bits)
    elif code in READS_REGISTERS:
        pdu = register_message.ReadHoldingRegistersResponse(registers=list(values))
    elif code == _F.WRITE_COIL:
        pdu = bit_message.WriteSingleCoilResponse(address=request.start, bits=[bool(request.values[0])])
    elif code == _F.WRITE_HOLDING_REGISTER:
        pdu = register_message.WriteSingleRegisterResponse(
            address=request.start, registers=list(request.values)
        )
    else:
        pdu = register_message.WriteMultipleRegistersResponse(address=request.start, count=request.quantity)
    if not request.is_write and len(values) != request.quantity:
        raise ProtocolError(f"{len(values)} values in reply to a read of {request.quantity}")
    pdu.function_code = code
    return build_frame(pdu, framing, request.unit_id, request.transaction_id)


def encode_exception(request: Request, framing: Framing, exception_code: int) -> bytes:
    """Return a device's refusal."""
    pdu = ExceptionResponse(request.function_code, exception_code)
    return build_frame(pdu, framing, request.unit_id, request.transaction_id)


def _request_pdu(request: Request) -> ModbusPDU:
    code, start, quantity = request.function_code, request.start, request.quantity
    pdu: ModbusPDU
    match code:
        case _F.WRITE_COIL:
            pdu = bit_message.WriteSingleCoilRequest(address=start, bits=[bool(request.values[0])])
        case _F.WRITE_HOLDING_REGISTER:
            pdu = register_message.WriteSingleRegisterRequest(address=start, registers=list(request.values))
        case _F.WRITE_COILS:
            bits = [bool(value) for value in request.values]
            pdu = bit_message.WriteMultipleCoilsRequest(address=start, bits=bits)
        case _F.WRITE_HOLDING_REGISTERS:
            pdu = register_message.WriteMultipleRegistersRequest(
                address=start, registers=list(request.values)
            )
        case _:
            pdu = register_message.ReadHoldingRegistersRequest(address=start, count=quantity)
            if code in READS_BITS:
                pdu = bit_message.ReadCoilsRequest(address=start, count=quantity)
            pdu.function_code = code
    return pdu


def reply_length(request: Request, framing: Framing) -> int:
    """Return the length of the normal reply in bytes; an exception has 5 (RTU) or 9 (TCP)."""
    if request.is_write:
        data = 5
    elif request.counts_bits:
        data = 2 + (request.quantity + 7) // 8
    else:
        data = 2 + 2 * request.quantity
    return data + (RTU_OVERHEAD if framing is Framing.RTU else TCP_OVERHEAD)


class ReplyReader:
    """Waits for the one reply to `request` in what a line delivers.

    Noise before and after it, our own echo, other devices' replies and late replies of earlier
    transactions are passed over, and remembered for `conclude`. `frame` is the believed reply as it
    was on the wire, b"" before.
    """

    __slots__ = ("_buffer", "_framing", "_request", "_seen", "_transaction_id", "frame")

    def __init__(self, request: Request, framing: Framing, transaction_id: int | None = None) -> None:
        """`transaction_id` is that of the request where it was sent under another than its own."""
        self._request = request
        self._transaction_id = request.transaction_id if transaction_id is None else transaction_id
        self._framing = framing
        self._buffer = b""
        self._seen = ""
        self.frame = b""

    def feed(self, data: bytes) -> tuple[int, ...] | None:
        """Return the values read (registers, or bits as 0 and 1; for writes those written), None to wait.

        Refused, with the exception code, where the device says no. FrameError where a TCP stream
        is out of step: the connection is to be closed.
        """
        self._buffer += data
        return self._scan_rtu() if self._framing is Framing.RTU else self._scan_tcp()

    def conclude(self) -> None:
        """Raise FrameError with what did arrive, when time is up; return if nothing did."""
        if self._seen:
            raise FrameError(self._seen)
        if self._buffer:
            raise FrameError(f"{len(self._buffer)} bytes that are no reply: {self._buffer[:16].hex()}")

    def _scan_rtu(self) -> tuple[int, ...] | None:
        for at in range(len(self._buffer) - 4):
            candidate = self._buffer[at : at + self._rtu_length(at)]
            if len(candidate) < 5:
                continue
            try:
                values = _values_of(candidate, Framing.RTU, self._request)
                self.frame = candidate
                return values  # noqa: TRY300 - the way out of the search
            except FrameError as error:
                self._seen = self._seen or str(error)
        self._buffer = self._buffer[-RTU_FRAME_MAX:]
        return None

    def _rtu_length(self, at: int) -> int:
        """Return the length of what begins at `at`, 0 where it is no reply to us or not complete."""
        unit_id, code = self._buffer[at], self._buffer[at + 1]
        asked = self._request.function_code
        if unit_id != self._request.unit_id or code & ~EXCEPTION_BIT != asked:
            return 0
        length = 5 if code & EXCEPTION_BIT else reply_length(self._request, Framing.RTU)
        return length if at + length <= len(self._buffer) else 0

    def _scan_tcp(self) -> tuple[int, ...] | None:
        while len(self._buffer) >= TCP_HEADER:
            length = tcp_length(self._buffer)
            if len(self._buffer) < length:
                return None
            frame, self._buffer = self._buffer[:length], self._buffer[length:]
            if int.from_bytes(frame[:2]) != self._transaction_id:
                self._seen = f"transaction {int.from_bytes(frame[:2])} in reply to {self._transaction_id}"
                continue
            values = _values_of(frame, Framing.TCP, self._request)
            self.frame = frame
            return values
        return None


def _values_of(frame: bytes, framing: Framing, request: Request) -> tuple[int, ...]:
    """Return what a reply frame says, as `reply_values` does of its PDU.

    Registers, which nearly all replies bring, are unpacked at once: pymodbus takes them one by one and
    writes each reply out for its log.
    """
    code = request.function_code
    unit_id = frame[0 if framing is Framing.RTU else TCP_HEADER]
    if code in READS_REGISTERS and unit_id == request.unit_id:
        content = pdu_bytes(frame, framing, is_request=False)
        if content[0] == code:
            return _as_asked(unpack(f">{content[1] // 2}H", content[2:]), request.quantity, "registers")
    return reply_values(request, decode_pdu(frame, framing, is_request=False))


class RequestReader:
    """Finds requests in what a master sends: the device's side, for simulated devices."""

    __slots__ = ("_buffer", "_framing")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = b""

    def feed(self, data: bytes) -> list[Request]:
        """Return the complete requests; on RTU everything that is none is passed over.

        FrameError where a TCP stream is out of step or asks for a function nobody here serves.
        """
        self._buffer += data
        return self._scan_rtu() if self._framing is Framing.RTU else self._scan_tcp()

    def _scan_rtu(self) -> list[Request]:
        requests: list[Request] = []
        at = 0
        while at < len(self._buffer) - 3:
            request = self._rtu_request(at)
            if request is None:
                at += 1
                continue
            requests.append(request)
            self._buffer = self._buffer[at + rtu_length(self._buffer[at:], is_request=True) :]
            at = 0
        self._buffer = self._buffer[-RTU_FRAME_MAX:]
        return requests

    def _rtu_request(self, at: int) -> Request | None:
        if self._buffer[at + 1] not in _SERVED:
            return None
        rest = self._buffer[at : at + RTU_FRAME_MAX]
        length = rtu_length(rest, is_request=True)
        if not 0 < length <= len(rest):
            return None
        try:
            return decode_request(rest[:length], Framing.RTU)
        except FrameError:
            return None

    def _scan_tcp(self) -> list[Request]:
        requests: list[Request] = []
        while len(self._buffer) >= TCP_HEADER:
            length = tcp_length(self._buffer)
            if len(self._buffer) < length:
                break
            frame, self._buffer = self._buffer[:length], self._buffer[length:]
            requests.append(decode_request(frame, Framing.TCP))
        return requests


def decode_request(frame: bytes, framing: Framing) -> Request:
    """Return the request this one frame is; FrameError otherwise."""
    pdu = decode_pdu(frame, framing, is_request=True)
    try:
        code = FunctionCode(pdu.function_code)
    except ValueError:
        raise FrameError(f"function {pdu.function_code} is not served") from None
    values: tuple[int, ...] = ()
    if code in (_F.WRITE_COIL, _F.WRITE_COILS):
        values = tuple(int(bit) for bit in pdu.bits)
    elif code in (_F.WRITE_HOLDING_REGISTER, _F.WRITE_HOLDING_REGISTERS):
        values = tuple(pdu.registers)
    quantity = 1 if code in (_F.WRITE_COIL, _F.WRITE_HOLDING_REGISTER) else pdu.count
    try:
        return Request(pdu.dev_id, code, pdu.address, quantity, values, pdu.transaction_id)
    except ProtocolError as error:
        raise FrameError(str(error)) from error


def reply_values(request: Request, pdu: ModbusPDU) -> tuple[int, ...]:
    """Return what a decoded reply says, if it answers the request; Refused where it says no."""
    if pdu.dev_id != request.unit_id:
        raise FrameError(f"unit {pdu.dev_id} answered a request to unit {request.unit_id}")
    code = pdu.function_code & ~EXCEPTION_BIT
    if code != request.function_code:
        what = "exception carries function" if pdu.function_code & EXCEPTION_BIT else "function"
        raise FrameError(f"{what} {code} in reply to function {int(request.function_code)}")
    if pdu.function_code & EXCEPTION_BIT:
        name = EXCEPTIONS.get(pdu.exception_code, "unknown exception")
        raise Refused(
            f"unit {request.unit_id}: exception {pdu.exception_code}, {name}", code=pdu.exception_code
        )
    if request.function_code in READS_REGISTERS:
        return _as_asked(pdu.registers, request.quantity, "registers")
    if request.function_code in READS_BITS:
        if len(pdu.bits) != (request.quantity + 7) // 8 * 8:
            raise FrameError(f"{len(pdu.bits)} bits in reply to {request.quantity} asked")
        return tuple(int(bit) for bit in pdu.bits[: request.quantity])
    if pdu.address != request.start:
        raise FrameError(f"address {pdu.address} confirmed, {request.start} was written")
    if request.function_code == _F.WRITE_HOLDING_REGISTER and tuple(pdu.registers) != request.values:
        raise FrameError(f"value {pdu.registers[0]} confirmed, {request.values[0]} was written")
    if request.function_code == _F.WRITE_COIL and pdu.bits[0] != bool(request.values[0]):
        raise FrameError("the other state was confirmed than the one written")
    if (
        request.function_code in (_F.WRITE_COILS, _F.WRITE_HOLDING_REGISTERS)
        and pdu.count != request.quantity
    ):
        raise FrameError(f"quantity {pdu.count} confirmed, {request.quantity} were written")
    return request.values


def _as_asked(registers: Sequence[int], quantity: int, what: str) -> tuple[int, ...]:
    if len(registers) != quantity:
        raise FrameError(f"{len(registers)} {what} in reply to {quantity} asked")
    return tuple(registers)
