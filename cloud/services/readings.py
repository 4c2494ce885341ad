"""Taking in what gateways send, and showing what points said.

The invariant: a batch is accepted as a whole transaction: blocks, readings, events, alarms, and how
far the stream reaches, together or not at all. Only then is it acknowledged. What was taken once is not
taken again; what contradicts it is kept aside with its bytes and never overwrites it.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cloud.domain.access import Action, require
from cloud.domain.change import PointChange, ReadingsChanged
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.gateway import BlockState, GatewayIdentity
from cloud.domain.ids import DeviceId, SeriesId
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.series import PointValue, StoredReading
from cloud.domain.user import User
from cloud.services import alarms
from cloud.services.opened_block import OpenedBlock
from cloud.services.opened_block import open_blocks as open_blocks  # what `accept` is handed comes from it
from cloud.store import gateways, ingest, points, reading_batches, readings
from cloud.store.db import Tx
from cloud.store.ingest import ReceivedBlock, StreamKey
from cloud.store.reading_batches import CurrentRow, ReadingBatch
from protocol.envelope import Problem
from protocol.evidence import Evidence
from protocol.sync import Stream

# A reading from further ahead than this was stamped by a wrong clock: kept, but not what is "now".
AHEAD_MS_MAX = 10 * 60 * 1000
# What was measured longer ago than this is history that fills in, not news for anybody's screen.
NEWS_MS_MAX = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class KeptEvidence:
    """A raw exchange and the SHA-256 stored when it came in; they differ if somebody changed either."""

    evidence: Evidence
    sha256: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the acknowledgement says: how far the stream reaches, what is missing, what was put aside."""

    acked_through: int
    gaps: list[tuple[int, int]]
    problems: list[Problem]
    rows_taken: int
    received_at_ms: int


@dataclass(slots=True)
class _Sorted:
    """A batch's blocks after comparing them with what was received before."""

    fresh: list[OpenedBlock] = field(default_factory=list)
    accounted: list[ReceivedBlock] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def accept(
    tx: Tx, gateway: GatewayIdentity, stream: Stream, epoch: int, blocks: Sequence[OpenedBlock]
) -> Accepted:
    """Take in consecutive blocks of one stream, in rising order; again, it changes nothing."""
    key = StreamKey(gateway.gateway_id, stream, epoch)
    acked_through = ingest.lock_stream(tx, key)
    known = ingest.blocks_between(tx, key, blocks[0].block.first_seq, blocks[-1].block.last_seq)
    found = _sort(tx, key, blocks, known)
    ingest.insert_blocks(tx, key, found.accounted)
    if stream is Stream.HISTORY:
        _take_readings(tx, gateway, epoch, found.fresh)
    else:
        for opened in found.fresh:
            for seq, event in zip(opened.seqs, opened.events, strict=True):
                alarms.take_event(tx, gateway, epoch, seq, event)
    reached, gaps = ingest.reach(tx, key, acked_through)
    ingest.set_acked_through(tx, key, reached)
    # Last, because both lanes of a gateway touch this row: an alarm must not wait for a backlog's lock.
    gateways.touch_gateway(tx, gateway.gateway_id)
    rows_taken = sum(len(opened.seqs) for opened in found.fresh)
    return Accepted(reached, gaps, found.problems, rows_taken, tx.now_ms)


def current(tx: Tx, actor: User, device_id: DeviceId) -> list[PointValue]:
    """Return what a device's points say now, by name."""
    require(actor, Action.READ_METERS)
    found = points.values_of_device(tx, device_id)
    if not found:
        raise NotFound(f"there is no device {device_id} with points")
    return found


def evidence_of(tx: Tx, actor: User, series_id: SeriesId, epoch: int, evidence_seq: int) -> KeptEvidence:
    """Return the raw exchange a point's reading was taken from."""
    require(actor, Action.READ_METERS)
    point = points.find_point(tx, series_id)
    if point is None:
        raise NotFound(f"there is no point with series {series_id}")
    kept = readings.find_kept_evidence(tx, point.gateway_id, epoch, evidence_seq)
    if kept is None:
        raise NotFound(f"no raw exchange was kept under {epoch}/{evidence_seq}")
    return KeptEvidence(*kept)


