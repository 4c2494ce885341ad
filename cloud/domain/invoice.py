"""Invoices: what an account was charged for a period, issued once and never changed.

The invariant: the total is the sum of the lines. A mistake is answered by a credit note that takes
the whole invoice back and, where something remains to be charged, by a replacement; the three
documents stay, numbered, in the order they were issued.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from cloud.domain.errors import Invalid
from cloud.domain.ids import AccountId, InvoiceId, PeriodId, ServicePointId, TariffId
from cloud.domain.periods import PeriodCode, ServicePeriod

# Days from issue to due date where a site has not said otherwise.
DUE_AFTER_DAYS = 15


class InvoiceKind(Enum):
    """What a document does to the account."""

    CREDIT_NOTE = "credit_note"  # takes an invoice back: all its lines, negative
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One charge of an invoice.

    `tier` is what the line is within its component ("1", "peak", "2 peak", empty). Quantity and unit
    price are None for an amount by itself.
    """

    line_no: int
    charge_code: str
    component: str
    name_zh: str
    name_en: str
    tier: str
    quantity: Decimal | None
    unit: str
    unit_price: Decimal | None
    amount_fen: int
    tariff_id: TariffId
    service_point_id: ServicePointId | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An issued document. `version` counts those of one account and period from 1."""

    invoice_id: InvoiceId
    number: str
    kind: InvoiceKind
    account_id: AccountId
    account_number: str
    holder_name: str
    space_code: str
    period_id: PeriodId
    period_code: PeriodCode
    dates: ServicePeriod
    version: int
    corrects_id: InvoiceId | None
    reason: str
    currency: str
    issued_on: date
    due_on: date
    total_fen: int
    lines: tuple[InvoiceLine, ...]

    def __post_init__(self) -> None:
        summed = sum(line.amount_fen for line in self.lines)
        if summed != self.total_fen:
            raise Invalid(
                f"invoice {self.number}: lines add up to {summed} fen, the total is {self.total_fen}"
            )


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """One row of a list of invoices."""

    invoice_id: InvoiceId
    number: str
    kind: InvoiceKind
    account_id: AccountId
    account_number: str
    holder_name: str
    space_code: str
    period_code: PeriodCode
    version: int
    issued_on: date
    due_on: date
    total_fen: int
    currency: str


def invoice_number(site_code: str, period: PeriodCode, serial: int) -> str:
    """Return a document's number: DG-2026-10-0001. Serials count from 1 per site and month."""
    return f"{site_code}-{period}-{serial:04}"


def tier_text(tier: int | None, period: str | None) -> str:
    """Return what a line is within its component: "2", "peak", "2 peak", or nothing."""
    return " ".join(part for part in (str(tier or ""), period or "") if part)
