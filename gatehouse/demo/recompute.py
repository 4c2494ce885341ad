"""Computing an invoice line anew from its trace, with arithmetic of our own.

The bill is checked as a resident's cousin would: decode the frames, subtract the dials, put the usage
on the ladder, multiply, round half up. The invariant: nothing of the billing code is used, and nothing
but the trace is read.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from gatehouse.demo.errors import ProofFailed
from protocol.errors import ProtocolError
from protocol.evidence import Evidence
from protocol.fieldbus import cjt188, dlt645
from protocol.fieldbus.cjt188_data import decode_water

_FEN_PER_YUAN = 100
_MONTH_DAYS = 31


class _Frame(msgspec.Struct):
    protocol: str
    line: str
    request_hex: str
    reply_hex: str
    sha256: str


class _Reading(msgspec.Struct):
    value: Decimal
    source: str
    frame: _Frame | None = None


class _Segment(msgspec.Struct):
    multiplier: Decimal
    register_modulus: Decimal | None
    opening: _Reading
    closing: _Reading


class _Basis(msgspec.Struct):
    start_on: date
    end_on: date
    area_m2: Decimal | None
    count: int


class _Usage(msgspec.Struct):
    method: str
    segments: list[_Segment]


class _Ladder(msgspec.Struct):
    before: Decimal
    bounds: list[Decimal]


class _Tier(msgspec.Struct):
    price: Decimal


class _Rule(msgspec.Struct):
    kind: str
    component: str
    price: Decimal | None = None
    tiers: list[_Tier] = []
    is_counted: bool = False


class _Document(msgspec.Struct):
    charges: list[_Rule]


class _Tariff(msgspec.Struct):
    code: str
    document: _Document


class _Trace(msgspec.Struct):
    invoice_number: str
    line_no: int
    component: str
    tier: int | None
    amount_fen: int
    charge_no: int | None
    tariff: _Tariff
    basis: _Basis
    ladder: _Ladder | None
    usage: _Usage | None


@dataclass(frozen=True, slots=True)
class RecomputedLine:
    """What a line comes to, and how many raw frames were opened for it."""

    amount_fen: int
    billed_fen: int
    frames: int


def recompute_line(answer: bytes) -> RecomputedLine:
    """Return a line's fen from the answer of the trace endpoint; ProofFailed names what does not hold."""
    try:
        trace = msgspec.json.decode(answer, type=_Trace)
    except msgspec.DecodeError as error:
        raise ProofFailed(f"a trace cannot be read: {error}") from error
    name = f"{trace.invoice_number} line {trace.line_no}"
    if trace.charge_no is not None and trace.usage is None:
        return RecomputedLine(_without_a_meter(trace, name), trace.amount_fen, 0)
    if trace.usage is None or trace.usage.method != "whole" or trace.charge_no is None:
        raise ProofFailed(f"{name}: the demonstration's bills price whole periods of metered usage only")
    frames = [_opened(reading, name) for segment in trace.usage.segments for reading in _ends(segment)]
    used = sum((_used(segment) for segment in trace.usage.segments), Decimal(0))
    rule = trace.tariff.document.charges[trace.charge_no]
    if rule.kind == "tiered":
        quantity, price = _on_ladder(trace, rule, used, name)
    elif rule.price is not None:
        quantity, price = used, rule.price
    else:
        raise ProofFailed(f"{name}: charges of kind {rule.kind!r} are not known here")
    fen = (quantity * price * _FEN_PER_YUAN).quantize(Decimal(1), ROUND_HALF_UP)
    return RecomputedLine(int(fen), trace.amount_fen, sum(frames))


def _without_a_meter(trace: _Trace, name: str) -> int:
    """Return the fen of a whole month's fee: so much for each square metre, or so much a month."""
    basis, rule = trace.basis, trace.tariff.document.charges[trace.charge_no or 0]
    is_month = (
        basis.start_on.day == basis.end_on.day == 1 and (basis.end_on - basis.start_on).days <= _MONTH_DAYS
    )
    if rule.price is None or not is_month:
        raise ProofFailed(f"{name}: the demonstration's fees are for whole months at one price")
    if rule.kind == "area" and basis.area_m2 is not None:
        quantity = basis.area_m2
    elif rule.kind == "fixed":
        quantity = Decimal(basis.count if rule.is_counted else 1)
    else:
        raise ProofFailed(f"{name}: charges of kind {rule.kind!r} are not known here")
    return int((quantity * rule.price * _FEN_PER_YUAN).quantize(Decimal(1), ROUND_HALF_UP))


def _ends(segment: _Segment) -> tuple[_Reading, _Reading]:
    return segment.opening, segment.closing


def _used(segment: _Segment) -> Decimal:
    """Return what went through the meter; a dial that is lower at the end has passed its highest value."""
    moved = segment.closing.value - segment.opening.value
    if moved < 0 and segment.register_modulus is not None:
        moved += segment.register_modulus
    return moved * segment.multiplier


def _on_ladder(trace: _Trace, rule: _Rule, used: Decimal, name: str) -> tuple[Decimal, Decimal]:
    """Return the part of the usage that lies in the line's tier, and the tier's price."""
    if trace.ladder is None or trace.tier is None:
        raise ProofFailed(f"{name}: a tiered charge without its place on the ladder")
    edges: list[Decimal | None] = [Decimal(0), *trace.ladder.bounds, None]
    low, high = edges[trace.tier - 1], edges[trace.tier]
    start, end = trace.ladder.before, trace.ladder.before + used
    top = end if high is None else min(end, high)
    bottom = max(start, low or Decimal(0))
    return max(top - bottom, Decimal(0)), rule.tiers[trace.tier - 1].price


def _opened(reading: _Reading, name: str) -> int:
    """Open the raw frame of a reading; return 1 if there was one. ProofFailed where it says otherwise."""
    frame = reading.frame
    if frame is None:
        if reading.source == "wire":
            raise ProofFailed(f"{name}: a reading from the wire without its frame")
        return 0
    request, reply = bytes.fromhex(frame.request_hex), bytes.fromhex(frame.reply_hex)
    named = Evidence(frame.protocol, frame.line, request, reply, 0, 0).digest().hex()
    if named != frame.sha256:
        raise ProofFailed(f"{name}: the frame's hash is {frame.sha256}, its bytes give {named}")
    try:
        value = _value_of(frame.protocol, request, reply)
    except ProtocolError as error:
        raise ProofFailed(f"{name}: the frame {frame.reply_hex} cannot be decoded: {error}") from error
    if value != reading.value:
        raise ProofFailed(f"{name}: the frame says {value}, the bill {reading.value}")
    return 1


def _value_of(protocol: str, request: bytes, reply: bytes) -> Decimal | None:
    """Return the running total a reply holds, after checking that it answers the request."""
    if protocol == "cjt188":
        frame = cjt188.decode_frame(reply)
        return decode_water(cjt188.check_reply(cjt188.decode_frame(request), frame)).current.value
    if protocol == "dlt645-2007":
        answer = dlt645.decode_frame(reply)
        dlt645.check_reply(dlt645.decode_frame(request), answer)
        return dlt645.values_from_reply(answer)[0]
    raise ProofFailed(f"a flat's meter was read by {protocol}, expected cjt188 or dlt645-2007")
