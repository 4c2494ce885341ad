"""The envelope: how readings and events are packed for the buffer and the wire.

The edge packs what it commits together into one immutable *block*: columns of plain integers in
msgpack (about ten bytes a reading before compression). A block's rows are numbered `first_seq`,
`first_seq + 1`, … A *batch* is some consecutive blocks of one stream and epoch, posted in one
request and compressed as a whole by HTTP (`Content-Encoding: zstd`). Because blocks are stored as
they will be sent, a resend is byte for byte what was sent before, and the cloud can tell a
repetition (same `first_seq`, same digest) from a conflict (same `first_seq`, other digest).

Fields may be added at the end with a default, never re-meant; unknown trailing fields are ignored.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from operator import sub
from typing import TypeVar

import msgspec

from protocol.columns import (
    ReadingColumns,
    check_columns,
    check_event,
    check_evidence,
    fitting,
    pick_rows,
    sound_rows,
)
from protocol.errors import UNREADABLE, EnvelopeError
from protocol.event import Event, EventState, Severity
from protocol.evidence import Evidence
from protocol.reading import ClockQuality, Quality, Reading
from protocol.sync import BLOCKS_PER_BATCH_MAX, ROWS_PER_BATCH_MAX, Stream

ENVELOPE_VERSION = 1
SEQ_MAX = 2**62  # of an epoch or a row number: both fit a signed 64-bit column

_Cell = TypeVar("_Cell")


class _EvidenceRow(msgspec.Struct, array_like=True, frozen=True):
    protocol: str
    line: str
    request: bytes
    reply: bytes
    captured_at_ms: int
    round_trip_us: int


class _HistoryColumns(msgspec.Struct, array_like=True, frozen=True):
    points: list[str]  # dictionary of point keys
    reasons: list[str]  # dictionary of reasons; index 0 is ""
    evidence: list[_EvidenceRow]
    point: list[int]  # per row: index into points
    measured_at_ms: list[int]  # first absolute, then differences
    value_micro: list[int | None]
    quality: list[int]  # one entry if all rows share it
    reason: list[int]  # one entry if all rows share it
    clock_quality: list[int]  # one entry if all rows share it
    evidence_of: list[int]  # per row: index into evidence, -1 for none; one entry if all share it


class _EventRow(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    state: str
    severity: int
    point_key: str
    occurred_at_ms: int
    message: str
    rule_id: str
    value_micro: int | None
    is_historical: bool
    attributes: dict[str, str]
    evidence: _EvidenceRow | None


class Block(msgspec.Struct, array_like=True, frozen=True):
    """Rows that were committed together on the edge: `count` of them, numbered from `first_seq`.

    An empty payload is a tombstone: the edge's quota forced these rows out before they were
    acknowledged. The cloud records the loss and counts the numbers as received, so that nothing
    waits for them; if it already holds the block it keeps what it has, and that is no conflict.
    A tombstone may stand for any number of rows, also for ones acknowledged and deleted long ago that a
    cloud restored from a backup no longer has: a gap below the oldest row held is answered by one.
    """

    first_seq: int
    count: int
    payload: bytes

    @property
    def last_seq(self) -> int:
        """Return the number of the block's last row."""
        return self.first_seq + self.count - 1

    def digest(self) -> bytes:
        """Return SHA-256 of the payload: what makes a repetition recognisable."""
        return hashlib.sha256(self.payload).digest()


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """Consecutive blocks of one stream and epoch. `epoch` changes when an edge store is begun anew.

    Rows up to `told_through` had been acknowledged before: the cloud has lost them, and whoever had to hear
    of them has heard. `over` are the numbers of events that were over when the batch was made, though their
    end, or their beginning, is in another one.
    """

    version: int
    stream: str
    epoch: int
    boot_id: str
    sent_at_ms: int
    blocks: list[Block]
    told_through: int = 0
    over: list[int] = []


class Problem(msgspec.Struct, frozen=True):
    """One block the cloud could not take: put aside on both sides, the rest went on."""

    first_seq: int
    code: str  # "malformed" | "conflict"
    detail: str


class Ack(msgspec.Struct, frozen=True):
    """What the cloud has committed. Rows up to `acked_through` wait no longer, and only then."""

    stream: str
    epoch: int
    acked_through: int  # highest number up to which nothing is missing; 0 if none
    # SHA-256 hex of the batch before compression: a portal's "200 OK" cannot forge it
    batch_digest: str
    received_at_ms: int
    gaps: list[tuple[int, int]] = []  # closed ranges above acked_through that are missing
    problems: list[Problem] = []


