"""Invoices as people read them: lists, one document, and the trace of a line down to the frames.

The invariant: a trace is assembled only from what is append-only: the line, its usage, the tariff
version, readings and frames. Asked again in ten years it is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import structs

from cloud.domain.access import Action, require, require_bills, sees_bills
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId, InvoiceId, ServicePointId, SiteId
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceSummary
from cloud.domain.money import Currency, plain
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.recompute import Recomputed, recompute
from cloud.domain.trace import (
    LineTrace,
    TracedBase,
    TracedBasis,
    TracedFrame,
    TracedLadder,
    TracedReading,
    TracedSegment,
    TracedTariff,
    TracedUsage,
)
from cloud.domain.usage import DialReading, UsageSegment
from cloud.domain.user import Role, User
from cloud.store import invoices, manual_readings, tariffs, traced_readings, usage
from cloud.store.db import Tx
from cloud.store.invoices import StoredLine
from cloud.store.manual_readings import ManualReading
from cloud.store.tariffs import StoredTariff
from cloud.store.traced_readings import WireReading
from cloud.store.usage import BilledUsage
from protocol.quantity import decimal_from_micro


@dataclass(frozen=True, slots=True)
class _Context:
    """What all traces of one invoice share."""

    invoice: Invoice
    used: list[BilledUsage]
    readings: Mapping[tuple[int, int, int, int], WireReading]
    records: Mapping[str, ManualReading]
    points: Mapping[ServicePointId, tuple[str, str]]


def list_invoices(
    tx: Tx,
    actor: User,
    *,
    site_id: SiteId | None = None,
    account_id: AccountId | None = None,
    period_code: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[InvoiceSummary]:
    """Return documents, newest first; a resident sees those of own accounts."""
    require(actor, Action.READ_INVOICES)
    checked_limit(limit)
    if account_id is not None:
        require_bills(actor, account_id)
    accounts = None if account_id is None else [account_id]
    if actor.role is Role.RESIDENT and accounts is None:
        accounts = sorted(actor.bill_account_ids)
    before = None if not cursor else InvoiceId(str(key_from_cursor(cursor, str)[0]))
    found = invoices.list_summaries(
        tx,
        site_id=site_id,
        account_ids=accounts,
        period_code=period_code,
        before_id=before,
        limit=limit + 1,
    )
    return page_of(found, limit, lambda last: (last.invoice_id,))


def newest_of_accounts(
    tx: Tx, actor: User, period_code: str, account_ids: Sequence[AccountId]
) -> dict[AccountId, InvoiceSummary]:
    """Return the newest document of each of some accounts for a month; those without any are left out."""
    require(actor, Action.READ_LEDGER)
    found = invoices.list_summaries(
        tx,
        site_id=None,
        account_ids=account_ids,
        period_code=period_code,
        before_id=None,
        limit=None,
    )
    return {paper.account_id: paper for paper in reversed(found)}


def get_invoice(tx: Tx, actor: User, invoice_id: InvoiceId) -> Invoice:
    """Return one document with its lines."""
    require(actor, Action.READ_INVOICES)
    found = invoices.find_invoice(tx, invoice_id)
    if found is None or not sees_bills(actor, found.account_id):
        raise NotFound(f"there is no invoice {invoice_id}")
    return found


def get_by_number(tx: Tx, actor: User, number: str) -> Invoice:
    """Return the document of a number such as `DG-2026-10-0001`; to a resident only their own exist."""
    require(actor, Action.READ_INVOICES)
    found = invoices.find_by_number(tx, number)
    if found is None:
        raise NotFound(f"there is no invoice {number!r}")
    require_bills(actor, found.account_id)
    return found


def documents_of_period(tx: Tx, actor: User, invoice_id: InvoiceId) -> list[Invoice]:
    """Return everything issued to the invoice's account for its period: invoice, credit note, replacement."""
    found = get_invoice(tx, actor, invoice_id)
    return invoices.documents_of(tx, found.account_id, found.period_id)


