"""What is raised at this moment, whoever raised it: so that a change of rules can end what it orphans.

Kept by the intake as a rule's state is. The invariant: it follows from the events alone, in their order;
what `end` returns has been raised, is told once as cleared, and is then forgotten.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from protocol.event import Event, EventState, Severity
from protocol.reading import Reading

NOT_WATCHED = "not watched any more: the configuration was changed"


def device_of(point_key: str) -> str:
    """Return the device or bus a point belongs to."""
    return point_key.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Condition:
    """What tells one raised condition from another."""

    kind: str
    point_key: str
    rule_id: str

    @property
    def device(self) -> str:
        """Return whose it is."""
        return device_of(self.point_key)


class Standing:
    """The raised conditions and how grave each is."""

    rule_id = "standing"
    point_keys: Iterable[str] = ()

    def __init__(self) -> None:
        self._raised: dict[Condition, Severity] = {}

    @property
    def raised(self) -> frozenset[tuple[str, str]]:
        """Return kind and point of everything that is raised."""
        return frozenset((key.kind, key.point_key) for key in self._raised)

    def note(self, events: Iterable[Event]) -> bool:
        """Take note of events on their way to disk; True if what stands has changed."""
        before = dict(self._raised)
        for event in events:
            key = Condition(event.kind, event.point_key, event.rule_id)
            if event.state is EventState.RAISED:
                self._raised[key] = event.severity
            elif event.state is EventState.CLEARED:
                self._raised.pop(key, None)
        return self._raised != before

    def end(self, is_orphan: Callable[[Condition], bool], at_ms: int) -> list[Event]:
        """Return the end of every condition that nobody watches any more."""
        return [
            Event(key.kind, EventState.CLEARED, severity, key.point_key, at_ms, NOT_WATCHED, key.rule_id)
            for key, severity in self._raised.items()
            if is_orphan(key)
        ]

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Do nothing: events are what it follows."""
        del reading, now_ms
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised."""
        return msgspec.msgpack.encode(
            [(key.kind, key.point_key, key.rule_id, int(level)) for key, level in self._raised.items()]
        )

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        rows = msgspec.msgpack.decode(state, type=list[tuple[str, str, str, int]])
        self._raised = {Condition(*row[:3]): Severity(row[3]) for row in rows}
