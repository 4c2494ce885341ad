"""Reading the blocks of a batch, before any transaction: what of each is sound, and what is not.

The invariant: neither a bad row nor a bad block holds up the others, and what is not understood is never
thrown away: the whole block is kept aside beside the rows that were.
"""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cloud.domain.gateway import BlockState
from protocol.columns import ReadingColumns
from protocol.envelope import (
    Block,
    decode_events,
    decode_reading_columns,
    salvage_events,
    salvage_reading_columns,
)
from protocol.errors import EnvelopeError
from protocol.event import Event, EventState
from protocol.sync import Stream

# On a good way an event is sent within a second, and within ten of a way's healing: what is older was held
# up. Shorter, a brief but real alarm of the present would be passed over in silence.
HELD_UP_FROM_MS = 60_000
# Beyond, the box did not know the time, and an alarm is rather told once too often.
_BELIEVED_AGE_MS_MAX = 400 * 86_400_000
# A person who reads what is wrong with a block needs to see the kind of mistake, not every row.
PROBLEMS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class OpenedBlock:
    """A block with its rows read: `columns` of readings or `events`, those of its `rows` that are sound.

    `rows` are their places in the block, None for all. `problem` says what is wrong with the others, or
    with the whole. A tombstone (an empty payload) has neither rows nor a problem.
    """

    block: Block
    digest: bytes
    columns: ReadingColumns | None = None
    events: Sequence[Event] = ()
    rows: Sequence[int] | None = None
    problem: str = ""

    @property
    def state(self) -> BlockState:
        """Return what becomes of the block if its numbers are free."""
        if not self.block.payload:
            return BlockState.LOST
        return BlockState.ASIDE if self.problem and not self.rows else BlockState.TAKEN

    @property
    def seqs(self) -> Sequence[int]:
        """Return the numbers of the sound rows."""
        first = self.block.first_seq
        if self.rows is None:
            return range(first, self.block.last_seq + 1)
        return [first + row for row in self.rows]


def open_blocks(
    stream: Stream,
    blocks: Sequence[Block],
    told_through: int = 0,
    sent_at_ms: int | None = None,
    over: Collection[int] = (),
) -> list[OpenedBlock]:
    """Read each block's rows; events numbered up to `told_through` are of the past, and make no noise.

    So are those of a condition that had begun and ended long before it could be sent, at `sent_at_ms`: both
    in these blocks, or one of them in another batch, as the sender says of the numbers in `over`.
    """
    opened = [_opened(stream, block) for block in blocks]
    opened = [_as_history(block) if block.block.last_seq <= told_through else block for block in opened]
    return opened if sent_at_ms is None else _with_outages_as_history(opened, sent_at_ms, frozenset(over))


def _with_outages_as_history(
    opened: Sequence[OpenedBlock], sent_at_ms: int, said_over: Collection[int]
) -> list[OpenedBlock]:
    """Mark beginnings and ends of conditions that were over before anybody could be told."""
    open_since: dict[tuple[str, str], list[tuple[int, int]]] = {}
    over: set[tuple[int, int]] = set()
    for number, block in enumerate(opened):
        for place, (seq, event) in enumerate(zip(block.seqs, block.events, strict=False)):
            if seq in said_over and _was_held_up(event, sent_at_ms):
                over.add((number, place))
            condition = (event.point_key, event.kind)
            if event.state is EventState.RAISED:
                open_since.setdefault(condition, []).append((number, place))
            elif event.state is EventState.CLEARED:
                raised = open_since.pop(condition, [])
                if raised and _was_held_up(event, sent_at_ms):
                    over |= {*raised, (number, place)}
    return [
        replace(
            block,
            events=[
                replace(event, is_historical=True) if (number, place) in over else event
                for place, event in enumerate(block.events)
            ],
        )
        if any(at == number for at, _ in over)
        else block
        for number, block in enumerate(opened)
    ]


def _was_held_up(event: Event, sent_at_ms: int) -> bool:
    return HELD_UP_FROM_MS <= sent_at_ms - event.occurred_at_ms <= _BELIEVED_AGE_MS_MAX


def _as_history(opened: OpenedBlock) -> OpenedBlock:
    return replace(opened, events=[replace(event, is_historical=True) for event in opened.events])


def _opened(stream: Stream, block: Block) -> OpenedBlock:
    digest = block.digest()
    if not block.payload:
        return OpenedBlock(block, digest)
    try:
        if stream is Stream.HISTORY:
            return OpenedBlock(block, digest, columns=decode_reading_columns(block.payload, block.count))
        return OpenedBlock(block, digest, events=decode_events(block.payload, block.count))
    except EnvelopeError as error:
        return _salvaged(stream, block, digest, str(error))


def _salvaged(stream: Stream, block: Block, digest: bytes, problem: str) -> OpenedBlock:
    columns, events, rows, problems = None, list[Event](), list[int](), list[str]()
    # A block without rows to speak of has been refused for the same reason before.
    with contextlib.suppress(EnvelopeError):
        if stream is Stream.HISTORY:
            columns, rows, problems = salvage_reading_columns(block.payload, block.count)
        else:
            events, rows, problems = salvage_events(block.payload, block.count)
    if rows:
        shown = "; ".join(problems[:PROBLEMS_SHOWN])
        problem = f"{len(rows)} of {block.count} rows taken, not: {shown}"
    return OpenedBlock(block, digest, columns, events, rows, problem)