def trace(tx: Tx, actor: User, invoice_id: InvoiceId, line_no: int) -> LineTrace:
    """Return everything a line's amount follows from: tariff, ladder, usage, readings, frames."""
    found = get_invoice(tx, actor, invoice_id)
    stored = invoices.find_line(tx, invoice_id, line_no)
    if stored is None:
        raise NotFound(f"invoice {found.number} has no line {line_no}; it has {len(found.lines)}")
    return _trace_of(tx, found, [stored])[0]


def traces(tx: Tx, actor: User, invoice_id: InvoiceId) -> list[LineTrace]:
    """Return the traces of all lines of an invoice, in order."""
    found = get_invoice(tx, actor, invoice_id)
    return _trace_of(tx, found, invoices.stored_lines(tx, invoice_id))


def recompute_line(tx: Tx, actor: User, invoice_id: InvoiceId, line_no: int) -> Recomputed:
    """Recompute a line from its trace alone, and name whatever in it does not hold together."""
    return recompute(trace(tx, actor, invoice_id, line_no))


def _trace_of(tx: Tx, found: Invoice, lines: Sequence[StoredLine]) -> list[LineTrace]:
    """Return the traces of some lines; a credit note's lines follow from those they take back."""
    if found.kind is not InvoiceKind.CREDIT_NOTE:
        context = _context(tx, found)
        return [_trace(tx, context, stored) for stored in lines]
    assert found.corrects_id is not None, "a credit note names what it takes back"
    original = invoices.find_invoice(tx, found.corrects_id)
    assert original is not None, "an invoice is never deleted"
    context = _context(tx, original)
    by_number = {one.line.line_no: one for one in invoices.stored_lines(tx, original.invoice_id)}
    reversed_lines = []
    for stored in lines:
        taken_back = _trace(tx, context, by_number[stored.trace["line_no"]])
        changes = {
            "invoice_number": found.number,
            "line_no": stored.line.line_no,
            "amount_fen": stored.line.amount_fen,
            "arithmetic": f"-({taken_back.arithmetic})",
            "reverses": original.number,
        }
        reversed_lines.append(structs.replace(taken_back, **changes))
    return reversed_lines


def _context(tx: Tx, found: Invoice) -> _Context:
    used = usage.usage_of_invoice(tx, found.invoice_id)
    dials = [
        dial for part in used for segment in part.segments for dial in (segment.opening, segment.closing)
    ]
    records = manual_readings.find_records(
        tx, [dial.record_id for dial in dials if dial.record_id is not None]
    )
    points = traced_readings.service_points(tx, {part.service_point_id for part in used})
    return _Context(found, used, traced_readings.find_wire_readings(tx, dials), records, points)


def _trace(tx: Tx, context: _Context, stored: StoredLine) -> LineTrace:
    line, facts = stored.line, stored.trace
    tariff = tariffs.find_by_id(tx, line.tariff_id)
    assert tariff is not None, "a line's tariff is never deleted"
    quantity = line.quantity if facts["charge_no"] is not None else None
    return LineTrace(
        invoice_number=context.invoice.number,
        line_no=line.line_no,
        charge_code=line.charge_code,
        component=line.component,
        tier=facts["tier"],
        period=facts["period"],
        quantity=None if quantity is None else Decimal(plain(quantity)),
        unit=line.unit,
        unit_price=None if line.unit_price is None else Decimal(plain(line.unit_price)),
        currency=context.invoice.currency,
        rounding=str(tariff.version.document.get("rounding", "half_up_line")),
        amount_fen=line.amount_fen,
        arithmetic=_arithmetic(line, context.invoice.currency),
        charge_no=facts["charge_no"],
        tariff=_tariff(tariff),
        basis=_basis(facts),
        ladder=_ladder(facts),
        base=tuple(TracedBase(**one) for one in facts["base"]),
        usage=_usage(context, line, facts["slice_no"]),
    )


def _arithmetic(line: InvoiceLine, currency: str) -> str:
    amount = Currency(currency).text(line.amount_fen)
    if line.quantity is None or line.unit_price is None:
        return amount
    return f"{plain(line.quantity)} {line.unit} × {plain(line.unit_price)} = {amount}"


