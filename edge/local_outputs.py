"""Carrying out what the box decides by itself: valves, sirens, and doors when there is fire.

    event at the intake ──→ `edge.reactions` decides ──→ here: the device is asked, read back, told

The invariants: a device is asked at once, whether or not the disk or the cloud follow; each device
is asked by one task at a time, so a dead lock delays no other; and what became of it is told as an
event, as a failure only once. `Guarded` keeps everybody else from undoing what fire asked for.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping

from edge.actuator import Actuator
from edge.clock import Clock
from edge.errors import EXCHANGE_FAILURES, Unconfirmed
from edge.intake import Intake
from edge.reactions import Duty, Phase, Reactions, held_back
from edge.read_back import ReadBack
from protocol.command import Act
from protocol.errors import Refused
from protocol.event import Event, EventState, Severity
from provisioning.config import DeviceId
from provisioning.reaction_tables import is_fire

log = logging.getLogger(__name__)

LOCAL_OUTPUT, LOCAL_OUTPUT_FAILED = "local_output", "local_output_failed"

_FAILURES: tuple[type[Exception], ...] = (*EXCHANGE_FAILURES, Unconfirmed)
_LOOK_S = 1.0
# No exchange takes longer, a valve on a slow bus included; a device that hangs is asked again.
_ACT_MAX_S = 30.0
# A failure is told after so many attempts in a row; at a door for fire at once.
_TOLD_AFTER = 3


class Guarded:
    """An actuator for everybody but the reactions: what fire asked for is not undone."""

    def __init__(self, device_id: DeviceId, actuator: Actuator, reactions: Reactions) -> None:
        self._device_id = device_id
        self._actuator = actuator
        self._reactions = reactions

    @property
    def actions(self) -> frozenset[Act]:
        """Return what the device can be asked."""
        return self._actuator.actions

    async def act(self, action: Act, parameters: Mapping[str, str]) -> str:
        """Ask the device; Refused, and nothing asked, where fire says otherwise."""
        if reason := self._reactions.refusal(self._device_id, action):
            raise Refused(reason)
        return await self._actuator.act(action, parameters)

    async def look(self, point: str) -> None:
        """Have the device say anew how the point stands."""
        await self._actuator.look(point)


class GuardedActuators(Mapping[DeviceId, Actuator]):
    """The actuators as commands may use them; those of the configuration that runs at that moment."""

    def __init__(self, actuators: Mapping[DeviceId, Actuator], reactions: Reactions) -> None:
        self._actuators = actuators
        self._reactions = reactions

    def __getitem__(self, device_id: DeviceId) -> Actuator:
        return Guarded(device_id, self._actuators[device_id], self._reactions)

    def __iter__(self) -> Iterator[DeviceId]:
        return iter(self._actuators)

    def __len__(self) -> int:
        return len(self._actuators)


class LocalOutputs:
    """Does what is due, for ever."""

    def __init__(
        self,
        reactions: Reactions,
        actuators: Mapping[DeviceId, Actuator],
        intake: Intake,
        clock: Clock,
    ) -> None:
        self._reactions = reactions
        self._actuators = actuators
        self._intake = intake
        self._clock = clock
        self._busy: set[DeviceId] = set()
        self._held: dict[tuple[str, DeviceId], str] = {}
        self._news = asyncio.Event()
        reactions.wake = self._news.set

    async def run(self) -> None:
        """Ask devices as soon as something is due; look once a second besides."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for duty in self._reactions.due(self._clock.monotonic_ms(), self._intake.latest):
                    if duty.device_id not in self._busy:
                        self._busy.add(duty.device_id)
                        group.create_task(self._attend(duty))
                self._tell_held()
                try:
                    async with asyncio.timeout(_LOOK_S):
                        await self._news.wait()
                except TimeoutError:
                    continue

    async def _attend(self, duty: Duty) -> None:
        act = duty.act
        try:
            async with asyncio.timeout(_ACT_MAX_S):
                shown = await self._carried_out(duty, act)
        except TimeoutError:
            self._failed(duty, act, f"not done within {_ACT_MAX_S:g} s")
        except _FAILURES as error:
            self._failed(duty, act, str(error))
        else:
            self._succeeded(duty, act, shown)
        finally:
            self._busy.discard(duty.device_id)
            self._news.set()

    async def _carried_out(self, duty: Duty, act: Act) -> str:
        """Ask once and read back; Unconfirmed where the device then shows something else."""
        actuator = self._actuators[duty.device_id]
        back = ReadBack(self._intake, self._clock, actuator, duty.device_id, act)
        said = await actuator.act(act, self._reactions.about(duty))
        if not back.point:
            return f", {said}" if said else ""
        shown = await back.shown()
        if shown != back.expected:
            raise Unconfirmed(f"{back.point} still reads {shown or 'nothing'}")
        return f", {back.point} reads {shown}"

    def _succeeded(self, duty: Duty, act: Act, shown: str) -> None:
        self._reactions.succeeded(duty, act, self._clock.monotonic_ms())
        events: list[Event] = []
        if not duty.is_told_done:
            duty.is_told_done = True
            state, severity = EventState.OCCURRED, Severity.INFO
            events.append(self._event(duty, act, LOCAL_OUTPUT, state, severity, f"done{shown}"))
        if duty.is_told_failing:
            duty.is_told_failing = False
            state, severity = EventState.CLEARED, _severity(duty)
            events.append(self._event(duty, act, LOCAL_OUTPUT_FAILED, state, severity, f"done{shown}"))
        if events:
            self._tell(events)

    def _failed(self, duty: Duty, act: Act, reason: str) -> None:
        self._reactions.failed(duty, self._clock.monotonic_ms())
        log.warning(
            "a local output failed",
            extra={"reaction": duty.reaction.reaction_id, "device": duty.device_id, "reason": reason},
        )
        if duty.is_told_failing or (duty.failures < _TOLD_AFTER and not is_fire(duty.reaction)):
            return
        duty.is_told_failing = True
        state, severity = EventState.RAISED, _severity(duty)
        self._tell([self._event(duty, act, LOCAL_OUTPUT_FAILED, state, severity, reason)])

    def _tell_held(self) -> None:
        """Tell once that something waits for its interlock."""
        for duty in self._reactions.duties:
            key = (duty.reaction.reaction_id, duty.device_id)
            reason = held_back(duty, self._intake.latest) if duty.phase is Phase.DUE else ""
            if reason and key not in self._held:
                told = f"held back: {reason}"
                state, severity = EventState.OCCURRED, Severity.MINOR
                self._tell([self._event(duty, duty.act, LOCAL_OUTPUT, state, severity, told)])
            if reason:
                self._held[key] = reason
            else:
                self._held.pop(key, None)

    def _event(
        self, duty: Duty, act: Act, kind: str, state: EventState, severity: Severity, outcome: str
    ) -> Event:
        reaction = duty.reaction
        cause = self._reactions.raised_at(duty)
        return Event(
            kind,
            state,
            severity,
            f"{duty.device_id}/{reaction.reaction_id}",
            self._clock.wall_ms(),
            f"{act.value.replace('_', ' ')}: {outcome}",
            reaction.reaction_id,
            attributes={"act": act.value, "because_of": cause, "device": duty.device_id},
        )

    def _tell(self, events: list[Event]) -> None:
        # Not waited for: a full disk must not keep a door shut.
        stored = self._intake.accept((), events, told_by=self._reactions.rule_id)
        stored.add_done_callback(_note_failure)


def _severity(duty: Duty) -> Severity:
    return Severity.CRITICAL if is_fire(duty.reaction) else Severity.MAJOR


def _note_failure(stored: asyncio.Future[None]) -> None:
    if not stored.cancelled() and (error := stored.exception()) is not None:
        log.warning("what a local output did is not stored", extra={"reason": str(error)})
