"""Something that lets pass or holds back: a valve, a relay. What did not pass was never counted."""

from collections.abc import Callable


class Switch:
    """Open to what flows at the hand-over; turned off and on again, in turn."""

    def __init__(self) -> None:
        self._turned_at_ms: list[int] = []

    def turn(self, at_ms: int, *, is_off: bool) -> None:
        """Turn it off or on; as it already stands, nothing happens."""
        if is_off != self.is_off:
            self._turned_at_ms.append(at_ms)

    @property
    def is_off(self) -> bool:
        """Tell how it stands."""
        return len(self._turned_at_ms) % 2 == 1

    def passed(self, wanted_at: Callable[[int], int], at_ms: int) -> int:
        """Return how much has passed, where `wanted_at` is what would have if it had always been on."""
        turns = [min(turn, at_ms) for turn in self._turned_at_ms] + [at_ms] * self.is_off
        held_back = sum(
            wanted_at(on) - wanted_at(off) for off, on in zip(turns[::2], turns[1::2], strict=True)
        )
        return wanted_at(at_ms) - held_back
