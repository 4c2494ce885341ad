"""What the box does by itself when something is raised: decisions only, no device is asked here.

In a manager's words: "when the fire panel says fire, open the doors and keep them open; when the
pump room is wet, close the valve and sound the siren". Acting is `edge.local_outputs`'.

    raised ──→ due ──→ done                        over ──→ due to end ──→ idle
                ↑        │ fire only: shows something else, or we were away
                └────────┘

The invariants: fire goes before everything else and depends on nothing else; what it asked of a
device is kept so until it is over, and nobody's command undoes it (`refusal`); what is done for any
other reason is done once, and whoever undoes it is not fought. What is raised survives a restart.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fnmatch import fnmatchcase

import msgspec

from protocol.command import Act, LocalAction, confirmed_by
from protocol.event import Event, EventState
from protocol.quantity import MICRO, QUANTITIES
from protocol.reading import Quality, Reading
from provisioning.config import DeviceId, Reaction
from provisioning.reaction_tables import is_fire

# Between two attempts, by how many failed: a lock may be out of radio for a moment, a valve for a day.
_PAUSES_MS = (1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
_FIRE_PAUSE_MAX_MS = 5_000
# Alarms at one place that wait for their picture at a time; a flood has been seen by then.
_UNSEEN_MAX = 8
# What cannot be read back is asked again this often while there is fire: a reader may have restarted.
_FIRE_AGAIN_MS = 30_000


class Phase(IntEnum):
    """Where one device stands with one reaction."""

    IDLE = 0
    DUE = 1
    DONE = 2
    END_DUE = 3


@dataclass(slots=True)
class Duty:
    """One device's part in one reaction."""

    reaction: Reaction
    device_id: DeviceId
    phase: Phase = Phase.IDLE
    began_ms: int | None = None  # monotonic, as all below; None after a restart, until it is looked at
    acted_ms: int = 0
    next_ms: int = 0
    failures: int = 0
    is_told_done: bool = False  # once from its beginning to its end: a lock may relock every few seconds
    is_told_failing: bool = False
    unseen: list[tuple[str, str]] = field(default_factory=list)  # of a camera: kinds and points not yet taken

    @property
    def act(self) -> Act:
        """Return what is to be done now."""
        ends = self.reaction.ends
        return ends if self.phase is Phase.END_DUE and ends is not None else self.reaction.act


@dataclass(slots=True)
class _Standing:
    """A reaction, and where its conditions are raised."""

    reaction: Reaction
    duties: tuple[Duty, ...]
    raised: set[tuple[str, str]] = field(default_factory=set)  # kind and point key


class _Saved(msgspec.Struct, array_like=True):
    raised: list[tuple[str, str]]
    phases: dict[str, int]


