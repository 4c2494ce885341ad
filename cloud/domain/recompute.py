"""Recomputing an invoice line from its trace and nothing else.

The invariant: this module reads no database, no clock and no other document. What it returns was
derived from the raw frames' readings, the meters' multipliers and the tariff text in the trace, so a
court, a resident's cousin or a test can run it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import msgspec

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.periods import ServicePeriod
from cloud.domain.rating import recharge, rounding_difference
from cloud.domain.tariff import Basis, Charge, LadderPosition, PricedLine
from cloud.domain.tariff_document import Tariff, parse_version
from cloud.domain.trace import Json, LineTrace, TracedReading, TracedSegment, TracedUsage
from cloud.domain.usage import Judgement
from protocol.errors import ProtocolError
from protocol.evidence import Evidence
from protocol.fieldbus import Message, codec_named

# Protocols whose frames state a value in its unit; a Modbus frame is words until a map explains them.
_SELF_EXPLAINING = frozenset({"cjt188", "dlt645-1997", "dlt645-2007"})


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The fen a trace leads to, and what in the trace does not hold together (empty when all does)."""

    amount_fen: int
    faults: tuple[str, ...]


def trace_to_json(trace: LineTrace) -> Json:
    """Return a trace as JSON values: decimals and dates as text, exactly."""
    built: Json = msgspec.to_builtins(trace)
    return built


def trace_from_json(document: Json) -> LineTrace:
    """Return the trace in a JSON document; Invalid says which part is not one."""
    try:
        return msgspec.convert(document, LineTrace)
    except msgspec.ValidationError as error:
        raise Invalid(f"not a trace: {error}") from error


def recompute(trace: LineTrace) -> Recomputed:
    """Return what the line's trace comes to, and every contradiction found on the way."""
    tariff = parse_version(trace.tariff.document).tariff
    faults: list[str] = []
    quantity = Decimal(0)
    if trace.usage is not None:
        quantity = _usage_quantity(trace.usage, faults)
        if quantity != trace.usage.quantity:
            faults.append(f"readings give {quantity}, the bill says {trace.usage.quantity}")
        if trace.basis.time_split == "registers":
            _check_registers(trace, faults)
    base = [
        PricedLine(line.component, line.amount_fen, line.is_percent, Fraction(line.exact))
        for line in trace.base
    ]
    if trace.charge_no is None:
        exact = [line.exact for line in base]
        amount_fen = rounding_difference(tariff, exact, sum(line.amount_fen for line in base))
        return Recomputed(_signed(trace, amount_fen), tuple(faults))
    if not 0 <= trace.charge_no < len(tariff.charges):
        raise Invalid(f"the tariff has no charge {trace.charge_no}")
    charges = recharge(tariff, trace.charge_no, _basis(trace, tariff, quantity), _position(trace), base)
    charge, amount_fen = _same_charge(trace, charges)
    if charge.quantity != trace.quantity:
        faults.append(f"the tariff prices {charge.quantity}, the line says {trace.quantity}")
    if charge.unit_price != trace.unit_price:
        faults.append(f"the tariff's price is {charge.unit_price}, the line says {trace.unit_price}")
    return Recomputed(_signed(trace, amount_fen), tuple(faults))


def _signed(trace: LineTrace, amount_fen: int) -> int:
    return -amount_fen if trace.reverses else amount_fen


def _same_charge(trace: LineTrace, charges: Sequence[tuple[Charge, int]]) -> tuple[Charge, int]:
    for charge, amount_fen in charges:
        if (charge.tier, charge.period) == (trace.tier, trace.period):
            return charge, amount_fen
    raise Invalid(f"the tariff makes no charge for tier {trace.tier}, period {trace.period}")


def _basis(trace: LineTrace, tariff: Tariff, quantity: Decimal) -> Basis:
    basis = trace.basis
    return Basis(
        ServicePeriod(basis.start_on, basis.end_on),
        ServicePeriod(basis.whole_start_on, basis.whole_end_on),
        quantity,
        tariff.unit,
        tariff.currency,
        basis.by_period,
        basis.sequence,
        household_size=trace.ladder.household_size if trace.ladder else None,
        area_m2=basis.area_m2,
        count=basis.count,
        share_key=basis.share_key,
    )


def _position(trace: LineTrace) -> LadderPosition | None:
    ladder = trace.ladder
    if ladder is None:
        return None
    return LadderPosition(ladder.since_on, ladder.before, ladder.bounds, ladder.is_counted)


def _usage_quantity(usage: TracedUsage, faults: list[str]) -> Decimal:
    parts = [_segment_quantity(segment, faults) for segment in usage.segments]
    total = money.round_quantity(money.add(parts), 6)
    if usage.method != "days" or len(usage.slices) < 2:
        return total
    return money.split_quantity(total, usage.slices)[usage.slice_no]


def _check_registers(trace: LineTrace, faults: list[str]) -> None:
    assert trace.usage is not None, "only a usage has registers"
    used: dict[str, Decimal] = {}
    for segment in trace.usage.segments:
        part = _segment_quantity(segment, [])
        used[segment.register] = money.EXACT.add(used.get(segment.register, Decimal(0)), part)
    for period, quantity in trace.basis.by_period.items():
        if used.get(period) != quantity:
            faults.append(f"register {period} gives {used.get(period)}, the bill says {quantity}")


def _segment_quantity(segment: TracedSegment, faults: list[str]) -> Decimal:
    difference = money.EXACT.subtract(segment.closing.value, segment.opening.value)
    if difference < 0 and segment.judgement != Judgement.TRUE_UP.value:
        if segment.register_modulus is None:
            raise Invalid(f"meter {segment.meter_serial} went backwards and its full scale is not known")
        difference = money.EXACT.add(difference, segment.register_modulus)
    for reading in (segment.opening, segment.closing):
        _check_frame(segment.meter_serial, reading, faults)
    return money.EXACT.multiply(difference, segment.multiplier)


def _check_frame(serial: str, reading: TracedReading, faults: list[str]) -> None:
    frame = reading.frame
    if frame is None:
        return
    evidence = Evidence(
        frame.protocol,
        frame.line,
        bytes.fromhex(frame.request_hex),
        bytes.fromhex(frame.reply_hex),
        frame.captured_at_ms,
        frame.round_trip_us,
    )
    if evidence.digest().hex() != frame.sha256:
        faults.append(f"meter {serial}: the frame of {frame.captured_at_ms} does not have its SHA-256")
    if frame.protocol in _SELF_EXPLAINING:
        said = _numbers_in(evidence)
        if reading.value not in said:
            numbers = ", ".join(map(money.plain, said)) or "nothing"
            faults.append(
                f"meter {serial}: its frame says {numbers}, the reading {money.plain(reading.value)}"
            )


def _numbers_in(evidence: Evidence) -> list[Decimal]:
    """Return every number a frame states in units; none where it is no frame of its protocol."""
    message = Message(evidence.reply, is_reply=True, request=evidence.request)
    try:
        return list(_decimals(codec_named(evidence.protocol).facts(message)))
    except ProtocolError:
        return []


def _decimals(facts: object) -> Iterator[Decimal]:
    match facts:
        case Decimal():
            yield facts
        case Mapping():
            for part in facts.values():
                yield from _decimals(part)
        case list() | tuple():
            for part in facts:
                yield from _decimals(part)
