"""MQTT devices: what a message says, and that a broker is acknowledged only what is on disk."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import aiomqtt
import pytest

from edge.driver import EvidenceKeeper
from edge.drivers.mqtt import Told, Zigbee2mqttDevice
from edge.errors import StorageFault
from edge.listener import MqttListener
from protocol.errors import FrameError
from protocol.event import Event, EventState
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.lines import LineId, MqttLine
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, ToldClock, device_of, rng

LOCK = load_profile("zigbee2mqtt_lock")
LEAK = load_profile("zigbee2mqtt_leak_sensor")
EVIDENCE = EvidenceKeeper(ZoneInfo("UTC"))


def tell(payload: str, about: str = "", *, is_retained: bool = False, profile: object = LOCK) -> Told:
    device = Zigbee2mqttDevice(device_of(profile, "Front Door", "lock-1"), EVIDENCE)  # type: ignore[arg-type]
    return device.tell(about, payload.encode(), is_retained=is_retained, line="mqtt", clock=ToldClock())


def values(told: Told) -> dict[str, int | None]:
    return {r.point_key.removeprefix("lock-1/"): r.value_micro for r in told.readings}


def test_a_state_gives_the_points_it_names_and_no_others() -> None:
    told = tell('{"lock_state":"not_fully_locked","battery":98}')

    assert values(told) == {"lock_state": 2 * MICRO, "battery_level": 98 * MICRO}
    assert {reading.measured_at_ms for reading in told.readings} == {MIDNIGHT_MS}


def test_a_turned_key_is_an_event_with_its_user_and_no_pin() -> None:
    told = tell(
        '{"action":"unlock","action_source_name":"keypad","action_user":7,"pin_code":{"user":7,"pin_code":"4711"}}'
    )

    (event,) = told.events
    assert (event.kind, event.state, event.point_key) == (
        "door_unlocked",
        EventState.OCCURRED,
        "lock-1/lock_state",
    )
    assert event.attributes == {"action": "unlock", "action_source_name": "keypad", "action_user": "7"}
    assert "4711" not in repr(told)


@pytest.mark.parametrize("payload", ['{"action":""}', '{"action":null}', '{"action":"unknown_thing"}', "{}"])
def test_what_is_no_action_is_no_event(payload: str) -> None:
    assert tell(payload) == Told()


def test_the_action_topic_is_the_same_event() -> None:
    (event,) = tell("manual_unlock", "action").events

    assert event.kind == "door_unlocked"


@pytest.mark.parametrize(("payload", "code"), [("online", 1), ('{"state":"offline"}', 0)])
def test_availability_is_a_point(payload: str, code: int) -> None:
    assert values(tell(payload, "availability")) == {"availability": code * MICRO}


def test_what_the_broker_kept_is_suspect_and_never_an_event() -> None:
    told = tell('{"lock_state":"locked","action":"unlock"}', is_retained=True)

    assert [(r.quality, r.value_micro) for r in told.readings] == [(Quality.SUSPECT, 0)]
    assert told.events == ()


def test_a_word_nobody_knows_is_no_state_and_null_is_absent() -> None:
    told = tell('{"lock_state":"ajar","battery":null}')

    assert [(r.quality, r.value_micro) for r in told.readings] == [
        (Quality.BAD_FRAME, None),
        (Quality.ABSENT, None),
    ]
    assert "'ajar' is none of locked" in told.readings[0].reason


def test_a_boolean_is_its_code() -> None:
    assert values(tell('{"water_leak":true,"tamper":false}', profile=LEAK)) == {
        "water_leak": MICRO,
        "tamper": 0,
    }


@pytest.mark.parametrize("payload", ["", "[]", "{", '{"battery":1e999}', "\x00"])
def test_what_is_no_message_is_refused(payload: str) -> None:
    with pytest.raises(FrameError):
        tell(payload)


@dataclass
class Hold:
    """An intake whose disk is slow: rows are on disk when `store` is called."""

    readings: list[Reading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    notes: list[tuple[str, bool]] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def accept(self, readings: Sequence[Reading], events: Sequence[Event] = ()) -> asyncio.Future[None]:
        self.readings += readings
        self.events += events
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str) -> None:
        self.notes.append((name, is_offline))

    def store(self) -> None:
        for done in self.waiting:
            done.set_result(None)
        self.waiting.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def broker(mosquitto: Path, folder: Path, port: int) -> AsyncIterator[None]:
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    process = subprocess.Popen([mosquitto, "-c", conf], stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 10)


def listener_for(port: int, hold: Hold) -> MqttListener:
    line = MqttLine(LineId("mqtt"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    device = device_of(LOCK, "Front Door", "lock-1")
    return MqttListener(line, [device], hold, EVIDENCE, ToldClock(), rng(), client_id="edge-test")  # type: ignore[arg-type]


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not is_true():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def listening(listener: MqttListener) -> AsyncIterator[None]:
    task = asyncio.ensure_future(listener.run())
    try:
        await until(lambda: listener.is_connected)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def publish(port: int, *payloads: str) -> None:
    async with aiomqtt.Client("127.0.0.1", port, identifier="door") as door:
        for payload in payloads:
            await door.publish("zigbee2mqtt/Front Door", payload, qos=1)


async def test_what_was_not_on_disk_when_we_died_is_sent_again(tmp_path: Path, mosquitto_path: Path) -> None:
    port = free_port()
    async with broker(mosquitto_path, tmp_path, port):
        first = Hold()
        async with listening(listener_for(port, first)):
            await publish(port, *(f'{{"battery":{n}}}' for n in range(1, 6)))
            await until(lambda: len(first.readings) == 5)
            for done in first.waiting[:2]:  # two of five are committed, then the power fails
                done.set_result(None)
            await asyncio.sleep(0.2)

        second = Hold()
        async with listening(listener_for(port, second)):
            await until(lambda: len(second.readings) == 3)
            await asyncio.sleep(0.2)
            second.store()
            await asyncio.sleep(0.2)

    assert [r.value_micro for r in second.readings] == [3 * MICRO, 4 * MICRO, 5 * MICRO]


async def test_what_the_disk_refused_is_sent_again_and_only_that(
    tmp_path: Path, mosquitto_path: Path
) -> None:
    port, hold = free_port(), Hold()
    listener = listener_for(port, hold)
    async with broker(mosquitto_path, tmp_path, port), listening(listener):
        await publish(port, '{"battery":1}', '{"battery":2}')
        await until(lambda: len(hold.readings) == 2)
        stored, refused = hold.waiting[:2]
        hold.waiting.clear()
        stored.set_result(None)
        await asyncio.sleep(0.2)
        refused.set_exception(StorageFault("disk full"))
        await until(lambda: len(hold.readings) == 3)
        hold.store()
        told = listener.down_reason
        await until(lambda: listener.is_connected)

    assert [r.value_micro for r in hold.readings] == [MICRO, 2 * MICRO, 2 * MICRO]
    assert told == ""


async def test_the_listener_comes_back_with_its_broker(tmp_path: Path, mosquitto_path: Path) -> None:
    port, hold = free_port(), Hold()
    listener = listener_for(port, hold)
    async with broker(mosquitto_path, tmp_path, port):
        task = asyncio.ensure_future(listener.run())
        await until(lambda: listener.is_connected)
    await until(lambda: not listener.is_connected)
    async with broker(mosquitto_path, tmp_path, port):
        await until(lambda: listener.is_connected)
        await publish(port, '{"lock_state":"unlocked"}')
        await until(lambda: hold.readings)
        hold.store()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    assert [r.value_micro for r in hold.readings] == [MICRO]


async def test_nonsense_is_counted_and_does_not_stop_the_rest(tmp_path: Path, mosquitto_path: Path) -> None:
    port, hold = free_port(), Hold()
    listener = listener_for(port, hold)
    async with broker(mosquitto_path, tmp_path, port), listening(listener):
        await publish(port, "nonsense", '{"battery":5}')
        await until(lambda: hold.readings)

    assert listener.bad_messages == 1
    assert [r.value_micro for r in hold.readings] == [5 * MICRO]
