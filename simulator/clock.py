"""The building's time: it follows the real clock, runs at a multiple of it, or stands until it is set.

The invariant: every value the building shows is taken at one instant of this clock, so a test that
sets the clock knows every answer beforehand.
"""

from collections.abc import Callable

# Faster than this an hour passes between two polls of a bus and curves become meaningless.
FACTOR_MAX = 100_000.0


class Clock:
    """Simulated milliseconds since 1970, UTC, derived from a real clock that is handed in."""

    def __init__(self, real_ms: Callable[[], int]) -> None:
        self._real_ms = real_ms
        self._factor = 1.0
        self._anchor_real_ms = self._anchor_ms = real_ms()

    @property
    def factor(self) -> float:
        """How many simulated seconds pass in a real one; 0 while the clock stands."""
        return self._factor

    @property
    def is_standing(self) -> bool:
        """Tell whether time moves only when it is set."""
        return self._factor == 0.0

    def now_ms(self) -> int:
        """Return the simulated instant."""
        if self._factor == 0.0:
            return self._anchor_ms
        return self._anchor_ms + int((self._real_ms() - self._anchor_real_ms) * self._factor)

    def stand_at(self, at_ms: int) -> None:
        """Stop at that instant."""
        self._factor, self._anchor_ms = 0.0, at_ms

    def follow(self, *, factor: float = 1.0, from_ms: int | None = None) -> None:
        """Run at `factor` times real time from `from_ms`, or from the real present."""
        if not 0.0 < factor <= FACTOR_MAX:
            raise ValueError(f"clock factor {factor} is not above 0 and at most {FACTOR_MAX:.0f}")
        self._factor = factor
        self._anchor_real_ms = self._real_ms()
        self._anchor_ms = self._anchor_real_ms if from_ms is None else from_ms