_block_encoder = msgspec.msgpack.Encoder()
_history_decoder = msgspec.msgpack.Decoder(_HistoryColumns)
_events_decoder = msgspec.msgpack.Decoder(list[_EventRow])
_batch_decoder = msgspec.msgpack.Decoder(Batch)


def encode_readings(readings: Sequence[Reading]) -> bytes:
    """Return the payload of a history block; the rows keep their order."""
    points: dict[str, int] = {}
    reasons: dict[str, int] = {"": 0}
    evidence: dict[Evidence, int] = {}
    # Column by column: a pass that does one thing costs a third of one that does seven.
    point = [points.setdefault(reading.point_key, len(points)) for reading in readings]
    times = [reading.measured_at_ms for reading in readings]
    reason = _column([reading.reason for reading in readings], lambda text: _index(reasons, text))
    shown = _column(
        [reading.evidence for reading in readings],
        lambda exchange: -1 if exchange is None else _index(evidence, exchange),
    )
    return _block_encoder.encode(
        _HistoryColumns(
            list(points),
            [fitting(text) for text in reasons],
            [_evidence_row(exchange) for exchange in evidence],
            point,
            list(map(sub, times, [0, *times])),
            [reading.value_micro for reading in readings],
            _column([reading.quality for reading in readings], int),
            reason,
            _column([reading.clock_quality for reading in readings], int),
            shown,
        )
    )


def _column(cells: list[_Cell], number_of: Callable[[_Cell], int]) -> list[int]:
    """Return the numbers of the cells, only one if all are the same, as they mostly are."""
    if cells and cells.count(cells[0]) == len(cells):
        return [number_of(cells[0])]
    return [number_of(cell) for cell in cells]


def _index(words: dict[_Cell, int], word: _Cell) -> int:
    return words.setdefault(word, len(words))


def decode_readings(payload: bytes, count: int) -> list[Reading]:
    """Return the rows of a history block; EnvelopeError says which column or row is wrong."""
    columns = decode_reading_columns(payload, count)
    return [
        Reading(
            columns.points[point],
            at_ms,
            value,
            Quality(quality),
            columns.reasons[why],
            ClockQuality(clock),
            None if shown < 0 else columns.evidence[shown],
        )
        for point, at_ms, value, quality, why, clock, shown in zip(
            columns.point,
            columns.measured_at_ms,
            columns.value_micro,
            columns.quality,
            columns.reason,
            columns.clock_quality,
            columns.evidence_of,
            strict=True,
        )
    ]


def decode_reading_columns(payload: bytes, count: int) -> ReadingColumns:
    """Return a history block as checked columns, without making an object a row.

    EnvelopeError says what is wrong; whatever passes can be stored: every number fits 64 bits, every
    index points at something, every text is free of NUL, every value stands beside a quality that has one.
    """
    columns = _columns(payload, count)
    check_columns(columns)
    return columns


def salvage_reading_columns(payload: bytes, count: int) -> tuple[ReadingColumns, list[int], list[str]]:
    """Return the rows of a block that are sound, where in it they stand, and what is wrong with the others.

    For a block that `decode_reading_columns` refuses, perhaps because a newer sender knows a quality we
    don't: one bad row must not cost its neighbours. EnvelopeError if the block has no rows to speak of.
    """
    columns = _columns(payload, count)
    rows, problems = sound_rows(columns)
    return pick_rows(columns, rows), rows, problems


def _columns(payload: bytes, count: int) -> ReadingColumns:
    try:
        raw = _history_decoder.decode(payload)
    except UNREADABLE as error:
        raise EnvelopeError(f"history block: {error}") from error
    if not len(raw.point) == len(raw.value_micro) == len(raw.measured_at_ms) == count:
        raise EnvelopeError(
            f"history block says {count} rows and holds {len(raw.point)} points, "
            f"{len(raw.measured_at_ms)} times and {len(raw.value_micro)} values"
        )
    return ReadingColumns(
        raw.points,
        raw.reasons,
        [_evidence_from_row(row) for row in raw.evidence],
        raw.point,
        list(accumulate(raw.measured_at_ms)),
        raw.value_micro,
        _widen("quality", raw.quality, count),
        _widen("reason", raw.reason, count),
        _widen("clock_quality", raw.clock_quality, count),
        _widen("evidence_of", raw.evidence_of, count),
    )


def encode_events(events: Iterable[Event]) -> bytes:
    """Return the payload of an event block; the rows keep their order."""
    return _block_encoder.encode(
        [
            _EventRow(
                event.kind,
                event.state.value,
                int(event.severity),
                event.point_key,
                event.occurred_at_ms,
                fitting(event.message),
                event.rule_id,
                event.value_micro,
                event.is_historical,
                {name: fitting(value) for name, value in event.attributes.items()},
                None if event.evidence is None else _evidence_row(event.evidence),
            )
            for event in events
        ]
    )