def history(
    tx: Tx,
    actor: User,
    series_id: SeriesId,
    from_ms: int,
    to_ms: int,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[StoredReading]:
    """Return a point's readings measured in `[from_ms, to_ms)`, oldest first, with quality and reason."""
    require(actor, Action.READ_METERS)
    checked_limit(limit)
    if to_ms <= from_ms:
        raise Invalid(f"the time ends at {to_ms}, before it begins at {from_ms}")
    if points.find_point(tx, series_id) is None:
        raise NotFound(f"there is no point with series {series_id}")
    after = None
    if cursor:
        at_ms, epoch, seq = key_from_cursor(cursor, int, int, int)
        after = (int(at_ms), int(epoch), int(seq))
    found = readings.list_readings(tx, series_id, from_ms, to_ms, after, limit + 1)
    return page_of(found, limit, lambda last: (last.measured_at_ms, last.epoch, last.seq))


def _sort(tx: Tx, key: StreamKey, blocks: Sequence[OpenedBlock], known: Sequence[ReceivedBlock]) -> _Sorted:
    found = _Sorted()
    by_first = {block.first_seq: block for block in known}
    for opened in blocks:
        first, last = opened.block.first_seq, opened.block.last_seq
        same = by_first.get(first)
        touching = [block for block in known if block.first_seq <= last and block.last_seq >= first]
        received = ReceivedBlock(first, last, opened.digest, opened.state)
        if same is not None and (same.last_seq, same.digest) == (last, opened.digest):
            if opened.problem or same.state is BlockState.ASIDE:
                _report_again(tx, key, opened, found)
        elif opened.state is BlockState.LOST:
            # A tombstone takes nothing back: what is here stays, what is not is gone.
            found.accounted += _uncovered(received, touching)
        elif same is not None and same.last_seq == last and same.state is BlockState.LOST:
            _fill_lost(tx, key, opened, received, found)
        elif touching:
            detail = _contradiction(touching[0], first, last)
            _put_aside(tx, key, opened, "conflict", detail, found)
            found.accounted += _uncovered(replace(received, state=BlockState.ASIDE), touching)
        else:
            _take(tx, key, opened, found)
            found.accounted.append(received)
    return found


def _fill_lost(tx: Tx, key: StreamKey, opened: OpenedBlock, received: ReceivedBlock, found: _Sorted) -> None:
    ingest.fill_lost(tx, key, received)
    _take(tx, key, opened, found)


def _take(tx: Tx, key: StreamKey, opened: OpenedBlock, found: _Sorted) -> None:
    """Take a block's sound rows, and put all of it aside if any of it is not."""
    if opened.problem:
        _put_aside(tx, key, opened, "malformed", opened.problem, found)
    if opened.state is BlockState.TAKEN:
        found.fresh.append(opened)


def _report_again(tx: Tx, key: StreamKey, opened: OpenedBlock, found: _Sorted) -> None:
    problem = ingest.find_problem(tx, key, opened.block.first_seq, opened.digest)
    # A block put aside as part of a conflict is named by the block that was sent, not by its remainder.
    if problem is not None:
        found.problems.append(Problem(opened.block.first_seq, *problem))


def _put_aside(tx: Tx, key: StreamKey, opened: OpenedBlock, code: str, detail: str, found: _Sorted) -> None:
    block = ReceivedBlock(opened.block.first_seq, opened.block.last_seq, opened.digest, BlockState.ASIDE)
    ingest.insert_problem(tx, key, block, code, detail, opened.block.payload)
    found.problems.append(Problem(opened.block.first_seq, code, detail))


def _contradiction(taken: ReceivedBlock, first: int, last: int) -> str:
    if (taken.first_seq, taken.last_seq) == (first, last):
        return f"rows {first} to {last} were received before with other content"
    return f"rows {first} to {last} overlap rows {taken.first_seq} to {taken.last_seq}, received before"


def _uncovered(block: ReceivedBlock, touching: Sequence[ReceivedBlock]) -> list[ReceivedBlock]:
    """Return what of the block's range nobody accounts for, so that the stream can go on past it."""
    remainders = []
    begin = block.first_seq
    for other in touching:
        if other.first_seq > begin:
            remainders.append(replace(block, first_seq=begin, last_seq=other.first_seq - 1))
        begin = other.last_seq + 1
    if begin <= block.last_seq:
        remainders.append(replace(block, first_seq=begin))
    return remainders


def _take_readings(tx: Tx, gateway: GatewayIdentity, epoch: int, fresh: Sequence[OpenedBlock]) -> None:
    keys = {key for opened in fresh if opened.columns is not None for key in opened.columns.points}
    series = points.series_of_keys(tx, gateway.gateway_id, keys)
    unknown = keys - series.keys()
    if unknown:
        series |= points.register_keys(tx, gateway.gateway_id, unknown)
    batch = ReadingBatch(epoch)
    for opened in fresh:
        assert opened.columns is not None, "a fresh history block has been read"
        shown_at = _evidence_seqs(opened)
        shown = [(seq, opened.columns.evidence[index]) for index, seq in shown_at.items()]
        reading_batches.insert_evidence(tx, gateway.gateway_id, Stream.HISTORY, epoch, shown)
        _append(batch, opened, series, shown_at)
    reading_batches.insert_readings(tx, batch)
    newest = newest_of(batch, tx.now_ms + AHEAD_MS_MAX)
    reading_batches.move_current(tx, newest)
    names = {series_id: key for key, series_id in series.items()}
    news = tuple(
        PointChange(SeriesId(row[0]), names[SeriesId(row[0])], row[1], row[2], row[3])
        for row in newest
        if row[1] >= tx.now_ms - NEWS_MS_MAX
    )
    if news:
        tx.announce(ReadingsChanged(tx.tenant_id, gateway.site_id, gateway.gateway_id, tx.now_ms, news))


def _evidence_seqs(opened: OpenedBlock) -> dict[int, int]:
    """Return, for each exchange, the number of the first row taken from it."""
    seqs: dict[int, int] = {}
    if opened.columns is not None and opened.columns.evidence:
        for seq, index in zip(opened.seqs, opened.columns.evidence_of, strict=True):
            if index >= 0:
                seqs.setdefault(index, seq)
    return seqs


def _append(
    batch: ReadingBatch, opened: OpenedBlock, series: dict[str, SeriesId], shown_at: dict[int, int]
) -> None:
    """Add a block's rows. Whole columns at a time: these lines see every reading of every gateway."""
    columns = opened.columns
    assert columns is not None, "a fresh history block has been read"
    own_series = [series[key] for key in columns.points]
    batch.series_id += map(own_series.__getitem__, columns.point)
    batch.measured_at_ms += columns.measured_at_ms
    batch.seq += opened.seqs
    batch.value_micro += columns.value_micro
    batch.quality += columns.quality
    batch.reason += map(columns.reasons.__getitem__, columns.reason)
    batch.clock_quality += columns.clock_quality
    batch.evidence_seq += map(shown_at.get, columns.evidence_of)


def newest_of(batch: ReadingBatch, until_ms: int) -> list[CurrentRow]:
    """Return each series' newest reading and newest value up to `until_ms`; on a tie the later row wins."""
    at_ms, values = batch.measured_at_ms, batch.value_micro
    # A dict keeps the last index put in under a series, which is its newest if times only rise.
    order: Sequence[int] = range(len(at_ms))
    if not all(map(operator.le, at_ms, at_ms[1:])) or at_ms[-1:] > [until_ms]:
        order = [index for index in sorted(order, key=at_ms.__getitem__) if at_ms[index] <= until_ms]
    newest = dict(zip(map(batch.series_id.__getitem__, order), order, strict=True))
    valued = newest
    if None in values:
        order = [index for index in order if values[index] is not None]
        valued = dict(zip(map(batch.series_id.__getitem__, order), order, strict=True))
    rows: list[CurrentRow] = []
    for series_id, index in newest.items():
        last = valued.get(series_id)
        known = (None, None) if last is None else (at_ms[last], values[last])
        rows.append(
            (series_id, at_ms[index], values[index], batch.quality[index], batch.reason[index], *known)
        )
    return rows
