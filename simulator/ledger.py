"""The ledger: every reading the building has put on a wire in a well-formed reply or message.

The invariant: an entry is written if and only if the bytes that carry the value were handed to the
line whole and unspoilt. What a test finds in the cloud can therefore be compared with it as a set.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IssuedReading:
    """One value as it went out, with the simulated instant it was taken at."""

    device_id: str
    point: str
    value_micro: int
    at_ms: int


class Ledger:
    """Append-only and in columns: eighteen bytes an entry, since a replay writes half a million."""

    def __init__(self) -> None:
        self._keys: list[tuple[str, str]] = []
        self._number_of: dict[tuple[str, str], int] = {}
        self._key = array("H")
        self._value_micro = array("q")
        self._at_ms = array("q")

    def __len__(self) -> int:
        return len(self._at_ms)

    def record(self, device_id: str, values_micro: Iterable[tuple[str, int]], at_ms: int) -> None:
        """Note that these values of one device went out."""
        for point, value_micro in values_micro:
            key = (device_id, point)
            number = self._number_of.get(key)
            if number is None:
                number = self._number_of[key] = len(self._keys)
                self._keys.append(key)
            self._key.append(number)
            self._value_micro.append(value_micro)
            self._at_ms.append(at_ms)

    def count_by_device(self) -> Mapping[str, int]:
        """Return how many readings each device has issued."""
        counts: Counter[str] = Counter()
        for number, count in Counter(self._key).items():
            counts[self._keys[number][0]] += count
        return dict(sorted(counts.items()))

    def items(self, first: int = 0, limit: int | None = None) -> Iterator[IssuedReading]:
        """Yield entries in the order they went out, from the one numbered `first` (0 is the oldest)."""
        last = len(self) if limit is None else min(first + limit, len(self))
        for number in range(first, last):
            device_id, point = self._keys[self._key[number]]
            yield IssuedReading(device_id, point, self._value_micro[number], self._at_ms[number])