def decode_events(payload: bytes, count: int) -> list[Event]:
    """Return the rows of an event block; EnvelopeError says what is wrong with the first that is."""
    return [_event_from_row(row) for row in _event_rows(payload, count)]


def salvage_events(payload: bytes, count: int) -> tuple[list[Event], list[int], list[str]]:
    """Return the events of a block that are sound, where in it they stand, and what is wrong with the others.

    For a block that `decode_events` refuses. EnvelopeError if the block has no rows to speak of.
    """
    events: list[Event] = []
    rows: list[int] = []
    problems: list[str] = []
    for row, raw in enumerate(_event_rows(payload, count)):
        try:
            events.append(_event_from_row(raw))
        except EnvelopeError as error:
            problems.append(f"row {row}: {error}")
        else:
            rows.append(row)
    return events, rows, problems


def _event_rows(payload: bytes, count: int) -> list[_EventRow]:
    try:
        rows = _events_decoder.decode(payload)
    except UNREADABLE as error:
        raise EnvelopeError(f"event block: {error}") from error
    if len(rows) != count:
        raise EnvelopeError(f"event block says {count} rows and holds {len(rows)}")
    return rows


def _event_from_row(row: _EventRow) -> Event:
    try:
        event = Event(
            row.kind,
            EventState(row.state),
            Severity(row.severity),
            row.point_key,
            row.occurred_at_ms,
            row.message,
            row.rule_id,
            row.value_micro,
            row.is_historical,
            row.attributes,
            None if row.evidence is None else _evidence_from_row(row.evidence),
        )
    except ValueError as error:
        raise EnvelopeError(f"event block: {error}") from error
    check_event(event)
    return event


def encode_batch(batch: Batch) -> bytes:
    """Return the request body, not yet compressed."""
    return _block_encoder.encode(batch)


def decode_batch(body: bytes, stream: Stream) -> Batch:
    """Return the batch of an inflated request body; EnvelopeError if it does not add up.

    Blocks must belong to `stream`, have at least one row, and be in rising order without overlap.
    Their payloads are not opened here: a block that cannot be read must not hold up the others.
    """
    try:
        batch = _batch_decoder.decode(body)
    except UNREADABLE as error:
        raise EnvelopeError(f"batch: {error}") from error
    if batch.version < 1:
        raise EnvelopeError(f"batch: version {batch.version} is not known")
    if batch.stream != stream.value:
        raise EnvelopeError(f"batch: of stream {batch.stream!r}, posted to {stream.value!r}")
    if batch.epoch < 1:
        raise EnvelopeError(f"batch: epoch {batch.epoch} is not positive")
    if batch.epoch > SEQ_MAX or any(block.last_seq > SEQ_MAX for block in batch.blocks):
        raise EnvelopeError(f"batch: an epoch or row number is above {SEQ_MAX}")
    if not 1 <= len(batch.blocks) <= BLOCKS_PER_BATCH_MAX:
        raise EnvelopeError(f"batch: {len(batch.blocks)} blocks, allowed are 1 to {BLOCKS_PER_BATCH_MAX}")
    if any(block.first_seq < 1 or block.count < 1 for block in batch.blocks):
        raise EnvelopeError("batch: a block's first number and row count must be positive")
    if any(later.first_seq <= earlier.last_seq for earlier, later in pairwise(batch.blocks)):
        raise EnvelopeError("batch: blocks overlap or are out of order")
    if sum(block.count for block in batch.blocks if block.payload) > ROWS_PER_BATCH_MAX:
        raise EnvelopeError(f"batch: more than {ROWS_PER_BATCH_MAX} rows")
    return batch


def _widen(name: str, column: list[int], count: int) -> list[int]:
    if len(column) == 1:
        return column * count
    if len(column) != count:
        raise EnvelopeError(f"history block: column {name} has {len(column)} entries for {count} rows")
    return column


def _evidence_row(evidence: Evidence) -> _EvidenceRow:
    return _EvidenceRow(
        evidence.protocol,
        evidence.line,
        evidence.request,
        evidence.reply,
        evidence.captured_at_ms,
        evidence.round_trip_us,
    )


def _evidence_from_row(row: _EvidenceRow) -> Evidence:
    evidence = Evidence(row.protocol, row.line, row.request, row.reply, row.captured_at_ms, row.round_trip_us)
    check_evidence(evidence)
    return evidence
