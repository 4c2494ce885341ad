"""Readings as a trace shows them: with the point, the gateway and the raw exchange behind them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from cloud.domain.ids import ServicePointId
from cloud.domain.usage import DialReading
from cloud.store.db import Tx
from cloud.store.schema import evidence, gateway, point, reading, service_point
from protocol.evidence import Evidence
from protocol.reading import Quality
from protocol.sync import Stream

# Series, time of measurement, epoch, number: what names a reading.
ReadingKey = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class WireReading:
    """A stored reading, where it came from, and its raw exchange where that was kept."""

    value_micro: int | None
    quality: Quality
    gateway_code: str
    point_key: str
    evidence: Evidence | None
    # As noted when it arrived; whoever checks computes it anew from the bytes.
    sha256: str


def find_wire_readings(tx: Tx, dials: Sequence[DialReading]) -> dict[ReadingKey, WireReading]:
    """Return the stored readings behind some dials, by key; those not from the wire are left out."""
    keys = [
        (dial.series_id, dial.measured_at_ms, dial.epoch, dial.seq)
        for dial in dials
        if dial.series_id is not None and dial.epoch is not None and dial.seq is not None
    ]
    found = ((key, _find_wire_reading(tx, key)) for key in sorted(set(keys)))
    return {key: reading for key, reading in found if reading is not None}


def _find_wire_reading(tx: Tx, key: ReadingKey) -> WireReading | None:
    # One lookup a reading: SQLite answers three keys joined by OR by reading the whole table.
    series_id, measured_at_ms, epoch, seq = key
    # What did the gateway send, and what was on the wire?
    row = tx.conn.execute(
        sa.select(
            reading.c.value_micro,
            reading.c.quality,
            gateway.c.code,
            point.c.key,
            evidence.c.protocol,
            evidence.c.line,
            evidence.c.request,
            evidence.c.reply,
            evidence.c.captured_at_ms,
            evidence.c.round_trip_us,
            evidence.c.sha256,
        )
        .select_from(
            reading.join(
                point,
                sa.and_(point.c.tenant_id == reading.c.tenant_id, point.c.series_id == reading.c.series_id),
            )
            .join(
                gateway,
                sa.and_(gateway.c.tenant_id == point.c.tenant_id, gateway.c.id == point.c.gateway_id),
            )
            .outerjoin(
                evidence,
                sa.and_(
                    evidence.c.tenant_id == reading.c.tenant_id,
                    evidence.c.gateway_id == point.c.gateway_id,
                    evidence.c.stream == Stream.HISTORY.value,
                    evidence.c.epoch == reading.c.epoch,
                    evidence.c.seq == reading.c.evidence_seq,
                ),
            )
        )
        .where(
            reading.c.tenant_id == tx.tenant_id,
            reading.c.series_id == series_id,
            reading.c.measured_at_ms == measured_at_ms,
            reading.c.epoch == epoch,
            reading.c.seq == seq,
        )
    ).one_or_none()
    if row is None:
        return None
    was_kept = row.protocol is not None
    return WireReading(
        row.value_micro,
        Quality(row.quality),
        row.code,
        row.key,
        Evidence(
            row.protocol,
            row.line,
            bytes(row.request),
            bytes(row.reply),
            row.captured_at_ms,
            row.round_trip_us,
        )
        if was_kept
        else None,
        row.sha256 or "",
    )


def service_points(tx: Tx, ids: Collection[ServicePointId]) -> dict[ServicePointId, tuple[str, str]]:
    """Return the code and the commodity of service points."""
    if not ids:
        return {}
    # Where was it used?
    rows = tx.conn.execute(
        sa.select(service_point.c.id, service_point.c.code, service_point.c.commodity).where(
            service_point.c.tenant_id == tx.tenant_id, service_point.c.id.in_(sorted(ids))
        )
    )
    return {ServicePointId(row.id): (row.code, row.commodity) for row in rows}
