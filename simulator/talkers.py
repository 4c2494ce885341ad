"""Devices on MQTT besides those of zigbee2mqtt: a Tasmota, a Shelly, a Sparkplug meter, a lift.

    siren-1   Tasmota plug with the pump room's siren     tele/siren-1/SENSOR, LWT; stat/siren-1/RESULT
    plug-1    Shelly plug with the hall's water dispenser  hall/plug-1/status/switch:0, /online
    em-5g     Sparkplug B meter of a base station          spBv1.0/Garden/NBIRTH, DBIRTH, DDATA, NDEATH
    lift-2    lift gateway, JSON on one topic              lifts/lift-2/status

They speak every ten seconds and when something changes, in real time only and only while somebody
listens, as the radio devices do; the two plugs obey. The invariant: the ledger is written after the
broker has acknowledged the message.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TypeAlias

import aiomqtt

from protocol.fieldbus.sparkplug_b import Metric, Payload, encode_payload
from protocol.quantity import MICRO, QUANTITIES, decimal_from_micro
from simulator.broker import TALKERS_CLIENT_ID
from simulator.building import MQTT, Device, devices_on
from simulator.cancelling import heed_cancelling
from simulator.clock import Clock
from simulator.faults import FaultBook, FaultKind
from simulator.ledger import Ledger
from simulator.maps import TALKERS, shown_values
from simulator.models import Building

_log = logging.getLogger(__name__)

_TICK_S = 0.5
_SIGN_OF_LIFE_S = 10.0
_RECONNECT_S = 1.0
_TIMEOUT_S = 5.0
_DOUBLE, _UINT64 = 10, 8
_SEQ_COUNT = 256
# What is told at once when it changes; a meter's figures always do.
_WATCHED = ("relay_state", "lift_mode", "lift_direction", "lift_door", "floor", "fault_code")
_ALIASES = {"active_energy_import": (1, "Active Energy"), "active_power": (2, "Active Power")}

Told: TypeAlias = tuple[str, bytes, tuple[str, ...]]  # topic, payload, points it tells


def tasmota_sensor(device: Device, values: Mapping[str, int]) -> Told:
    """Return what a Tasmota plug tells every few seconds."""
    energy = {
        "Total": _number(values["active_energy_import"]),
        "Power": _number(values["active_power"] * 1000),
        "Voltage": _number(values["voltage"]),
        "Current": _number(values["current"]),
        "Factor": _number(values["power_factor"]),
    }
    points = ("active_energy_import", "active_power", "voltage", "current", "power_factor")
    return f"tele/{device.address}/SENSOR", _json({"ENERGY": energy}), points


def tasmota_result(device: Device, values: Mapping[str, int]) -> Told:
    """Return what it tells when it has switched."""
    word = "ON" if values["relay_state"] else "OFF"
    return f"stat/{device.address}/RESULT", _json({"POWER": word}), ("relay_state",)


def shelly_status(device: Device, values: Mapping[str, int]) -> Told:
    """Return a Shelly's status of its first switch."""
    status = {
        "id": 0,
        "output": bool(values["relay_state"]),
        "apower": _number(values["active_power"] * 1000),
        "voltage": _number(values["voltage"]),
        "freq": _number(values["frequency"]),
        "current": _number(values["current"]),
        "pf": _number(values["power_factor"]),
        "aenergy": {"total": _number(values["active_energy_import"] * 1000)},
    }
    points = tuple(point for point in TALKERS[device.profile] if point != "availability")
    return f"{device.address}/status/switch:0", _json(status), points


def lift_status(device: Device, values: Mapping[str, int]) -> Told:
    """Return what the lift's gateway tells."""
    status = {
        "ServiceMode": _code("lift_mode", values),
        "CurrentDirection": _code("lift_direction", values),
        "DoorStatus": _code("lift_door", values),
        "CurrentFloor": _number(values["floor"]),
        "FaultCode": _number(values["fault_code"]),
        "RunCount": _number(values["trip_count"]),
        "RunHours": _number(values["run_time"]),
    }
    return device.address, _json(status), tuple(TALKERS[device.profile])


