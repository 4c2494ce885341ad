"""Time as the edge is given it. Wall time stamps readings; monotonic time decides everything else."""

from typing import Protocol

from protocol.reading import ClockQuality


class Clock(Protocol):
    """Handed to whoever needs to know the time; a replay hands in the time it replays."""

    @property
    def quality(self) -> ClockQuality:
        """Tell whether any source has confirmed the wall clock since boot."""
        ...

    def wall_ms(self) -> int:
        """Return UTC epoch milliseconds; may jump."""
        ...

    def monotonic_ms(self) -> int:
        """Return milliseconds that only ever grow; meaningless across a restart."""
        ...
