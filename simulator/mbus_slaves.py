"""Meters on an M-Bus: reset, selection, and their readout in two telegrams.

The invariant: 253 is whoever was selected last, and nobody before; a telegram is repeated for the same
frame count bit and followed by the next for the other, as EN 13757-2 says.
"""

from collections.abc import Sequence

from protocol.errors import FrameError
from protocol.fieldbus import mbus
from protocol.fieldbus.mbus_records import encode_record
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME
from simulator.answer import Answer
from simulator.building import Device
from simulator.maps import MBUS, MBUS_STATUS, quantised
from simulator.models import Building

_SHORT, _LONG = 0x10, 0x68
_SHORT_LENGTH, _LONG_OVERHEAD = 5, 6
_MORE_FOLLOWS = b"\x1f"
_MANUFACTURER, _VERSION, _HEAT_OUTLET = "GWF", 1, 0x04
_CHECKSUM_AT = -2


class MbusSlaves:
    """The M-Bus meters of one line, by secondary address."""

    def __init__(self, devices: Sequence[Device], building: Building) -> None:
        self._devices = {device.address: device for device in devices}
        self._building = building
        self._selected = ""
        self._last_bit: bool | None = None
        self._telegram = -1

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the request that may begin at `at`."""
        if buffer[at] == _SHORT:
            return _SHORT_LENGTH
        if buffer[at] != _LONG:
            return NOT_A_FRAME
        if len(buffer) - at < 4:
            return MORE_NEEDED
        length = buffer[at + 1]
        is_head = length == buffer[at + 2] and buffer[at + 3] == _LONG
        return length + _LONG_OVERHEAD if is_head else NOT_A_FRAME

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the acknowledgement of a selection, or the next telegram of the selected meter."""
        frame = mbus.decode_frame(request)
        if frame.control_information == mbus.CI_SELECT:
            return self._select(frame.data)
        device = self._devices.get(self._selected)
        if device is None or frame.address != mbus.SELECTED:
            return None
        if frame.control & ~mbus.FCB != mbus.REQ_UD2:
            raise FrameError(f"control {frame.control:02x} is not served")
        bit = bool(frame.control & mbus.FCB)
        if bit != self._last_bit:
            self._telegram, self._last_bit = self._telegram + 1, bit
        return self._tell(device, at_ms)

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as if another meter had sent it; an E5 has no name and stays."""
        if reply == mbus.ACK:
            return reply
        frame = mbus.decode_frame(reply)
        identification = f"{(int(frame.data[3::-1].hex()) + 1) % 10**8:08d}"
        data = bytes.fromhex(identification)[::-1] + frame.data[4:]
        return mbus.encode_frame(mbus.Frame(frame.control, frame.address, frame.control_information, data))

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with one bit of its checksum turned."""
        if reply == mbus.ACK:
            return bytes((reply[0] ^ 0x01,))
        return reply[:_CHECKSUM_AT] + bytes((reply[_CHECKSUM_AT] ^ 0x01,)) + reply[_CHECKSUM_AT + 1 :]

    def _select(self, wanted: bytes) -> Answer | None:
        self._last_bit, self._telegram = None, -1
        meant = [d for d in self._devices.values() if _is_meant(wanted, d)]
        self._selected = meant[0].address if len(meant) == 1 else ""
        return Answer(meant[0].device_id, mbus.ACK) if len(meant) == 1 else None

    def _tell(self, device: Device, at_ms: int) -> Answer:
        values = self._building.values_micro(device.device_id, at_ms)
        telegrams = MBUS[device.profile]
        number = min(self._telegram, len(telegrams) - 1)
        records, issued = [], []
        for record in telegrams[number]:
            shown = quantised(values[record.point], record.step_micro)
            records.append(encode_record(record.vif, shown // record.step_micro))
            issued.append((record.point, shown))
        if number < len(telegrams) - 1:
            records.append(_MORE_FOLLOWS)
        status = 0
        for point, bit in MBUS_STATUS.items():
            status |= bool(values[point]) << bit
            if number == 0:
                issued.append((point, values[point]))
        header = mbus.Header(device.address, _MANUFACTURER, _VERSION, _HEAT_OUTLET, number, status)
        reply = mbus.encode_frame(mbus.telegram_reply(0, header, records))
        return Answer(device.device_id, reply, tuple(issued))


def _is_meant(wanted: bytes, device: Device) -> bool:
    """Tell whether a selection means the meter: F digits and FF bytes stand for anything."""
    asked = wanted[3::-1].hex()
    return len(wanted) == 8 and all(a in ("f", d) for a, d in zip(asked, device.address, strict=True))
