"""The door lock and the leak sensor, as zigbee2mqtt publishes them to a broker.

Messages go out when something changes, and once a minute as a sign of life. Nothing goes out while
the clock stands, since radio devices speak in real time or not at all, nor, on a broker of our own,
before anybody listens. The invariant: the ledger is written after the broker has acknowledged the
message.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiomqtt

from protocol.quantity import MICRO, QUANTITIES
from simulator.broker import OWN_CLIENT_ID
from simulator.building import MQTT, Device, Role, devices_on
from simulator.cancelling import heed_cancelling
from simulator.clock import Clock
from simulator.faults import FaultBook, FaultKind
from simulator.ledger import Ledger
from simulator.maps import ZIGBEE2MQTT
from simulator.meters import ValuesMicro
from simulator.models import Building

BASE_TOPIC = "zigbee2mqtt"

_log = logging.getLogger(__name__)

_TICK_S = 0.2
_SIGN_OF_LIFE_S = 60.0
_RECONNECT_S = 1.0
_BROKER_TIMEOUT_S = 5.0
_AVAILABILITY = "availability"
# What a message says that is compared to see whether something changed; radio quality always does.
_WATCHED = ("lock_state", "water_leak", "tamper", "battery_low")
_ACTIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person did at the lock; `user` 0 is nobody known, `code` is for somebody else to judge."""

    device_id: str
    action: str
    user: int = 0
    code: str = ""


def message(device: Device, values: ValuesMicro, action: Action | None = None) -> dict[str, object]:
    """Return the JSON object a device publishes, with booleans, whole numbers and words."""
    told: dict[str, object] = {}
    for point, key in sorted(ZIGBEE2MQTT[device.profile].items(), key=lambda item: item[1]):
        if point == _AVAILABILITY:
            continue
        code = values[point] // MICRO
        if point == "lock_state":
            told[key] = QUANTITIES[point].codes[code]
        elif QUANTITIES[point].codes:
            told[key] = bool(code)
        else:
            told[key] = code
    if device.role is Role.LOCK:
        told["state"] = "UNLOCK" if values["lock_state"] else "LOCK"
    if action is not None:
        told["action"] = action.action
        if action.code:
            told["action_code"] = action.code
        if action.user:
            told["action_source_name"] = "keypad"
            told["action_user"] = action.user
    return told


