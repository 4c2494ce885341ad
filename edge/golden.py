"""Golden exchanges: what a profile must make of known frames, found out through its real driver.

The invariant: nothing is decoded here. The request must be the very bytes the driver sends, the
reply goes in where the line's would, and the readings are what the driver made of it.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from edge.driver import Ask, Bus, EvidenceKeeper, Heard, Priority
from edge.drivers import DRIVERS, sparkplug
from edge.drivers.mqtt import Zigbee2mqttDevice
from edge.drivers.mqtt_topics import FAMILIES, TopicDevice
from edge.drivers.sparkplug import SparkplugNode
from edge.errors import BadFrame
from edge.stations import STATIONS, station_for
from protocol.errors import ProtocolError
from protocol.fieldbus import cjt188, dlt645, gb26875, mbus, sia_dc09
from protocol.quantity import decimal_from_micro
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import BusSettings, LineId, ListenLine
from provisioning.profile import Golden, Profile

_DEVICE = DeviceId("golden")
_LINE = LineId("golden")
_ZONE = ZoneInfo("UTC")
# A usual RS-485 line: Modbus requests are planned as they would be there.
_SETTINGS = BusSettings(
    _LINE, baud=115_200, bits_per_character=10, timeout_ms=200, gap_ms=0.0, late_limit_ms=600
)
_WAKE_UP = b"\xfe"


class _StoppedClock:
    """Nothing in an exchange of golden frames depends on when it is: this clock is not to be trusted."""

    quality = ClockQuality.UNSYNCED

    def wall_ms(self) -> int:
        return 0

    def monotonic_ms(self) -> int:
        return 0


class _GoldenBus:
    """Answers the golden request with the golden reply; where none is given, every request."""

    settings = _SETTINGS

    def __init__(self, golden: Golden, serial: int) -> None:
        self.clock = _StoppedClock()
        self._golden = golden
        self._serial = serial

    def next_number(self) -> int:
        return (self._serial - 1) % 255

    def turnaround_s(self, address: str) -> float | None:
        del address
        return None

    async def tell(self, wire: bytes, priority: Priority = Priority.TELEMETRY) -> None:
        del wire, priority
        raise AssertionError("nobody broadcasts to golden frames")

    async def exchange(self, ask: Ask, priority: Priority = Priority.TELEMETRY) -> Heard:
        del priority
        expected = b"" if self._is_opening(ask.wire) else self._golden.request
        if expected and ask.wire.lstrip(_WAKE_UP) != expected.lstrip(_WAKE_UP):
            raise BadFrame(f"the driver asks {ask.wire.hex()}, the golden request is {expected.hex()}")
        reply = ask.receiver.feed(mbus.ACK if self._is_opening(ask.wire) else self._golden.reply)
        if reply is None:
            raise ask.receiver.failure()
        return Heard(ask.wire, reply, 0, 1000)

    def _is_opening(self, wire: bytes) -> bool:
        """Tell whether this only precedes the golden request: an M-Bus meter's reset."""
        return wire == mbus.encode_frame(mbus.reset_request(wire[2]))


def golden_readings(profile: Profile, golden: Golden) -> list[Reading]:
    """Run one golden exchange through the driver, for the points it has values for."""
    points = tuple(point for point in profile.points if point.name in golden.values)
    groups = dict.fromkeys((point.group for point in points), 60.0)
    address, serial = _address(profile, golden)
    device = DeviceConfig(_DEVICE, _LINE, replace(profile, points=points), address, groups)
    evidence = EvidenceKeeper(_ZONE)
    if profile.protocol in STATIONS:
        listen = ListenLine(_LINE, "", 0, profile.protocol, silence_s=60.0)
        conversation = station_for(listen, [device], _StoppedClock(), _ZONE).conversation()
        return [reading for report in conversation.feed(golden.reply) for reading in report.readings]
    if profile.protocol in FAMILIES or profile.protocol == sparkplug.PROTOCOL:
        speaker: SparkplugNode | TopicDevice
        if profile.protocol in FAMILIES:
            speaker = TopicDevice(device, evidence)
        else:
            (speaker,) = sparkplug.sparkplug_nodes([device], evidence)
        topic = golden.request.decode()
        told = speaker.tell(topic, golden.reply, is_retained=False, line=_LINE, clock=_StoppedClock())
        return list(told.readings)
    if profile.protocol == "mqtt-zigbee2mqtt":
        told = Zigbee2mqttDevice(device, evidence).tell(
            "", golden.reply, is_retained=False, line=_LINE, clock=_StoppedClock()
        )
        return list(told.readings)
    bus: Bus = _GoldenBus(golden, serial)
    driver = DRIVERS[profile.protocol](device, bus, evidence)

    async def poll() -> list[Reading]:
        return [reading for group in groups for reading in await driver.poll(group)]

    return asyncio.run(poll())


def golden_differences(profile: Profile) -> Iterator[str]:
    """Yield a line for each value of a golden exchange that the driver does not give."""
    for number, golden in enumerate(profile.golden):
        try:
            readings = {reading.point_key: reading for reading in golden_readings(profile, golden)}
        except ProtocolError as error:
            yield f"golden[{number}]: {error}"
            continue
        for name, expected in golden.values.items():
            found = _told(readings.get(f"{_DEVICE}/{name}"))
            if found != _shown(expected):
                yield f"golden[{number}].values.{name}: expected {_shown(expected)}, the driver says {found}"


def _address(profile: Profile, golden: Golden) -> tuple[str, int]:
    """Return the address the reply comes from, and the serial number it carries."""
    match profile.protocol:
        case "cjt188":
            frame = cjt188.decode_frame(golden.reply)
            return frame.address, frame.serial or 1
        case "dlt645" | "dlt645-1997" | "dlt645-2007":
            return dlt645.decode_frame(golden.reply).meter_address, 1
        case "gb26875.3":
            return gb26875.decode_packet(golden.reply).source.hex(), 1
        case "mbus":
            return str(mbus.decode_frame(golden.reply).address), 1
        case "modbus":
            return str(golden.request[0]), 1
        case "mqtt-json":
            return golden.request.decode(), 1
        case "mqtt-shelly":
            return re.split("/(?:status/|events/|online)", golden.request.decode())[0], 1
        case "mqtt-tasmota":
            return golden.request.decode().split("/")[1], 1
        case sparkplug.PROTOCOL:
            _, group, _, *rest = golden.request.decode().split("/")
            return "/".join((group, *rest)), 1
        case "sia-dc09":
            return str(sia_dc09.decode_message(golden.reply).account), 1
        case _:
            return "golden", 1


def _told(reading: Reading | None) -> str:
    if reading is None:
        return "nothing"
    if reading.quality is Quality.ABSENT:
        return "absent"
    if reading.value_micro is None or reading.quality is not Quality.GOOD:
        return f"{reading.quality.name.lower()}: {reading.reason}"
    return _shown(decimal_from_micro(reading.value_micro))


def _shown(value: Decimal | None) -> str:
    return "absent" if value is None else f"{value.normalize():f}"
