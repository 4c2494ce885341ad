"""Home Assistant: what is announced is what a strict reader of announcements understands, and only ours."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from edge.home_assistant import HomeAssistant, announcement, state
from protocol.fieldbus.ha_discovery import config_facts, topic_facts
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.config import Config, HomeAssistantSettings
from provisioning.lines import LineId, MqttLine
from provisioning.profiles import load_profile
from provisioning.strict import Malformed
from tests.edge.building_blocks import BUILDING, MIDNIGHT_MS, config_of, device_of, rng
from tests.edge.test_mqtt import broker, free_port, until

METER = device_of(load_profile("eastron_sdm630"), "1", "em-public")
LOCK = device_of(load_profile("zigbee2mqtt_lock"), "Front Door", "lock-1")


def read(key: str, value_micro: int | None, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(key, MIDNIGHT_MS, value_micro, quality, "" if value_micro is not None else "no reply")


def test_an_announcement_says_topics_units_and_what_only_grows() -> None:
    topic, payload = announcement("gw-1", "homeassistant", METER)

    facts = config_facts(payload)
    energy = json.loads(payload)["components"]["active_energy_import"]
    assert topic_facts(topic) == {"component": "device", "object_id": "gw-1-em-public"}
    assert facts["shared_state_topic"] == "gatehouse/gw-1/em-public/state"
    assert facts["availability_topic"] == "gatehouse/gw-1/status"
    assert facts["device_ids"] == ["gatehouse-gw-1-em-public"]
    children = facts["children"]
    assert isinstance(children, dict)
    assert children["voltage_a"] == ["sensor", "gatehouse-gw-1-em-public-voltage_a", "V"]
    assert (energy["device_class"], energy["state_class"]) == ("energy", "total_increasing")
    assert "command_topic" not in payload.decode()


def test_a_state_is_announced_with_its_words() -> None:
    _, payload = announcement("gw-1", "homeassistant", LOCK)

    lock = json.loads(payload)["components"]["lock_state"]
    assert (lock["device_class"], lock["options"]) == ("enum", ["locked", "unlocked", "not_fully_locked"])


def test_values_are_exact_and_what_was_not_read_is_null_never_old() -> None:
    latest = {
        "em-public/active_energy_import": read("em-public/active_energy_import", 123_456_780_001),
        "em-public/voltage_a": read("em-public/voltage_a", None, Quality.NO_REPLY),
    }

    told = state("gw-1", METER, latest)

    assert told == (
        "gatehouse/gw-1/em-public/state",
        b'{"voltage_a":null,"active_energy_import":123456.780001}',
    )
    assert state("gw-1", METER, {}) is None


def test_a_state_is_told_by_its_word() -> None:
    told = state("gw-1", LOCK, {"lock-1/lock_state": read("lock-1/lock_state", MICRO)})

    assert told is not None
    assert json.loads(told[1]) == {"lock_state": "unlocked"}


@dataclass
class Latest:
    """What an intake knows."""

    latest: dict[str, Reading] = field(default_factory=dict)


def configuration(folder: Path, more: str = "") -> Config:
    return config_of(BUILDING.read_text() + more, folder)


def test_the_switch_names_an_mqtt_line(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=r"home_assistant\.line: expected an MQTT line"):
        configuration(tmp_path, '\n[home_assistant]\nline = "bus-1"\n')


async def test_points_are_announced_told_and_end_with_us(tmp_path: Path, mosquitto_path: Path) -> None:
    port, intake, config = free_port(), Latest(), configuration(tmp_path)
    line = MqttLine(LineId("broker"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    settings = HomeAssistantSettings(LineId("broker"), "homeassistant")
    publisher = HomeAssistant(config, settings, line, intake, rng())  # type: ignore[arg-type]
    device = config.devices[0]
    key = f"{device.device_id}/{device.profile.points[0].name}"
    intake.latest[key] = read(key, 5 * MICRO)
    heard: list[tuple[str, bytes]] = []
    async with broker(mosquitto_path, tmp_path, port), aiomqtt.Client("127.0.0.1", port) as far:
        await far.subscribe([("homeassistant/#", 1), ("gatehouse/#", 1)])

        async def listen() -> None:
            async for message in far.messages:
                told = (message.topic.value, bytes(message.payload))
                heard.append(told)

        listening = asyncio.ensure_future(listen())
        task = asyncio.ensure_future(publisher.run())
        states = f"gatehouse/{config.gateway_code}/{device.device_id}/state"
        await until(lambda: any(topic == states for topic, _ in heard))
        announced = [topic for topic, _ in heard if topic.endswith("/config")]
        await far.publish("homeassistant/status", b"online", qos=1)
        await until(lambda: sum(topic.endswith("/config") for topic, _ in heard) == 2 * len(announced))
        intake.latest[key] = read(key, 6 * MICRO)
        await until(lambda: [b for t, b in heard if t == states][-1].endswith(b":6}"))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(lambda: heard[-1] == (f"gatehouse/{config.gateway_code}/status", b"offline"))
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    assert len(announced) == len(config.devices)
    assert (f"gatehouse/{config.gateway_code}/status", b"online") in heard


async def test_a_device_that_is_configured_no_more_is_taken_back_and_nobody_elses_is(
    tmp_path: Path, mosquitto_path: Path
) -> None:
    port, config = free_port(), configuration(tmp_path)
    line = MqttLine(LineId("broker"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    settings = HomeAssistantSettings(LineId("broker"), "homeassistant")
    publisher = HomeAssistant(config, settings, line, Latest(), rng())  # type: ignore[arg-type]
    kept = {
        "ours": f'{{"availability_topic":"gatehouse/{config.gateway_code}/status"}}',
        "anothers": f'{{"availability_topic":"gatehouse/{config.gateway_code}-2/status"}}',
        "strange": '{"state_topic":"x"}',
    }
    async with broker(mosquitto_path, tmp_path, port), aiomqtt.Client("127.0.0.1", port) as far:
        for name, payload in kept.items():
            await far.publish(f"homeassistant/device/{name}/config", payload, qos=1, retain=True)
        task = asyncio.ensure_future(publisher.run())
        await far.subscribe("homeassistant/device/+/config", qos=1)
        emptied: set[str] = set()
        async with asyncio.timeout(15):
            async for message in far.messages:
                if message.payload == b"":
                    emptied.add(message.topic.value)
                    break
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        async with aiomqtt.Client("127.0.0.1", port) as later:
            await later.subscribe("homeassistant/device/+/config", qos=1)
            left: set[str] = set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    async for message in later.messages:
                        left.add(message.topic.value)

    assert emptied == {"homeassistant/device/ours/config"}
    assert {f"homeassistant/device/{name}/config" for name in ("anothers", "strange")} <= left
    assert "homeassistant/device/ours/config" not in left
