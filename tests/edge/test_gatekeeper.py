"""Letting people in with no cloud: at a real reader on a pseudo-terminal, once, by policy, and told."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from edge.access import Judge
from edge.actuators.osdp_door import OsdpDoor
from edge.admission import Interlock
from edge.buffer import Buffer
from edge.errors import LineDown, NoReply
from edge.gatekeeper import Gatekeeper
from edge.listener import MqttListener
from edge.osdp_line import OsdpListener
from edge.porter import Doorway, Shown
from protocol.access import AccessReason, BadgeKind
from protocol.command import Action
from protocol.envelope import decode_events
from protocol.event import Event, Severity
from protocol.sync import Stream
from provisioning.config import BufferSettings, DeviceId
from provisioning.grants import GrantSet
from provisioning.lines import LineId, MqttLine, OsdpLine
from provisioning.profiles import load_profile
from tests.edge.building_blocks import device_of, rng
from tests.edge.granting import ALWAYS, CELLAR, FRONT, grant, grant_set
from tests.edge.test_downlink import Box, StandingClock
from tests.edge.test_mqtt import EVIDENCE, broker, free_port, listening
from tests.edge.test_osdp import CARD, CARD_KEY, DOOR, KEY, Reader, until, wire

KEYPAD = DeviceId("keypad-1")
# The box of `test_downlink` has a lock at this place.
AT_LOCK = (CELLAR, ALWAYS)


class Doors(Box):
    """A box whose downlink opens doors for badges."""

    def granted(self, grants: GrantSet) -> Gatekeeper:
        judge = Judge(self.downlink.has_opened)
        keeper = Gatekeeper(judge, self.downlink, self.intake, self.clock)
        keeper.take(grants)
        self.clock.now_ms = grants.issued_at_ms + 1
        return keeper

    async def events(self) -> list[Event]:
        await self.buffer.flush()
        blocks = await self.buffer.peek(Stream.EVENT, blocks_max=100, rows_max=1_000, bytes_max=10**6)
        told = (event for block in blocks for event in decode_events(block.payload, block.count))
        return [event for event in told if event.kind.startswith("access_")]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Doors]:
    clock = StandingClock()
    settings = BufferSettings(tmp_path / "buffer.sqlite", 1000, 10**8)
    async with Buffer(settings, clock, random.Random(1)) as buffer:
        running = asyncio.create_task(buffer.run())
        made = Doors(tmp_path, buffer, clock)
        yield made
        made.intents.close()
        running.cancel()


def code(digits: str, **changed: object) -> Shown:
    return Shown(KEYPAD, BadgeKind.CODE, digits, **changed)  # type: ignore[arg-type]


VISIT = grant("11112222", AT_LOCK, kind=BadgeKind.CODE, is_once=True)
OWN = grant("33334444", AT_LOCK, kind=BadgeKind.CODE)


async def test_a_code_opens_the_door_and_leaves_one_event_without_its_digits(box: Doors) -> None:
    keeper = box.granted(grant_set(OWN))

    assert await keeper.attend(code("33334444"))

    (event,) = await box.events()
    assert box.lock.asked == [Action.DOOR_UNLOCK]
    assert (event.kind, event.point_key) == ("access_granted", "keypad-1/reader")
    assert event.attributes["badge"] == OWN.badge_id
    assert event.attributes["door"] == "lock-1"
    assert "33334444" not in repr(event).replace(OWN.badge_id, "")


async def test_a_visitors_code_opens_once_also_at_the_same_moment_and_after_a_restart(box: Doors) -> None:
    keeper = box.granted(grant_set(VISIT))

    let_in = await asyncio.gather(*(keeper.attend(code("11112222")) for _ in range(5)))
    again = await box.granted(grant_set(VISIT)).attend(code("11112222"))

    assert sorted(let_in) == [False] * 4 + [True]
    assert not again
    assert box.lock.asked == [Action.DOOR_UNLOCK]
    assert {event.attributes["reason"] for event in await box.events()} == {"granted", "used"}


async def test_a_door_that_surely_did_not_open_leaves_the_visitors_code_good(box: Doors) -> None:
    keeper = box.granted(grant_set(VISIT))
    box.lock.failures = [LineDown("line doors: unplugged")]

    assert not await keeper.attend(code("11112222"))
    assert await keeper.attend(code("11112222"))

    kinds = [(event.kind, event.message) for event in await box.events()]
    assert kinds[1] == ("access_failed", "line doors: unplugged")


async def test_a_door_nobody_knows_of_is_told_and_its_code_is_spent(box: Doors) -> None:
    keeper = box.granted(grant_set(VISIT))
    box.lock.failures, box.lock.shows = [NoReply("lock-1: silent")], None

    await keeper.attend(code("11112222"))
    box.lock.shows = 1

    assert not await keeper.attend(code("11112222"))
    assert [event.kind for event in await box.events()] == [
        "access_granted",
        "access_failed",
        "access_denied",
    ]


async def test_the_local_policy_and_the_interlocks_hold_for_badges_too(box: Doors) -> None:
    keeper = box.granted(grant_set(OWN))
    allowed, box.desk.policy = box.desk.policy, ()
    assert not await keeper.attend(code("33334444"))
    box.desk.policy = allowed
    box.desk.interlocks = [Interlock("the gas panel says gas", frozenset({Action.DOOR_UNLOCK}), lambda: True)]

    assert not await keeper.attend(code("33334444"))

    assert box.lock.asked == []
    assert {event.attributes["reason"] for event in await box.events()} == {"held_back"}


async def test_a_code_that_may_have_waited_at_the_broker_opens_nothing(box: Doors) -> None:
    keeper = box.granted(grant_set(OWN))

    assert not await keeper.attend(code("33334444", may_be_late=True))

    (event,) = await box.events()
    assert event.attributes["reason"] == AccessReason.LATE.value


async def test_a_lost_card_is_graver_than_an_unknown_one_which_can_be_given_to_somebody(box: Doors) -> None:
    keeper = box.granted(grant_set(grant("7", AT_LOCK, is_blocked=True)))

    await keeper.attend(Shown(KEYPAD, BadgeKind.CARD, "7", "07"))
    await keeper.attend(Shown(KEYPAD, BadgeKind.CARD, "8", "08"))

    lost, unknown = await box.events()
    assert (lost.severity, lost.attributes["reason"]) == (Severity.MINOR, "blocked")
    assert (unknown.severity, unknown.attributes["reason"]) == (Severity.INFO, "unknown")
    assert len(bytes.fromhex(unknown.attributes["token"])) == 16
    assert "token" not in lost.attributes


async def test_a_card_at_a_real_reader_opens_its_door_and_a_strangers_does_not(
    tmp_path: Path, box: Doors
) -> None:
    (tmp_path / "cards.key").write_text(CARD_KEY.hex())
    (tmp_path / "osdp.key").write_text(KEY.hex())
    number = str(int.from_bytes(CARD))
    keeper = box.granted(grant_set(grant(number, (FRONT, ALWAYS)), VISIT))
    doorway = Doorway()
    doorway.porter = keeper
    with wire() as (descriptor, path):
        reader = Reader(descriptor, KEY)
        line = OsdpLine(LineId("doors"), path, 115_200, tmp_path / "osdp.key", tmp_path / "cards.key")
        listener = OsdpListener(line, [DOOR], box.intake, box.clock, doorway)
        task = asyncio.ensure_future(listener.run())
        box.actuators[DeviceId("reader-1")] = OsdpDoor(DOOR, listener)
        try:
            await until(lambda: "reader-1/tamper" in box.intake.latest)
            reader.show_card()
            await until(lambda: reader.outputs)
            reader.show_card(b"\x00\x00\x00\x01")
            reader.press(b"1111")
            async with asyncio.timeout(15):
                while len(told := await box.events()) < 2:
                    await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.wait([task])
            reader.stop()

    assert reader.outputs == [(5, 50)]
    assert [(event.kind, event.attributes["reason"]) for event in told] == [
        ("access_granted", "granted"),
        ("access_denied", "unknown"),
    ]


async def test_a_code_typed_at_a_keypad_behind_a_broker_opens_the_lock_behind_it(
    tmp_path: Path, box: Doors, mosquitto_path: Path
) -> None:
    doorway, port = Doorway(), free_port()
    doorway.porter = box.granted(grant_set(OWN))
    line = MqttLine(LineId("mqtt"), "127.0.0.1", port, "zigbee2mqtt", "", None)
    keypad = device_of(load_profile("zigbee2mqtt_keypad"), "Entrance Keypad", "keypad-1")
    listener = MqttListener(
        line, [keypad], box.intake, EVIDENCE, box.clock, rng(), client_id="edge", doorway=doorway
    )

    async def type_code() -> None:
        async with aiomqtt.Client("127.0.0.1", port, identifier="bridge") as bridge:
            told = '{"action":"disarm","action_code":"33334444","battery":90}'
            await bridge.publish("zigbee2mqtt/Entrance Keypad", told, qos=1)

    async with broker(mosquitto_path, tmp_path, port), listening(listener):
        await type_code()  # the clock stands at the moment of connecting: it may have waited
        async with asyncio.timeout(15):
            while not (late := await box.events()):
                await asyncio.sleep(0.02)
        box.clock.now_ms += 3_000
        await type_code()
        await until(lambda: box.lock.asked)

    assert late[0].attributes["reason"] == "late"
    assert box.lock.asked == [Action.DOOR_UNLOCK]
    assert "33334444" not in repr(list(box.intake.latest.values()))
