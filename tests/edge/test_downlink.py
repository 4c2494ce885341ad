"""Commands on the box: written down before they are done, done once, read back, and told for certain."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from edge.actuator import Actuator
from edge.admission import Desk
from edge.buffer import Buffer
from edge.counters import CounterGuard
from edge.downlink import Downlink
from edge.errors import LineDown, NoReply
from edge.identity import Identity
from edge.intake import Intake
from edge.intents import Intents
from edge.read_back import CONFIRM_WITHIN_S
from edge.rules.offline import Offline
from protocol.command import COMMAND_RESULT, Action
from protocol.envelope import decode_events
from protocol.errors import Refused
from protocol.event import Event
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Reading
from protocol.sync import Stream
from provisioning.authority import GatewayName
from provisioning.config import BufferSettings, CommandAllowance, DeviceId
from provisioning.identity import Credential
from provisioning.signing import TrustedKey, key_id_of
from tests.edge.test_admission import GATEWAY, KEY, message


class StandingClock:
    """Time that moves only when told; confirmations then wait for nothing real."""

    quality = ClockQuality.SYNCED

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


class Device:
    """A device with a mind of its own: what it does when asked, and what it shows afterwards."""

    def __init__(self, intake: Intake, clock: StandingClock, point: str, actions: frozenset[Action]) -> None:
        self.actions = actions
        self.asked: list[Action] = []
        self.failures: list[Exception] = []
        self.shows: int | None = 1
        self.says = ""
        self.tells_at_once = False
        self._intake, self._clock, self._point = intake, clock, point

    async def act(self, action: Action, parameters: Mapping[str, str]) -> str:
        self.asked.append(action)
        if self.failures:
            raise self.failures.pop(0)
        if self.tells_at_once:
            self._intake.accept([Reading(self._point, self._clock.now_ms, 1 * MICRO)])
        return self.says

    async def look(self, point: str) -> None:
        self._clock.now_ms += int(CONFIRM_WITHIN_S * 400)
        if self.shows is not None:
            self._intake.accept([Reading(self._point, self._clock.now_ms, self.shows * MICRO)])


class Box:
    """A downlink with everything real but the devices and the socket."""

    def __init__(self, folder: Path, buffer: Buffer, clock: StandingClock) -> None:
        self.clock = clock
        self.buffer = buffer
        self.intake = Intake(buffer, [], Offline(), CounterGuard({}), clock)
        self.lock = Device(self.intake, clock, "lock-1/lock_state", frozenset({Action.DOOR_UNLOCK}))
        valve = frozenset({Action.VALVE_CLOSE, Action.VALVE_OPEN})
        self.valve = Device(self.intake, clock, "wm-101/valve_state", valve)
        self.intents = Intents(folder / "commands.sqlite")
        trusted = {key_id_of(KEY.public_key()): TrustedKey(KEY.public_key(), frozenset(Action))}
        allowed = (CommandAllowance("*", frozenset(Action)),)
        self.desk = Desk(GATEWAY, trusted, allowed, (), self.intents.last_counter, self.intents.has_seen)
        self.desk.hand_out("n1", clock.now_ms)
        self.actuators: dict[DeviceId, Actuator] = {
            DeviceId("lock-1"): self.lock,
            DeviceId("wm-101"): self.valve,
        }
        identity = Identity(Credential("http://cloud.example", "gw-1", GatewayName(1, GATEWAY)), 0)
        self.downlink = Downlink(identity, self.desk, self.intents, self.actuators, self.intake, clock)

    async def told(self) -> list[tuple[str, str]]:
        """The outcomes in the event stream, in order."""
        await self.buffer.flush()
        blocks = await self.buffer.peek(Stream.EVENT, blocks_max=100, rows_max=1_000, bytes_max=10**6)
        events = [event for block in blocks for event in decode_events(block.payload, block.count)]
        return [_outcome(event) for event in events if event.kind == COMMAND_RESULT]


def _outcome(event: Event) -> tuple[str, str]:
    return event.attributes["state"], event.message


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    clock = StandingClock()
    settings = BufferSettings(tmp_path / "buffer.sqlite", 1000, 10**8)
    async with Buffer(settings, clock, random.Random(1)) as buffer:
        running = asyncio.create_task(buffer.run())
        made = Box(tmp_path, buffer, clock)
        yield made
        made.intents.close()
        running.cancel()


async def test_a_door_is_opened_once_and_its_own_word_confirms_it(box: Box):
    await box.downlink.take(message())

    assert box.lock.asked == [Action.DOOR_UNLOCK]
    assert await box.told() == [("done", "lock_state reads unlocked")]
    assert box.intents.left_open() == []


async def test_many_copies_at_once_open_the_door_once(box: Box):
    await asyncio.gather(*(box.downlink.take(message()) for _ in range(20)))

    assert box.lock.asked == [Action.DOOR_UNLOCK]


async def test_a_door_that_does_not_answer_is_not_asked_again_and_ends_unknown(box: Box):
    box.lock.failures = [NoReply("lock-1: silent")]
    box.lock.shows = None

    await box.downlink.take(message())

    assert box.lock.asked == [Action.DOOR_UNLOCK]
    assert await box.told() == [("unknown", "lock-1: silent")]


async def test_a_device_that_says_yes_and_stays_as_it_was_is_unknown_with_what_it_shows(box: Box):
    box.lock.shows = 0

    await box.downlink.take(message())

    assert await box.told() == [("unknown", "lock_state still reads locked")]


async def test_what_was_known_before_the_act_confirms_nothing(box: Box):
    box.intake.accept([Reading("lock-1/lock_state", 1, 1 * MICRO)])
    box.lock.shows = None

    await box.downlink.take(message())

    assert await box.told() == [("unknown", "lock_state still reads nothing")]


async def test_what_a_device_says_by_itself_before_the_act_is_over_confirms_it(box: Box):
    box.intake.accept([Reading("lock-1/lock_state", 1, 0)])
    box.lock.tells_at_once = True
    box.lock.shows = None  # a reader tells what changes, and once

    await box.downlink.take(message())

    assert await box.told() == [("done", "lock_state reads unlocked")]


@pytest.mark.parametrize("failure", [LineDown("broker: away"), Refused("the meter says no")])
async def test_a_device_that_surely_did_nothing_makes_it_refused(box: Box, failure: Exception):
    box.lock.failures = [failure]

    await box.downlink.take(message())

    assert await box.told() == [("refused", str(failure))]


async def test_a_valve_that_was_not_heard_is_asked_again_while_there_is_time(
    box: Box, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("edge.downlink._REPEAT_PAUSE_S", 0.01)
    box.valve.failures = [NoReply("wm-101: silent"), NoReply("wm-101: silent")]

    await box.downlink.take(message(device_id="wm-101", action=Action.VALVE_CLOSE, ttl_ms=60_000))

    assert box.valve.asked == [Action.VALVE_CLOSE] * 3
    assert await box.told() == [("done", "valve_state reads closed")]


async def test_a_command_cut_off_by_a_power_failure_is_unknown_and_never_tried_again(box: Box):
    sent = message()
    box.lock.failures = [asyncio.CancelledError()]  # type: ignore[list-item]  # the box dies while acting
    with pytest.raises(asyncio.CancelledError):
        await box.downlink.take(sent)

    starting = asyncio.create_task(box.downlink.run())
    async with asyncio.timeout(30):
        while box.intents.left_open() and not starting.done():
            await asyncio.sleep(0.01)
    starting.cancel()
    box.desk.hand_out("n1", box.clock.now_ms)
    await box.downlink.take(sent)

    assert box.lock.asked == [Action.DOOR_UNLOCK]
    told = await box.told()
    assert told[0] == ("unknown", "the box stopped while it was being carried out")
    assert told[1][0] == "refused"


async def test_what_cannot_be_written_down_is_not_done(box: Box):
    box.intents._db.execute("PRAGMA query_only = ON")

    await box.downlink.take(message())

    assert box.lock.asked == []
    [(state, detail)] = await box.told()
    assert (state, detail[:40]) == ("refused", "it could not be written down, so it was ")


async def test_a_device_without_that_act_refuses_it(box: Box):
    await box.downlink.take(message(device_id="em-101", action=Action.RELAY_OPEN))

    assert await box.told() == [("refused", "em-101 cannot relay_open")]


async def test_a_message_nobody_signed_is_answered_by_nothing(box: Box):
    await box.downlink.take(b"\x93" + b"\x00" * 40)

    assert (box.lock.asked, await box.told()) == ([], [])
