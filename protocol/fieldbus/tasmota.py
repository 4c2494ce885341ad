"""Tasmota: what its telemetry and status topics say about meters and relays.

    tele/<name>/SENSOR    {"Time": local time without zone, "ENERGY": {...}, "SML": {...}, ...}
    tele/<name>/LWT       Online | Offline, retained
    stat/<name>/POWER     ON | OFF;  stat/<name>/RESULT  {"POWER": "ON"}
    stat/<name>/STATUS8   {"StatusSNS": {what SENSOR says}}

Energies are kWh. With several channels each key by itself becomes a list, so one key may be a list
and its neighbour a number. Keys inside SML are whatever the device's script calls them; those
usual for German meters are known here, in any case of letters.
"""

from collections.abc import Mapping
from types import MappingProxyType

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Cursor, Fact, Facts, Field, Message, Role
from protocol.fieldbus.json_payload import is_number, json_object, number_at, text_of, value_at

# Key below ENERGY -> fact. The value may be a list, one entry a channel.
_ENERGY: Mapping[str, str] = MappingProxyType(
    {
        "ApparentPower": "apparent_power_va",
        "Current": "current_a",
        "ExportActive": "export_kwh",
        "Factor": "power_factor",
        "Frequency": "frequency_hz",
        "ImportActive": "import_kwh",
        "Power": "power_w",
        "ReactivePower": "reactive_power_var",
        "Today": "energy_today_kwh",
        "Total": "energy_total_kwh",
        "Voltage": "voltage_v",
        "Yesterday": "energy_yesterday_kwh",
    }
)
_SML: Mapping[str, str] = MappingProxyType(
    {
        "frequenz": "frequency_hz",
        "power_curr": "power_w",
        "total_in": "import_kwh",
        "total_out": "export_kwh",
    }
)
_SML_PHASES: Mapping[str, str] = MappingProxyType(
    {"current_l": "current_a", "power_l": "power_phase_w", "voltage_l": "voltage_v"}
)
_RELAY_STATES: Mapping[str, bool] = MappingProxyType({"ON": True, "OFF": False})
_AVAILABILITY: Mapping[str, bool] = MappingProxyType({"Online": True, "Offline": False})


def sensor_facts(payload: bytes) -> Facts:
    """Return what SENSOR or STATUS8 says; keys nobody here knows are left out."""
    document: Fact = json_object(payload)
    if value_at(document, "StatusSNS") is not None:
        document = value_at(document, "StatusSNS")
    facts: Facts = {}
    time = value_at(document, "Time")
    if isinstance(time, str):
        facts["time_local_no_zone"] = time
    facts |= _energy_facts(value_at(document, "ENERGY"))
    facts |= _sml_facts(value_at(document, "SML"))
    gas = number_at(document, "Gas", "Count")
    if gas is not None:
        facts["gas_count"] = gas
    return facts | _climate_facts(document)


def _energy_facts(energy: Fact) -> Facts:
    if not isinstance(energy, dict):
        return {}
    facts: Facts = {}
    channels = 0
    for key, name in _ENERGY.items():
        value = energy.get(key)
        if isinstance(value, list) and value and all(is_number(item) for item in value):
            facts[name] = value
            channels = max(channels, len(value))
        elif is_number(value):
            facts[name] = value
    return facts | ({"channels": channels} if channels else {})


def _sml_facts(sml: Fact) -> Facts:
    if not isinstance(sml, dict):
        return {}
    values = {key.lower(): value for key, value in sml.items()}
    facts: Facts = {name: values[key] for key, name in _SML.items() if is_number(values.get(key))}
    for key, name in _SML_PHASES.items():
        phases = [values.get(f"{key}{phase}") for phase in (1, 2, 3)]
        if all(is_number(value) for value in phases):
            facts[name] = phases
    return facts


def _climate_facts(document: Fact) -> Facts:
    """Return temperature and humidity of the first sensor that has them; its name is the chip's."""
    if not isinstance(document, dict):
        return {}
    for sensor in document.values():
        temperature = number_at(sensor, "Temperature")
        if temperature is None:
            continue
        facts: Facts = {"temperature_c": temperature}
        humidity = number_at(sensor, "Humidity")
        return facts | ({"humidity_pct": humidity} if humidity is not None else {})
    return {}


def result_facts(payload: bytes) -> Facts:
    """Return the relays of a RESULT: `relay` for the only or first one, `relay_2` and on for others."""
    facts: Facts = {}
    for key, value in json_object(payload).items():
        number = key.removeprefix("POWER")
        if number == key or not isinstance(value, str) or value not in _RELAY_STATES:
            continue
        facts["relay" if number in ("", "1") else f"relay_{number}"] = _RELAY_STATES[value]
    return facts


def is_available(payload: bytes) -> bool:
    """Tell what a last will says; FrameError for anything but Online and Offline."""
    return _one_of(_AVAILABILITY, payload)


def is_on(payload: bytes) -> bool:
    """Tell a relay's state; FrameError for anything but ON and OFF."""
    return _one_of(_RELAY_STATES, payload)


def _one_of(states: Mapping[str, bool], payload: bytes) -> bool:
    text = text_of(payload).strip()
    if text not in states:
        raise FrameError(f"{text[:40]!r} is neither {' nor '.join(states)}")
    return states[text]


class _Tasmota:
    """The codec as the registry sees it."""

    def facts(self, message: Message) -> Facts:
        """Return everything the message says under its topic; without one, as a sensor's telemetry."""
        about = message.topic.rpartition("/")[2]
        if about == "LWT":
            return {"available": is_available(message.data)}
        if about.startswith("POWER"):
            number = about.removeprefix("POWER")
            return {"relay" if number in ("", "1") else f"relay_{number}": is_on(message.data)}
        if about in ("RESULT", "STATE"):
            return result_facts(message.data)
        return sensor_facts(message.data)

    def explain(self, message: Message) -> list[Field]:
        """Return one field for the whole payload: text explains itself."""
        cursor = Cursor()
        facts = self.facts(message)
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
        cursor.take(len(message.data), Role.PAYLOAD, text or "nothing this codec knows")
        return cursor.fields


TASMOTA = _Tasmota()
