"""What has been received of each gateway's streams: blocks, how far they reach, and what went wrong.

The invariant: within (gateway, stream, epoch) the ranges in `ingest_block` never overlap, so no row
number is ever taken twice. The stream's row is locked first; whoever holds it decides alone.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud.domain.gateway import BlockState, IngestProblem, StreamStatus
from cloud.domain.ids import GatewayId, UserId
from cloud.store.db import Tx
from cloud.store.schema import gateway, ingest_block, ingest_problem, ingest_stream
from protocol.sync import Stream

# A person reads the first gaps; the sender needs to know where to go on, not all of them.
GAPS_MAX = 100


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Where a numbering lives: one stream of one gateway since one beginning of its store."""

    gateway_id: GatewayId
    stream: Stream
    epoch: int


@dataclass(frozen=True, slots=True)
class ReceivedBlock:
    """A range of row numbers that is accounted for, and what became of it."""

    first_seq: int
    last_seq: int
    digest: bytes
    state: BlockState


# The statements every batch runs are built once: building one costs as much as running it.
_STREAM_IS = (
    ingest_stream.c.tenant_id == sa.bindparam("of_tenant"),
    ingest_stream.c.gateway_id == sa.bindparam("of_gateway"),
    ingest_stream.c.stream == sa.bindparam("of_stream"),
    ingest_stream.c.epoch == sa.bindparam("of_epoch"),
)
_BLOCK_IS = (
    ingest_block.c.tenant_id == sa.bindparam("of_tenant"),
    ingest_block.c.gateway_id == sa.bindparam("of_gateway"),
    ingest_block.c.stream == sa.bindparam("of_stream"),
    ingest_block.c.epoch == sa.bindparam("of_epoch"),
)
# How far has this stream come?
_LOCK_STREAM = sa.select(ingest_stream.c.acked_through).where(*_STREAM_IS).with_for_update()
# A stream has grown.
_SET_ACKED_THROUGH = (
    sa.update(ingest_stream)
    .where(*_STREAM_IS)
    .values(acked_through=sa.bindparam("to_seq"), received_at_ms=sa.bindparam("now_ms"))
)
# Which of these numbers are already accounted for? Blocks don't overlap: only the last one that begins
# before the range can reach into it.
_BLOCKS_BETWEEN = (
    sa.select(ingest_block.c.first_seq, ingest_block.c.last_seq, ingest_block.c.digest, ingest_block.c.state)
    .where(
        *_BLOCK_IS,
        ingest_block.c.first_seq
        >= sa.func.coalesce(
            sa.select(sa.func.max(ingest_block.c.first_seq))
            .where(*_BLOCK_IS, ingest_block.c.first_seq <= sa.bindparam("first"))
            .correlate(None)
            .scalar_subquery(),
            sa.bindparam("first"),
        ),
        ingest_block.c.first_seq <= sa.bindparam("last"),
        ingest_block.c.last_seq >= sa.bindparam("first"),
    )
    .order_by(ingest_block.c.first_seq)
)
# How far have a gateway's streams come? Asked with every hello.
_ACKED_THROUGH = sa.select(ingest_stream.c.stream, ingest_stream.c.acked_through).where(
    ingest_stream.c.tenant_id == sa.bindparam("of_tenant"),
    ingest_stream.c.gateway_id == sa.bindparam("of_gateway"),
    ingest_stream.c.epoch == sa.bindparam("of_epoch"),
)
_INSERT_BLOCKS = sa.insert(ingest_block)
_COUNT_ABOVE = sa.select(sa.func.sum(ingest_block.c.row_count), sa.func.max(ingest_block.c.last_seq)).where(
    *_BLOCK_IS, ingest_block.c.first_seq > sa.bindparam("from_seq")
)


def _gaps_above() -> sa.Select[Any]:
    begins = ingest_block.c.first_seq
    before = sa.func.lag(ingest_block.c.last_seq, 1, sa.bindparam("from_seq")).over(order_by=begins)
    above = (
        sa.select(begins, before.label("before"))
        .where(*_BLOCK_IS, begins > sa.bindparam("from_seq"))
        .subquery()
    )
    return (
        sa.select(above.c.before, above.c.first_seq)
        .where(above.c.first_seq > above.c.before + 1)
        .order_by(above.c.first_seq)
        .limit(GAPS_MAX)
    )


_GAPS_ABOVE = _gaps_above()


