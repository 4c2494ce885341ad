"""From an assessment to the rows of an invoice: lines with what they follow from, and usage.

What a line's trace needs and cannot be looked up again unchanged is written beside the line: basis,
place on the ladder, the lines a percentage was taken from. Readings, frames and the tariff's text
are append-only themselves and are named, not copied.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.domain.ids import InvoiceId, ServicePointId, TariffId
from cloud.domain.invoice import Invoice, InvoiceKind, tier_text
from cloud.domain.money import Number, plain, round_quantity
from cloud.domain.periods import BillingPeriod
from cloud.domain.rating import RatedLine, SliceMethod
from cloud.domain.tariff import LadderPosition
from cloud.services.assessment import Assessment
from cloud.store.invoices import NewInvoice, NewLine, StoredLine
from cloud.store.usage import BilledUsage

_ROUNDING_NAMES = ("尾差调整", "Rounding of the total")
# Stored quantities have six decimals; a share of months may not end.
_QUANTITY_DECIMALS = 6


def invoice_of(
    invoice_id: InvoiceId,
    number: str,
    period: BillingPeriod,
    assessment: Assessment,
    *,
    issued_on: date,
    due_on: date,
) -> NewInvoice:
    """Return an account's first invoice of a period."""
    lines = [
        line_of(line, service.tariff_ids[line.tariff.version], service.service.service_point_id)
        for service in assessment.services
        for line in service.lines
    ]
    currencies = {line.tariff.currency.code for service in assessment.services for line in service.lines}
    return NewInvoice(
        invoice_id,
        number,
        assessment.subject.account.account_id,
        period.period_id,
        1,
        InvoiceKind.INVOICE,
        None,
        "",
        currencies.pop() if currencies else "CNY",
        issued_on,
        due_on,
        snapshot_of(assessment),
        tuple(lines),
    )


def credit_of(
    invoice_id: InvoiceId,
    number: str,
    original: Invoice,
    snapshot: Mapping[str, Any],
    lines: Sequence[StoredLine],
    *,
    version: int,
    reason: str,
    issued_on: date,
) -> NewInvoice:
    """Return the credit note that takes an invoice back: its lines with the amount's sign turned."""
    return NewInvoice(
        invoice_id,
        number,
        original.account_id,
        original.period_id,
        version,
        InvoiceKind.CREDIT_NOTE,
        original.invoice_id,
        reason,
        original.currency,
        issued_on,
        issued_on,
        snapshot,
        tuple(
            NewLine(
                stored.line.charge_code,
                stored.line.component,
                stored.line.tier,
                stored.line.quantity,
                stored.line.unit,
                stored.line.unit_price,
                -stored.line.amount_fen,
                stored.line.tariff_id,
                stored.line.service_point_id,
                # What the amount follows from is the line that is taken back.
                {
                    "names": stored.trace["names"],
                    "reverses": original.invoice_id,
                    "line_no": stored.line.line_no,
                },
            )
            for stored in lines
        ),
    )


def snapshot_of(assessment: Assessment) -> dict[str, Any]:
    """Return what was true of the customer when the document was issued."""
    account = assessment.subject.account
    area = assessment.subject.area_m2
    return {
        "account_number": account.number,
        "holder_name": account.holder_name,
        "space_code": account.space_code,
        "household_size": account.household_size,
        "area_m2": None if area is None else plain(area),
        "services": [
            {
                "service_point": service.service.service_point_code,
                "commodity": "" if service.service.commodity is None else service.service.commodity.value,
                "tariff": service.service.tariff_code,
                "start_on": service.service.dates.start_on.isoformat(),
                "end_on": service.service.dates.end_on.isoformat(),
            }
            for service in assessment.services
        ],
    }


def usage_of(invoice_id: InvoiceId, assessment: Assessment) -> Iterator[BilledUsage]:
    """Return what was billed at each service point, slice by slice."""
    account_id = assessment.subject.account.account_id
    for service in assessment.services:
        point = service.service.service_point_id
        if point is None:
            continue
        by_days = service.slices[0].used.method is SliceMethod.DAYS
        days = tuple(part.planned.dates.days for part in service.slices) if by_days else ()
        for slice_no, part in enumerate(service.slices):
            yield BilledUsage(
                invoice_id,
                point,
                slice_no,
                account_id,
                part.planned.dates,
                part.used.quantity,
                part.planned.tariff.unit,
                part.used.method,
                days,
                part.segments,
                any(segment.closing.source == "estimate" for segment in part.segments),
            )


def line_of(line: RatedLine, tariff_id: TariffId, service_point_id: ServicePointId | None) -> NewLine:
    """Return a priced line as it is written."""
    charge = line.charge
    quantity = None if charge.quantity is None else _stored_quantity(charge.quantity)
    return NewLine(
        line.tariff.commodity,
        charge.component,
        tier_text(charge.tier, charge.period),
        quantity,
        charge.unit,
        charge.unit_price,
        line.amount_fen,
        tariff_id,
        service_point_id,
        _trace_of(line),
    )


def _trace_of(line: RatedLine) -> dict[str, Any]:
    basis = line.basis
    trace: dict[str, Any] = {
        "names": list(_names(line)),
        "charge_no": line.charge_no,
        "slice_no": line.slice_no,
        "tier": line.charge.tier,
        "period": line.charge.period,
        "start_on": basis.dates.start_on.isoformat(),
        "end_on": basis.dates.end_on.isoformat(),
        "whole_start_on": basis.whole.start_on.isoformat(),
        "whole_end_on": basis.whole.end_on.isoformat(),
        "household_size": basis.household_size,
        "area_m2": None if basis.area_m2 is None else plain(basis.area_m2),
        "count": basis.count,
        "time_split": basis.time_split,
        "share_key": basis.share_key,
        "by_period": {period: plain(quantity) for period, quantity in basis.by_period.items()},
        "sequence": [[period, plain(quantity)] for period, quantity in basis.sequence],
        "ladder": None if line.position is None else _ladder_to_json(line.position),
        "base": [
            {
                "component": one.component,
                "amount_fen": one.amount_fen,
                "is_percent": one.is_percent,
                "exact": _exact_text(one.exact),
            }
            for one in line.base
        ],
    }
    return trace


def _names(line: RatedLine) -> tuple[str, str]:
    if line.charge_no is None:
        return _ROUNDING_NAMES
    rule = line.tariff.charges[line.charge_no]
    fallback = rule.component.replace("_", " ")
    return getattr(rule, "name_zh", "") or fallback, getattr(rule, "name_en", "") or fallback


def _ladder_to_json(position: LadderPosition) -> dict[str, Any]:
    return {
        "since_on": position.since_on.isoformat(),
        "before": plain(position.before),
        "bounds": [plain(bound) for bound in position.bounds],
        "is_counted": position.is_counted,
    }


def _exact_text(amount: Number) -> str:
    return plain(amount) if isinstance(amount, Decimal) else str(Fraction(amount))


def _stored_quantity(quantity: Decimal) -> Decimal:
    exponent = quantity.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -_QUANTITY_DECIMALS:
        return quantity
    return round_quantity(quantity, _QUANTITY_DECIMALS)
