"""Billed usage: what ladders add up, and where the next bill's meters begin.

The invariant: a quantity that was billed once is a row here; a credit note has the same rows with the
sign turned. So a position on a ladder is a sum, and the dial a bill ended with is the one the next begins.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloud.domain import money
from cloud.domain.ids import AccountId, InstallationId, InvoiceId, SeriesId, ServicePointId
from cloud.domain.invoice import InvoiceKind
from cloud.domain.periods import ServicePeriod
from cloud.domain.rating import SliceMethod
from cloud.domain.usage import DialReading, Judgement, UsageSegment
from cloud.store.db import Tx
from cloud.store.many_rows import insert_rows
from cloud.store.schema import invoice, opening_usage, usage


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """A slice of a bill at one service point.

    `segments` are of this slice alone, or, where it was divided by days, of the whole period;
    `slice_days` then has the days of every part.
    """

    invoice_id: InvoiceId
    service_point_id: ServicePointId
    slice_no: int
    account_id: AccountId
    dates: ServicePeriod
    quantity: Decimal
    unit: str
    method: SliceMethod
    slice_days: tuple[int, ...]
    segments: tuple[UsageSegment, ...]
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What one account was billed at a service point for a slice, corrections included."""

    service_point_id: ServicePointId
    account_id: AccountId
    dates: ServicePeriod
    quantity: Decimal


def usage_row(tx: Tx, billed: BilledUsage) -> dict[str, Any]:
    """Return the row of a slice, for a bulk insert."""
    return {
        "tenant_id": tx.tenant_id,
        "invoice_id": billed.invoice_id,
        "service_point_id": billed.service_point_id,
        "slice_no": billed.slice_no,
        "account_id": billed.account_id,
        "start_on": billed.dates.start_on,
        "end_on": billed.dates.end_on,
        "quantity_micro": int(billed.quantity.scaleb(6, money.EXACT)),
        "unit": billed.unit,
        "segments": {
            "method": billed.method.value,
            "slice_days": list(billed.slice_days),
            "segments": [_segment_to_json(segment) for segment in billed.segments],
        },
        "is_estimated": billed.is_estimated,
    }


