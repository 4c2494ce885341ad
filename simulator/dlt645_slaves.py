"""Electricity meters answering DL/T 645 in the edition of their model: data, clock, relay.

The invariant: a meter answers only what is addressed to it alone, in its own edition, and refuses with
"no such data" what its model has not. A broadcast of the time, or to freeze, is heard by all and answered
by none.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from protocol.fieldbus import dlt645, dlt645_1997
from protocol.fieldbus.bcd import digits_from_wire
from protocol.fieldbus.dlt645 import RelayAction
from protocol.fieldbus.dlt645_format import Value
from protocol.fieldbus.dlt645_frame import measure
from protocol.quantity import MICRO, decimal_from_micro
from simulator.answer import Answer
from simulator.building import DEMO_RELAY_PASSWORD, Device, Role
from simulator.curves import ZONE_OFFSET_MS
from simulator.maps import DLT645, DLT645_1997, Item, quantised
from simulator.models import Building

_DATE, _TIME, _ADDRESS = "04000101", "04000102", "04000401"
_DATE_1997, _TIME_1997 = "C010", "C011"
# The last freeze by command: when, and the total with its rates as they stood then (table A.6).
_FROZEN_AT, _FROZEN, _FROZEN_OF = "05010001", "05010101", "0001FF00"
_FREEZE_NOW = "99999999"
_CHECKSUM_AT = -2
# PA, password, operator, N1 and N2, and until when it is good (DL/T 645-2007 §7.12).
_RELAY_DATA = 16
_WRONG_PASSWORD = 0x04
# The charging post's clock, until somebody broadcasts the time; a broadcast is taken within five minutes.
_CHARGER_CLOCK_OFF_MS = -47_000
_BROADCAST_TAKEN_MS = 300_000


class Dlt645Slaves:
    """The DL/T 645 meters of one line."""

    def __init__(self, devices: Sequence[Device], building: Building) -> None:
        self._devices = {device.address: device for device in devices}
        self._building = building
        self._frozen_at_ms = 0
        self._clock_off_ms = {
            device.address: _CHARGER_CLOCK_OFF_MS
            for device in devices
            if device.role is Role.CHARGER_ELECTRICITY
        }

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the request that may begin at `at`."""
        return measure(buffer, at) if buffer[at] == 0x68 else 0

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the addressed meter's answer; nobody answers wildcards, where all would at once."""
        frame = dlt645.decode_frame(request)
        if frame.meter_address == dlt645.EVERY_METER and frame.function == dlt645.Function.BROADCAST_TIME:
            self._set_clocks(frame.data, at_ms)
            return None
        if frame.meter_address == dlt645.EVERY_METER and frame.function == dlt645.Function.FREEZE:
            if digits_from_wire(frame.data) == _FREEZE_NOW:
                self._frozen_at_ms = at_ms
            return None
        device = self._devices.get(frame.meter_address)
        if device is None or frame.is_reply:
            return None
        if device.profile in DLT645_1997:
            return self._answer_of_1997(device, frame, at_ms)
        if frame.function == dlt645.Function.RELAY:
            return self._switch(device, frame, at_ms)
        if frame.function != dlt645.Function.READ or len(frame.data) < 4:
            return self._refuse(device, frame)
        di = digits_from_wire(frame.data[:4]).upper()
        items = DLT645[device.profile].get(di)
        if di == _FROZEN and self._frozen_at_ms:
            items, at_ms = DLT645[device.profile].get(_FROZEN_OF), self._frozen_at_ms
        if items is None:
            texts = {_ADDRESS: device.address, **self._clock(device, at_ms, _DATE, _TIME)}
            if self._frozen_at_ms:
                texts[_FROZEN_AT] = f"{self._local(device, self._frozen_at_ms):%y%m%d%H%M}"
            return (
                Answer(device.device_id, _read_reply(device, di, [texts[di]]))
                if di in texts
                else (self._refuse(device, frame))
            )
        values, issued = self._values(device, items, at_ms)
        return Answer(device.device_id, _read_reply(device, di, values), issued)

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as if the meter next door had sent it."""
        frame = dlt645.decode_frame(reply)
        other = f"{(int(frame.meter_address) + 1) % 10**12:012d}"
        return dlt645.encode_frame(dlt645.Frame(other, frame.control_code, frame.data, frame.preamble_count))

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with one bit of its checksum turned."""
        return reply[:_CHECKSUM_AT] + bytes((reply[_CHECKSUM_AT] ^ 0x01,)) + reply[_CHECKSUM_AT + 1 :]

    def _answer_of_1997(self, device: Device, frame: dlt645.Frame, at_ms: int) -> Answer:
        di = digits_from_wire(frame.data[:2]).upper()
        if frame.function != dlt645_1997.Function.READ or len(frame.data) != 2:
            return self._refuse(device, frame)
        items = DLT645_1997[device.profile].get(di)
        texts = self._clock(device, at_ms, _DATE_1997, _TIME_1997)
        if items is None and di not in texts:
            return self._refuse(device, frame)
        values, issued = ([texts[di]], ()) if items is None else self._values(device, items, at_ms)
        payload = dlt645.encode_items(dlt645_1997.data_identifier(di), values)
        reply = dlt645_1997.read_reply(device.address, di, payload)
        return Answer(device.device_id, dlt645.encode_frame(reply), issued)

    def _values(
        self, device: Device, items: Sequence[Item], at_ms: int
    ) -> tuple[list[Value], tuple[tuple[str, int], ...]]:
        shown = self._building.values_micro(device.device_id, at_ms)
        issued = tuple((item.point, quantised(shown[item.point], item.step_micro)) for item in items)
        values: list[Value] = []
        for item, (_, value_micro) in zip(items, issued, strict=True):
            if item.bit is None:
                values.append(decimal_from_micro(value_micro))
            else:
                is_set = value_micro // MICRO == item.code_of_one
                values.append(f"{is_set << item.bit:04X}")
        return values, issued

    def _clock(self, device: Device, at_ms: int, date_di: str, time_di: str) -> dict[str, str]:
        local = self._local(device, at_ms)
        # DL/T 645 counts weekdays from Sunday, 0.
        return {date_di: f"{local:%y%m%d}{local.isoweekday() % 7:02d}", time_di: f"{local:%H%M%S}"}

    def _local(self, device: Device, at_ms: int) -> datetime:
        shown_ms = at_ms + ZONE_OFFSET_MS + self._clock_off_ms.get(device.address, 0)
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=shown_ms)

    def _set_clocks(self, data: bytes, at_ms: int) -> None:
        told = datetime.strptime(digits_from_wire(data), "%y%m%d%H%M%S").replace(tzinfo=UTC)
        off_ms = int(told.timestamp() * 1000) - at_ms - ZONE_OFFSET_MS
        for address in self._devices:
            if abs(off_ms - self._clock_off_ms.get(address, 0)) < _BROADCAST_TAKEN_MS:
                self._clock_off_ms[address] = off_ms

    def _switch(self, device: Device, frame: dlt645.Frame, at_ms: int) -> Answer:
        data = frame.data
        if len(data) != _RELAY_DATA or digits_from_wire(data[1:4]) != DEMO_RELAY_PASSWORD:
            return self._refuse(device, frame, _WRONG_PASSWORD)
        # Whoever may close it from afar is not asked for the button: the post has no resident.
        is_off = data[8] == RelayAction.TRIP
        if not self._building.turn(device.device_id, at_ms, is_off=is_off):
            return self._refuse(device, frame)
        return Answer(device.device_id, dlt645.encode_frame(dlt645.plain_reply(frame, device.address)))

    def _refuse(self, device: Device, frame: dlt645.Frame, error_byte: int = 0x02) -> Answer:
        refusal = dlt645.abnormal_reply(frame, device.address, error_byte)
        return Answer(device.device_id, dlt645.encode_frame(refusal))


def _read_reply(device: Device, di: str, values: Sequence[Value]) -> bytes:
    payload = dlt645.encode_items(dlt645.data_identifier(di), values)
    return dlt645.encode_frame(dlt645.read_reply(device.address, di, payload))
