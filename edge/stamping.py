"""Rows stamped while nobody has confirmed the clock: what is noted on them, so that they can be dated.

A clock may be set by hand while a slow device is read: a stamp belongs to the setting by which it is the
freshest and not of the future.
"""

from collections import deque
from collections.abc import Sequence

import msgspec

from edge.clock import Clock
from edge.dating import SAME_CLOCK_MS, dated_event
from protocol.event import Event
from protocol.reading import ClockQuality, Reading

# A clock that is set while a slow device is read has stamped it by its last setting but one.
_CLOCK_STEPS_KEPT = 4


class Stamping:
    """When the box started: by the clock that is not confirmed, and as somebody has told since."""

    def __init__(self, clock: Clock, boot_id: str) -> None:
        self.booted_at_ms: int | None = None  # as it is known
        self._clock = clock
        self._boot_id = boot_id
        # When the box started by the clock that is not confirmed, as that was set of late.
        self._wrong_starts_ms: deque[int] = deque(maxlen=_CLOCK_STEPS_KEPT)

    def readings(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Note on what a clock stamped that nobody has confirmed when the box started by that clock."""
        if not self._boot_id:
            return readings
        now_ms = self._clock.monotonic_ms()
        booted_at_ms, starts_ms = self._clock.wall_ms() - now_ms, self._wrong_starts_ms
        # Both clocks are cut to the millisecond, and each note of its own would be a block of its own.
        if all(abs(booted_at_ms - start_ms) > SAME_CLOCK_MS for start_ms in starts_ms):
            starts_ms.append(booted_at_ms)

        def start_of(measured_at_ms: int) -> int:
            """Return the setting of the clock by which a stamp is the freshest, and not of the future."""
            ages = ((now_ms - (measured_at_ms - start_ms), start_ms) for start_ms in starts_ms)
            return min((age for age in ages if age[0] >= -SAME_CLOCK_MS), default=(0, booted_at_ms))[1]

        # Most readings of a poll have one stamp.
        starts = {at_ms: start_of(at_ms) for at_ms in {reading.measured_at_ms for reading in readings}}
        return [
            msgspec.structs.replace(reading, booted_at_ms=starts[reading.measured_at_ms])
            if reading.clock_quality is ClockQuality.UNSYNCED
            else reading
            for reading in readings
        ]

    def events(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return events stamped right where the time is known although the clock is wrong."""
        if self.booted_at_ms is None or not events:
            return events
        later_ms = self.booted_at_ms - (self._clock.wall_ms() - self._clock.monotonic_ms())
        return [dated_event(event, later_ms) for event in events]
