"""Devices that speak unasked through an MQTT broker, as zigbee2mqtt publishes them: what they say.

What a broker kept for us (retained) is of unknown age: shown as suspect, never as new, and never an
event. A payload may hold a PIN; nothing of a payload is kept beyond its points and who did what.
The broker itself is `edge.listener`'s.
"""

from collections.abc import Mapping

from edge.clock import Clock
from edge.driver import EvidenceKeeper, point_key
from edge.drivers.mqtt_values import Told, value_of
from edge.porter import Shown
from protocol.access import BadgeKind
from protocol.event import Event, EventState
from protocol.evidence import Evidence
from protocol.fieldbus.annotation import Fact
from protocol.fieldbus.json_payload import json_object, text_of
from protocol.fieldbus.zigbee2mqtt import is_available
from protocol.reading import Quality, Reading
from provisioning.config import DeviceConfig
from provisioning.profile import PointProfile, Zigbee2mqttSource

PROTOCOL = "mqtt-zigbee2mqtt"

# What of a door's message says who did it; numbers of users, never of cards or PINs.
_EVENT_ATTRIBUTES = ("action_source_name", "action_user")
_AVAILABILITY = "availability"
# Where keypads put what was typed (zigbee-herdsman-converters, ias_ace arm commands).
_CODE = "action_code"


class Zigbee2mqttDevice:
    """Turns the messages of one device into readings and events. Sans-I/O."""

    def __init__(self, device: DeviceConfig, evidence: EvidenceKeeper) -> None:
        self.device = device
        self._evidence = evidence
        self._evidence_hour = -1
        self._points = [(point, _source(point)) for point in device.profile.points]

    def tell(self, about: str, payload: bytes, *, is_retained: bool, line: str, clock: Clock) -> Told:
        """Return what a message under the device's topic says; FrameError where it is no message."""
        at_ms = clock.wall_ms()
        if about == _AVAILABILITY:
            state: dict[str, Fact] = {_AVAILABILITY: "online" if is_available(payload) else "offline"}
            return Told(self._readings(state, at_ms, clock, None, is_retained=False))
        if about == "action":
            state = {"action": text_of(payload).strip()}
            return Told(events=() if is_retained else self._events(state, at_ms))
        if about:
            return Told()
        state = json_object(payload)
        evidence = None
        is_billed = any(point.is_billing for point, _ in self._points)
        if is_billed and not is_retained and (hour := self._evidence.hour_of(at_ms)) != self._evidence_hour:
            self._evidence_hour = hour
            evidence = Evidence(PROTOCOL, line, b"", payload, at_ms, 0)
        readings = self._readings(state, at_ms, clock, evidence, is_retained=is_retained)
        if is_retained:
            return Told(readings)
        return Told(readings, self._events(state, at_ms), shown=self._shown(state))

    def _shown(self, state: Mapping[str, Fact]) -> Shown | None:
        """Return the code somebody typed at a keypad, for whoever decides and for nobody else."""
        code = state.get(_CODE)
        if not isinstance(code, str) or not code.isdecimal():
            return None
        return Shown(self.device.device_id, BadgeKind.CODE, code)

    def _readings(
        self,
        state: Mapping[str, Fact],
        at_ms: int,
        clock: Clock,
        evidence: Evidence | None,
        *,
        is_retained: bool,
    ) -> tuple[Reading, ...]:
        readings: list[Reading] = []
        for point, source in self._points:
            if source.key not in state:
                continue  # a message tells what it tells; silence about a key is no statement
            value_micro, quality, reason = value_of(point, source.scale, state[source.key])
            if is_retained and quality is Quality.GOOD:
                quality, reason = Quality.SUSPECT, "kept by the broker, of unknown age"
            shown = evidence if point.is_billing else None
            key = point_key(self.device, point)
            readings.append(Reading(key, at_ms, value_micro, quality, reason, clock.quality, shown))
        return tuple(readings)

    def _events(self, state: Mapping[str, Fact], at_ms: int) -> tuple[Event, ...]:
        events: list[Event] = []
        for passing in self.device.profile.message_events:
            value = state.get(passing.key)
            kind = passing.values.get(value) if isinstance(value, str) else None
            if kind is None:
                continue
            attributes = {name: str(state[name]) for name in _EVENT_ATTRIBUTES if state.get(name) is not None}
            attributes[passing.key] = str(value)
            key = f"{self.device.device_id}/{passing.point}"
            events.append(
                Event(
                    kind,
                    EventState.OCCURRED,
                    passing.severity,
                    key,
                    at_ms,
                    str(value).replace("_", " "),
                    attributes=attributes,
                )
            )
        return tuple(events)


def _source(point: PointProfile) -> Zigbee2mqttSource:
    assert isinstance(point.source, Zigbee2mqttSource)
    return point.source
