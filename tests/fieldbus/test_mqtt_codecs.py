"""Tasmota, Shelly, Home Assistant discovery and Sparkplug B."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import FrameError, ProtocolError
from protocol.fieldbus.annotation import Message
from protocol.fieldbus.ha_discovery import HA_DISCOVERY, config_facts, entity_config, json_path, topic_facts
from protocol.fieldbus.shelly import SHELLY
from protocol.fieldbus.sparkplug_b import (
    DATA_TYPES,
    METRICS_MAX,
    SPARKPLUG_B,
    Metric,
    Payload,
    decode_payload,
    encode_payload,
)
from protocol.fieldbus.tasmota import TASMOTA
from tests.fieldbus.golden import golden_frames

# Tasmota


@pytest.mark.parametrize(
    ("topic", "payload", "facts"),
    [
        ("tele/t/LWT", b"Offline", {"available": False}),
        ("stat/t/POWER", b"OFF", {"relay": False}),
        ("stat/t/POWER2", b"ON", {"relay_2": True}),
        ("stat/t/RESULT", b'{"POWER1":"ON","POWER2":"OFF"}', {"relay": True, "relay_2": False}),
        ("stat/t/RESULT", b'{"Time":"x"}', {}),
        ("tele/t/SENSOR", b'{"ENERGY":{"Power":true,"Total":[1,"x"]}}', {}),
        (
            "tele/t/SENSOR",
            b'{"DHT11":{"Temperature":21.5,"Humidity":40}}',
            {"temperature_c": Decimal("21.5"), "humidity_pct": 40},
        ),
    ],
)
def test_tasmota_topics_decide_what_a_payload_is(topic: str, payload: bytes, facts: dict) -> None:
    assert TASMOTA.facts(Message(payload, topic=topic)) == facts


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("tele/t/LWT", b"online"), ("stat/t/POWER", b"1"), ("tele/t/SENSOR", b"ON"), ("tele/t/SENSOR", b"[]")],
)
def test_tasmota_payloads_of_another_kind_are_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(FrameError):
        TASMOTA.facts(Message(payload, topic=topic))


# Shelly


@pytest.mark.parametrize(
    ("topic", "payload", "facts"),
    [
        ("s1/online", b"true", {"available": True}),
        ("shellies/s1/relay/0", b"on", {"relay": True}),
        ("shellies/s1/relay/0/power", b"12.50", {"power_w": Decimal("12.50")}),
        (
            "shellies/s1/relay/0/energy",
            b"90",
            {"energy_watt_minutes": Decimal(90), "energy_wh": Decimal("1.5")},
        ),
        ("shellies/s1/sensor/flood", b"true", {"water_leak": True}),
        ("shellies/s1/input/0", b"1", {}),
        ("shellies/s1/online", b"false", {"available": False}),
        ("shellies/s1/emeter/0/total", b"1.5", {"import_wh": Decimal("1.5")}),
        ("shellies/s1/emeter/0/total_returned", b"2", {"export_wh": Decimal(2)}),
        ("shellies/s1/emeter/0/voltage", b"230.1", {"voltage_v": Decimal("230.1")}),
        ("shellies/s1/emeter/0/current", b"0.4", {"current_a": Decimal("0.4")}),
        ("shellies/s1/emeter/0/pf", b"0.97", {"power_factor": Decimal("0.97")}),
        ("shellies/s1/temperature", b"21", {"temperature_c": Decimal(21)}),
        ("shellies/s1/sensor/gas", b"mild", {"gas_alarm": "mild"}),
        ("shellies/s1/sensor/battery", b"97", {"battery_pct": Decimal(97)}),
        (
            "s1/status/cover:0",
            b'{"state":"opening","current_pos":40}',
            {"cover_state": "opening", "cover_position_pct": 40},
        ),
        ("s1/status/em:0", b'{"n_current":null,"total_act_power":1.5}', {"power_w": Decimal("1.5")}),
        ("s1/status/gas:0", b'{"alarm_state":"heavy"}', {"gas_alarm": "heavy"}),
    ],
)
def test_shelly_topics_decide_what_a_payload_is(topic: str, payload: bytes, facts: dict) -> None:
    assert SHELLY.facts(Message(payload, topic=topic)) == facts


def test_shelly_notifications_are_deltas_of_named_components() -> None:
    payload = {
        "src": "shellyplus1pm-a",
        "method": "NotifyStatus",
        "params": {"ts": 1700000000.5, "switch:0": {"id": 0, "apower": 9.1}},
    }

    facts = SHELLY.facts(Message(json.dumps(payload).encode(), topic="s1/events/rpc"))

    assert facts["delta"] is True
    assert (facts["component"], facts["power_w"]) == ("switch:0", Decimal("9.1"))
    assert facts["timestamp"] == Decimal("1700000000.5")


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("s1/online", b"yes"),
        ("s1/events/rpc", b'{"method":"Shelly.Reboot"}'),
        ("shellies/s1/relay/0", b"maybe"),
        ("shellies/s1/relay/0/power", b"lots"),
        ("shellies/s1/relay/0/power", b'1,"value":2'),
        ("s1/status/switch:0", b"null"),
    ],
)
def test_shelly_payloads_of_another_kind_are_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(FrameError):
        SHELLY.facts(Message(payload, topic=topic))


# Home Assistant discovery


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ value_json.power }}", ["power"]),
        ("{{value_json['ENERGY']['Total']}}", ["ENERGY", "Total"]),
        ('{{ value_json["a"].b | float }}', ["a", "b"]),
        ("{{ value }}", None),
        ("{{ value_json.a + value_json.b }}", None),
        ("{% if x %}{{ value_json.a }}{% endif %}", None),
        ("{{" * 5000, None),
        ("{{ value_json" + ".a" * 5000, None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_only_paths_are_taken_out_of_templates(template: str, path: list[str] | None) -> None:
    assert json_path(template) == path


def test_lock_announcements_tell_their_payloads() -> None:
    payload = b'{"~":"gw/lock","cmd_t":"~/set","stat_t":"~/state","pl_lock":"LOCK","pl_unlk":"UNLOCK"}'

    facts = config_facts(payload)

    assert facts["command_topic"] == "gw/lock/set"
    assert (facts["payload_lock"], facts["payload_unlock"]) == ("LOCK", "UNLOCK")


def test_our_own_announcement_is_read_back() -> None:
    payload = entity_config(
        unique_id="em-101_energy",
        name="Energy",
        state_topic="gw/em-101",
        unit="kWh",
        device_class="energy",
        state_class="total_increasing",
        json_key="energy",
        device_id="em-101",
    )

    facts = HA_DISCOVERY.facts(Message(payload, topic="homeassistant/sensor/em-101/energy/config"))

    assert (facts["component"], facts["node_id"], facts["object_id"]) == ("sensor", "em-101", "energy")
    assert (facts["unique_id"], facts["unit"], facts["json_path"]) == ("em-101_energy", "kWh", ["energy"])
    assert facts["device_ids"] == ["em-101"]


@pytest.mark.parametrize(
    "topic", ["homeassistant/sensor/config", "ha/sensor/x/config", "homeassistant/a/b/c/d/config"]
)
def test_topics_that_announce_nothing_are_refused(topic: str) -> None:
    with pytest.raises(FrameError, match="is not homeassistant/"):
        topic_facts(topic)


# Sparkplug B


@pytest.mark.parametrize(
    "wire", [w for w in golden_frames("sparkplug-b") if w[:1] != b"{"], ids=lambda wire: wire.hex()[:30]
)
def test_golden_payload_encodes_to_the_same_meaning(wire: bytes) -> None:
    payload = decode_payload(wire)

    assert decode_payload(encode_payload(payload)) == payload
    assert len(encode_payload(payload)) == len(wire)


def test_state_messages_are_json() -> None:
    facts = SPARKPLUG_B.facts(Message(b'{"online":false,"timestamp":7}', topic="spBv1.0/STATE/host"))

    assert facts == {"online": False, "timestamp": 7}


metrics = st.one_of(
    st.builds(lambda v: Metric("m", None, 1, 2, value=v), st.integers(-(2**15), 2**15 - 1)),
    st.builds(lambda v: Metric("m", 3, None, 4, value=v), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda v: Metric(None, 4, None, 8, value=v), st.integers(0, 2**64 - 1)),
    st.builds(lambda v: Metric("m", data_type=10, value=Decimal(repr(v))), st.floats(-1e300, 1e300)),
    st.builds(
        lambda v: Metric("m", data_type=9, value=Decimal(repr(v))), st.floats(-(2.0**80), 2.0**80, width=32)
    ),
    st.builds(lambda v: Metric("m", data_type=11, value=v), st.booleans()),
    st.builds(lambda v: Metric("m", data_type=12, value=v), st.text(max_size=40)),
    st.builds(lambda v: Metric("m", data_type=17, value=v, is_historical=True), st.binary(max_size=40)),
    st.just(Metric("m", data_type=10, is_transient=True)),
)


@given(st.none() | st.integers(0, 2**63), st.lists(metrics, max_size=5), st.none() | st.integers(0, 255))
def test_payloads_round_trip(timestamp_ms, made, seq) -> None:
    payload = Payload(timestamp_ms, tuple(made), seq)

    assert decode_payload(encode_payload(payload)) == payload


def test_historical_and_null_metrics_are_told_apart() -> None:
    made = Payload(
        1, (Metric("a", data_type=10, is_historical=True, value=Decimal(1)), Metric("b", data_type=10)), 0
    )

    first, second = SPARKPLUG_B.facts(Message(encode_payload(made)))["metrics"]

    assert (first["is_historical"], first["val"]) == (True, Decimal("1.0"))
    assert (second["is_null"], second["val"]) == (True, None)


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        ("08", "ends inside a number"),
        ("08" + "ff" * 10 + "01", "more than ten bytes"),
        ("1205", "says 5 bytes, 0 are left"),
        ("0b", "wire type 3"),
        ("0a00", "is not a number"),
        ("1000", "is a number"),
        ("12020a80", "ends inside a number"),
    ],
)
def test_broken_protobuf_is_refused_by_reason(wire: str, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        decode_payload(bytes.fromhex(wire))


def test_floods_of_metrics_are_refused() -> None:
    with pytest.raises(FrameError, match=f"more than {METRICS_MAX}"):
        decode_payload(b"\x12\x00" * (METRICS_MAX + 1))


@pytest.mark.parametrize(
    "metric",
    [
        Metric("m", data_type=2, value=Decimal("1.5")),
        Metric("m", data_type=9, value=Decimal("1e300")),
        Metric("m", -1, data_type=11, value=True),
    ],
)
def test_values_that_do_not_fit_their_type_are_refused(metric: Metric) -> None:
    with pytest.raises(ProtocolError):
        encode_payload(Payload(1, (metric,)))


def test_data_types_are_named_by_the_specifications_numbers() -> None:
    assert (DATA_TYPES[1], DATA_TYPES[13], DATA_TYPES[16], DATA_TYPES[34]) == (
        "Int8",
        "DateTime",
        "DataSet",
        "DateTimeArray",
    )