def lock_stream(tx: Tx, key: StreamKey) -> int:
    """Return how far the stream is contiguous, and hold it until the end of the transaction."""
    held = tx.conn.execute(_LOCK_STREAM, _parameters(tx, key)).scalar_one_or_none()
    if held is not None:
        return int(held)
    # Begin a stream; another transaction may be doing the same, and whoever comes second waits for it.
    tx.conn.execute(
        tx.insert(ingest_stream)
        .values(
            tenant_id=tx.tenant_id,
            gateway_id=key.gateway_id,
            stream=key.stream.value,
            epoch=key.epoch,
            acked_through=0,
            first_received_at_ms=tx.now_ms,
            received_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing()
    )
    return int(tx.conn.execute(_LOCK_STREAM, _parameters(tx, key)).scalar_one())


def set_acked_through(tx: Tx, key: StreamKey, acked_through: int) -> None:
    """Note how far the stream is contiguous now."""
    tx.conn.execute(
        _SET_ACKED_THROUGH, {**_parameters(tx, key), "to_seq": acked_through, "now_ms": tx.now_ms}
    )


def blocks_between(tx: Tx, key: StreamKey, first_seq: int, last_seq: int) -> list[ReceivedBlock]:
    """Return the received blocks that touch `[first_seq, last_seq]`, in order."""
    rows = tx.conn.execute(_BLOCKS_BETWEEN, {**_parameters(tx, key), "first": first_seq, "last": last_seq})
    return [
        ReceivedBlock(first, last, bytes(digest), BlockState(state)) for first, last, digest, state in rows
    ]


def insert_blocks(tx: Tx, key: StreamKey, blocks: list[ReceivedBlock]) -> None:
    """Account for blocks; their ranges are known to be free."""
    if not blocks:
        return
    # Add blocks.
    tx.conn.execute(
        _INSERT_BLOCKS,
        [
            {
                "tenant_id": tx.tenant_id,
                "gateway_id": key.gateway_id,
                "stream": key.stream.value,
                "epoch": key.epoch,
                "first_seq": block.first_seq,
                "last_seq": block.last_seq,
                "digest": block.digest,
                "row_count": block.last_seq - block.first_seq + 1,
                "received_at_ms": tx.now_ms,
                "state": block.state.value,
            }
            for block in blocks
        ],
    )


def fill_lost(tx: Tx, key: StreamKey, block: ReceivedBlock) -> None:
    """Account for a block that had been given up and came after all."""
    # A lost range turns up.
    tx.conn.execute(
        sa.update(ingest_block)
        .where(
            *_BLOCK_IS,
            ingest_block.c.first_seq == block.first_seq,
            ingest_block.c.state == BlockState.LOST.value,
        )
        .values(digest=block.digest, state=block.state.value, received_at_ms=tx.now_ms),
        _parameters(tx, key),
    )


def insert_problem(
    tx: Tx, key: StreamKey, block: ReceivedBlock, code: str, detail: str, payload: bytes
) -> None:
    """Keep a block that could not be taken, with its bytes; the same bytes again are the same problem."""
    # Add one problem, once.
    tx.conn.execute(
        tx.insert(ingest_problem)
        .values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            gateway_id=key.gateway_id,
            stream=key.stream.value,
            epoch=key.epoch,
            first_seq=block.first_seq,
            last_seq=block.last_seq,
            digest=block.digest,
            code=code,
            detail=detail,
            payload=payload,
            received_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing()
    )


def find_problem(tx: Tx, key: StreamKey, first_seq: int, digest: bytes) -> tuple[str, str] | None:
    """Return code and detail of the problem these bytes had, or None."""
    # What was wrong with this block?
    row = tx.conn.execute(
        sa.select(ingest_problem.c.code, ingest_problem.c.detail).where(
            ingest_problem.c.tenant_id == tx.tenant_id,
            ingest_problem.c.gateway_id == key.gateway_id,
            ingest_problem.c.stream == key.stream.value,
            ingest_problem.c.epoch == key.epoch,
            ingest_problem.c.first_seq == first_seq,
            ingest_problem.c.digest == digest,
        )
    ).one_or_none()
    return None if row is None else (row.code, row.detail)


def reach(tx: Tx, key: StreamKey, acked_through: int) -> tuple[int, list[tuple[int, int]]]:
    """Return how far the numbers are contiguous from `acked_through` on, and the first gaps above."""
    parameters = {**_parameters(tx, key), "from_seq": acked_through}
    # How many numbers are accounted for above it, and up to which?
    row = tx.conn.execute(_COUNT_ABOVE, parameters).one()
    counted, last = int(row[0] or 0), int(row[1] or 0)
    if not counted:
        return acked_through, []
    if counted == last - acked_through:  # as many as there could be: nothing is missing
        return last, []
    # Where does a block not begin right after the one before it?
    gaps = [(before + 1, first - 1) for before, first in tx.conn.execute(_GAPS_ABOVE, parameters)]
    return gaps[0][0] - 1, gaps


def acked_through(tx: Tx, gateway_id: GatewayId, epoch: int) -> dict[str, int]:
    """Return how far each stream of this epoch is contiguous; streams never heard of are left out."""
    rows = tx.conn.execute(
        _ACKED_THROUGH, {"of_tenant": tx.tenant_id, "of_gateway": gateway_id, "of_epoch": epoch}
    )
    return {row.stream: row.acked_through for row in rows}


def stream_statuses(tx: Tx, gateway_id: GatewayId) -> list[StreamStatus]:
    """Return a gateway's streams with what is missing, newest epoch first."""
    lost = (
        sa.select(sa.func.coalesce(sa.func.sum(ingest_block.c.row_count), 0))
        .where(
            ingest_block.c.tenant_id == ingest_stream.c.tenant_id,
            ingest_block.c.gateway_id == ingest_stream.c.gateway_id,
            ingest_block.c.stream == ingest_stream.c.stream,
            ingest_block.c.epoch == ingest_stream.c.epoch,
            ingest_block.c.state == BlockState.LOST.value,
        )
        .scalar_subquery()
    )
    # Which streams has this gateway, how far are they, and what is gone for good?
    rows = tx.conn.execute(
        sa.select(
            ingest_stream.c.stream,
            ingest_stream.c.epoch,
            ingest_stream.c.acked_through,
            ingest_stream.c.received_at_ms,
            lost.label("lost_rows"),
        )
        .where(ingest_stream.c.tenant_id == tx.tenant_id, ingest_stream.c.gateway_id == gateway_id)
        .order_by(ingest_stream.c.epoch.desc(), ingest_stream.c.stream)
    ).all()
    return [
        StreamStatus(
            row.stream,
            row.epoch,
            row.acked_through,
            tuple(reach(tx, StreamKey(gateway_id, Stream(row.stream), row.epoch), row.acked_through)[1]),
            int(row.lost_rows),
            row.received_at_ms,
        )
        for row in rows
    ]


def list_problems(
    tx: Tx, gateway_id: GatewayId | None, *, only_open: bool, limit: int
) -> list[IngestProblem]:
    """Return blocks that could not be taken, newest first."""
    conditions = [ingest_problem.c.tenant_id == tx.tenant_id]
    if gateway_id is not None:
        conditions.append(ingest_problem.c.gateway_id == gateway_id)
    if only_open:
        conditions.append(ingest_problem.c.settled_at_ms.is_(None))
    # What could not be taken, and from whom?
    rows = tx.conn.execute(
        sa.select(
            ingest_problem.c.id,
            gateway.c.code,
            ingest_problem.c.stream,
            ingest_problem.c.epoch,
            ingest_problem.c.first_seq,
            ingest_problem.c.last_seq,
            ingest_problem.c.code.label("problem"),
            ingest_problem.c.detail,
            sa.func.length(ingest_problem.c.payload).label("payload_bytes"),
            ingest_problem.c.received_at_ms,
            ingest_problem.c.settled_at_ms,
        )
        .select_from(
            ingest_problem.join(
                gateway,
                sa.and_(
                    gateway.c.tenant_id == ingest_problem.c.tenant_id,
                    gateway.c.id == ingest_problem.c.gateway_id,
                ),
            )
        )
        .where(*conditions)
        .order_by(ingest_problem.c.id.desc())
        .limit(limit)
    )
    return [_problem_from_row(row) for row in rows]


def settle_problem(tx: Tx, problem_id: str, user_id: UserId) -> bool:
    """Note that a person has dealt with a problem; tell whether it was open."""
    # A person has decided about one problem.
    return bool(
        tx.conn.execute(
            sa.update(ingest_problem)
            .where(
                ingest_problem.c.tenant_id == tx.tenant_id,
                ingest_problem.c.id == problem_id,
                ingest_problem.c.settled_at_ms.is_(None),
            )
            .values(settled_at_ms=tx.now_ms, settled_by=user_id)
        ).rowcount
    )


def _problem_from_row(row: Any) -> IngestProblem:
    return IngestProblem(
        row.id,
        row.code,
        row.stream,
        row.epoch,
        row.first_seq,
        row.last_seq,
        row.problem,
        row.detail,
        row.payload_bytes,
        row.received_at_ms,
        row.settled_at_ms,
    )


def _parameters(tx: Tx, key: StreamKey) -> dict[str, object]:
    return {
        "of_tenant": tx.tenant_id,
        "of_gateway": key.gateway_id,
        "of_stream": key.stream.value,
        "of_epoch": key.epoch,
    }