class SparkplugEdgeNode:
    """One node with one device: births, aliases, sequence numbers."""

    def __init__(self, device: Device) -> None:
        group, node, name = device.address.split("/")
        self.command_topic = f"spBv1.0/{group}/NCMD/{node}"
        self._topics = {
            kind: f"spBv1.0/{group}/{kind}/{node}" + (f"/{name}" if kind[0] == "D" else "")
            for kind in ("NBIRTH", "NDEATH", "DBIRTH", "DDATA")
        }
        self._bdseq = 0
        self._seq = 0
        self.is_born = False

    def death(self, at_ms: int) -> Told:
        """Return the node's death. A real one leaves it with the broker as its will; amqtt, which serves
        the demonstration, does not end while anybody has one."""
        self.is_born = False
        bdseq = Metric("bdSeq", data_type=_UINT64, value=self._bdseq)
        return self._topics["NDEATH"], encode_payload(Payload(at_ms, (bdseq,))), ()

    def birth(self, values: Mapping[str, int], at_ms: int) -> list[Told]:
        """Return the node's birth and its device's; each life has its own number."""
        self._seq, self.is_born = 0, True
        self._bdseq = (self._bdseq + 1) % _SEQ_COUNT
        bdseq = Metric("bdSeq", data_type=_UINT64, value=self._bdseq)
        node = encode_payload(Payload(at_ms, (bdseq,), seq=0))
        metrics = [
            Metric(name, alias=alias, data_type=_DOUBLE, value=decimal_from_micro(values[point]))
            for point, (alias, name) in _ALIASES.items()
        ]
        return [(self._topics["NBIRTH"], node, ()), self._device("DBIRTH", metrics, at_ms)]

    def data(self, values: Mapping[str, int], at_ms: int) -> Told:
        """Return the device's data, by alias alone."""
        metrics = [
            Metric(None, alias=alias, data_type=_DOUBLE, value=decimal_from_micro(values[point]))
            for point, (alias, _) in _ALIASES.items()
        ]
        return self._device("DDATA", metrics, at_ms)

    def _device(self, kind: str, metrics: Iterable[Metric], at_ms: int) -> Told:
        self._seq = (self._seq + 1) % _SEQ_COUNT
        payload = encode_payload(Payload(at_ms, tuple(metrics), seq=self._seq))
        return self._topics[kind], payload, tuple(_ALIASES)


