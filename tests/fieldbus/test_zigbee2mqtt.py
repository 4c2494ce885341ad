"""zigbee2mqtt topics and payloads: locks, leak sensors, plugs."""

from decimal import Decimal

import pytest

from protocol.errors import FrameError
from protocol.fieldbus.annotation import Message
from protocol.fieldbus.zigbee2mqtt import (
    ZIGBEE2MQTT,
    Topic,
    command_payload,
    is_available,
    state_facts,
    topic_of,
)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("zigbee2mqtt/Front Door Lock", Topic("Front Door Lock", "")),
        ("zigbee2mqtt/pump room/leak", Topic("pump room/leak", "")),
        ("zigbee2mqtt/Lock/availability", Topic("Lock", "availability")),
        ("zigbee2mqtt/Lock/action", Topic("Lock", "action")),
        ("zigbee2mqtt/Lock/set", Topic("Lock", "set")),
        ("zigbee2mqtt/bridge/state", Topic("bridge", "state")),
        ("zigbee2mqtt/solid/state", Topic("solid/state", "")),
    ],
)
def test_topics_name_device_and_subject(topic: str, expected: Topic) -> None:
    assert topic_of(topic) == expected


@pytest.mark.parametrize("topic", ["", "zigbee2mqtt", "zigbee2mqtt/", "other/Lock"])
def test_topics_of_others_are_refused(topic: str) -> None:
    with pytest.raises(FrameError, match="is not below zigbee2mqtt/"):
        topic_of(topic)


def test_a_lock_that_is_not_fully_locked_says_so() -> None:
    facts = state_facts(b'{"state":"UNLOCK","lock_state":"not_fully_locked","action":""}')

    assert facts == {"state": "UNLOCK", "lock_state": "not_fully_locked", "event": None}


@pytest.mark.parametrize("action", ["", None])
def test_an_empty_action_is_no_event(action) -> None:
    payload = b'{"action":null}' if action is None else b'{"action":""}'

    assert state_facts(payload) == {"event": None}
    assert ZIGBEE2MQTT.facts(Message(b"", topic="zigbee2mqtt/Lock/action")) == {"event": None}
    assert "event" not in state_facts(b'{"state":"LOCK"}')


def test_pins_are_never_repeated() -> None:
    message = Message(
        b'{"lock_state":"locked","pin_code":{"user":3,"pin_code":"4711"}}', topic="zigbee2mqtt/Lock"
    )

    told = str(ZIGBEE2MQTT.facts(message)) + str(ZIGBEE2MQTT.explain(message))

    assert "4711" not in told


def test_numbers_are_exact_and_booleans_are_no_numbers() -> None:
    facts = state_facts(b'{"power":0.1,"energy":12,"temperature":true,"voltage":231.40}')

    assert facts == {"power_w": Decimal("0.1"), "energy_kwh": 12, "voltage_v": Decimal("231.40")}


def test_a_battery_devices_voltage_is_its_cells_in_millivolts() -> None:
    facts = state_facts(b'{"battery":97,"voltage":3015,"water_leak":false,"battery_low":false}')

    assert facts == {"battery_pct": 97, "battery_voltage_mv": 3015, "water_leak": False, "battery_low": False}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"7",
        b"\xff",
        b"{",
        b'{"power":NaN}',
        b'{"power":1e400}',
        b'{"power":1e-999999999}',
        b'{"power":8E888888888888888888888888888}',
        b'{"power":' + b"9" * 40 + b"}",
        b"[" * 100_000,
        b" " * 300_000,
    ],
    ids=[
        "empty",
        "list",
        "number",
        "bytes",
        "cut",
        "nan",
        "huge",
        "tiny",
        "exponent",
        "digits",
        "deep",
        "long",
    ],
)
def test_payloads_that_are_no_state_are_refused(payload: bytes) -> None:
    with pytest.raises(FrameError):
        state_facts(payload)


@pytest.mark.parametrize(
    ("payload", "available"),
    [(b"online", True), (b"offline", False), (b'{"state":"online"}', True), (b'{"state":"offline"}', False)],
)
def test_availability_is_plain_or_json(payload: bytes, available: bool) -> None:
    assert is_available(payload) is available


def test_availability_of_anything_else_is_refused() -> None:
    with pytest.raises(FrameError, match="neither online nor offline"):
        is_available(b"maybe")


def test_commands_are_compact_json() -> None:
    assert command_payload(state="LOCK") == b'{"state":"LOCK"}'
