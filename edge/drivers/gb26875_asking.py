"""What a centre has asked of one GB/T 26875.3 device, and what of it nobody has confirmed yet.

The invariant: a packet goes out four times at the most, ten seconds apart, and a roll-call once a
minute of the wall clock however often it is looked at.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from edge.clock import Clock
from protocol.fieldbus.gb26875 import Wish
from protocol.reading import ClockQuality

# §6.4: a confirmation comes within 10 s, else the packet is sent three times more.
_CONFIRM_MAX_MS, _REPEATS = 10_000, 3
# Behind one device; a building has a handful.
_SYSTEMS_MAX = 32
_SERIAL_MAX = 0xFFFF
_ANSWER_AT = 29  # where a roll-call says how many minutes the guard has


@dataclass(slots=True)
class _Asked:
    """A question that has not been confirmed; times are monotonic."""

    wire: bytes
    sent_ms: int
    attempts: int = 1


@dataclass(slots=True)
class Asking:
    """What we have asked of one device."""

    serial: int = 0
    is_greeted: bool = False
    called_minute: int = -1  # wall-clock minute of the last roll-call
    guard_until_ms: int | None = None
    systems: dict[tuple[int, int], bool] = field(default_factory=dict)  # heard of -> asked how they stand
    open: dict[int, _Asked] = field(default_factory=dict)

    def due(
        self,
        clock: Clock,
        zone: ZoneInfo,
        roll_calls: Collection[int],
        wish: Callable[[Wish, int, tuple[int, int]], bytes],
        *,
        greets: bool,
    ) -> list[bytes]:
        """Return the packets to be sent now: new questions, and those nobody confirmed."""
        now_ms = clock.monotonic_ms()
        wanted: list[tuple[Wish, tuple[int, int]]] = []
        if greets:
            wanted = [(what, (0, 0)) for what in self._greeting(clock)]
            wanted += [
                (Wish.READ_SYSTEM_STATUS, one) for one, is_asked in self.systems.items() if not is_asked
            ]
            self.systems = dict.fromkeys(self.systems, True)
        local = datetime.fromtimestamp(clock.wall_ms() / 1000, zone)
        minute = clock.wall_ms() // 60_000
        if local.hour * 60 + local.minute in roll_calls and self.called_minute != minute:
            self.called_minute = minute
            wanted.append((Wish.ROLL_CALL, (0, 0)))
        found: list[bytes] = []
        for what, system in wanted:
            self.serial = self.serial % _SERIAL_MAX + 1
            wire = wish(what, self.serial, system)
            self.open[self.serial] = _Asked(wire, now_ms)
            if what is Wish.ROLL_CALL:
                self.guard_until_ms = now_ms + wire[_ANSWER_AT] * 60_000
            found.append(wire)
        return found + self._repeated(now_ms)

    def _greeting(self, clock: Clock) -> list[Wish]:
        if self.is_greeted:
            return []
        self.is_greeted = True
        status = [Wish.READ_TRANSMITTER_STATUS]
        if clock.quality is not ClockQuality.SYNCED:
            return status  # our own time is nobody's measure
        return [Wish.SYNCHRONISE_CLOCK, *status, Wish.READ_TRANSMITTER_TIME]

    def heard_of(self, system: tuple[int, int]) -> None:
        """Take word of a system behind the device; it is asked how it stands."""
        if len(self.systems) < _SYSTEMS_MAX:
            self.systems.setdefault(system, False)

    def gone(self) -> None:
        """Take word that the device has hung up: it is greeted anew when it is back, its systems too."""
        self.is_greeted = False
        self.systems = dict.fromkeys(self.systems, False)

    def _repeated(self, now_ms: int) -> list[bytes]:
        found: list[bytes] = []
        for serial, asked in list(self.open.items()):
            if now_ms - asked.sent_ms < _CONFIRM_MAX_MS:
                continue
            if asked.attempts > _REPEATS:
                del self.open[serial]
                continue
            asked.attempts, asked.sent_ms = asked.attempts + 1, now_ms
            found.append(asked.wire)
        return found

    def is_guard_late(self, now_ms: int) -> bool:
        """Tell, once, that the time for the guard's answer is over."""
        if self.guard_until_ms is None or now_ms < self.guard_until_ms:
            return False
        self.guard_until_ms = None
        return True
