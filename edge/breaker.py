"""A breaker per (line, address): a dead device costs one cheap question now and then, not a timeout a cycle.

Closed, it counts failures in a row; at the threshold it opens and the device is left alone for a
while that doubles up to a minute, or half of one where an alarm could come from. When the while is over
exactly one question is let through: an answer closes the breaker, silence opens it for longer. Time is
monotonic seconds, handed in.
"""

import random

FAILURES_TO_OPEN = 2  # one lost frame is noise, two in a row are a fault (wb-mqtt-serial uses two cycles)
FIRST_PAUSE_S = 1.0
PAUSE_MAX_S = 60.0
# With the jitter on top half a minute: a fire panel whose cable was put back is heard again by then.
URGENT_PAUSE_MAX_S = 24.0
_JITTER = 0.25  # so that the meters of a tripped riser are not all probed in the same moment


class Breaker:
    """Says when a device may be asked."""

    __slots__ = ("_pauses", "_random", "failures", "opened", "pause_max_s", "retry_at")

    def __init__(self, rng: random.Random, pause_max_s: float = PAUSE_MAX_S) -> None:
        self._random = rng
        self.pause_max_s = pause_max_s
        self._pauses = 0
        self.failures = 0  # in a row
        self.opened = 0  # times since start
        self.retry_at: float | None = None  # None: closed

    @property
    def is_open(self) -> bool:
        """Tell whether the device counts as offline."""
        return self.retry_at is not None

    @property
    def probes(self) -> int:
        """Return how many questions in vain were let through since it opened."""
        return max(0, self._pauses - 1)

    def allows(self, now: float) -> bool:
        """Tell whether a question may be asked now."""
        return self.retry_at is None or now >= self.retry_at

    def answered(self) -> None:
        """Note an answer, a refusal included: the device is there."""
        self.failures = self._pauses = 0
        self.retry_at = None

    def eased(self) -> None:
        """Allow questions again without forgetting: the next failure opens it at once, for longer."""
        self.retry_at = None

    def failed(self, now: float) -> None:
        """Note that no usable answer came."""
        self.failures += 1
        if self.failures < FAILURES_TO_OPEN:
            return
        if self.retry_at is None:
            self.opened += 1
        pause = min(self.pause_max_s, FIRST_PAUSE_S * 2**self._pauses)
        self._pauses = min(self._pauses + 1, 16)
        self.retry_at = now + pause * self._random.uniform(1 - _JITTER, 1 + _JITTER)
