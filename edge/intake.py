"""Where readings come in: counters are judged, rules see them, and all goes to disk together.

The invariant: an event and the rule state from which it followed are in one commit, so that a
restart neither repeats nor forgets it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import msgspec

from edge.buffer import Buffer
from edge.clock import Clock
from edge.counters import CounterGuard
from edge.reactions import Reactions
from edge.rule import Rule
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import Offline
from edge.standing import Standing, device_of
from protocol.event import Event
from protocol.reading import Quality, Reading

log = logging.getLogger(__name__)

# Events shown to the person at the box: what fits on a page.
_RECENT = 30
_GOOD = Quality.GOOD  # a local name: this is looked at for every reading


class Intake:
    """Hands readings to the rules that want them and everything to the buffer.

    While `is_historical` is set, events are marked as of the past: recorded, never alarmed anew.
    """

    def __init__(
        self,
        buffer: Buffer,
        rules: Iterable[Rule],
        offline: Offline,
        guard: CounterGuard,
        clock: Clock,
        reactions: Reactions | None = None,
    ) -> None:
        self.is_historical = False
        self.latest: dict[str, Reading] = {}
        self.events_seen = 0
        self.good_readings = 0
        self.recent: deque[Event] = deque(maxlen=_RECENT)
        self._buffer = buffer
        self._clock = clock
        self._offline = offline
        self._guard = guard
        self._reactions = reactions or Reactions(())
        self._standing = Standing()
        self._touched: set[str] = set()
        self._saved: dict[str, bytes] = {}
        self._names: frozenset[str] = frozenset()
        self._is_restored = False
        self._take_rules(rules)

    def _take_rules(self, rules: Iterable[Rule]) -> None:
        self._rules: tuple[Rule, ...] = (*rules, self._offline, self._reactions, self._standing)
        self._watchers: dict[str, list[Rule]] = {}
        for rule in self._rules:
            for key in rule.point_keys:
                self._watchers.setdefault(key, []).append(rule)
        self._by_id = {rule.rule_id: rule for rule in self._rules}

    def change(self, rules: Iterable[Rule], names: Collection[str]) -> None:
        """Go on with these rules; `names` are the devices and buses there are now.

        A rule that takes the place of one with its id remembers what that knew. A condition nobody
        watches any more is told as ended, or it would be raised for ever.
        """
        before = self._by_id
        self._names = frozenset(names)
        self._take_rules(rules)
        if not self._is_restored:
            return  # nothing is remembered yet, and nothing of it may be overwritten
        for rule_id, rule in self._by_id.items():
            earlier = before.get(rule_id)
            if earlier is not None and earlier is not rule:
                self._restore(rule_id, rule.restore, earlier.state())
        self.latest = {key: last for key, last in self.latest.items() if device_of(key) in self._names}
        self._touched = set(self._by_id)
        ended = self._orphans(before.values())
        states = self._states()
        if ended or states:
            self._store((), ended, states)
        self._align()

    def _align(self) -> None:
        """Let local outputs of a new or changed configuration follow what stands already."""
        self._reactions.align(self._standing.raised, self._clock.monotonic_ms())
        self._touched.add(self._reactions.rule_id)

    def _orphans(self, before: Iterable[Rule] = ()) -> list[Event]:
        """Return the end of what stands and is watched by nobody: its device, rule or point has gone."""
        watched = {rule.rule_id: frozenset(rule.point_keys) for rule in self._rules}
        dropped = {
            rule.rule_id: frozenset(rule.point_keys) - watched.get(rule.rule_id, frozenset())
            for rule in before
        }
        known = {"", self._guard.rule_id, *self._by_id}
        ended = self._standing.end(
            lambda key: (
                key.device not in self._names
                or key.rule_id not in known
                # What a device reports by itself names no rule.
                or key.point_key in dropped.get(key.rule_id or DeviceAlarm.rule_id, ())
            ),
            self._clock.wall_ms(),
        )
        for event in ended:
            self._offline.forget(device_of(event.point_key))
        return ended

    async def restore(self) -> None:
        """Give the rules back what they remembered."""
        for rule_id, state in (await self._buffer.rule_states()).items():
            restore = self._guard.restore if rule_id == self._guard.rule_id else None
            if rule_id in self._by_id:
                restore = self._by_id[rule_id].restore
            if restore is None:
                continue
            self._restore(rule_id, restore, state)
        self._saved = {rule.rule_id: rule.state() for rule in self._rules}
        self._is_restored = True
        if self._names and (ended := self._orphans()):
            self._store((), ended, self._states())  # the file was edited while we were away
        if self._names:
            self._align()

    @staticmethod
    def _restore(rule_id: str, restore: Callable[[bytes], None], state: bytes) -> None:
        try:
            restore(state)
        except msgspec.MsgspecError:
            log.warning("rule state of another form is ignored", extra={"rule": rule_id})

    def accept(
        self, readings: Sequence[Reading], events: Sequence[Event] = (), *, told_by: str = ""
    ) -> asyncio.Future[None]:
        """Take readings, and events a device sent by itself; the future is done once they are on disk.

        `told_by` is the id of the rule whose memory those events changed, to be stored with them.
        """
        found = list(events)
        if told_by:
            self._touched.add(told_by)
        watchers, latest, billed = self._watchers, self.latest, self._guard.limits
        now_ms = self._clock.monotonic_ms()
        judged: list[Reading] = []
        for reading in readings:
            key = reading.point_key
            if key in billed:
                reading, doubts = self._guard.judge(reading)
                found += doubts
            judged.append(reading)
            latest[key] = reading
            if reading.quality is _GOOD:
                self.good_readings += 1
            if key in watchers:
                for rule in watchers[key]:
                    self._touched.add(rule.rule_id)
                    found += rule.observe(reading, now_ms)
        if found:
            self._react(found, now_ms)
        return self._store(judged, found, self._states() if found else None)

    def tick(self) -> None:
        """Let time pass for the rules, and save what they remember if it changed."""
        now_ms, wall_ms = self._clock.monotonic_ms(), self._clock.wall_ms()
        events: list[Event] = []
        for rule in self._rules:
            if found := rule.tick(now_ms, wall_ms):
                events += found
                self._touched.add(rule.rule_id)
        self._react(events, now_ms)
        states = self._states()
        if events or states:
            self._store((), events, states)

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str) -> None:
        """Take note that a device or a bus became unreachable, or answers again."""
        at_ms = self._clock.wall_ms()
        self._tell_reach(self._offline.note(kind, name, is_offline=is_offline, reason=reason, at_ms=at_ms))

    def note_on_line(
        self, line_id: str, device_ids: Collection[str], device_id: str, failures: int, *, is_silent: bool
    ) -> bool:
        """Take note of how a polled device answered; tell whether one of its neighbours should be asked."""
        at_ms = self._clock.wall_ms()
        self._tell_reach(
            self._offline.note_on_line(line_id, device_ids, device_id, failures, at_ms, is_silent=is_silent)
        )
        return is_silent and self._offline.is_in_doubt(line_id, device_id)

    def _tell_reach(self, events: Sequence[Event]) -> None:
        if events:
            self._touched.add(self._offline.rule_id)
            self._react(events, self._clock.monotonic_ms())
            self._store((), events, self._states())

    def _react(self, events: Sequence[Event], now_ms: int) -> None:
        """Let the local outputs know at once; what is replayed of the past moves nothing."""
        if events and not self.is_historical:
            self._reactions.hear(events, now_ms)
            self._touched.add(self._reactions.rule_id)

    def _store(
        self, readings: Sequence[Reading], events: Sequence[Event], states: dict[str, bytes] | None
    ) -> asyncio.Future[None]:
        self.events_seen += len(events)
        self.recent.extend(events)
        if events and self._standing.note(events):
            states = (states or {}) | {self._standing.rule_id: self._standing.state()}
        if self.is_historical:
            events = [replace(event, is_historical=True) for event in events]
        return self._buffer.put(readings, events, states)

    def _states(self) -> dict[str, bytes]:
        """Return the states that differ from what was saved."""
        changed: dict[str, bytes] = {}
        for rule_id in self._touched:
            state = self._by_id[rule_id].state()
            if state != self._saved.get(rule_id):
                self._saved[rule_id] = changed[rule_id] = state
        self._touched.clear()
        counters = self._guard.state(self._clock.monotonic_ms())
        if counters != self._saved.get(self._guard.rule_id):
            self._saved[self._guard.rule_id] = changed[self._guard.rule_id] = counters
        return changed

    def accept_counter(self, point_key: str, from_ms: int, opening_value_micro: int) -> None:
        """Take a person's word that a meter began at a value; see `CounterGuard.accept`."""
        self._guard.accept(point_key, from_ms, opening_value_micro)
