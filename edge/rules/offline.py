"""Offline: a device, or the whole bus it is on, does not answer.

In a manager's words: "tell me when a meter cannot be reached, once, and when it is back; and when the
cable is cut, tell me of the cable and not of forty meters". Driven by the breakers of the lines, not by
readings. The invariant: a polled device is told as silent by itself only once it has failed while another
of its line answered; where nobody answers, the line is told, and its devices are named in that.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from protocol.event import Event, EventState, Severity
from protocol.reading import Reading

DEVICE_OFFLINE = "device_offline"
LINE_DOWN = "line_down"
LINE_SILENT = "line_silent"


@dataclass(slots=True)
class _Doubt:
    """A device that fails, while it is not known whether it or its bus is to blame."""

    failures: int = 0
    is_silent: bool = False
    has_neighbour_answered: bool = False  # since its first failure


class Offline:
    """What is unreachable: devices by their id, buses by theirs."""

    rule_id = "offline"
    point_keys: Iterable[str] = ()

    def __init__(self) -> None:
        self._raised: set[str] = set()
        self._doubts: dict[str, dict[str, _Doubt]] = {}  # by line and device

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str, at_ms: int) -> Sequence[Event]:
        """Take note of a device's or bus's state; return an event if it changed."""
        key = _key(kind, name)
        if is_offline == (key in self._raised):
            return ()
        if is_offline:
            self._raised.add(key)
        else:
            self._raised.discard(key)
        state = EventState.RAISED if is_offline else EventState.CLEARED
        message = reason if is_offline else "answers again"
        severity = Severity.MINOR if kind == DEVICE_OFFLINE else Severity.MAJOR
        return (Event(kind, state, severity, key, at_ms, message),)

    def note_on_line(
        self,
        line_id: str,
        device_ids: Collection[str],
        device_id: str,
        failures: int,
        at_ms: int,
        *,
        is_silent: bool,
    ) -> Sequence[Event]:
        """Take note of how one of a line's devices answered last: `failures` in a row, 0 if it did."""
        if not failures:
            return self._note_answer(line_id, device_id, at_ms)
        if _key(DEVICE_OFFLINE, device_id) in self._raised:
            return ()
        doubts = self._doubts.setdefault(line_id, {})
        doubt = doubts.setdefault(device_id, _Doubt())
        has_failed_anew = failures > doubt.failures
        doubt.failures, doubt.is_silent = failures, is_silent
        if not is_silent:
            return ()
        # Those told before say nothing of the bus: they have been silent for long.
        untold = [one for one in device_ids if _key(DEVICE_OFFLINE, one) not in self._raised]
        if untold == [device_id] or (doubt.has_neighbour_answered and has_failed_anew):
            del doubts[device_id]
            reason = f"no answer to {failures} questions in a row"
            return self.note(DEVICE_OFFLINE, device_id, is_offline=True, reason=reason, at_ms=at_ms)
        if all(one in doubts and doubts[one].is_silent for one in untold):
            names = ", ".join(sorted(untold))
            reason = f"{len(device_ids)} of {len(device_ids)} devices of the line are silent: {names}"
            return self.note(LINE_SILENT, line_id, is_offline=True, reason=reason, at_ms=at_ms)
        return ()

    def _note_answer(self, line_id: str, device_id: str, at_ms: int) -> Sequence[Event]:
        doubts = self._doubts.get(line_id)
        if doubts:
            doubts.pop(device_id, None)
            for doubt in doubts.values():
                doubt.has_neighbour_answered = True
        if not self._raised:
            return ()
        return (
            *self.note(LINE_SILENT, line_id, is_offline=False, reason="", at_ms=at_ms),
            *self.note(DEVICE_OFFLINE, device_id, is_offline=False, reason="", at_ms=at_ms),
        )

    def is_in_doubt(self, line_id: str, device_id: str) -> bool:
        """Tell whether another device of the line should be asked, to know whose fault a silence is."""
        doubt = self._doubts.get(line_id, {}).get(device_id)
        is_line_told = _key(LINE_SILENT, line_id) in self._raised
        return doubt is not None and not doubt.has_neighbour_answered and not is_line_told

    def forget(self, name: str) -> None:
        """Drop what is known of a device or bus that is configured no more."""
        self._raised -= {_key(DEVICE_OFFLINE, name), _key(LINE_SILENT, name)}
        self._doubts.pop(name, None)
        for doubts in self._doubts.values():
            doubts.pop(name, None)

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Do nothing: breakers know better."""
        del reading, now_ms
        return ()

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised; what is in doubt shows itself again within some questions."""
        return msgspec.json.encode(sorted(self._raised))

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._raised = set(msgspec.json.decode(state, type=list[str]))


def _key(kind: str, name: str) -> str:
    return f"{name}/answers" if kind == LINE_SILENT else f"{name}/availability"
