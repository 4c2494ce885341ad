"""A bill as a resident thinks of it: by service, with its dials, the ladder, and why a tier is dearer.

Pure but for the traces it reads. The invariant: nothing here computes an amount; every number shown is
one of the invoice's or of its trace's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from cloud.console.formats import Format
from cloud.console.running import LadderNow, ladder_strip
from cloud.console.tariffs import charge_name
from cloud.console.traces import steps_of
from cloud.domain.dial import dial_digits
from cloud.domain.invoice import Invoice, InvoiceLine
from cloud.domain.trace import LineTrace, TracedReading, TracedSegment
from cloud.domain.user import User
from cloud.services import invoices
from cloud.store.db import Tx
from protocol.quantity import micro_from_decimal


@dataclass(frozen=True, slots=True)
class WhyArea:
    """One tier of the month drawn to scale: width is quantity, height is price."""

    number: int
    amount_fen: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Why:
    """Why there is a dearer tier: where it began and by how much each unit is dearer."""

    bound: Decimal
    dearer_by: Decimal
    areas: tuple[WhyArea, ...]


@dataclass(frozen=True, slots=True)
class DialPicture:
    """A meter's register as its dial showed it."""

    name: str
    at_ms: int
    whole: str
    fraction: str


@dataclass(frozen=True, slots=True)
class BillPart:
    """All lines of one service, as a resident thinks of them."""

    name: str
    commodity: str
    unit: str
    quantity: Decimal | None
    amount_fen: int
    tiers: int
    lines: tuple[InvoiceLine, ...]
    why: Why | None
    registers: tuple[DialPicture, ...]
    ladder: LadderNow | None
    sentence: str
    is_open: bool


def bill_parts(tx: Tx, actor: User, invoice: Invoice, fmt: Format) -> tuple[BillPart, ...]:
    """Return the services of an invoice in the order of its lines."""
    traces = {trace.line_no: trace for trace in invoices.traces(tx, actor, invoice.invoice_id)}
    by_service: dict[tuple[str, str | None], list[InvoiceLine]] = {}
    for line in invoice.lines:
        by_service.setdefault((line.charge_code, line.service_point_id), []).append(line)
    return tuple(
        _part(code, lines, [traces[line.line_no] for line in lines], fmt, is_open=index == 0)
        for index, ((code, _), lines) in enumerate(by_service.items())
    )


def _part(
    code: str, lines: Sequence[InvoiceLine], traces: Sequence[LineTrace], fmt: Format, *, is_open: bool
) -> BillPart:
    usage = next((trace.usage for trace in traces if trace.usage is not None), None)
    tiered = [line for line in lines if line.tier.isdecimal()]
    own = lines[0]
    return BillPart(
        charge_name(code, fmt),
        code,
        usage.unit if usage else own.unit,
        usage.quantity if usage else None,
        sum(line.amount_fen for line in lines),
        max((int(line.tier) for line in tiered), default=1),
        tuple(lines),
        _why(tiered, traces),
        _registers(traces, fmt),
        _ladder(tiered, traces),
        _sentence(traces, fmt),
        is_open,
    )


def _why(tiered: Sequence[InvoiceLine], traces: Sequence[LineTrace]) -> Why | None:
    """Return why the month has a dearer part; None if all of it was in one tier."""
    parts = [line for line in tiered if line.quantity is not None and line.unit_price is not None]
    if len(parts) < 2:
        return None
    upper = parts[-1]
    trace = next(trace for trace in traces if trace.line_no == upper.line_no)
    steps = {step.number: step for step in steps_of(trace)}
    below, above = steps.get(int(upper.tier) - 1), steps.get(int(upper.tier))
    if below is None or above is None or below.upper is None:
        return None
    return Why(below.upper, above.price - below.price, _why_areas(parts))


def _why_areas(parts: Sequence[InvoiceLine]) -> tuple[WhyArea, ...]:
    total = sum((part.quantity or Decimal(0) for part in parts), Decimal(0))
    dearest = max(part.unit_price or Decimal(0) for part in parts)
    areas = []
    x = 0.0
    for part in parts:
        quantity, price = part.quantity or Decimal(0), part.unit_price or Decimal(0)
        width, height = float(quantity / total) * 294, float(price / dearest) * 40
        areas.append(WhyArea(int(part.tier), part.amount_fen, x, 54 - height, max(1.0, width - 1), height))
        x += width
    return tuple(areas)


def _registers(traces: Sequence[LineTrace], fmt: Format) -> tuple[DialPicture, ...]:
    usage = next((trace.usage for trace in traces if trace.usage is not None), None)
    if usage is None or not usage.segments:
        return ()
    gettext = fmt.language.gettext
    first, last = usage.segments[0], usage.segments[-1]
    return (
        _dial(gettext("at the start"), first, first.opening),
        _dial(gettext("at the end"), last, last.closing),
    )


def _dial(name: str, segment: TracedSegment, reading: TracedReading) -> DialPicture:
    modulus = segment.register_modulus
    whole, fraction = dial_digits(
        micro_from_decimal(reading.value), None if modulus is None else micro_from_decimal(modulus)
    )
    return DialPicture(name, reading.measured_at_ms, whole, fraction)


def _ladder(tiered: Sequence[InvoiceLine], traces: Sequence[LineTrace]) -> LadderNow | None:
    """Return where the period ended on its ladder; None without one."""
    for trace in traces:
        steps = steps_of(trace)
        if trace.ladder is None or len(steps) < 2:
            continue
        own = [line for line in tiered if line.component == trace.component and line.quantity is not None]
        used = sum((line.quantity or Decimal(0) for line in own), trace.ladder.before)
        bounds = [step.upper for step in steps if step.upper is not None]
        unit = trace.usage.unit if trace.usage else trace.unit
        return ladder_strip(used, unit, bounds, [step.price for step in steps])
    return None


def _sentence(traces: Sequence[LineTrace], fmt: Format) -> str:
    usage = next((trace.usage for trace in traces if trace.usage is not None), None)
    if usage is None or len(usage.segments) < 2:
        return ""
    told = " + ".join(fmt.number(segment.quantity, usage.unit) for segment in usage.segments)
    sentence = fmt.language.gettext("The meter was exchanged: %(parts)s = %(total)s, nothing counted twice.")
    return sentence % {"parts": told, "total": fmt.quantity(usage.quantity, usage.unit)}
