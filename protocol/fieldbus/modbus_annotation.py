"""What a Modbus frame says, as facts and field by field.

A Modbus frame does not say whether it asks or answers: where `Message.is_reply` is unknown, a
reply is tried first. A reply's request, where known, decides how many bits count and whether the
reply is to be believed at all.
"""

from dataclasses import dataclass

from protocol.errors import FrameError, Refused
from protocol.fieldbus.annotation import Cursor, Facts, Field, Message, Role
from protocol.fieldbus.modbus import decode_request, reply_length, reply_values
from protocol.fieldbus.modbus_frame import (
    EXCEPTION_BIT,
    EXCEPTIONS,
    READS_BITS,
    READS_REGISTERS,
    TCP_HEADER,
    Framing,
    FunctionCode,
    decode_pdu,
    pdu_bytes,
)

_NAMES = {
    FunctionCode.READ_COILS: "read coils",
    FunctionCode.READ_DISCRETE_INPUTS: "read discrete inputs",
    FunctionCode.READ_HOLDING_REGISTERS: "read holding registers",
    FunctionCode.READ_INPUT_REGISTERS: "read input registers",
    FunctionCode.WRITE_COIL: "write coil",
    FunctionCode.WRITE_HOLDING_REGISTER: "write holding register",
    FunctionCode.WRITE_COILS: "write coils",
    FunctionCode.WRITE_HOLDING_REGISTERS: "write holding registers",
}
_SINGLE_WRITES = frozenset({FunctionCode.WRITE_COIL, FunctionCode.WRITE_HOLDING_REGISTER})
_BLOCK_WRITES = frozenset({FunctionCode.WRITE_COILS, FunctionCode.WRITE_HOLDING_REGISTERS})


@dataclass(frozen=True, slots=True)
class _Modbus:
    """The codec of one framing, as the registry sees it."""

    framing: Framing

    def facts(self, message: Message) -> Facts:
        """Return everything the frame says; a request in the message is not compared with it."""
        is_reply, content = self._parse(message)
        facts: Facts = {}
        if self.framing is Framing.TCP:
            facts["transaction"] = int.from_bytes(message.data[:2])
            facts["unit"] = message.data[6]
        else:
            facts["unit"] = message.data[0]
        facts["function"] = content[0] & ~EXCEPTION_BIT
        quantity = self._quantity_asked(message.request)
        return facts | (_reply_facts(content, quantity) if is_reply else _request_facts(content))

    def explain(self, message: Message) -> list[Field]:
        """Return the fields of the frame."""
        is_reply, content = self._parse(message)
        cursor = Cursor()
        if self.framing is Framing.TCP:
            transaction = int.from_bytes(message.data[:2])
            cursor.take(2, Role.TRANSACTION, f"transaction {transaction}, repeated in the reply")
            cursor.take(2, Role.START, "protocol 0: Modbus")
            cursor.take(2, Role.LENGTH, f"{len(message.data) - TCP_HEADER} bytes follow")
        unit_id = message.data[6 if self.framing is Framing.TCP else 0]
        cursor.take(1, Role.UNIT_ID, f"unit id {unit_id}")
        code = content[0] & ~EXCEPTION_BIT
        sender = "reply" if is_reply else "request"
        cursor.take(1, Role.FUNCTION_CODE, f"function {code}: {_name(code)}, {sender}")
        (_explain_reply if is_reply else _explain_request)(
            cursor, content, self._start_asked(message.request)
        )
        if self.framing is Framing.RTU:
            cursor.take(2, Role.CHECKSUM, f"CRC-16 {message.data[-2:].hex()}, low byte first; correct")
        return cursor.fields

    def check(self, message: Message) -> None:
        """Raise FrameError unless the reply answers the message's request; a refusal does answer it."""
        request = decode_request(message.request, self.framing)
        pdu = decode_pdu(message.data, self.framing, is_request=False)
        if self.framing is Framing.TCP and pdu.transaction_id != request.transaction_id:
            raise FrameError(f"transaction {pdu.transaction_id} in reply to {request.transaction_id}")
        try:
            reply_values(request, pdu)
        except Refused:
            return

    def reply_length(self, request: bytes) -> int:
        """Return how long the normal reply to a request frame is."""
        return reply_length(decode_request(request, self.framing), self.framing)

    def _parse(self, message: Message) -> tuple[bool, bytes]:
        if message.is_reply is not None:
            is_reply = message.is_reply
            return is_reply, pdu_bytes(message.data, self.framing, is_request=not is_reply)
        try:
            return True, pdu_bytes(message.data, self.framing, is_request=False)
        except FrameError:
            return False, pdu_bytes(message.data, self.framing, is_request=True)

    def _quantity_asked(self, request: bytes) -> int | None:
        if not request:
            return None
        try:
            return decode_request(request, self.framing).quantity
        except FrameError:
            return None

    def _start_asked(self, request: bytes) -> int | None:
        if not request:
            return None
        try:
            return decode_request(request, self.framing).start
        except FrameError:
            return None


