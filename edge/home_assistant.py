"""Showing the building's points in Home Assistant: announcements and states on the site's own broker.

    homeassistant/device/<gateway>-<device>/config   retained: one device and its points
    gatehouse/<gateway>/<device>/state               JSON of its points; a point without a value is null
    gatehouse/<gateway>/status                       online | offline, retained, and our last will

One way only: nothing that arrives here commands anything. The invariant: a value shown is one that
was read; a point that has none now is unknown there too, never yesterday's number.
"""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import aiomqtt
import msgspec

from edge.driver import point_key
from edge.intake import Intake
from edge.supervise import heed_cancelling
from protocol.errors import UNREADABLE
from protocol.fieldbus.annotation import Fact
from protocol.quantity import MICRO, Kind, Quantity, decimal_from_micro
from protocol.reading import Reading
from provisioning.config import Config, DeviceConfig, HomeAssistantSettings
from provisioning.lines import MqttLine
from provisioning.profile import PointProfile

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_TIMEOUT_S = 5.0
_PAUSE_S = 5.0
_PAUSE_MAX_S = 60.0
_ORIGIN = {"name": "Gatehouse"}
# Home Assistant's device class and unit for ours; a unit it does not know would be refused there.
_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "%": ("", "%"),
        "A": ("current", "A"),
        "GJ": ("energy", "GJ"),
        "Hz": ("frequency", "Hz"),
        "V": ("voltage", "V"),
        "h": ("duration", "h"),
        "kPa": ("pressure", "kPa"),
        "kVA": ("apparent_power", "kVA"),
        "kW": ("power", "kW"),
        "kWh": ("energy", "kWh"),
        "kvar": ("reactive_power", "kvar"),
        "kvarh": ("reactive_energy", "kvarh"),
        "m3": ("water", "m³"),
        "m3/h": ("volume_flow_rate", "m³/h"),
        "°C": ("temperature", "°C"),
    }
)
# Where the unit does not say it.
_CLASS_OF_QUANTITY: Mapping[str, str] = MappingProxyType(
    {
        "battery_level": "battery",
        "gas_volume": "gas",
        "humidity": "humidity",
        "power_factor": "power_factor",
    }
)
_encoder = msgspec.json.Encoder(decimal_format="number")


def announcement(gateway: str, prefix: str, device: DeviceConfig) -> tuple[str, bytes]:
    """Return topic and payload that announce a device with all its points."""
    unique = f"{gateway}-{device.device_id}"
    document = {
        "device": {
            "identifiers": [f"gatehouse-{unique}"],
            "name": device.device_id,
            "model": device.profile.title,
        },
        "origin": _ORIGIN,
        "state_topic": _state_topic(gateway, device),
        "availability_topic": _status_topic(gateway),
        "components": {point.name: _component(unique, point) for point in device.profile.points},
    }
    return f"{prefix}/device/{_safe(unique)}/config", _encoder.encode(document)


def state(gateway: str, device: DeviceConfig, latest: Mapping[str, Reading]) -> tuple[str, bytes] | None:
    """Return topic and payload of a device's points as last read, None where none has been read yet."""
    points = {point.name: latest.get(point_key(device, point)) for point in device.profile.points}
    if all(reading is None for reading in points.values()):
        return None
    document = {
        point.name: _value(point.quantity, reading)
        for point in device.profile.points
        if (reading := points[point.name]) is not None
    }
    return _state_topic(gateway, device), _encoder.encode(document)


def _component(unique: str, point: PointProfile) -> dict[str, Fact]:
    quantity = point.quantity
    component: dict[str, Fact] = {
        "platform": "sensor",
        "unique_id": f"gatehouse-{unique}-{point.name}",
        "name": point.name.replace("_", " "),
        "value_template": f"{{{{ value_json['{point.name}'] }}}}",
    }
    if quantity.kind is Kind.STATE:
        return component | {"device_class": "enum", "options": list(quantity.codes.values())}
    device_class, unit = _CLASSES.get(quantity.unit, ("", quantity.unit))
    device_class = _CLASS_OF_QUANTITY.get(quantity.name, device_class)
    cumulative = quantity.kind is Kind.CUMULATIVE
    component["state_class"] = "total_increasing" if cumulative else "measurement"
    optional: dict[str, Fact] = {"device_class": device_class, "unit_of_measurement": unit}
    return component | {key: value for key, value in optional.items() if value}