class Reactions:
    """All of a configuration. Kept by the intake as a rule's state is."""

    rule_id = "reactions"
    point_keys: Iterable[str] = ()

    def __init__(self, reactions: Sequence[Reaction]) -> None:
        self.wake: Callable[[], None] = lambda: None  # called when something has become due
        self._standing = _standing_of(reactions)

    @property
    def duties(self) -> list[Duty]:
        """Return every device's part in every reaction, those to fire first."""
        return [duty for standing in self._standing for duty in standing.duties]

    def change(self, reactions: Sequence[Reaction]) -> None:
        """Go on with these; one that is as it was goes on from where it stood."""
        before = {one.reaction.reaction_id: one for one in self._standing}
        self._standing = []
        for new in _standing_of(reactions):
            earlier = before.get(new.reaction.reaction_id)
            is_same = earlier is not None and earlier.reaction == new.reaction
            self._standing.append(earlier if earlier and is_same else new)

    def align(self, raised: Collection[tuple[str, str]], now_ms: int) -> None:
        """Follow what stands, kind and point: after a change, or a start with another configuration."""
        for standing in self._standing:
            wanted = {(kind, key) for kind, key in raised if _concerns(standing.reaction, kind, key)}
            for condition in wanted - standing.raised:
                _begin(standing, condition, now_ms)
            for condition in standing.raised - wanted:
                _end(standing, condition, now_ms)
        self._wake_if_due()

    def hear(self, events: Iterable[Event], now_ms: int) -> None:
        """Take note of what began and ended; what only happened, or is of the past, moves nothing."""
        for event in events:
            if event.state is EventState.OCCURRED or event.is_historical:
                continue
            for standing in self._standing:
                if not _concerns(standing.reaction, event.kind, event.point_key):
                    continue
                move = _begin if event.state is EventState.RAISED else _end
                move(standing, (event.kind, event.point_key), now_ms)
        self._wake_if_due()

    def _wake_if_due(self) -> None:
        if any(duty.phase in (Phase.DUE, Phase.END_DUE) for duty in self.duties):
            self.wake()

    def about(self, duty: Duty) -> dict[str, str]:
        """Return what a camera's picture is taken for: kind and point; empty where nothing is raised."""
        if duty.reaction.act is not LocalAction.ALARM_PICTURE:
            return {}
        raised = sorted(next(one.raised for one in self._standing if duty in one.duties))
        kind, key = (duty.unseen or raised or [("", "")])[0]
        return {"kind": kind, "point": key}

    def raised_at(self, duty: Duty) -> str:
        """Return where the duty's condition is raised, for people."""
        raised = {key for one in self._standing if duty in one.duties for _, key in one.raised}
        return ", ".join(sorted(raised))

    def due(self, now_ms: int, latest: Mapping[str, Reading]) -> list[Duty]:
        """Return what is to be asked now, at most once a device; fire goes first."""
        found: dict[DeviceId, Duty] = {}
        for standing in self._standing:
            for duty in standing.duties:
                _renew(standing, duty, now_ms, latest)
                if duty.phase in (Phase.DUE, Phase.END_DUE) and duty.device_id not in found:
                    # Kept even while it waits for its next attempt, so that nothing lesser goes meanwhile.
                    found[duty.device_id] = duty
                elif duty.phase is Phase.DONE and is_fire(duty.reaction):
                    found.setdefault(duty.device_id, duty)
        return [
            duty
            for duty in found.values()
            if duty.phase in (Phase.DUE, Phase.END_DUE)
            and duty.next_ms <= now_ms
            and not held_back(duty, latest)
        ]

    def succeeded(self, duty: Duty, act: Act, now_ms: int) -> None:
        """Take note that a device did what it was asked."""
        duty.failures, duty.acted_ms = 0, now_ms
        if act is not duty.act:
            return  # it began, or ended, while the device was being asked
        duty.phase = Phase.IDLE if duty.phase is Phase.END_DUE else Phase.DONE
        if duty.reaction.act is LocalAction.ALARM_PICTURE:
            # Each further alarm has its picture too.
            del duty.unseen[:1]
            duty.phase, duty.next_ms = (Phase.DUE if duty.unseen else Phase.IDLE), now_ms

    def failed(self, duty: Duty, now_ms: int) -> None:
        """Take note that it did not, or that nobody knows; it is asked again while the condition lasts."""
        pause_ms = _PAUSES_MS[min(duty.failures, len(_PAUSES_MS) - 1)]
        if is_fire(duty.reaction):
            pause_ms = min(pause_ms, _FIRE_PAUSE_MAX_MS)
        duty.failures += 1
        duty.next_ms = now_ms + pause_ms
        if duty.reaction.act is LocalAction.ALARM_PICTURE and not self.raised_at(duty):
            duty.unseen.clear()  # it is over: a picture of now would show something else
            duty.phase = Phase.IDLE

    def refusal(self, device_id: str, act: Act) -> str:
        """Say why a device may not be asked something now; "" where it may."""
        for standing in self._standing:
            reaction = standing.reaction
            if standing.raised and is_fire(reaction) and device_id in reaction.devices:
                if act is reaction.act:
                    return ""
                kinds = ", ".join(sorted({kind for kind, _ in standing.raised}))
                return f"{reaction.act.value} holds while there is {kinds} ({reaction.reaction_id})"
        return ""

    # As a rule: it watches no readings, but what it remembers is kept in the commit of the events.

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Do nothing: it follows events."""
        del reading, now_ms
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: `due` looks at the time."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised, and where each device stands."""
        return msgspec.msgpack.encode(
            {
                one.reaction.reaction_id: _Saved(
                    sorted(one.raised), {duty.device_id: duty.phase.value for duty in one.duties}
                )
                for one in self._standing
                if one.raised or any(duty.phase for duty in one.duties)
            }
        )

    def restore(self, state: bytes) -> None:
        """Take up what is raised; what fire asked for is asked anew, since nobody watched meanwhile."""
        saved = msgspec.msgpack.decode(state, type=dict[str, _Saved])
        for standing in self._standing:
            known = saved.get(standing.reaction.reaction_id)
            if known is None:
                continue
            standing.raised = {(kind, key) for kind, key in known.raised if _names(standing.reaction, key)}
            for duty in standing.duties:
                duty.phase = Phase(known.phases.get(duty.device_id, 0))
                if standing.raised and is_fire(duty.reaction):
                    duty.phase = Phase.DUE
                elif not standing.raised and duty.phase is not Phase.IDLE:
                    duty.phase = Phase.IDLE if duty.reaction.ends is None else Phase.END_DUE


