"""Shelly: what its MQTT topics say about relays, meters, covers and gas sensors.

    <prefix>/status/<component>:<n>   JSON: the whole state of one component (second generation on)
    <prefix>/events/rpc               NotifyStatus: only what changed, to be merged; NotifyEvent
    <prefix>/online                   true | false
    shellies/<id>/relay/<n>           on | off; below it power, energy (first generation)

Energies are watt-hours; the first generation's counter is in watt-minutes. A null is a value the
device does not have (a neutral current, a time before it knows it).
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.json_payload import is_number, json_object, json_value, number_at, text_of, value_at

_PHASES = ("a", "b", "c")
# Component kind -> path below it -> fact.
_NUMBERS: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("aenergy", "total"): "energy_wh",
        ("apower",): "power_w",
        ("battery", "percent"): "battery_pct",
        ("current",): "current_a",
        ("freq",): "frequency_hz",
        ("pf",): "power_factor",
        ("rh",): "humidity_pct",
        ("ret_aenergy", "total"): "export_wh",
        ("tC",): "temperature_c",
        ("total_act",): "import_wh",
        ("total_act_power",): "power_w",
        ("total_act_ret",): "export_wh",
        ("total_aprt_power",): "apparent_power_va",
        ("total_current",): "total_current_a",
        ("voltage",): "voltage_v",
    }
)
_PHASE_NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "act_power": "phase_power_w",
        "aprt_power": "phase_apparent_power_va",
        "current": "current_a",
        "pf": "phase_power_factor",
        "total_act_energy": "phase_import_wh",
        "total_act_ret_energy": "phase_export_wh",
        "voltage": "voltage_v",
    }
)
_COVER_STATES = frozenset({"open", "closed", "opening", "closing", "stopped", "calibrating"})
_GAS_STATES = frozenset({"none", "mild", "heavy", "test", "unknown"})
_ON_OFF: Mapping[str, bool] = MappingProxyType({"on": True, "off": False})
_TRUE_FALSE: Mapping[str, bool] = MappingProxyType({"true": True, "false": False})
_WATT_MINUTES_PER_WATT_HOUR = 60


def component_facts(component: Fact) -> Facts:
    """Return what the state of one component says; keys nobody here knows are left out."""
    facts: Facts = {}
    for path, name in _NUMBERS.items():
        value = number_at(component, *path)
        if value is not None:
            facts[name] = value
    for key, name in _PHASE_NUMBERS.items():
        phases = [value_at(component, f"{phase}_{key}") for phase in _PHASES]
        if all(is_number(value) for value in phases):
            facts[name] = phases
    output, state = value_at(component, "output"), value_at(component, "state")
    if isinstance(output, bool):
        facts["relay"] = output
    if isinstance(state, str) and state in _COVER_STATES:
        facts["cover_state"] = state
    position = number_at(component, "current_pos")
    if position is not None:
        facts["cover_position_pct"] = position
    alarm = value_at(component, "alarm_state")
    if isinstance(alarm, str) and alarm in _GAS_STATES:
        facts["gas_alarm"] = alarm
    return facts


def notification_facts(payload: bytes) -> Facts:
    """Return what a NotifyStatus changes: one component's facts, or a map of them; merge, never replace."""
    document = json_object(payload)
    method = value_at(document, "method")
    if method not in ("NotifyStatus", "NotifyFullStatus", "NotifyEvent"):
        raise FrameError(f"method {str(method)[:40]!r} is no notification")
    parameters = value_at(document, "params")
    facts: Facts = {"delta": method == "NotifyStatus"}
    source = value_at(document, "src")
    if isinstance(source, str):
        facts["source"] = source
    timestamp = number_at(parameters, "ts")
    if timestamp is not None:
        facts["timestamp"] = timestamp
    if not isinstance(parameters, dict):
        return facts
    components = {key: component_facts(value) for key, value in parameters.items() if isinstance(value, dict)}
    if len(components) == 1:
        return facts | next(iter(components.values())) | {"component": next(iter(components))}
    return facts | {"components": {key: value for key, value in components.items() if value}}


def first_generation_facts(path: list[str], payload: bytes) -> Facts:
    """Return what a topic below shellies/<id>/ says."""
    text = text_of(payload).strip()
    match path:
        case ["online"]:
            return {"available": _one_of(_TRUE_FALSE, text)}
        case ["relay" | "light", _]:
            return {"relay": _one_of(_ON_OFF, text)}
        case ["relay" | "light" | "emeter", _, "power"] | ["relay", "power"]:
            return {"power_w": _number(text)}
        case ["relay" | "light", _, "energy"] | ["relay", "energy"]:
            watt_minutes = _number(text)
            return {
                "energy_watt_minutes": watt_minutes,
                "energy_wh": watt_minutes / _WATT_MINUTES_PER_WATT_HOUR,
            }
        case ["emeter", _, "total"]:
            return {"import_wh": _number(text)}
        case ["emeter", _, "total_returned"]:
            return {"export_wh": _number(text)}
        case ["emeter", _, "voltage"]:
            return {"voltage_v": _number(text)}
        case ["emeter", _, "current"]:
            return {"current_a": _number(text)}
        case ["emeter", _, "pf"]:
            return {"power_factor": _number(text)}
        case ["temperature"]:
            return {"temperature_c": _number(text)}
        case ["sensor", "operation" | "gas"] if text in _GAS_STATES:
            return {"gas_alarm": text}
        case ["sensor", "flood"]:
            return {"water_leak": _one_of(_TRUE_FALSE, text)}
        case ["sensor", "battery"]:
            return {"battery_pct": _number(text)}
        case _:
            return {}


def _one_of(states: Mapping[str, bool], text: str) -> bool:
    if text not in states:
        raise FrameError(f"{text[:40]!r} is neither {' nor '.join(states)}")
    return states[text]


def _number(text: str) -> Decimal:
    value = json_value(text.encode())
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise FrameError(f"{text[:40]!r} is not a number")
    return Decimal(value)


class _Shelly:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says under its topic; without one, as a component's state."""
        parts = message.topic.split("/")
        if parts[0] == "shellies" and len(parts) > 2:
            return first_generation_facts(parts[2:], message.data)
        if parts[-1] == "online":
            return {"available": _one_of(_TRUE_FALSE, text_of(message.data).strip())}
        if parts[-2:] == ["events", "rpc"]:
            return notification_facts(message.data)
        return component_facts(json_object(message.data))

    def explain(self, message: Message) -> list[Field]:
        """Return one field for the whole payload: text explains itself."""
        cursor = Cursor()
        facts = self.facts(message)
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        cursor.take(len(message.data), Role.PAYLOAD, text or "nothing this codec knows")
        return cursor.fields


SHELLY = _Shelly()