MODBUS_RTU = _Modbus(Framing.RTU)
MODBUS_TCP = _Modbus(Framing.TCP)


def _name(code: int) -> str:
    return _NAMES[FunctionCode(code)] if code in set(FunctionCode) else "not used in buildings"


def _word(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2])


def _words(data: bytes) -> list[int]:
    return [_word(data, at) for at in range(0, len(data) - 1, 2)]


def _bits(data: bytes) -> list[int]:
    number = int.from_bytes(data, "little")
    return [number >> bit & 1 for bit in range(8 * len(data))]


def _reply_facts(content: bytes, quantity: int | None) -> Facts:
    code, data = content[0], content[1:]
    if code & EXCEPTION_BIT:
        number = data[0] if data else 0
        return {"exception": number, "exception_name": EXCEPTIONS.get(number, "unknown exception")}
    if code in READS_REGISTERS:
        return {"byte_count": data[0], "registers": [*_words(data[1:])]}
    if code in READS_BITS:
        bits = _bits(data[1:])
        facts: Facts = {"byte_count": data[0], "data": data[1:].hex(), "bits_lsb_first": [*bits]}
        return facts if quantity is None else facts | {"bits": [*bits[:quantity]]}
    if code in _SINGLE_WRITES and len(data) == 4:
        return {"address": _word(data, 0), "value": _word(data, 2)}
    if code in _BLOCK_WRITES and len(data) == 4:
        return {"start": _word(data, 0), "quantity": _word(data, 2)}
    return {"data": data.hex()}


def _request_facts(content: bytes) -> Facts:
    code, data = content[0], content[1:]
    if code in _SINGLE_WRITES and len(data) == 4:
        return {"address": _word(data, 0), "value": _word(data, 2)}
    if code in READS_BITS | READS_REGISTERS and len(data) == 4:
        return {"start": _word(data, 0), "quantity": _word(data, 2)}
    if code in _BLOCK_WRITES:
        quantity, written = _word(data, 2), data[5:]
        facts: Facts = {
            "start": _word(data, 0),
            "quantity": quantity,
            "byte_count": data[4],
            "data": written.hex(),
        }
        if code == FunctionCode.WRITE_HOLDING_REGISTERS:
            return facts | {"registers": [*_words(written)]}
        bits = _bits(written)
        return facts | {"bits": [*bits[:quantity]], "bits_lsb_first": [*bits]}
    return {"data": data.hex()}


def _explain_reply(cursor: Cursor, content: bytes, start: int | None) -> None:
    code, data = content[0], content[1:]
    if code & EXCEPTION_BIT:
        number = data[0] if data else 0
        cursor.take(len(data), Role.ERROR, f"exception {number}: {EXCEPTIONS.get(number, 'unknown')}")
    elif code in READS_REGISTERS:
        cursor.take(1, Role.LENGTH, f"{data[0]} bytes of registers")
        for index, word in enumerate(_words(data[1:])):
            where = f"register {start + index}" if start is not None else f"register {index} of the reply"
            cursor.take(2, Role.VALUE, f"{where}: {word} ({word:04x})")
    elif code in READS_BITS:
        cursor.take(1, Role.LENGTH, f"{data[0]} bytes of bits")
        bits = "".join(str(bit) for bit in _bits(data[1:]))
        cursor.take(len(data) - 1, Role.VALUE, f"bits, first asked first: {bits}")
    else:
        _explain_write(cursor, content)


def _explain_request(cursor: Cursor, content: bytes, start: int | None) -> None:
    del start  # a request says itself where it starts
    code, data = content[0], content[1:]
    if code in READS_BITS | READS_REGISTERS and len(data) == 4:
        what = "bits" if code in READS_BITS else "registers"
        cursor.take(2, Role.REGISTER, f"from address {_word(data, 0)} ({_word(data, 0):04x}), counted from 0")
        cursor.take(2, Role.QUANTITY, f"{_word(data, 2)} {what}")
    elif code in _BLOCK_WRITES:
        cursor.take(2, Role.REGISTER, f"from address {_word(data, 0)}, counted from 0")
        cursor.take(2, Role.QUANTITY, f"{_word(data, 2)} values")
        cursor.take(1, Role.LENGTH, f"{data[4]} bytes of values")
        cursor.take(len(data) - 5, Role.VALUE, f"values {data[5:].hex()}")
    else:
        _explain_write(cursor, content)


def _explain_write(cursor: Cursor, content: bytes) -> None:
    code, data = content[0], content[1:]
    if code in _SINGLE_WRITES | _BLOCK_WRITES and len(data) == 4:
        cursor.take(2, Role.REGISTER, f"address {_word(data, 0)}, counted from 0")
        is_single = code in _SINGLE_WRITES
        text = f"value {_word(data, 2)}" if is_single else f"{_word(data, 2)} values written"
        cursor.take(2, Role.VALUE if is_single else Role.QUANTITY, text)
    else:
        cursor.take(len(data), Role.PAYLOAD, f"data {data.hex()}")
