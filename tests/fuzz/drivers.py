"""What drivers make of bytes that come unasked: messages of a broker, packets and lines of panels.

Behind the codec a driver chooses, scales and names; a word where a number is expected, or a number no point
can hold, comes as far as that. One driver lives through all inputs of its target, as it does in a building.
"""

import zlib
from collections.abc import Callable
from zoneinfo import ZoneInfo

from edge.driver import EvidenceKeeper
from edge.drivers.gb26875 import FirePanels
from edge.drivers.mqtt import Zigbee2mqttDevice
from edge.drivers.mqtt_topics import TopicDevice
from edge.drivers.mqtt_values import Told
from edge.drivers.sia_dc09 import AlarmPanels
from edge.drivers.sparkplug import SparkplugNode
from edge.golden import _address as golden_address
from edge.panel import Conversation
from protocol.fieldbus import gb26875
from provisioning.profile import Profile
from provisioning.profiles import load_profile, profile_names
from tests.edge.building_blocks import ToldClock, device_of
from tests.fieldbus.golden import golden_frames
from tests.fuzz.seals import SEALS

_ZONE = ZoneInfo("Asia/Shanghai")
_READ_SIZE = 61

# What reads one input, what to start damaging from, and what mends the outside of a damaged one.
Reader = tuple[Callable[[bytes], object], tuple[bytes, ...], Callable[[bytes], bytes] | None]


def readers() -> dict[str, Reader]:
    """Return every driver that is spoken to, by name."""
    found: dict[str, Reader] = {}
    for name in profile_names():
        profile = load_profile(name)
        if profile.protocol.startswith("mqtt-") or profile.protocol == "sparkplug-b":
            found[f"driver-{name}"] = _of_broker(profile)
    clock = ToldClock()
    fire = FirePanels(
        [device_of(load_profile("gb26875_fire_panel"), _source_of(_FIRES[0]), "fire")],
        "panels", clock, _ZONE, [0], greets=True,
    )  # fmt: skip
    alarms = AlarmPanels([device_of(load_profile("sia_dc09_alarm_panel"), "1234", "alarm")], "panels", clock)
    found["driver-gb26875.3"] = (_said_to(fire.conversation), _FIRES, SEALS["gb26875.3"])
    lines = tuple(golden_frames("sia-dc09"))
    found["driver-sia-dc09"] = (_said_to(alarms.conversation), lines, SEALS["sia-dc09"])
    return found


_FIRES = tuple(golden_frames("gb26875.3"))


def _source_of(wire: bytes) -> str:
    return gb26875.decode_packet(wire).source.hex()


def _of_broker(profile: Profile) -> Reader:
    keeper, clock = EvidenceKeeper(_ZONE), ToldClock()
    topics = tuple(dict.fromkeys(golden.request.decode() for golden in profile.golden))
    address, _ = golden_address(profile, profile.golden[0])
    device = device_of(profile, address)
    tell: Callable[..., Told]
    match profile.protocol:
        case "sparkplug-b":
            group, node, *_ = address.split("/")
            tell = SparkplugNode(group, node, [device], keeper).tell
        case "mqtt-zigbee2mqtt":
            tell = Zigbee2mqttDevice(device, keeper).tell
            topics = ("", "action", "availability")
        case _:
            tell = TopicDevice(device, keeper).tell

    def read(data: bytes) -> None:
        choice = zlib.crc32(data)
        topic = topics[choice % len(topics)]
        tell(topic, data, is_retained=choice // 64 % 4 == 0, line="broker", clock=clock)

    return read, tuple(golden.reply for golden in profile.golden), None


def _said_to(conversation: Callable[[], Conversation]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        heard = conversation()
        for at in range(0, len(data), _READ_SIZE):
            heard.feed(data[at : at + _READ_SIZE])

    return read
