"""What a store must hold: a plain account of everything it was asked, kept beside it in memory.

Each step gives the states the store may be found in afterwards. After a cut it must be in one of
them exactly: before the transaction that was under way, or after it, and nowhere between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from edge.buffer_block import ValueClass
from edge.buffer_packing import ROWS_PER_BLOCK_MAX
from edge.buffer_store import Store
from protocol.envelope import decode_events, decode_readings
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.reading import Quality, Reading
from protocol.sync import Stream
from tests.edge.building_blocks import MIDNIGHT_MS

BILLED = frozenset({"em/energy"})
ALL = {"blocks_max": 1_000_000, "rows_max": 10_000_000, "bytes_max": 1 << 40}
_FRAME = Evidence("dlt645-2007", "bus", b"?", b"!", MIDNIGHT_MS, 1)


def row(number: int, value_class: ValueClass) -> Reading:
    """Return the reading of that number, worth that much; no two are alike."""
    key = "em/voltage" if value_class is ValueClass.TELEMETRY else "em/energy"
    evidence = _FRAME if value_class is ValueClass.EVIDENCED else None
    return Reading(key, MIDNIGHT_MS + number, number, Quality.GOOD, evidence=evidence)


def event(number: int) -> Event:
    """Return the event of that number."""
    return Event(
        "fire_alarm", EventState.RAISED, Severity.CRITICAL, "fire-1/fire", MIDNIGHT_MS + number, str(number)
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A block: the numbers of its rows by what they say, not by where they stand; None once emptied."""

    first_seq: int
    row_count: int
    numbers: tuple[int, ...] | None
    value_class: ValueClass
    oldest: int

    @property
    def last_seq(self) -> int:
        return self.first_seq + self.row_count - 1


@dataclass(frozen=True, slots=True)
class Lane:
    """One stream: its blocks and its counters."""

    blocks: tuple[Held, ...] = ()
    stored: int = 0
    acked: int = 0
    evicted: int = 0
    put_aside: int = 0
    aside: tuple[tuple[int, tuple[int, ...] | None], ...] = ()  # (first number, rows) of what was put aside

    def append(self, numbers: Sequence[int], value_class: ValueClass) -> Self:
        lane = self
        for at in range(0, len(numbers), ROWS_PER_BLOCK_MAX):
            part = tuple(numbers[at : at + ROWS_PER_BLOCK_MAX])
            held = Held(lane.stored + 1, len(part), part, value_class, min(part))
            lane = replace(lane, blocks=(*lane.blocks, held), stored=lane.stored + len(part))
        return lane

    def acknowledge(self, through: int) -> Self:
        gone = [block for block in self.blocks if block.last_seq <= through]
        rows = sum(block.row_count for block in gone if block.numbers is not None)
        return replace(self, blocks=self.blocks[len(gone) :], acked=self.acked + rows)

    def take_aside(self, first_seq: int) -> Self:
        (block,) = (block for block in self.blocks if block.first_seq == first_seq)
        return replace(
            self,
            blocks=tuple(other for other in self.blocks if other is not block),
            put_aside=self.put_aside + (block.row_count if block.numbers is not None else 0),
            aside=tuple(sorted((*self.aside, (first_seq, block.numbers)))),
        )

    def empty(self, first_seqs: frozenset[int]) -> Self:
        blocks = tuple(
            replace(block, numbers=None) if block.first_seq in first_seqs else block for block in self.blocks
        )
        rows = sum(block.row_count for block in self.blocks if block.first_seq in first_seqs)
        return replace(self, blocks=blocks, evicted=self.evicted + rows)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The whole store."""

    lanes: Mapping[Stream, Lane]
    rule_states: Mapping[str, bytes]

    @classmethod
    def new(cls) -> Self:
        return cls({stream: Lane() for stream in Stream}, {})

    def commit(
        self, numbers: Mapping[ValueClass, Sequence[int]], events: Sequence[int], rules: Mapping[str, bytes]
    ) -> Self:
        history, alarms = self.lanes[Stream.HISTORY], self.lanes[Stream.EVENT]
        for value_class in ValueClass:
            history = history.append(numbers.get(value_class, ()), value_class)
        alarms = alarms.append(events, ValueClass.EVENT)
        return replace(
            self,
            lanes={Stream.EVENT: alarms, Stream.HISTORY: history},
            rule_states={**self.rule_states, **rules},
        )

    def with_lane(self, stream: Stream, lane: Lane) -> Self:
        return replace(self, lanes={**self.lanes, stream: lane})

    def evictions(self, in_flight: Mapping[Stream, int]) -> "list[Ledger]":
        """Return what evicting 0, 1, … blocks leaves: the least valuable and then the oldest first."""
        order = sorted(
            (block.value_class, block.oldest, stream.value, block.first_seq)
            for stream, lane in self.lanes.items()
            for block in lane.blocks
            if block.numbers is not None and block.first_seq > in_flight.get(stream, 0)
        )
        states: list[Ledger] = [self]
        for _, _, name, first_seq in order:
            stream = Stream(name)
            last = states[-1]
            states.append(last.with_lane(stream, last.lanes[stream].empty(frozenset({first_seq}))))
        return states

    def found(self) -> object:
        """Return what `found_in` must return for a store in this state."""
        return (
            {
                stream: (
                    (lane.stored + 1, lane.stored, lane.acked, lane.evicted, lane.put_aside),
                    [(block.first_seq, block.row_count, block.numbers) for block in lane.blocks],
                    list(lane.aside),
                )
                for stream, lane in self.lanes.items()
            },
            dict(self.rule_states),
        )


def found_in(store: Store) -> tuple[dict[Stream, Any], dict[str, bytes]]:
    """Return all a store holds, read through its own doors; AssertionError if its accounts do not balance."""
    lanes: dict[Stream, Any] = {}
    for stream, state in store.stream_states().items():
        given_up = state.evicted_rows + state.put_aside_rows
        assert state.stored_rows == state.acked_rows + state.pending_rows + given_up, f"{stream}: {state}"
        assert state.next_seq == state.stored_rows + 1, f"{stream}: {state}"
        blocks = [
            (block.first_seq, block.count, _numbers(stream, block.payload, block.count))
            for block in store.peek(stream, **ALL)
        ]
        aside = [
            (first_seq, _numbers(stream, payload, count))
            for first_seq, count, payload in store._connection.execute(
                "SELECT first_seq, row_count, payload FROM put_aside WHERE stream = ? ORDER BY first_seq",
                (stream.value,),
            )
        ]
        counters = (
            state.next_seq, state.stored_rows, state.acked_rows, state.evicted_rows, state.put_aside_rows
        )  # fmt: skip
        lanes[stream] = (counters, blocks, aside)
    return lanes, store.rule_states()


@lru_cache(maxsize=1024)
def _numbers(stream: Stream, payload: bytes, count: int) -> tuple[int, ...] | None:
    if not payload:
        return None
    if stream is Stream.EVENT:
        return tuple(int(event.message) for event in decode_events(payload, count))
    return tuple(int(reading.value_micro or 0) for reading in decode_readings(payload, count))
