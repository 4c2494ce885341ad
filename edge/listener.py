"""Listening to an MQTT broker for the devices that speak unasked.

The invariant: a message is acknowledged to the broker only after its readings and events are on
disk, so a crash loses none that was sent with QoS 1. The broker then sends it again, and a repeated
reading does no harm.
"""

import asyncio
import json
import logging
import random
from collections.abc import Iterable
from dataclasses import replace

import aiomqtt

from edge.clock import Clock
from edge.driver import EvidenceKeeper
from edge.drivers.mqtt import Zigbee2mqttDevice
from edge.drivers.mqtt_topics import FAMILIES, TopicDevice
from edge.drivers.mqtt_values import Told
from edge.drivers.sparkplug import NAMESPACE, PROTOCOL, SparkplugNode, sparkplug_nodes
from edge.errors import LineDown, NoReply
from edge.intake import Intake
from edge.porter import Doorway, Shown
from edge.rules.offline import LINE_DOWN
from edge.supervise import heed_cancelling
from protocol.errors import FrameError
from protocol.fieldbus.zigbee2mqtt import topic_of
from provisioning.config import DeviceConfig
from provisioning.lines import MqttLine

log = logging.getLogger(__name__)

_KEEPALIVE_S = 15
_TIMEOUT_S = 5.0
_FIRST_PAUSE_S = 1.0
_PAUSE_MAX_S = 60.0
# Messages of QoS 0 that arrive faster than they are taken in; those of QoS 1 the broker holds back.
_QUEUED_MAX = 1000
# A broker hands over what it kept for us at once; a code that comes later was typed now.
_KEPT_ARRIVES_WITHIN_MS = 2_000
_ZIGBEE2MQTT = "mqtt-zigbee2mqtt"


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
        doorway: Doorway | None = None,
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
        self._doorway = doorway or Doorway()
        self._connected_at_ms = 0
        self._client: aiomqtt.Client | None = None
        ours = list(devices)
        self._devices = {
            device.address: Zigbee2mqttDevice(device, evidence)
            for device in ours
            if device.profile.protocol == _ZIGBEE2MQTT
        }
        self._speakers: tuple[SparkplugNode | TopicDevice, ...] = (
            *(TopicDevice(device, evidence) for device in ours if device.profile.protocol in FAMILIES),
            *sparkplug_nodes((d for d in ours if d.profile.protocol == PROTOCOL), evidence),
        )
        self._is_host = any(isinstance(speaker, SparkplugNode) for speaker in self._speakers)

    @property
    def devices(self) -> list[DeviceConfig]:
        """Return the devices heard through this broker."""
        zigbee = [known.device for known in self._devices.values()]
        return [*zigbee, *(device for speaker in self._speakers for device in speaker.devices)]

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish once; return when the broker has it.

        LineDown where the broker is away and surely has not; NoReply where it may have.
        """
        client = self._client
        if client is None:
            raise LineDown(f"broker {self.line.line_id}: {self.down_reason or 'not connected'}")
        try:
            # Never retained: a broker that keeps it would unlock the door again at every restart.
            await client.publish(topic, payload, qos=1, retain=False, timeout=_TIMEOUT_S)
        except aiomqtt.MqttError as error:
            raise NoReply(f"broker {self.line.line_id}: {error}") from error

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._listen()
            except* (aiomqtt.MqttError, LineDown, OSError) as away:
                self._fall(str(away.exceptions[0]))
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
            will=self._host_state(is_online=False) if self._is_host else None,
        )
        # aiomqtt acknowledges on arrival and has no switch for it; paho has (public there).
        client._client.manual_ack_set(True)  # type: ignore[attr-defined]  # the stubs lack it
        async with client:
            topics = [
                (f"{line.base_topic}/{name}{suffix}", 1)
                for name in self._devices
                for suffix in ("", "/availability", "/action")
            ]
            topics += [(topic, 1) for speaker in self._speakers for topic in speaker.topics]
            await client.subscribe(topics)
            if self._is_host:
                state = self._host_state(is_online=True)
                await client.publish(state.topic, state.payload, state.qos, state.retain)
            self.is_connected, self.down_reason, self._failures = True, "", 0
            self._connected_at_ms = self._clock.monotonic_ms()
            self._intake.note(LINE_DOWN, line.line_id, is_offline=False, reason="")
            self._client = client
            unstored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            hearing = asyncio.ensure_future(self._hear(client, unstored))
            try:
                await asyncio.wait({hearing, unstored}, return_when=asyncio.FIRST_COMPLETED)
                await (unstored if unstored.done() else hearing)
            finally:
                hearing.cancel()
                unstored.cancel()
                self._client = None
                if self._is_host:
                    # An orderly leave sends no will. Queued only: what follows is the disconnect.
                    state = self._host_state(is_online=False)
                    client._client.publish(state.topic, state.payload, state.qos, state.retain)

    async def _hear(self, client: aiomqtt.Client, unstored: asyncio.Future[None]) -> None:
        async with asyncio.TaskGroup() as group:
            async for message in client.messages:
                told = self._take(client, message, unstored)
                for topic, payload in told.publish:
                    await client.publish(topic, payload)
                if told.shown is not None and self._doorway.minds(told.shown.reader):
                    group.create_task(self._doorway.attend(self._dated(told.shown)))
                heed_cancelling()

    def _dated(self, shown: Shown) -> Shown:
        """Mark what comes right after connecting: the broker kept it while we were away, maybe for hours."""
        age_ms = self._clock.monotonic_ms() - self._connected_at_ms
        return replace(shown, may_be_late=age_ms < _KEPT_ARRIVES_WITHIN_MS)

    def _host_state(self, *, is_online: bool) -> aiomqtt.Will:
        """Return what tells Sparkplug nodes whether anybody listens."""
        state = {"online": is_online, "timestamp": self._clock.wall_ms()}
        topic = f"{NAMESPACE}/STATE/{self._client_id}"
        return aiomqtt.Will(topic, json.dumps(state), qos=1, retain=True)

    def _take(self, client: aiomqtt.Client, message: aiomqtt.Message, unstored: asyncio.Future[None]) -> Told:
        """Hand the message in and acknowledge it once it is on disk; what is no message, at once.

        Where the disk fails `unstored` says so: the connection ends, and the broker sends it again on
        the next. Return what the message says.
        """
        self.messages += 1
        try:
            told = self._told(message)
        except FrameError as error:
            self.bad_messages += 1
            log.warning(
                "a message cannot be read", extra={"topic": message.topic.value, "reason": str(error)}
            )
            _acknowledge(client, message)
            return Told()
        stored = self._intake.accept(told.readings, told.events)

        def settle(done: asyncio.Future[None]) -> None:
            if done.cancelled():
                return
            error = done.exception()
            if error is None:
                _acknowledge(client, message)
            elif not unstored.done():
                unstored.set_exception(LineDown(f"a message could not be stored: {error}"))

        stored.add_done_callback(settle)
        return told

    def _told(self, message: aiomqtt.Message) -> Told:
        for speaker in self._speakers:
            if any(message.topic.matches(topic) for topic in speaker.topics):
                return speaker.tell(
                    message.topic.value,
                    message.payload,
                    is_retained=message.retain,
                    line=self.line.line_id,
                    clock=self._clock,
                )
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
