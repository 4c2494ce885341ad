"""Sparkplug B edge nodes and their devices, from the host's side: births, data, deaths.

    spBv1.0/<group>/NBIRTH|NDATA|NDEATH/<node>             spBv1.0/<group>/DBIRTH|DDATA|DDEATH/<node>/<device>

A birth names every metric and may give it an alias that data then use alone. The invariant: an
alias is believed only after the birth that gave it and while no message is missing since; otherwise
the node is asked, at most every ten seconds, to be born again, and nothing is guessed meanwhile. A
death counts only if its bdSeq is that of the present birth: an old will may come late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge.clock import Clock
from edge.driver import EvidenceKeeper, point_key
from edge.drivers.mqtt_values import Told, value_of
from protocol.errors import FrameError
from protocol.evidence import Evidence
from protocol.fieldbus import sparkplug_b
from protocol.fieldbus.sparkplug_b import Metric, Payload
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import MetricSource, PointProfile

PROTOCOL = "sparkplug-b"
NAMESPACE = "spBv1.0"

_REBIRTH = "Node Control/Rebirth"
_BDSEQ = "bdSeq"
_BOOLEAN = 11
_SEQ_COUNT = 256
_REBIRTH_PAUSE_MS = 10_000


@dataclass(slots=True)
class _Member:
    """The node itself or one of its devices: its configuration and the names its birth gave."""

    device: DeviceConfig | None
    names: dict[int, str] = field(default_factory=dict)
    is_born: bool = False
    evidence_hour: int = -1


class SparkplugNode:
    """One edge node and those of its devices that are configured. Sans-I/O."""

    def __init__(
        self, group: str, node: str, devices: Iterable[DeviceConfig], evidence: EvidenceKeeper
    ) -> None:
        self.devices: Sequence[DeviceConfig] = tuple(devices)
        self._group = group
        self._node = node
        self._evidence = evidence
        self._members: dict[str, _Member] = {"": _Member(None)}
        for device in self.devices:
            self._members[_member_name(device.address)] = _Member(device)
        self._seq: int | None = None
        self._bdseq: object = None
        self._asked_at_ms: int | None = None

    @property
    def topics(self) -> Sequence[str]:
        """Return what to subscribe to."""
        base = f"{NAMESPACE}/{self._group}"
        return (
            *(f"{base}/{kind}/{self._node}" for kind in ("NBIRTH", "NDATA", "NDEATH")),
            *(f"{base}/{kind}/{self._node}/+" for kind in ("DBIRTH", "DDATA", "DDEATH")),
        )

    def tell(self, topic: str, payload: bytes, *, is_retained: bool, line: str, clock: Clock) -> Told:
        """Return what a message says; FrameError where it is no message."""
        if is_retained:
            return Told()  # births and data are never retained by a sound node: of unknown age
        kind, member_name = _kind_and_member(topic)
        message = sparkplug_b.decode_payload(payload)
        if kind == "NDEATH":
            return self._node_death(message, clock)
        is_complete = self._follow(kind, message)
        member = self._members.get(member_name)
        if kind == "NBIRTH":
            return self._node_birth(message, payload, topic, line, clock)
        ask = () if is_complete and self._members[""].is_born else self._ask(clock)
        if member is None:
            return Told(publish=ask)  # a device nobody configured
        match kind:
            case "DBIRTH":
                self._birth(member, message)
            case "DDEATH":
                member.is_born = False
                return Told(self._dead([member], clock, "the device has died"), publish=ask)
            case _ if not member.is_born or _has_unknown(message, member):
                ask = ask or self._ask(clock)
        return Told(self._readings(member, message, payload, topic, line, clock), publish=ask)

    def _follow(self, kind: str, message: Payload) -> bool:
        """Tell whether no message is missing; after a gap aliases are not believed until a new birth."""
        expected = None if self._seq is None else (self._seq + 1) % _SEQ_COUNT
        self._seq = message.seq
        if kind == "NBIRTH" or message.seq == expected:
            return True
        for member in self._members.values():
            member.is_born = False
        return False

    def _node_birth(self, message: Payload, payload: bytes, topic: str, line: str, clock: Clock) -> Told:
        for member in self._members.values():
            member.is_born = False
            member.names.clear()
        self._bdseq = next((metric.value for metric in message.metrics if metric.name == _BDSEQ), None)
        self._asked_at_ms = None
        node = self._members[""]
        self._birth(node, message)
        return Told(self._readings(node, message, payload, topic, line, clock))

    def _birth(self, member: _Member, message: Payload) -> None:
        member.is_born = True
        member.names = {m.alias: m.name for m in message.metrics if m.alias is not None and m.name}

    def _node_death(self, message: Payload, clock: Clock) -> Told:
        bdseq = next((metric.value for metric in message.metrics if metric.name == _BDSEQ), None)
        if bdseq != self._bdseq:
            return Told()
        for member in self._members.values():
            member.is_born = False
        self._seq = None
        return Told(self._dead(self._members.values(), clock, "the node has died"))

    def _dead(self, members: Iterable[_Member], clock: Clock, reason: str) -> tuple[Reading, ...]:
        return tuple(
            Reading(point_key(m.device, p), clock.wall_ms(), None, Quality.OFFLINE, reason, clock.quality)
            for m in members
            if m.device is not None
            for p in m.device.profile.points
        )

    def _ask(self, clock: Clock) -> tuple[tuple[str, bytes], ...]:
        """Return the request to be born again, unless one has just been sent."""
        now_ms = clock.monotonic_ms()
        if self._asked_at_ms is not None and now_ms - self._asked_at_ms < _REBIRTH_PAUSE_MS:
            return ()
        self._asked_at_ms = now_ms
        request = Payload(clock.wall_ms(), (Metric(_REBIRTH, data_type=_BOOLEAN, value=True),))
        topic = f"{NAMESPACE}/{self._group}/NCMD/{self._node}"
        return ((topic, sparkplug_b.encode_payload(request)),)

    def _readings(
        self, member: _Member, message: Payload, payload: bytes, topic: str, line: str, clock: Clock
    ) -> tuple[Reading, ...]:
        if member.device is None:
            return ()
        now_ms, evidence = clock.wall_ms(), None
        metrics = {name: metric for metric in message.metrics if (name := _name(metric, member))}
        found = [
            (p, _source(p), metrics[_source(p).metric])
            for p in member.device.profile.points
            if _source(p).metric in metrics
        ]
        is_billed = any(point.is_billing for point, _, _ in found)
        if is_billed and (hour := self._evidence.hour_of(now_ms)) != member.evidence_hour:
            member.evidence_hour = hour
            evidence = Evidence(PROTOCOL, line, topic.encode(), payload, now_ms, 0)
        readings: list[Reading] = []
        for point, source, metric in found:
            raw = metric.value.hex() if isinstance(metric.value, bytes) else metric.value
            value_micro, quality, reason = value_of(point, source.scale, raw)
            at_ms = now_ms
            if metric.is_historical and metric.timestamp_ms is not None:
                at_ms = min(metric.timestamp_ms, now_ms)  # stored by the node while it was cut off
            shown = evidence if point.is_billing else None
            key = point_key(member.device, point)
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock.quality, shown))
        return tuple(readings)


def sparkplug_nodes(devices: Iterable[DeviceConfig], evidence: EvidenceKeeper) -> list[SparkplugNode]:
    """Return a node for each group and node that the devices' addresses name."""
    found: dict[tuple[str, str], list[DeviceConfig]] = {}
    for device in devices:
        group, node, *_ = device.address.split("/")
        found.setdefault((group, node), []).append(device)
    return [SparkplugNode(group, node, members, evidence) for (group, node), members in found.items()]


def _member_name(address: str) -> str:
    return address.partition("/")[2].partition("/")[2]


def _kind_and_member(topic: str) -> tuple[str, str]:
    parts = topic.split("/")
    if len(parts) not in (4, 5):
        raise FrameError(f"topic {topic!r} is none of a node or device")
    return parts[2], parts[4] if len(parts) == 5 else ""


def _name(metric: Metric, member: _Member) -> str | None:
    if metric.name:
        return metric.name
    return member.names.get(metric.alias) if member.is_born and metric.alias is not None else None


def _has_unknown(message: Payload, member: _Member) -> bool:
    return any(_name(metric, member) is None for metric in message.metrics)


def _source(point: PointProfile) -> MetricSource:
    assert isinstance(point.source, MetricSource)
    return point.source