def _value(quantity: Quantity, reading: Reading) -> object:
    if reading.value_micro is None:
        return None
    if quantity.kind is Kind.STATE:
        return quantity.codes.get(reading.value_micro // MICRO)
    return decimal_from_micro(reading.value_micro)


class _Announced(msgspec.Struct):
    """What shows whose an announcement is: gateways may be called gw and gw-1."""

    availability_topic: str


class HomeAssistant:
    """Announces once a connection, and again when Home Assistant starts; then tells what changes."""

    def __init__(
        self,
        config: Config,
        settings: HomeAssistantSettings,
        line: MqttLine,
        intake: Intake,
        rng: random.Random,
    ) -> None:
        self.is_connected = False
        self._gateway = config.gateway_code
        self._devices = config.devices
        self._settings = settings
        self._line = line
        self._intake = intake
        self._random = rng
        self._told: dict[str, bytes] = {}

    async def run(self) -> None:
        """Publish for ever; a broker that is away is tried again."""
        failures = 0
        while True:
            try:
                await self._publish()
            except (aiomqtt.MqttError, OSError) as error:
                failures = 0 if self.is_connected else failures + 1
                self.is_connected = False
                log.info("Home Assistant's broker is away", extra={"reason": str(error)})
            pause_s = min(_PAUSE_MAX_S, _PAUSE_S * 2 ** min(failures, 8))
            await asyncio.sleep(self._random.uniform(pause_s / 2, pause_s))

    async def _publish(self) -> None:
        line, status = self._line, _status_topic(self._gateway)
        password = None
        if line.password_file is not None:
            password = (await asyncio.to_thread(line.password_file.read_text, encoding="utf-8")).strip()
        async with aiomqtt.Client(
            line.host,
            line.port,
            username=line.username or None,
            password=password,
            identifier=f"gatehouse-{self._gateway}-home-assistant",
            will=aiomqtt.Will(status, b"offline", qos=1, retain=True),
            timeout=_TIMEOUT_S,
        ) as client:
            announcements = f"{self._settings.prefix}/device/+/config"
            await client.subscribe([(f"{self._settings.prefix}/status", 1), (announcements, 1)])
            await self._announce(client)
            await client.publish(status, b"online", qos=1, retain=True)
            self.is_connected = True
            try:
                await self._follow(client)
            finally:
                # An orderly leave sends no will. Queued only: what follows is the disconnect.
                client._client.publish(status, b"offline", 1, retain=True)

    async def _follow(self, client: aiomqtt.Client) -> None:
        while True:
            heed_cancelling()
            await self._tell(client, self._devices)
            try:
                async with asyncio.timeout(_LOOK_S):
                    message = await anext(client.messages)
            except TimeoutError:
                continue
            if message.topic.matches(f"{self._settings.prefix}/device/+/config"):
                if self._is_forgotten(message.topic.value, message.payload):
                    await client.publish(message.topic.value, b"", qos=1, retain=True)
            elif message.payload == b"online" and not message.retain:
                await self._announce(client)  # Home Assistant has just started

    def _is_forgotten(self, topic: str, payload: bytes) -> bool:
        """Tell whether the broker keeps an announcement of ours for a device that is configured no more."""
        prefix = self._settings.prefix
        if topic in {announcement(self._gateway, prefix, device)[0] for device in self._devices}:
            return False
        try:
            told = msgspec.json.decode(payload, type=_Announced)
        except UNREADABLE:
            return False  # somebody else's, or deleted already
        return told.availability_topic == _status_topic(self._gateway)

    async def _announce(self, client: aiomqtt.Client) -> None:
        self._told.clear()
        for device in self._devices:
            topic, payload = announcement(self._gateway, self._settings.prefix, device)
            await client.publish(topic, payload, qos=1, retain=True)

    async def _tell(self, client: aiomqtt.Client, devices: Iterable[DeviceConfig]) -> None:
        """Publish the devices whose state differs from what was told last."""
        for device in devices:
            told = state(self._gateway, device, self._intake.latest)
            if told is not None and self._told.get(told[0]) != told[1]:
                await client.publish(*told, qos=0, retain=False)
                self._told[told[0]] = told[1]


def _state_topic(gateway: str, device: DeviceConfig) -> str:
    return f"gatehouse/{gateway}/{device.device_id}/state"


def _status_topic(gateway: str) -> str:
    return f"gatehouse/{gateway}/status"


def _safe(name: str) -> str:
    """Return a name Home Assistant takes in a topic: letters, digits, - and _."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