class Zigbee2mqtt:
    """The coordinator: one client of the broker that speaks for all wireless devices."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        building: Building,
        faults: FaultBook,
        ledger: Ledger,
        has_listener: Callable[[], bool],
    ) -> None:
        self._host, self._port = host, port
        self._has_listener = has_listener
        self._clock = clock
        self._building = building
        self._faults = faults
        self._ledger = ledger
        self._devices = [device for device in devices_on(MQTT) if device.profile in ZIGBEE2MQTT]
        self._locks = [device for device in self._devices if device.role is Role.LOCK]
        self._last: dict[str, Mapping[str, int]] = {}
        self._told_at_s: dict[str, float] = {}
        self._online: dict[str, bool] = {}
        self._actions: asyncio.Queue[Action] = asyncio.Queue(_ACTIONS_MAX)
        self._wake = asyncio.Event()
        self.is_connected = False

    def wake(self) -> None:
        """Look at once whether something has changed."""
        self._wake.set()

    def do(self, action: Action) -> None:
        """Let a person do something at a lock; ValueError where that is no lock or too much at once."""
        if action.device_id not in {lock.device_id for lock in self._locks}:
            raise ValueError(f"{action.device_id} is no lock")
        try:
            self._actions.put_nowait(action)
        except asyncio.QueueFull:
            raise ValueError(f"{_ACTIONS_MAX} actions are waiting for the broker already") from None
        self.wake()

    async def run(self) -> None:
        """Publish until cancelled, connecting again whenever the broker goes away."""
        while True:
            try:
                async with (
                    aiomqtt.Client(
                        self._host, self._port, identifier=OWN_CLIENT_ID, timeout=_BROKER_TIMEOUT_S
                    ) as client,
                    asyncio.TaskGroup() as group,
                ):
                    self.is_connected = True
                    self._forget()
                    await client.subscribe([(_set_topic(device), 1) for device in self._locks])
                    group.create_task(self._obey(client))
                    group.create_task(self._publish_changes(client))
            except* aiomqtt.MqttError as away:
                _log.info("broker is away", extra={"error": str(away.exceptions[0])})
            finally:
                self.is_connected = False
            await asyncio.sleep(_RECONNECT_S)

    async def _publish_changes(self, client: aiomqtt.Client) -> None:
        while True:
            heed_cancelling()
            if self._clock.is_standing or not self._has_listener():
                self._forget()  # so that all is told anew when time goes on
            else:
                await self._look(client)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()

    async def _look(self, client: aiomqtt.Client) -> None:
        for device in self._devices:
            device_id = device.device_id
            is_online = self._faults.active(device_id, FaultKind.DEAD) is None
            if self._online.get(device_id) is not is_online:
                await self._tell_availability(client, device, is_online=is_online)
            if not is_online:
                continue
            at_ms = self._clock.now_ms()
            values = self._building.values_micro(device_id, at_ms)
            watched = {point: values[point] for point in _WATCHED if point in values}
            is_due = time.monotonic() - self._told_at_s.get(device_id, 0.0) >= _SIGN_OF_LIFE_S
            if watched != self._last.get(device_id) or is_due:
                action = self._change_of_lock(device, watched)
                await self._tell(client, device, values, at_ms, action)
                self._last[device_id] = watched
        while not self._actions.empty():
            action = self._actions.get_nowait()
            device = next(d for d in self._devices if d.device_id == action.device_id)
            at_ms = self._clock.now_ms()
            await self._tell(
                client, device, self._building.values_micro(device.device_id, at_ms), at_ms, action
            )

    def _change_of_lock(self, device: Device, watched: Mapping[str, int]) -> Action | None:
        before = self._last.get(device.device_id)
        if device.role is not Role.LOCK or before is None or before == watched:
            return None
        if watched["lock_state"]:
            user = 1 + self._building.lock.arrivals_at(self._clock.now_ms()) % 24
            return Action(device.device_id, "unlock", user)
        return Action(device.device_id, "auto_lock")

    async def _tell(
        self,
        client: aiomqtt.Client,
        device: Device,
        values: ValuesMicro,
        at_ms: int,
        action: Action | None,
    ) -> None:
        text = json.dumps(message(device, values, action), separators=(",", ":"))
        await client.publish(f"{BASE_TOPIC}/{device.address}", text, qos=1)
        points = [point for point in ZIGBEE2MQTT[device.profile] if point != _AVAILABILITY]
        self._ledger.record(device.device_id, [(point, values[point]) for point in points], at_ms)
        self._told_at_s[device.device_id] = time.monotonic()

    async def _tell_availability(self, client: aiomqtt.Client, device: Device, *, is_online: bool) -> None:
        text = json.dumps({"state": "online" if is_online else "offline"}, separators=(",", ":"))
        topic = f"{BASE_TOPIC}/{device.address}/{_AVAILABILITY}"
        await client.publish(topic, text, qos=1, retain=True)
        at_ms = self._clock.now_ms()
        self._ledger.record(device.device_id, [(_AVAILABILITY, is_online * MICRO)], at_ms)
        self._online[device.device_id] = is_online

    async def _obey(self, client: aiomqtt.Client) -> None:
        """Unlock when asked to, until the broker is gone; MqttError says so."""
        async for message_in in client.messages:
            device = next(d for d in self._locks if _set_topic(d) == message_in.topic.value)
            is_dead = self._faults.active(device.device_id, FaultKind.DEAD) is not None
            try:
                wanted = json.loads(bytes(message_in.payload)).get("state")
            except (AttributeError, ValueError):
                wanted = None
            if wanted == "UNLOCK" and not is_dead:
                self._building.lock.unlock(self._clock.now_ms())
                self._building.forget_shown()
                self.wake()

    def _forget(self) -> None:
        self._last.clear()
        self._told_at_s.clear()
        self._online.clear()


def _set_topic(device: Device) -> str:
    return f"{BASE_TOPIC}/{device.address}/set"
