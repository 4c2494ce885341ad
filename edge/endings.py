"""What in a backlog of events was over before anybody could be told, whichever batches it travels in.

The invariant: a condition whose end waits on the box is named as over with its beginning, so that no batch
that happens to end between the two rings an alarm for it. What still holds is never named.
"""

from collections.abc import Sequence

from protocol.envelope import Block, decode_events
from protocol.errors import EnvelopeError
from protocol.event import Event, EventState

# Point and kind: what begins and ends.
_Condition = tuple[str, str]


class Endings:
    """Remembers which beginnings were named as over, so that their ends are named too."""

    def __init__(self) -> None:
        self._named: set[_Condition] = set()

    def over_in(self, sent: Sequence[Block], behind: Sequence[Block]) -> list[int]:
        """Return the numbers in `sent` of beginnings that end in `behind`, and of ends of those named before.

        What begins and ends within `sent` is not named: whoever reads the batch sees that by itself.
        """
        over: list[int] = []
        begun: dict[_Condition, list[int]] = {}
        for seq, event in _numbered(sent):
            condition = (event.point_key, event.kind)
            if event.state is EventState.RAISED:
                begun.setdefault(condition, []).append(seq)
                self._named.discard(condition)
            elif event.state is not EventState.CLEARED or begun.pop(condition, []):
                continue
            elif condition in self._named:
                over.append(seq)
        for _, event in _numbered(behind):
            condition = (event.point_key, event.kind)
            if event.state is EventState.CLEARED and condition in begun:
                over += begun.pop(condition)
                self._named.add(condition)
        return sorted(over)


def _numbered(blocks: Sequence[Block]) -> list[tuple[int, Event]]:
    found: list[tuple[int, Event]] = []
    for block in blocks:
        try:
            events = decode_events(block.payload, block.count) if block.payload else []
        except EnvelopeError:
            continue  # the cloud says what is wrong with it
        found += enumerate(events, start=block.first_seq)
    return found
