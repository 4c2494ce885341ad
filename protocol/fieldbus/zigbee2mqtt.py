"""zigbee2mqtt: what a topic and its payload say about a lock, a leak sensor, a metering plug.

    <base>/<friendly name>                JSON object: the device's state, and events in passing
    <base>/<friendly name>/availability   online | offline, or {"state": "online"}
    <base>/<friendly name>/action         one event as plain text
    <base>/bridge/state                   availability of the bridge itself

Names may hold spaces and slashes. An event (`action`) is an edge: it happened once and is never a
state; an empty one, sent when the last is over, is None and means nothing. A lock that is
"not_fully_locked" is not locked. Energy is in kWh here. PINs in a payload are never repeated,
neither as facts nor as explanation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Facts, Field, Message, Role
from protocol.fieldbus.json_payload import json_object, number_at, text_of

DEFAULT_BASE = "zigbee2mqtt"

# Payload key -> fact. Numbers become exact Decimals.
_NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "action_user": "user",
        "battery": "battery_pct",
        "current": "current_a",
        "energy": "energy_kwh",
        "humidity": "humidity_pct",
        "illuminance": "illuminance_lx",
        "linkquality": "linkquality",
        "power": "power_w",
        "pressure": "pressure_hpa",
        "temperature": "temperature_c",
        "voltage": "voltage_v",
    }
)
_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "battery_low": "battery_low",
        "contact": "contact",
        "gas": "gas",
        "occupancy": "occupancy",
        "smoke": "smoke",
        "tamper": "tamper",
        "vibration": "vibration",
        "water_leak": "water_leak",
    }
)
_TEXTS: Mapping[str, str] = MappingProxyType(
    {"action_source_name": "source", "door_state": "door_state", "lock_state": "lock_state"}
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart: the device's friendly name and what about it, "" for its state."""

    friendly_name: str
    about: str


def topic_of(topic: str, base: str = DEFAULT_BASE) -> Topic:
    """Return device and subject of a topic; FrameError where it is not below `base`."""
    name = topic.removeprefix(f"{base}/")
    if name == topic or not name:
        raise FrameError(f"topic {topic!r} is not below {base}/")
    for about in ("availability", "action", "set", "get", "state"):
        is_bridge_only = about == "state" and name != "bridge/state"
        if name.endswith(f"/{about}") and not is_bridge_only:
            return Topic(name.removesuffix(f"/{about}"), about)
    return Topic(name, "")


def state_facts(payload: bytes) -> Facts:
    """Return what a device's state says; keys nobody here knows are left out."""
    state = json_object(payload)
    facts: Facts = {}
    for key, name in _NUMBERS.items():
        value = number_at(state, key)
        if value is not None:
            facts[name] = value
    if "battery" in state and "voltage_v" in facts:
        # Battery devices report their cell under the same key, in millivolts.
        facts["battery_voltage_mv"] = facts.pop("voltage_v")
    for key, name in _FLAGS.items():
        if isinstance(state.get(key), bool):
            facts[name] = state[key]
    for key, name in _TEXTS.items():
        if isinstance(state.get(key), str):
            facts[name] = state[key]
    if "action" in state:
        action = state["action"]
        facts["event"] = action if isinstance(action, str) and action else None
    on_off = state.get("state")
    if on_off in ("ON", "OFF"):
        facts["relay"] = on_off == "ON"
    elif isinstance(on_off, str):
        facts["state"] = on_off
    return facts


def is_available(payload: bytes) -> bool:
    """Tell what an availability payload says, plain or JSON; FrameError for anything else."""
    text = text_of(payload).strip()
    if text.startswith("{"):
        text = str(json_object(payload).get("state"))
    if text not in ("online", "offline"):
        raise FrameError(f"availability {text[:40]!r} is neither online nor offline")
    return text == "online"


def command_payload(**values: str | int | bool | None) -> bytes:
    """Return the JSON to publish to `<base>/<name>/set`, for instance state="LOCK"."""
    return json.dumps(values, separators=(",", ":")).encode()


class _Zigbee2mqtt:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says under its topic; without a topic, as a device's state."""
        about = topic_of(message.topic).about if message.topic else ""
        if about in ("availability", "state"):
            return {"available": is_available(message.data)}
        if about == "action":
            return {"event": text_of(message.data).strip() or None}
        return state_facts(message.data)

    def explain(self, message: Message) -> list[Field]:
        """Return one field for the whole payload: text explains itself."""
        facts = self.facts(message)
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        cursor = Cursor()
        cursor.take(len(message.data), Role.PAYLOAD, text or "nothing this codec knows")
        return cursor.fields


ZIGBEE2MQTT = _Zigbee2mqtt()