def held_back(duty: Duty, latest: Mapping[str, Reading]) -> str:
    """Return the reason why a duty must wait; "" where it need not. Not knowing is a reason."""
    unless = duty.reaction.unless
    if unless is None or duty.phase is Phase.END_DUE:
        return ""
    reading = latest.get(unless.point_key)
    if reading is None or reading.quality is not Quality.GOOD or reading.value_micro is None:
        return f"{unless.reason} ({unless.point_key} is not known)"
    return unless.reason if reading.value_micro // MICRO in unless.codes else ""


def _names(reaction: Reaction, point_key: str) -> bool:
    return any(fnmatchcase(point_key, pattern) for pattern in reaction.at)


def _concerns(reaction: Reaction, kind: str, point_key: str) -> bool:
    return kind in reaction.kinds and _names(reaction, point_key)


def _standing_of(reactions: Sequence[Reaction]) -> list[_Standing]:
    return [
        _Standing(reaction, tuple(Duty(reaction, device) for device in reaction.devices))
        for reaction in sorted(reactions, key=is_fire, reverse=True)
    ]


def _begin(standing: _Standing, condition: tuple[str, str], now_ms: int) -> None:
    """Take note that a condition began; each further one sounds an ended siren again."""
    is_news = condition not in standing.raised
    standing.raised.add(condition)
    for duty in standing.duties:
        if is_news and duty.reaction.act is LocalAction.ALARM_PICTURE and len(duty.unseen) < _UNSEEN_MAX:
            duty.unseen.append(condition)
        if is_news and duty.phase in (Phase.IDLE, Phase.END_DUE):
            duty.phase, duty.began_ms, duty.next_ms, duty.failures = Phase.DUE, now_ms, now_ms, 0
            duty.is_told_done = False


def _end(standing: _Standing, condition: tuple[str, str], now_ms: int) -> None:
    """Take note that one is over; the last one ends what was done."""
    standing.raised.discard(condition)
    if not standing.raised:
        for duty in standing.duties:
            _let_go(duty, now_ms)


def _let_go(duty: Duty, now_ms: int) -> None:
    if duty.phase in (Phase.IDLE, Phase.END_DUE) or (duty.unseen and not duty.failures):
        return  # idle, or a camera that is just about to see how a short alarm ended
    # Even where it was never confirmed it may have been done.
    duty.phase = Phase.IDLE if duty.reaction.ends is None else Phase.END_DUE
    duty.next_ms, duty.failures, duty.is_told_done = now_ms, 0, False


def _renew(standing: _Standing, duty: Duty, now_ms: int, latest: Mapping[str, Reading]) -> None:
    """End what has lasted its time; ask again for what fire wants and is not so."""
    at_most_s = duty.reaction.at_most_s
    if duty.began_ms is None:
        duty.began_ms = now_ms
    if at_most_s is not None and now_ms - duty.began_ms >= at_most_s * 1000 and standing.raised:
        _let_go(duty, now_ms)
        return
    if duty.phase is not Phase.DONE or not is_fire(duty.reaction):
        return
    shown = confirmed_by(duty.act)
    if shown is None:
        is_so = now_ms - duty.acted_ms < _FIRE_AGAIN_MS
    else:
        reading = latest.get(f"{duty.device_id}/{shown[0]}")
        is_known = reading is not None and reading.value_micro is not None
        is_so = not is_known or _code(reading, shown[0]) == shown[1]
    if not is_so:
        duty.phase, duty.next_ms = Phase.DUE, now_ms


def _code(reading: Reading | None, point: str) -> str:
    if reading is None or reading.value_micro is None:
        return ""
    return QUANTITIES[point].codes.get(reading.value_micro // MICRO, "")
