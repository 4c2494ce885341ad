"""The trace of an invoice line: everything its fen follow from, in one document.

Amount, tariff version with source, place on the ladder, usage by installation, the readings at both
ends and the raw frames they were decoded from. The invariant: `recompute` needs nothing but this
document; whoever is given it can check the amount without us.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class TracedFrame(Struct, frozen=True, kw_only=True):
    """One exchange on the wire. `sha256` names it: see `protocol.evidence.Evidence.digest`."""

    protocol: str
    line: str
    request_hex: str
    reply_hex: str
    sha256: str
    captured_at_ms: int
    round_trip_us: int


class TracedReading(Struct, frozen=True, kw_only=True):
    """What a dial showed. Only `source` "wire" has the fields of the wire.

    "opening" and "closing" were noted when the meter was installed or removed; "manual" and "estimate"
    were recorded since, with a reason. `frame` is None where the raw exchange was not kept.
    """

    value: Decimal
    measured_at_ms: int
    source: str
    quality: str = ""
    gateway: str = ""
    point_key: str = ""
    epoch: int | None = None
    seq: int | None = None
    reason: str = ""
    recorded_by: str = ""
    recorded_at_ms: int | None = None
    frame: TracedFrame | None = None


class TracedSegment(Struct, frozen=True, kw_only=True):
    """What one installed meter measured: (closing - opening) x multiplier, a rollover accounted for."""

    meter_serial: str
    multiplier: Decimal
    register_modulus: Decimal | None
    judgement: str
    opening: TracedReading
    closing: TracedReading
    quantity: Decimal
    register: str = ""


class TracedUsage(Struct, frozen=True, kw_only=True):
    """The usage a line prices. Where the period was cut, `slice_days` of `whole_days` say how.

    `method` is "whole", "reading" (the segments are of this slice alone) or "days" (the segments are of
    the whole period, `slices` the days of each part in order, this line being of part `slice_no`).
    """

    service_point: str
    commodity: str
    unit: str
    start_on: date
    end_on: date
    method: str
    slice_no: int
    slices: tuple[int, ...]
    quantity: Decimal
    is_estimated: bool
    segments: tuple[TracedSegment, ...]


class TracedLadder(Struct, frozen=True, kw_only=True):
    """Where on its ladder the slice began: used `before` since `since_on`, the bounds of this household."""

    since_on: date
    before: Decimal
    bounds: tuple[Decimal, ...]
    is_counted: bool
    household_size: int | None


class TracedTariff(Struct, frozen=True, kw_only=True):
    """The tariff version, its source, and the whole document of the version as it was in force."""

    code: str
    version: int
    name_zh: str
    name_en: str
    valid_from: date
    valid_to: date | None
    confidence: str
    sources: tuple[Json, ...]
    document: Json


class TracedBase(Struct, frozen=True, kw_only=True):
    """A line that a percentage, a limit or the rounding of a total was taken from.

    `exact` is its amount before rounding, in currency units, as a decimal or a fraction "100/3".
    """

    component: str
    amount_fen: int
    is_percent: bool
    exact: str


class TracedBasis(Struct, frozen=True, kw_only=True):
    """What the rule was given besides the usage: the dates of slice and bill, and the premises."""

    start_on: date
    end_on: date
    whole_start_on: date
    whole_end_on: date
    by_period: dict[str, Decimal]
    sequence: tuple[tuple[str, Decimal], ...]
    area_m2: Decimal | None
    count: int
    time_split: str = ""
    share_key: str = ""


class LineTrace(Struct, frozen=True, kw_only=True):
    """The whole trace of one line. `charge_no` is the rule's place in the tariff, None for rounding.

    `reverses` is the number of the invoice a credit note's line takes back: the amount is then the
    negative of what the rest of the trace leads to.
    """

    invoice_number: str
    line_no: int
    charge_code: str
    component: str
    tier: int | None
    period: str | None
    quantity: Decimal | None
    unit: str
    unit_price: Decimal | None
    currency: str
    rounding: str
    amount_fen: int
    arithmetic: str
    charge_no: int | None
    tariff: TracedTariff
    basis: TracedBasis
    ladder: TracedLadder | None
    base: tuple[TracedBase, ...]
    usage: TracedUsage | None
    reverses: str = ""
