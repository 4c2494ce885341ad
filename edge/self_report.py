"""What the agent tells of itself: that it was started, and that it found its store damaged.

Both occur and are over; they stand in the gateway's history in the cloud. The invariant: each start and each
store that was put aside is told once.
"""

import asyncio
from pathlib import Path

from edge.buffer import Buffer
from edge.clock import Clock
from edge.health import AGENT_VERSION
from edge.intake import Intake
from protocol.event import Event, EventState, Severity

# A store is opened anew, and may be found damaged, whenever the disk has failed.
_LOOK_INTERVAL_S = 10.0


class SelfReport:
    """Run it as a part of the agent."""

    def __init__(self, buffer: Buffer, intake: Intake, clock: Clock) -> None:
        self._buffer = buffer
        self._intake = intake
        self._clock = clock
        self._has_told_start = False
        self._told_aside: Path | None = None

    async def run(self) -> None:
        """Tell the start, then look after the store for ever."""
        if not self._has_told_start:
            self._has_told_start = True
            told = f"version {AGENT_VERSION}, the box has been up for {_up_for(self._clock)}"
            self._tell("agent_started", Severity.INFO, told)
        while True:
            aside = self._buffer.moved_aside
            if aside is not None and aside != self._told_aside:
                self._told_aside = aside
                told = f"{self._buffer.salvaged} rows were salvaged; what was damaged is kept in {aside.name}"
                self._tell("buffer_damaged", Severity.MAJOR, told)
            await asyncio.sleep(_LOOK_INTERVAL_S)

    def _tell(self, kind: str, severity: Severity, message: str) -> None:
        event = Event(kind, EventState.OCCURRED, severity, "", self._clock.wall_ms(), message)
        self._intake.accept((), [event])


def _up_for(clock: Clock) -> str:
    """Say for how long the box has been up: by it a start of the agent is told from one of the box."""
    minutes = clock.monotonic_ms() // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
