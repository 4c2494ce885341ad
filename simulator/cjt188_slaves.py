"""Water meters answering CJ/T 188: the current data 901F, in whichever byte order they were asked.

The invariant: a meter answers only what is addressed to it alone, and repeats the identifier's byte
order and the serial number of the request.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from protocol.fieldbus import cjt188
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water
from protocol.quantity import MICRO, decimal_from_micro
from simulator.answer import Answer
from simulator.building import WATER_METER_TYPE, Device
from simulator.curves import ZONE_OFFSET_MS
from simulator.maps import CJT188, VOLUME_STEP_MICRO, quantised
from simulator.models import Building

_METER_TYPE = int(WATER_METER_TYPE, 16)
_BATTERY_LOW_BIT = 2
_CHECKSUM_AT = -2
# By the standard: 55 opens, 99 closes.
_VALVE_OPERATIONS = {b"\x55": False, b"\x99": True}


class Cjt188Slaves:
    """The CJ/T 188 meters of one line."""

    def __init__(self, devices: Sequence[Device], building: Building) -> None:
        self._devices = {device.address: device for device in devices}
        self._building = building

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the request that may begin at `at`."""
        return cjt188.measure(buffer, at) if buffer[at] == cjt188.START else 0

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the addressed meter's answer; nobody answers wildcards, where all would at once."""
        frame = cjt188.decode_frame(request)
        device = self._devices.get(frame.address)
        if device is None or frame.is_reply or frame.meter_type not in (_METER_TYPE, cjt188.ANY_METER_TYPE):
            return None
        if frame.function == cjt188.Function.WRITE and frame.data_identifier == cjt188.VALVE:
            return self._turn_valve(frame, device, at_ms)
        if frame.function != cjt188.Function.READ or frame.data_identifier != cjt188.CURRENT_DATA:
            refusal = cjt188.abnormal_reply(frame, _METER_TYPE, device.address)
            return Answer(device.device_id, cjt188.encode_frame(refusal))
        values = self._building.values_micro(device.device_id, at_ms)
        volume_micro = quantised(values["water_volume"], VOLUME_STEP_MICRO)
        valve, battery_low = values["valve_state"], values["battery_low"]
        data = encode_water(
            WaterData(
                current=Amount(decimal_from_micro(volume_micro), "m3"),
                settlement=Amount(Decimal(0), "m3"),  # these meters keep no settlement day
                clock=_local_time(at_ms),
                status=Status(bytes((valve // MICRO | battery_low // MICRO << _BATTERY_LOW_BIT, 0))),
            )
        )
        reply = cjt188.encode_frame(cjt188.reply_to(frame, _METER_TYPE, device.address, data))
        shown = {"water_volume": volume_micro, "valve_state": valve, "battery_low": battery_low}
        return Answer(
            device.device_id, reply, tuple((point, shown[point]) for point in CJT188[device.profile])
        )

    def _turn_valve(self, frame: cjt188.Frame, device: Device, at_ms: int) -> Answer:
        is_closed = _VALVE_OPERATIONS.get(frame.data)
        if is_closed is None or not self._building.turn(device.device_id, at_ms, is_off=is_closed):
            refusal = cjt188.abnormal_reply(frame, _METER_TYPE, device.address)
            return Answer(device.device_id, cjt188.encode_frame(refusal))
        status = bytes((int(is_closed), 0))
        reply = cjt188.reply_to(frame, _METER_TYPE, device.address, status)
        return Answer(device.device_id, cjt188.encode_frame(reply))

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as if the meter next door had sent it."""
        frame = cjt188.decode_frame(reply)
        return cjt188.encode_frame(
            cjt188.Frame(
                frame.meter_type,
                f"{(int(frame.address) + 1) % 10**14:014d}",
                frame.control_code,
                frame.data_identifier,
                frame.di_low_first,
                frame.serial,
                frame.data,
                frame.preamble_count,
            )
        )

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with one bit of its checksum turned."""
        return reply[:_CHECKSUM_AT] + bytes((reply[_CHECKSUM_AT] ^ 0x01,)) + reply[_CHECKSUM_AT + 1 :]


def _local_time(at_ms: int) -> datetime:
    # The meter's own clock has no zone: it shows what the installer set, and that is local time.
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms + ZONE_OFFSET_MS)).replace(
        tzinfo=None
    )
