"""Devices answering Modbus, RTU or TCP: meters, the lift's and the fire panel's gateways, read-only; relays.

The invariant: a value is issued only if the reply holds all of its words; what lies between the mapped
points reads as zero, what lies behind the last is an illegal data address.
"""

import struct
from collections.abc import Sequence

from pymodbus.framer import FramerRTU

from protocol.errors import FrameError
from protocol.fieldbus.modbus import (
    Framing,
    FunctionCode,
    Request,
    decode_request,
    encode_exception,
    encode_reply,
)
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME
from simulator.answer import Answer
from simulator.building import Device
from simulator.maps import (
    COIL,
    DISCRETE_INPUT,
    HOLDING_REGISTER,
    INPUT_REGISTER,
    MODBUS,
    Cell,
    quantised,
)
from simulator.meters import ValuesMicro
from simulator.models import Building

_TABLES = {
    FunctionCode.READ_COILS: COIL,
    FunctionCode.READ_DISCRETE_INPUTS: DISCRETE_INPUT,
    FunctionCode.READ_HOLDING_REGISTERS: HOLDING_REGISTER,
    FunctionCode.READ_INPUT_REGISTERS: INPUT_REGISTER,
}
_ILLEGAL_FUNCTION, _ILLEGAL_DATA_ADDRESS = 1, 2
_READ_LENGTH = 8  # unit id, function code, start, quantity, CRC
_WRITE_MULTIPLE = frozenset({FunctionCode.WRITE_COILS, FunctionCode.WRITE_HOLDING_REGISTERS})
_FORMATS = {"float32": ">f", "int16": ">h", "int32": ">i", "uint16": ">H", "uint32": ">I"}


class ModbusSlaves:
    """The Modbus devices of one RTU line or one TCP server."""

    def __init__(self, devices: Sequence[Device], building: Building, framing: Framing) -> None:
        self._devices = {int(device.address): device for device in devices}
        self._building = building
        self._framing = framing

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the RTU request that may begin at `at`."""
        if buffer[at] not in self._devices:
            return NOT_A_FRAME
        if len(buffer) - at < 2:
            return MORE_NEEDED
        function_code = buffer[at + 1]
        if function_code in _WRITE_MULTIPLE:
            return MORE_NEEDED if len(buffer) - at < 7 else 9 + buffer[at + 6]
        return _READ_LENGTH if 1 <= function_code <= 6 else NOT_A_FRAME

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the asked unit's answer, None where no device has that unit id."""
        asked = decode_request(request, self._framing)
        device = self._devices.get(asked.unit_id)
        if device is None:
            return None
        if asked.function_code == FunctionCode.WRITE_COIL:
            return self._switch(device, asked)
        table = _TABLES.get(asked.function_code)
        if table is None:
            return self._refuse(device, asked, _ILLEGAL_FUNCTION)
        cells = [cell for cell in MODBUS[device.profile] if cell.table == table]
        end = asked.start + asked.quantity
        if end > max((cell.address + cell.width for cell in cells), default=0):
            return self._refuse(device, asked, _ILLEGAL_DATA_ADDRESS)
        values = self._building.values_micro(device.device_id, at_ms)
        words, issued = _image(cells, values, asked.start, end)
        return Answer(device.device_id, encode_reply(asked, self._framing, words), issued)

    def _switch(self, device: Device, asked: Request) -> Answer:
        for cell in MODBUS[device.profile]:
            if (cell.table, cell.address) == (COIL, asked.start) and self._building.switch_relay(
                device.device_id, cell.point, is_on=bool(asked.values[0])
            ):
                return Answer(device.device_id, encode_reply(asked, self._framing))
        return self._refuse(device, asked, _ILLEGAL_DATA_ADDRESS)

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as another would have sent it: of another unit, or to another transaction."""
        if self._framing is Framing.TCP:
            return bytes((reply[0], reply[1] ^ 0x01)) + reply[2:]
        other = bytes((reply[0] % 247 + 1,)) + reply[1:-2]
        return other + FramerRTU.compute_CRC(other).to_bytes(2, "big")

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with one bit of its CRC turned; FrameError on TCP, which has none."""
        if self._framing is Framing.TCP:
            raise FrameError("Modbus TCP has no checksum of its own")
        return reply[:-1] + bytes((reply[-1] ^ 0x01,))

    def _refuse(self, device: Device, asked: Request, exception_code: int) -> Answer:
        return Answer(device.device_id, encode_exception(asked, self._framing, exception_code))


def _image(
    cells: Sequence[Cell], values: ValuesMicro, start: int, end: int
) -> tuple[list[int], tuple[tuple[str, int], ...]]:
    """Return the words (or bits) from `start` to before `end`, and the points they hold whole."""
    words = [0] * (end - start)
    issued: list[tuple[str, int]] = []
    for cell in cells:
        last = cell.address + cell.width
        if last <= start or cell.address >= end:
            continue
        value_micro = quantised(values[cell.point], cell.step_micro, cell.encoding)
        for number, word in enumerate(cell_words(cell, value_micro), start=cell.address):
            if start <= number < end:
                words[number - start] = word
        if start <= cell.address and last <= end:
            issued.append((cell.point, value_micro))
    return words, tuple(issued)


def cell_words(cell: Cell, value_micro: int) -> tuple[int, ...]:
    """Return a value's registers in the order they are sent, or its one bit."""
    if cell.encoding == "bit":
        return (int(value_micro != 0),)
    raw = value_micro / cell.step_micro if cell.encoding == "float32" else value_micro // cell.step_micro
    packed = struct.pack(_FORMATS[cell.encoding], raw)
    words = struct.unpack(f">{cell.width}H", packed)
    return words[::-1] if cell.word_order == "CDAB" else words
