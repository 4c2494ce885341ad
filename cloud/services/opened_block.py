"""Reading the blocks of a batch, before any transaction: what of each is sound, and what is not.

The invariant: neither a bad row nor a bad block holds up the others, and what is not understood is never
thrown away: the whole block is kept aside beside the rows that were.
"""

import contextlib
from collections.abc import Sequence
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
from protocol.event import Event
from protocol.sync import Stream

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


def open_blocks(stream: Stream, blocks: Sequence[Block], told_through: int = 0) -> list[OpenedBlock]:
    """Read each block's rows; events numbered up to `told_through` are of the past, and make no noise."""
    opened = [_opened(stream, block) for block in blocks]
    return [_as_history(block) if block.block.last_seq <= told_through else block for block in opened]


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