def insert_usage(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows of `usage_row`."""
    if rows:
        # Add billed usage.
        insert_rows(tx, usage, rows)


def history_of(
    tx: Tx, service_points: Iterable[ServicePointId], since_on: date, until_on: date
) -> dict[ServicePointId, list[HistoryRow]]:
    """Return what was billed at each service point for slices beginning in `[since_on, until_on)`."""
    by_point: dict[ServicePointId, list[HistoryRow]] = {point: [] for point in service_points}
    if not by_point:
        return by_point
    # How much was billed here since the ladder year began, and to whom?
    rows = tx.conn.execute(
        sa.select(
            usage.c.service_point_id,
            usage.c.account_id,
            usage.c.start_on,
            usage.c.end_on,
            sa.func.sum(usage.c.quantity_micro),
        )
        .where(
            usage.c.tenant_id == tx.tenant_id,
            usage.c.service_point_id.in_(sorted(by_point)),
            usage.c.end_on > since_on,
            usage.c.start_on >= since_on,
            usage.c.start_on < until_on,
        )
        .group_by(usage.c.service_point_id, usage.c.account_id, usage.c.start_on, usage.c.end_on)
    )
    for point_id, account_id, start_on, end_on, micro in rows:
        quantity = Decimal(int(micro)).scaleb(-6, money.EXACT)
        row = HistoryRow(point_id, AccountId(account_id), ServicePeriod(start_on, end_on), quantity)
        by_point[row.service_point_id].append(row)
    for row in _before_us(tx, sorted(by_point), since_on, until_on):
        by_point[row.service_point_id].append(row)
    return by_point


def _before_us(
    tx: Tx, service_points: Sequence[ServicePointId], since_on: date, until_on: date
) -> list[HistoryRow]:
    """Return what the system before billed there since `since_on`."""
    # How much was billed here before we did?
    rows = tx.conn.execute(
        sa.select(
            opening_usage.c.service_point_id,
            opening_usage.c.account_id,
            opening_usage.c.from_on,
            opening_usage.c.to_on,
            opening_usage.c.quantity_micro,
        ).where(
            opening_usage.c.tenant_id == tx.tenant_id,
            opening_usage.c.service_point_id.in_(service_points),
            opening_usage.c.from_on >= since_on,
            opening_usage.c.from_on < until_on,
        )
    )
    return [
        HistoryRow(
            ServicePointId(row.service_point_id),
            AccountId(row.account_id),
            ServicePeriod(row.from_on, row.to_on),
            Decimal(row.quantity_micro).scaleb(-6, money.EXACT),
        )
        for row in rows
    ]


# Names a dial: a service point may have several meters in a period, a meter several registers.
DialKey = tuple[ServicePointId, InstallationId, str]


def billed_dials(
    tx: Tx,
    service_points: Sequence[ServicePointId],
    on: date,
    except_invoices: Collection[InvoiceId] = (),
) -> dict[DialKey, DialReading]:
    """Return the dials at which bills ended, or began, on a day, by installation.

    The next bill begins where the one before ended, and one issued late ends where the next began, so
    that a reading that came in late neither loses nor doubles anything. `except_invoices` are those
    being taken back: what they were billed by does not bind their replacement.
    """
    if not service_points:
        return {}
    # Which bills meet on this day?
    rows = tx.conn.execute(
        sa.select(usage.c.service_point_id, usage.c.end_on, usage.c.segments)
        .where(
            usage.c.tenant_id == tx.tenant_id,
            usage.c.service_point_id.in_(service_points),
            sa.or_(usage.c.end_on == on, usage.c.start_on == on),
            usage.c.invoice_id.not_in(except_invoices),
        )
        # Of an invoice, its credit note and its replacement the last one holds.
        .order_by(usage.c.invoice_id, usage.c.slice_no)
    ).all()
    dials: dict[DialKey, DialReading] = {}
    for is_end in (False, True):
        for row in rows:
            if (row.end_on == on) is is_end:
                for part in segments_from_json(row.segments):
                    key = ServicePointId(row.service_point_id), part.installation_id, part.register
                    dials[key] = part.closing if is_end else part.opening
    return dials


def usage_of_invoice(tx: Tx, invoice_id: InvoiceId) -> list[BilledUsage]:
    """Return an invoice's slices, by service point and number."""
    # What was used for this invoice?
    rows = tx.conn.execute(
        _select(tx)
        .where(usage.c.invoice_id == invoice_id)
        .order_by(usage.c.service_point_id, usage.c.slice_no)
    )
    return [_usage_from_row(row) for row in rows]


def usage_of_invoices(tx: Tx, invoice_ids: Sequence[InvoiceId]) -> dict[InvoiceId, list[BilledUsage]]:
    """Return the slices of several invoices, each by service point and number."""
    by_invoice: dict[InvoiceId, list[BilledUsage]] = {}
    if not invoice_ids:
        return by_invoice
    # What was used for these invoices?
    rows = tx.conn.execute(
        _select(tx)
        .where(usage.c.invoice_id.in_(invoice_ids))
        .order_by(usage.c.invoice_id, usage.c.service_point_id, usage.c.slice_no)
    )
    for row in rows:
        by_invoice.setdefault(InvoiceId(row.invoice_id), []).append(_usage_from_row(row))
    return by_invoice


def usage_before(tx: Tx, service_point_id: ServicePointId, on: date, limit: int) -> list[BilledUsage]:
    """Return the last slices billed at a service point up to a day, oldest first, credits left out."""
    # What was billed here lately?
    rows = tx.conn.execute(
        _select(tx)
        .where(
            usage.c.service_point_id == service_point_id,
            usage.c.end_on <= on,
            # A document that was taken back, and the credit note that did it, say nothing about usage.
            usage.c.invoice_id.not_in(taken_back(tx)),
        )
        .order_by(usage.c.end_on.desc(), usage.c.slice_no.desc())
        .limit(limit)
    ).all()
    return [_usage_from_row(row) for row in reversed(rows)]


def taken_back(tx: Tx) -> sa.CompoundSelect[Any]:
    """Return a statement: the documents that were taken back, and the credit notes that did it."""
    notes = sa.and_(invoice.c.tenant_id == tx.tenant_id, invoice.c.kind == InvoiceKind.CREDIT_NOTE.value)
    return sa.union(sa.select(invoice.c.id).where(notes), sa.select(invoice.c.corrects_id).where(notes))


def _select(tx: Tx) -> sa.Select[Any]:
    return sa.select(
        usage.c.invoice_id,
        usage.c.service_point_id,
        usage.c.slice_no,
        usage.c.account_id,
        usage.c.start_on,
        usage.c.end_on,
        usage.c.quantity_micro,
        usage.c.unit,
        usage.c.segments,
        usage.c.is_estimated,
    ).where(usage.c.tenant_id == tx.tenant_id)


def _usage_from_row(row: sa.Row[Any]) -> BilledUsage:
    return BilledUsage(
        InvoiceId(row.invoice_id),
        ServicePointId(row.service_point_id),
        row.slice_no,
        AccountId(row.account_id),
        ServicePeriod(row.start_on, row.end_on),
        Decimal(row.quantity_micro).scaleb(-6, money.EXACT),
        row.unit,
        SliceMethod(row.segments["method"]),
        tuple(row.segments["slice_days"]),
        segments_from_json(row.segments),
        row.is_estimated,
    )


def segments_from_json(document: Mapping[str, Any]) -> tuple[UsageSegment, ...]:
    """Return the segments in a usage row's document."""
    return tuple(
        UsageSegment(
            InstallationId(part["installation_id"]),
            part["meter_serial"],
            Decimal(part["multiplier"]),
            _reading_from_json(part["opening"]),
            _reading_from_json(part["closing"]),
            Judgement(part["judgement"]),
            int(part["dial_difference_micro"]),
            Decimal(part["quantity"]),
            part["register_modulus_micro"],
            part.get("register", ""),
        )
        for part in document["segments"]
    )


def _segment_to_json(segment: UsageSegment) -> dict[str, Any]:
    return {
        "installation_id": segment.installation_id,
        "meter_serial": segment.meter_serial,
        "multiplier": money.plain(segment.multiplier),
        "register_modulus_micro": segment.register_modulus_micro,
        "opening": _reading_to_json(segment.opening),
        "closing": _reading_to_json(segment.closing),
        "judgement": segment.judgement.value,
        "dial_difference_micro": segment.dial_difference_micro,
        "quantity": money.plain(segment.quantity),
        "register": segment.register,
    }


def _reading_to_json(reading: DialReading) -> dict[str, Any]:
    return {
        "value_micro": reading.value_micro,
        "measured_at_ms": reading.measured_at_ms,
        "source": reading.source,
        "series_id": reading.series_id,
        "epoch": reading.epoch,
        "seq": reading.seq,
        "record_id": reading.record_id,
        "anchor_micro": reading.anchor_micro,
    }


def _reading_from_json(document: Mapping[str, Any]) -> DialReading:
    series_id = document["series_id"]
    return DialReading(
        document["value_micro"],
        document["measured_at_ms"],
        document["source"],
        None if series_id is None else SeriesId(series_id),
        document["epoch"],
        document["seq"],
        document.get("record_id"),
        document.get("anchor_micro"),
    )