class Talkers:
    """All of them, as one client of the broker."""

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
        self._clock = clock
        self._building = building
        self._faults = faults
        self._ledger = ledger
        self._has_listener = has_listener
        self._devices = [device for device in devices_on(MQTT) if device.profile in TALKERS]
        self._node = SparkplugEdgeNode(self._of("sparkplug_meter"))
        self._watched: dict[str, Mapping[str, int]] = {}
        self._told_at_s: dict[str, float] = {}
        self._online: dict[str, bool] = {}
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Speak until cancelled, connecting again whenever the broker goes away."""
        while True:
            try:
                async with (
                    aiomqtt.Client(
                        self._host,
                        self._port,
                        identifier=TALKERS_CLIENT_ID,
                        timeout=_TIMEOUT_S,
                    ) as client,
                    asyncio.TaskGroup() as group,
                ):
                    self._forget()
                    await client.subscribe([(topic, 1) for topic in self._commands()])
                    group.create_task(self._obey(client))
                    group.create_task(self._speak(client))
            except* aiomqtt.MqttError as away:
                _log.info("broker is away", extra={"error": str(away.exceptions[0])})
            await asyncio.sleep(_RECONNECT_S)

    async def _speak(self, client: aiomqtt.Client) -> None:
        while True:
            heed_cancelling()
            if self._clock.is_standing or not self._has_listener():
                self._forget()  # so that all is told anew when time goes on
            else:
                for device in self._devices:
                    await self._look(client, device)
            await asyncio.sleep(_TICK_S)

    async def _look(self, client: aiomqtt.Client, device: Device) -> None:
        device_id = device.device_id
        is_online = self._faults.active(device_id, FaultKind.DEAD) is None
        async with self._turn:
            if self._online.get(device_id) is not is_online:
                self._online[device_id] = is_online
                await self._tell_availability(client, device, is_online=is_online)
            if not is_online:
                return
            at_ms = self._clock.now_ms()
            values = shown_values(device.profile, self._building.values_micro(device_id, at_ms))
            watched = {point: values[point] for point in _WATCHED if point in values}
            is_due = time.monotonic() - self._told_at_s.get(device_id, 0.0) >= _SIGN_OF_LIFE_S
            if is_due or watched != self._watched.get(device_id):
                is_switched = watched != self._watched.get(device_id)
                for told in self._words(device, values, at_ms, is_switched=is_switched):
                    await self._tell(client, device, told, values, at_ms)
                self._watched[device_id] = watched
                self._told_at_s[device_id] = time.monotonic()

    def _words(
        self, device: Device, values: Mapping[str, int], at_ms: int, *, is_switched: bool
    ) -> list[Told]:
        match device.profile:
            case "tasmota_energy_meter":
                switched = [tasmota_result(device, values)] if is_switched else []
                return [*switched, tasmota_sensor(device, values)]
            case "shelly_plug":
                return [shelly_status(device, values)]
            case "sparkplug_meter" if not self._node.is_born:
                return self._node.birth(values, at_ms)
            case "sparkplug_meter":
                return [self._node.data(values, at_ms)]
            case _:
                return [lift_status(device, values)]

    async def _tell(
        self, client: aiomqtt.Client, device: Device, told: Told, values: Mapping[str, int], at_ms: int
    ) -> None:
        topic, payload, points = told
        await client.publish(topic, payload, qos=1)
        self._ledger.record(device.device_id, [(point, values[point]) for point in points], at_ms)

    async def _tell_availability(self, client: aiomqtt.Client, device: Device, *, is_online: bool) -> None:
        match device.profile:
            case "tasmota_energy_meter":
                topic, payload = f"tele/{device.address}/LWT", b"Online" if is_online else b"Offline"
            case "shelly_plug":
                topic, payload = f"{device.address}/online", b"true" if is_online else b"false"
            case "sparkplug_meter" if not is_online:
                death, payload, _ = self._node.death(self._clock.now_ms())
                await client.publish(death, payload, qos=1)
                return
            case _:
                return
        await client.publish(topic, payload, qos=1, retain=True)
        self._ledger.record(device.device_id, [("availability", is_online * MICRO)], self._clock.now_ms())

    def _commands(self) -> tuple[str, ...]:
        siren, plug = self._of("tasmota_energy_meter"), self._of("shelly_plug")
        return f"cmnd/{siren.address}/POWER", f"{plug.address}/rpc", self._node.command_topic

    async def _obey(self, client: aiomqtt.Client) -> None:
        """Switch, or be born again, when asked to, until the broker is gone; MqttError says so."""
        power, rpc, rebirth = self._commands()
        async for message in client.messages:
            if self._clock.is_standing:
                continue
            payload = bytes(message.payload)
            match message.topic.value:
                case topic if topic == power:
                    self._switch("tasmota_energy_meter", is_on=payload == b"ON")
                case topic if topic == rpc:
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        self._switch("shelly_plug", is_on=bool(json.loads(payload)["params"]["on"]))
                case topic if topic == rebirth:
                    self._node.is_born = False
                    self._told_at_s.clear()
            for device in self._devices:
                await self._look(client, device)
            heed_cancelling()

    def _switch(self, profile: str, *, is_on: bool) -> None:
        device = self._of(profile)
        if self._faults.active(device.device_id, FaultKind.DEAD) is None:
            self._building.switch(device.device_id, is_on=is_on)

    def _of(self, profile: str) -> Device:
        return next(device for device in self._devices if device.profile == profile)

    def _forget(self) -> None:
        self._watched.clear()
        self._told_at_s.clear()
        self._online.clear()
        self._node.is_born = False


def _code(point: str, values: Mapping[str, int]) -> str:
    return QUANTITIES[point].codes[values[point] // MICRO]


def _number(value_micro: int) -> float | int:
    value = decimal_from_micro(value_micro)
    return int(value) if value == value.to_integral_value() else float(Decimal(value))


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
