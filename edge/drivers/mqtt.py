"""Devices that speak unasked through an MQTT broker, as zigbee2mqtt publishes them.

A message is acknowledged to the broker only after its readings and events are on disk, so a crash
loses none that was sent with QoS 1; the broker then sends it again, and a repeated reading does no
harm. What a broker kept for us (retained) is of unknown age: shown as suspect, never as new, and
never an event. A payload may hold a PIN; nothing of a payload is logged or kept beyond its points.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import aiomqtt

from edge.clock import Clock
from edge.config import DeviceConfig, MqttLine
from edge.driver import EvidenceKeeper, point_key
from edge.intake import Intake
from edge.rules.offline import LINE_DOWN
from protocol.errors import FrameError
from protocol.event import Event, EventState
from protocol.evidence import Evidence
from protocol.fieldbus.annotation import Fact
from protocol.fieldbus.json_payload import json_object, text_of
from protocol.fieldbus.zigbee2mqtt import is_available, topic_of
from protocol.quantity import MICRO, Kind
from protocol.reading import Quality, Reading
from provisioning.profile import PointProfile, Zigbee2mqttSource

log = logging.getLogger(__name__)

PROTOCOL = "mqtt-zigbee2mqtt"

_KEEPALIVE_S = 15
_TIMEOUT_S = 5.0
_FIRST_PAUSE_S = 1.0
_PAUSE_MAX_S = 60.0
# Messages of QoS 0 that arrive faster than they are taken in; those of QoS 1 the broker holds back.
_QUEUED_MAX = 1000
# What of a door's message says who did it; numbers of users, never of cards or PINs.
_EVENT_ATTRIBUTES = ("action_source_name", "action_user")
_AVAILABILITY = "availability"


@dataclass(frozen=True, slots=True)
class Told:
    """What one message says."""

    readings: tuple[Reading, ...] = ()
    events: tuple[Event, ...] = ()


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
        return Told(readings, () if is_retained else self._events(state, at_ms))

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
            value_micro, quality, reason = _value(point, source, state[source.key])
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


def _value(point: PointProfile, source: Zigbee2mqttSource, raw: Fact) -> tuple[int | None, Quality, str]:
    if raw is None:
        return None, Quality.ABSENT, "the device says: not available"
    if point.codes or point.quantity.kind is Kind.STATE:
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        code = point.codes.get(text)
        if code is None:
            return None, Quality.BAD_FRAME, f"{text[:40]!r} is none of {', '.join(sorted(point.codes))}"
        return code * MICRO, Quality.GOOD, ""
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        return None, Quality.BAD_FRAME, f"{str(raw)[:40]!r} is not a number"
    return round(Decimal(raw) * source.scale * MICRO), Quality.GOOD, ""


class MqttListener:
    """One broker: connects, subscribes to what is configured, and connects again."""

    def __init__(
        self,
        line: MqttLine,
        devices: Iterable[DeviceConfig],
        intake: Intake,
        evidence: EvidenceKeeper,
        clock: Clock,
        rng: random.Random,
        *,
        client_id: str,
    ) -> None:
        self.line = line
        self.is_connected = False
        self.down_reason = ""
        self.messages = 0
        self.bad_messages = 0
        self._intake = intake
        self._clock = clock
        self._random = rng
        self._client_id = client_id
        self._failures = 0
        self._devices = {device.address: Zigbee2mqttDevice(device, evidence) for device in devices}

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._listen()
            except (aiomqtt.MqttError, OSError) as error:
                self._fall(str(error))
            pause_s = min(_PAUSE_MAX_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 8))
            await asyncio.sleep(self._random.uniform(pause_s / 2, pause_s))

    async def _listen(self) -> None:
        line = self.line
        password = None
        if line.password_file is not None:
            password = (await asyncio.to_thread(line.password_file.read_text, encoding="utf-8")).strip()
        client = aiomqtt.Client(
            line.host,
            line.port,
            username=line.username or None,
            password=password,
            identifier=self._client_id,
            clean_session=False,  # the broker keeps what arrives while we are away
            keepalive=_KEEPALIVE_S,
            timeout=_TIMEOUT_S,
            max_queued_incoming_messages=_QUEUED_MAX,
        )
        # aiomqtt acknowledges on arrival and has no switch for it; paho has (public there).
        client._client.manual_ack_set(True)  # type: ignore[attr-defined]  # the stubs lack it
        async with client:
            topics = [
                (f"{line.base_topic}/{name}{suffix}", 1)
                for name in self._devices
                for suffix in ("", "/availability", "/action")
            ]
            await client.subscribe(topics)
            self.is_connected, self.down_reason, self._failures = True, "", 0
            self._intake.note(LINE_DOWN, line.line_id, is_offline=False, reason="")
            async for message in client.messages:
                self._take(client, message)

    def _take(self, client: aiomqtt.Client, message: aiomqtt.Message) -> None:
        """Hand the message in and acknowledge it once it is on disk; what is no message, at once."""
        self.messages += 1
        try:
            told = self._told(message)
        except FrameError as error:
            self.bad_messages += 1
            log.warning(
                "a message cannot be read", extra={"topic": message.topic.value, "reason": str(error)}
            )
            _acknowledge(client, message)
            return
        stored = self._intake.accept(told.readings, told.events)
        stored.add_done_callback(lambda done: None if done.cancelled() else _acknowledge(client, message))

    def _told(self, message: aiomqtt.Message) -> Told:
        topic = topic_of(message.topic.value, self.line.base_topic)
        device = self._devices.get(topic.friendly_name)
        if device is None:
            raise FrameError(f"no device is called {topic.friendly_name!r}")
        return device.tell(
            topic.about,
            message.payload,
            is_retained=message.retain,
            line=self.line.line_id,
            clock=self._clock,
        )

    def _fall(self, reason: str) -> None:
        self._failures += 1
        self.is_connected = False
        if reason != self.down_reason:
            log.warning("broker is away", extra={"line": self.line.line_id, "reason": reason})
        self.down_reason = reason
        if self._failures > 1:
            self._intake.note(LINE_DOWN, self.line.line_id, is_offline=True, reason=reason)


def _acknowledge(client: aiomqtt.Client, message: aiomqtt.Message) -> None:
    client._client.ack(message.mid, message.qos)  # type: ignore[attr-defined]  # the stubs lack it
