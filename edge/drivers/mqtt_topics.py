"""MQTT devices whose messages are facts under paths: Tasmota, Shelly, and any JSON on a topic.

A family says which topics a device speaks on and what a message on one of them says, as a tree of
facts; a point is a path in that tree. The invariant: a message tells only what it names. A status
that carries just what changed therefore merges by itself: what it is silent about stays as it was.
What the broker kept for us is of unknown age and suspect; a last will is not, it is the present.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge.clock import Clock
from edge.driver import EvidenceKeeper, point_key
from edge.drivers.mqtt_values import Told, value_of
from protocol.errors import FrameError
from protocol.evidence import Evidence
from protocol.fieldbus.annotation import Fact, Message
from protocol.fieldbus.json_payload import json_object, json_value, value_at
from protocol.fieldbus.shelly import SHELLY, component_facts
from protocol.fieldbus.tasmota import TASMOTA
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import PathSource, PointProfile

# The fact of a last will: the broker keeps it so that it is true when it is heard.
AVAILABLE = "available"


@dataclass(frozen=True, slots=True)
class Family:
    """Topics by a device's address, and what a message says: `facts(address, topic, payload)`."""

    topics: Callable[[str], tuple[str, ...]]
    facts: Callable[[str, str, bytes], Fact]


def _tasmota_topics(address: str) -> tuple[str, ...]:
    told = tuple(f"tele/{address}/{about}" for about in ("SENSOR", "STATE", "LWT"))
    return (*told, *(f"stat/{address}/{about}" for about in ("RESULT", "STATUS8", "POWER", "POWER1")))


def _tasmota_facts(address: str, topic: str, payload: bytes) -> Fact:
    del address
    return TASMOTA.facts(Message(payload, topic=topic))


def _shelly_topics(address: str) -> tuple[str, ...]:
    return (f"{address}/status/+", f"{address}/events/rpc", f"{address}/online")


def _shelly_facts(address: str, topic: str, payload: bytes) -> Fact:
    """Return facts by component, `{"switch:0": {...}}`, whether told whole or as a change."""
    about = topic.removeprefix(f"{address}/")
    if about == "online":
        return SHELLY.facts(Message(payload, topic=topic))
    if about != "events/rpc":
        return {about.removeprefix("status/"): component_facts(json_object(payload))}
    document = json_object(payload)
    if value_at(document, "method") not in ("NotifyFullStatus", "NotifyStatus"):
        return {}  # a button pressed: nothing a point stands for
    parameters = value_at(document, "params")
    if not isinstance(parameters, dict):
        raise FrameError("a notification without params")
    return {name: component_facts(of) for name, of in parameters.items() if isinstance(of, dict)}


# By the protocol a profile names.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "mqtt-json": Family(lambda address: (address,), lambda _, __, payload: json_value(payload)),
        "mqtt-shelly": Family(_shelly_topics, _shelly_facts),
        "mqtt-tasmota": Family(_tasmota_topics, _tasmota_facts),
    }
)


class TopicDevice:
    """One device of one of the families. Sans-I/O."""

    def __init__(self, device: DeviceConfig, evidence: EvidenceKeeper) -> None:
        self.devices: Sequence[DeviceConfig] = (device,)
        self._device = device
        self._protocol = device.profile.protocol
        self._family = FAMILIES[self._protocol]
        self._evidence = evidence
        self._evidence_hour = -1
        self._points = [(point, _source(point)) for point in device.profile.points]

    @property
    def topics(self) -> Sequence[str]:
        """Return what to subscribe to."""
        return self._family.topics(self._device.address)

    def tell(self, topic: str, payload: bytes, *, is_retained: bool, line: str, clock: Clock) -> Told:
        """Return what a message on one of the topics says; FrameError where it is no message."""
        facts = self._family.facts(self._device.address, topic, payload)
        at_ms = clock.wall_ms()
        evidence = None
        found = [(point, source, fact) for point, source in self._points if (fact := _at(facts, source.path))]
        is_billed = any(point.is_billing for point, _, _ in found)
        if is_billed and not is_retained and (hour := self._evidence.hour_of(at_ms)) != self._evidence_hour:
            self._evidence_hour = hour
            evidence = Evidence(self._protocol, line, topic.encode(), payload, at_ms, 0)
        readings: list[Reading] = []
        for point, source, (raw,) in found:
            value_micro, quality, reason = value_of(point, source.scale, raw)
            if is_retained and quality is Quality.GOOD and source.path != (AVAILABLE,):
                quality, reason = Quality.SUSPECT, "kept by the broker, of unknown age"
            shown = evidence if point.is_billing else None
            key = point_key(self._device, point)
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock.quality, shown))
        return Told(tuple(readings))


def _source(point: PointProfile) -> PathSource:
    assert isinstance(point.source, PathSource)
    return point.source


def _at(facts: Fact, path: Sequence[str]) -> tuple[Fact] | None:
    """Return what stands under a path, in a tuple since it may be null; None where nothing does."""
    for key in path:
        if isinstance(facts, dict) and key in facts:
            facts = facts[key]
        elif isinstance(facts, list) and key.isdecimal() and int(key) < len(facts):
            facts = facts[int(key)]
        else:
            return None
    return (facts,)
