"""Offline: a device, or the whole bus it is on, does not answer.

In a manager's words: "tell me when a meter cannot be reached, once, and when it is back". Driven by
the breakers of the lines, not by readings; while a bus is down its devices are not told one by one.
"""

from collections.abc import Iterable, Sequence

import msgspec

from protocol.event import Event, EventState, Severity
from protocol.reading import Reading

DEVICE_OFFLINE = "device_offline"
LINE_DOWN = "line_down"


class Offline:
    """What is unreachable: devices by their id, buses by theirs."""

    rule_id = "offline"
    point_keys: Iterable[str] = ()

    def __init__(self) -> None:
        self._raised: set[str] = set()

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str, at_ms: int) -> Sequence[Event]:
        """Take note of a device's or bus's state; return an event if it changed."""
        key = f"{name}/availability"
        if is_offline == (key in self._raised):
            return ()
        if is_offline:
            self._raised.add(key)
        else:
            self._raised.discard(key)
        state = EventState.RAISED if is_offline else EventState.CLEARED
        message = reason if is_offline else "answers again"
        return (
            Event(kind, state, Severity.MAJOR if kind == LINE_DOWN else Severity.MINOR, key, at_ms, message),
        )

    def forget(self, name: str) -> None:
        """Drop what is known of a device or bus that is configured no more."""
        self._raised.discard(f"{name}/availability")

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Do nothing: breakers know better."""
        del reading, now_ms
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised."""
        return msgspec.json.encode(sorted(self._raised))

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._raised = set(msgspec.json.decode(state, type=list[str]))
