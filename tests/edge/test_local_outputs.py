"""Local outputs with everything real but the device: asked at once, read back, told, and never undone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from edge.actuator import Actuator
from edge.buffer import Buffer
from edge.counters import CounterGuard
from edge.errors import NoReply
from edge.intake import Intake
from edge.local_outputs import LOCAL_OUTPUT, LOCAL_OUTPUT_FAILED, GuardedActuators, LocalOutputs
from edge.reactions import Reactions
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import Offline
from protocol.command import Act, Action, LocalAction
from protocol.envelope import decode_events
from protocol.errors import Refused
from protocol.event import Event, EventState, Severity
from protocol.quantity import MICRO
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import Stream
from provisioning.config import BufferSettings, DeviceId, Reaction, StateHeld
from provisioning.profile import AlarmWhen
from tests.edge.building_blocks import rng

FIRE_POINT, LOCK = "fire-1/fire_alarm", DeviceId("lock-1")
RELEASE = Reaction(
    "release", frozenset({"fire_alarm"}), ("*",), (LOCK,), LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN
)


class FastClock:
    """Time that runs two hundred times as fast while somebody looks at a device."""

    quality = ClockQuality.SYNCED

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


class Door:
    """A lock that does as told, unless it has something better to do."""

    actions: frozenset[Act] = frozenset(
        {Action.DOOR_UNLOCK, LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN}
    )

    def __init__(self, intake: Intake, clock: FastClock) -> None:
        self.asked: list[Act] = []
        self.failures: list[Exception] = []
        self._intake, self._clock = intake, clock
        self.is_stuck = False
        self._is_open = False

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        self.asked.append(action)
        if self.failures:
            raise self.failures.pop(0)
        self._is_open = action is not LocalAction.DOOR_RETURN and not self.is_stuck
        return ""

    async def look(self, point: str) -> None:
        self._clock.now_ms += 2_000
        self._intake.accept([Reading(f"lock-1/{point}", self._clock.now_ms, self._is_open * MICRO)])


class Box:
    """An intake on a real buffer, one door, and what is done about fire."""

    def __init__(self, buffer: Buffer, clock: FastClock, reaction: Reaction = RELEASE) -> None:
        self.clock, self.buffer = clock, buffer
        self.reactions = Reactions([reaction])
        alarm = DeviceAlarm({FIRE_POINT: AlarmWhen(frozenset({1}), "fire_alarm", Severity.CRITICAL, "fire")})
        self.intake = Intake(buffer, [alarm], Offline(), CounterGuard({}), clock, self.reactions)
        self.door = Door(self.intake, clock)
        self.actuators: dict[DeviceId, Actuator] = {LOCK: self.door}
        self.outputs = LocalOutputs(self.reactions, self.actuators, self.intake, clock)

    def panel_says(self, code: int) -> None:
        self.intake.accept([Reading(FIRE_POINT, self.clock.now_ms, code * MICRO)])

    async def told(self) -> list[Event]:
        await self.buffer.flush()
        blocks = await self.buffer.peek(Stream.EVENT, blocks_max=100, rows_max=1_000, bytes_max=10**6)
        return [event for block in blocks for event in decode_events(block.payload, block.count)]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.outputs.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def buffer_in(folder: Path, clock: FastClock) -> Buffer:
    return Buffer(BufferSettings(folder / "buffer.sqlite", 10_000, 1 << 30), clock, rng())


async def until(is_true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_true():
            await asyncio.sleep(0.01)


async def until_told(box: Box, kind: str, state: EventState) -> Event:
    async with asyncio.timeout(20):
        while True:
            found = [event for event in await box.told() if (event.kind, event.state) == (kind, state)]
            if found:
                return found[-1]
            await asyncio.sleep(0.01)


async def test_a_fire_opens_the_door_and_its_end_returns_it_with_no_cloud_at_all(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        async with box.running():
            box.panel_says(1)
            told = await until_told(box, LOCAL_OUTPUT, EventState.OCCURRED)
            box.panel_says(0)
            await until(lambda: box.door.asked[-1] is LocalAction.DOOR_RETURN)

    assert box.door.asked == [LocalAction.DOOR_RELEASE, LocalAction.DOOR_RETURN]
    assert told.message == "door release: done, lock_state reads unlocked"
    assert told.attributes == {"act": "door_release", "because_of": FIRE_POINT, "device": "lock-1"}


async def test_a_door_is_opened_even_where_nothing_can_be_stored(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)

        def is_full(*_: object, **__: object) -> asyncio.Future[None]:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(NoReply("disk full"))
            return failed

        buffer.put = is_full  # type: ignore[method-assign]
        async with box.running():
            box.panel_says(1)
            await until(lambda: box.door.asked)

    assert box.door.asked[0] is LocalAction.DOOR_RELEASE


async def test_a_door_that_fails_is_told_at_once_as_critical_and_asked_until_it_opens(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        box.door.failures = [NoReply("lock-1: silent"), NoReply("lock-1: silent")]
        async with box.running():
            box.panel_says(1)
            raised = await until_told(box, LOCAL_OUTPUT_FAILED, EventState.RAISED)
            clock.now_ms += 2_000
            await until(lambda: len(box.door.asked) == 2)
            clock.now_ms += 5_000
            await until_told(box, LOCAL_OUTPUT_FAILED, EventState.CLEARED)

    assert (raised.severity, raised.message) == (Severity.CRITICAL, "door release: lock-1: silent")
    assert box.door.asked == [LocalAction.DOOR_RELEASE] * 3


async def test_a_door_that_says_yes_and_stays_shut_is_a_failure(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        box.door.is_stuck = True
        async with box.running():
            box.panel_says(1)
            raised = await until_told(box, LOCAL_OUTPUT_FAILED, EventState.RAISED)

    assert raised.message == "door release: lock_state still reads locked"


async def test_nobody_undoes_what_fire_asked_for(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        actuator = GuardedActuators(box.actuators, box.reactions)[LOCK]
        await actuator.act(Action.DOOR_UNLOCK, {})
        box.panel_says(1)

        for act in (Action.DOOR_UNLOCK, LocalAction.DOOR_RETURN):  # a timed opening would end in locking
            with pytest.raises(Refused, match="door_release holds while there is fire_alarm"):
                await actuator.act(act, {})

    assert box.door.asked == [Action.DOOR_UNLOCK]


async def test_a_fire_that_began_before_a_restart_opens_the_door_after_it(tmp_path: Path) -> None:
    clock = FastClock()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        box.panel_says(1)
        await buffer.flush()
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock)
        await box.intake.restore()
        async with box.running():
            await until(lambda: box.door.asked)

    assert box.door.asked == [LocalAction.DOOR_RELEASE]


async def test_what_is_held_back_is_told_once(tmp_path: Path) -> None:
    clock = FastClock()
    held = StateHeld("pump/switch_state", frozenset({1}), "the pump runs")
    waits = Reaction("wait", frozenset({"fire_test"}), ("*",), (LOCK,), Action.DOOR_UNLOCK, unless=held)
    async with buffer_in(tmp_path, clock) as buffer:
        box = Box(buffer, clock, waits)
        box.intake.accept([Reading("pump/switch_state", clock.now_ms, None, Quality.NO_REPLY, "silent")])
        async with box.running():
            box.intake.accept(
                (), [Event("fire_test", EventState.RAISED, Severity.MAJOR, "x/y", clock.now_ms, "")]
            )
            told = await until_told(box, LOCAL_OUTPUT, EventState.OCCURRED)
            box.intake.accept([Reading("pump/switch_state", clock.now_ms, 0)])
            await until(lambda: box.door.asked)

    assert told.message == "door unlock: held back: the pump runs (pump/switch_state is not known)"
