"""The machine's clocks, and whose word counts on whether the time is right."""

import logging
import time
from collections import deque
from collections.abc import Callable

from edge.kernel_clock import is_kernel_clock_synced
from protocol.reading import ClockQuality

log = logging.getLogger(__name__)

# How far the cloud's time may be from ours and still confirm it; meters are stamped to the second.
_CLOCK_AGREES_MS = 5_000
_GREETINGS_KEPT = 8


class SystemClock:
    """The machine's clocks. Wall time counts as confirmed while the kernel or the cloud says so."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        is_kernel_synced: Callable[[], bool] = is_kernel_clock_synced,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._is_kernel_synced = is_kernel_synced
        self._kernel_says = is_kernel_synced()
        self._cloud_says: bool | None = None  # None: not asked yet
        # By the cloud's word, each as late as its answer was; the quickest is the nearest.
        self._booted_at_ms: deque[int] = deque(maxlen=_GREETINGS_KEPT)

    @property
    def quality(self) -> ClockQuality:
        """Return whether the time is confirmed; the cloud's contradiction outweighs the kernel's word."""
        says = self._kernel_says if self._cloud_says is None else self._cloud_says
        return ClockQuality.SYNCED if says else ClockQuality.UNSYNCED

    def wall_ms(self) -> int:
        """Return UTC epoch milliseconds."""
        return self._wall_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return milliseconds since some moment before the start."""
        return self._monotonic_ns() // 1_000_000

    @property
    def booted_at_ms(self) -> int | None:
        """Return when the monotonic clock began, by whoever knows the time; None while nobody does."""
        if self.quality is ClockQuality.SYNCED:
            return self.wall_ms() - self.monotonic_ms()
        return max(self._booted_at_ms, default=None)

    def ask_kernel(self) -> None:
        """Ask again whether the clock is kept right."""
        self._kernel_says = self._is_kernel_synced()

    def compare(self, server_time_ms: int) -> None:
        """Take the cloud's word on the time."""
        self._booted_at_ms.append(server_time_ms - self.monotonic_ms())
        skew_ms = self.wall_ms() - server_time_ms
        agrees = abs(skew_ms) <= _CLOCK_AGREES_MS
        if agrees is not self._cloud_says:
            log.info("the cloud spoke on the time", extra={"agrees": agrees, "skew_ms": skew_ms})
        self._cloud_says = agrees
