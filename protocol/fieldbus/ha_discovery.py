"""Home Assistant discovery: devices that announce what they publish, and how we announce ours.

    homeassistant/<component>/[<node>/]<object>/config   one entity, retained JSON; empty removes it
    homeassistant/device/<object>/config                 one device with its entities under cmps

Keys may be abbreviated (`stat_t` is `state_topic`); `~` at either end of a topic stands for the base
topic given under `~`. The invariant: an entity is only ever read as what it says it publishes; a
template that is more than a path into JSON is kept as text, never run.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.json_payload import json_object

DEFAULT_PREFIX = "homeassistant"

_ABBREVIATIONS: Mapping[str, str] = MappingProxyType(
    {
        "avty": "availability",
        "avty_mode": "availability_mode",
        "avty_t": "availability_topic",
        "avty_tpl": "availability_template",
        "cmd_t": "command_topic",
        "cmps": "components",
        "cns": "connections",
        "dev": "device",
        "dev_cla": "device_class",
        "exp_aft": "expire_after",
        "ids": "identifiers",
        "json_attr_t": "json_attributes_topic",
        "mdl": "model",
        "mf": "manufacturer",
        "o": "origin",
        "obj_id": "object_id",
        "p": "platform",
        "pl_avail": "payload_available",
        "pl_lock": "payload_lock",
        "pl_not_avail": "payload_not_available",
        "pl_off": "payload_off",
        "pl_on": "payload_on",
        "pl_unlk": "payload_unlock",
        "stat_cla": "state_class",
        "stat_locked": "state_locked",
        "stat_t": "state_topic",
        "stat_unlocked": "state_unlocked",
        "sw": "sw_version",
        "t": "topic",
        "uniq_id": "unique_id",
        "unit_of_meas": "unit_of_measurement",
        "val_tpl": "value_template",
    }
)
# Written-out key -> fact, for texts.
_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "availability_mode": "availability_mode",
        "command_topic": "command_topic",
        "device_class": "device_class",
        "json_attributes_topic": "json_attributes_topic",
        "name": "name",
        "payload_available": "payload_available",
        "payload_lock": "payload_lock",
        "payload_not_available": "payload_not_available",
        "payload_off": "payload_off",
        "payload_on": "payload_on",
        "payload_unlock": "payload_unlock",
        "state_class": "state_class",
        "state_locked": "state_locked",
        "state_topic": "state_topic",
        "state_unlocked": "state_unlocked",
        "unique_id": "unique_id",
        "unit_of_measurement": "unit",
        "value_template": "value_template",
    }
)
# {{ value_json.a.b }} or {{ value_json['a']['b'] }}, perhaps with a filter behind a bar.
_TEMPLATE = re.compile(
    r"\s*\{\{-?\s*value_json((?:\.\w{1,64}|\[['\"][^'\"\]]{1,64}['\"]\]){1,8})\s*(?:\|[^{}]{0,200})?\}\}\s*"
)
_STEP = re.compile(r"\.(\w+)|\[['\"]([^'\"\]]+)['\"]\]")


def topic_facts(topic: str, prefix: str = DEFAULT_PREFIX) -> Facts:
    """Return component, node and object of a discovery topic; FrameError where it is none."""
    parts = topic.split("/")
    if parts[0] != prefix or parts[-1] != "config" or len(parts) not in (4, 5):
        raise FrameError(f"topic {topic!r} is not {prefix}/<component>/[<node>/]<object>/config")
    facts: Facts = {"component": parts[1], "object_id": parts[-2]}
    return facts | ({"node_id": parts[2]} if len(parts) == 5 else {})


def config_facts(payload: bytes) -> Facts:
    """Return what an announcement says, keys written out and topics completed; empty is a removal."""
    if not payload:
        return {"removed": True}
    config = _written_out(json_object(payload))
    base = config.get("~")
    return _entity_facts(config, base if isinstance(base, str) else "")


def json_path(template: str) -> list[str] | None:
    """Return the keys a template walks, None where it does anything else."""
    match = _TEMPLATE.fullmatch(template)
    if match is None:
        return None
    return [dotted or quoted for dotted, quoted in _STEP.findall(match.group(1))]


def entity_config(
    *,
    unique_id: str,
    name: str,
    state_topic: str,
    unit: str,
    device_class: str,
    state_class: str,
    json_key: str,
    device_id: str,
) -> bytes:
    """Return our announcement of one sensor, to be published retained to its discovery topic."""
    config = {
        "unique_id": unique_id,
        "name": name,
        "state_topic": state_topic,
        "unit_of_measurement": unit,
        "device_class": device_class,
        "state_class": state_class,
        "value_template": f"{{{{ value_json['{json_key}'] }}}}",
        "device": {"identifiers": [device_id]},
    }
    return json.dumps({key: value for key, value in config.items() if value}, separators=(",", ":")).encode()


def _written_out(value: dict[str, Fact]) -> dict[str, Fact]:
    """Return the object with its own keys written out; a written-out key wins over its abbreviation."""
    return {_ABBREVIATIONS.get(key, key): item for key, item in value.items()} | {
        key: item for key, item in value.items() if key not in _ABBREVIATIONS
    }


def _entity_facts(config: dict[str, Fact], base: str) -> Facts:
    facts: Facts = {}
    for key, name in _TEXTS.items():
        value = config.get(key)
        if isinstance(value, str):
            facts[name] = _completed(value, base) if key.endswith("topic") else value
    availability = _availability(config, base)
    if availability is not None:
        facts["availability_topic"] = availability
    identifiers = _identifiers(config.get("device"))
    if identifiers:
        facts["device_ids"] = identifiers
    path = json_path(str(facts.get("value_template", "")))
    if path is not None:
        facts["json_path"] = [*path]
    components = config.get("components")
    if isinstance(components, dict):
        facts["children"] = {key: _child(child, base) for key, child in components.items()}
        if "state_topic" in facts:
            facts["shared_state_topic"] = facts["state_topic"]
    return facts


def _child(child: Fact, base: str) -> Fact:
    if not isinstance(child, dict):
        return [None, None, None]
    config = _written_out(child)
    facts = _entity_facts({key: item for key, item in config.items() if key != "components"}, base)
    platform = config.get("platform")
    return [platform if isinstance(platform, str) else None, facts.get("unique_id"), facts.get("unit")]


def _availability(config: dict[str, Fact], base: str) -> Fact:
    topic = config.get("availability_topic")
    if isinstance(topic, str):
        return _completed(topic, base)
    entries = config.get("availability")
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list):
        return None
    topics = [_written_out(entry).get("topic") for entry in entries if isinstance(entry, dict)]
    return [_completed(item, base) for item in topics if isinstance(item, str)]


def _identifiers(device: Fact) -> list[Fact]:
    if not isinstance(device, dict):
        return []
    identifiers = _written_out(device).get("identifiers")
    if isinstance(identifiers, str):
        return [identifiers]
    return [item for item in identifiers if isinstance(item, str)] if isinstance(identifiers, list) else []


def _completed(topic: str, base: str) -> str:
    if topic.startswith("~"):
        topic = base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


class _HaDiscovery:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the announcement says."""
        facts = topic_facts(message.topic) if message.topic else {}
        return facts | config_facts(message.data)

    def explain(self, message: Message) -> list[Field]:
        """Return one field for the whole payload: text explains itself."""
        cursor = Cursor()
        facts = self.facts(message)
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        cursor.take(len(message.data), Role.PAYLOAD, text)
        return cursor.fields


HA_DISCOVERY = _HaDiscovery()
