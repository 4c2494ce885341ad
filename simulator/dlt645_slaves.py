"""Electricity meters answering DL/T 645-2007: energies, what flows, address, date and time.

The invariant: a meter answers only what is addressed to it alone, and refuses with "no such data"
what its model has not.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from protocol.fieldbus import dlt645
from protocol.fieldbus.bcd import digits_from_wire
from protocol.fieldbus.dlt645_format import Value
from protocol.fieldbus.dlt645_frame import measure
from protocol.quantity import decimal_from_micro
from simulator.answer import Answer
from simulator.building import Device
from simulator.curves import ZONE_OFFSET_MS
from simulator.maps import DLT645, Item, quantised
from simulator.models import Building

_DATE, _TIME, _ADDRESS = "04000101", "04000102", "04000401"
_CHECKSUM_AT = -2


class Dlt645Slaves:
    """The DL/T 645 meters of one line."""

    def __init__(self, devices: Sequence[Device], building: Building) -> None:
        self._devices = {device.address: device for device in devices}
        self._building = building

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the request that may begin at `at`."""
        return measure(buffer, at) if buffer[at] == 0x68 else 0

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the addressed meter's answer; nobody answers wildcards, where all would at once."""
        frame = dlt645.decode_frame(request)
        device = self._devices.get(frame.meter_address)
        if device is None or frame.is_reply:
            return None
        if frame.function != dlt645.Function.READ or len(frame.data) < 4:
            return self._refuse(device, frame)
        di = digits_from_wire(frame.data[:4]).upper()
        items = DLT645[device.profile].get(di)
        if items is None:
            return self._tell_of_itself(device, frame, di, at_ms)
        return self._tell(device, di, items, at_ms)

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as if the meter next door had sent it."""
        frame = dlt645.decode_frame(reply)
        other = f"{(int(frame.meter_address) + 1) % 10**12:012d}"
        return dlt645.encode_frame(dlt645.Frame(other, frame.control_code, frame.data, frame.preamble_count))

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with one bit of its checksum turned."""
        return reply[:_CHECKSUM_AT] + bytes((reply[_CHECKSUM_AT] ^ 0x01,)) + reply[_CHECKSUM_AT + 1 :]

    def _tell(self, device: Device, di: str, items: Sequence[Item], at_ms: int) -> Answer:
        values = self._building.values_micro(device.device_id, at_ms)
        issued = tuple((item.point, quantised(values[item.point], item.step_micro)) for item in items)
        numbers = [decimal_from_micro(value_micro) for _, value_micro in issued]
        return Answer(device.device_id, _read_reply(device, di, numbers), issued)

    def _tell_of_itself(self, device: Device, frame: dlt645.Frame, di: str, at_ms: int) -> Answer:
        local = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms + ZONE_OFFSET_MS)
        # DL/T 645 counts weekdays from Sunday, 0.
        texts = {
            _ADDRESS: device.address,
            _DATE: f"{local:%y%m%d}{local.isoweekday() % 7:02d}",
            _TIME: f"{local:%H%M%S}",
        }
        if di not in texts:
            return self._refuse(device, frame)
        return Answer(device.device_id, _read_reply(device, di, [texts[di]]))

    def _refuse(self, device: Device, frame: dlt645.Frame) -> Answer:
        return Answer(device.device_id, dlt645.encode_frame(dlt645.abnormal_reply(frame, device.address)))


def _read_reply(device: Device, di: str, values: Sequence[Value]) -> bytes:
    payload = dlt645.encode_items(dlt645.data_identifier(di), values)
    return dlt645.encode_frame(dlt645.read_reply(device.address, di, payload))