def _tariff(stored: StoredTariff) -> TracedTariff:
    tariff = stored.tariff
    return TracedTariff(
        code=tariff.code,
        version=tariff.version,
        name_zh=tariff.name_zh,
        name_en=tariff.name_en,
        valid_from=tariff.valid_from,
        valid_to=tariff.valid_to,
        confidence=tariff.confidence.value,
        sources=tuple(dict(source) for source in stored.version.document["sources"]),
        document=dict(stored.version.document),
    )


def _basis(facts: Mapping[str, Any]) -> TracedBasis:
    area = facts["area_m2"]
    return TracedBasis(
        start_on=date.fromisoformat(facts["start_on"]),
        end_on=date.fromisoformat(facts["end_on"]),
        whole_start_on=date.fromisoformat(facts["whole_start_on"]),
        whole_end_on=date.fromisoformat(facts["whole_end_on"]),
        by_period={period: Decimal(quantity) for period, quantity in facts["by_period"].items()},
        sequence=tuple((period, Decimal(quantity)) for period, quantity in facts["sequence"]),
        area_m2=None if area is None else Decimal(area),
        count=facts["count"],
        time_split=facts.get("time_split", ""),
        share_key=facts.get("share_key", ""),
    )


def _ladder(facts: Mapping[str, Any]) -> TracedLadder | None:
    ladder = facts["ladder"]
    if ladder is None:
        return None
    return TracedLadder(
        since_on=date.fromisoformat(ladder["since_on"]),
        before=Decimal(ladder["before"]),
        bounds=tuple(Decimal(bound) for bound in ladder["bounds"]),
        is_counted=ladder["is_counted"],
        household_size=facts["household_size"],
    )


def _usage(context: _Context, line: InvoiceLine, slice_no: int) -> TracedUsage | None:
    own = [
        part
        for part in context.used
        if part.service_point_id == line.service_point_id and part.slice_no == slice_no
    ]
    if not own:
        return None
    part = own[0]
    code, commodity = context.points[part.service_point_id]
    return TracedUsage(
        service_point=code,
        commodity=commodity,
        unit=part.unit,
        start_on=part.dates.start_on,
        end_on=part.dates.end_on,
        method=part.method.value,
        slice_no=part.slice_no,
        slices=part.slice_days,
        quantity=Decimal(plain(part.quantity)),
        is_estimated=part.is_estimated,
        segments=tuple(_segment(context, segment) for segment in part.segments),
    )


def _segment(context: _Context, segment: UsageSegment) -> TracedSegment:
    modulus = segment.register_modulus_micro
    return TracedSegment(
        meter_serial=segment.meter_serial,
        multiplier=segment.multiplier,
        register_modulus=None if modulus is None else decimal_from_micro(modulus),
        judgement=segment.judgement.value,
        opening=_reading(context, segment.opening),
        closing=_reading(context, segment.closing),
        quantity=segment.quantity,
        register=segment.register,
    )


def _reading(context: _Context, dial: DialReading) -> TracedReading:
    value = decimal_from_micro(dial.value_micro)
    if dial.record_id is not None:
        record = context.records[dial.record_id]
        return TracedReading(
            value=value,
            measured_at_ms=dial.measured_at_ms,
            source=dial.source,
            reason=record.reason,
            recorded_by=record.recorded_by,
            recorded_at_ms=record.recorded_at_ms,
        )
    if dial.series_id is None or dial.epoch is None or dial.seq is None:
        return TracedReading(value=value, measured_at_ms=dial.measured_at_ms, source=dial.source)
    wire = context.readings.get((dial.series_id, dial.measured_at_ms, dial.epoch, dial.seq))
    if wire is None:
        raise NotFound(f"the reading {dial.series_id}/{dial.measured_at_ms} of a bill is not in the database")
    frame = wire.evidence
    return TracedReading(
        value=value,
        measured_at_ms=dial.measured_at_ms,
        source=dial.source,
        quality=wire.quality.name.lower(),
        gateway=wire.gateway_code,
        point_key=wire.point_key,
        epoch=dial.epoch,
        seq=dial.seq,
        frame=None
        if frame is None
        else TracedFrame(
            protocol=frame.protocol,
            line=frame.line,
            request_hex=frame.request.hex(),
            reply_hex=frame.reply.hex(),
            sha256=wire.sha256,
            captured_at_ms=frame.captured_at_ms,
            round_trip_us=frame.round_trip_us,
        ),
    )
