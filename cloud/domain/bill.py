"""A bill as it is read on paper: an issued document with what its reader wants to see beside the lines.

Everything here was written down when the document was issued. The invariant: printed today or in ten
years it is the same; nothing depends on what was paid since, on today's date or on today's prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.domain.authenticity import DocumentKind, code_of
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine
from cloud.domain.premises import Site
from cloud.domain.tariff_document import Tariff
from cloud.domain.tariffs.tiered import Mode, Tiered
from cloud.domain.usage import UsageSegment


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One tier as it was for this household: its number, where it ends (None: never), and its price."""

    number: int
    upper: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class BilledLadder:
    """Where on its ladder the period began: used `before` since `since_on`."""

    component: str
    steps: tuple[LadderStep, ...]
    before: Decimal
    since_on: date


@dataclass(frozen=True, slots=True)
class BilledService:
    """All lines of one service, with the readings and the ladder they follow from."""

    charge_code: str
    lines: tuple[InvoiceLine, ...]
    quantity: Decimal | None
    unit: str
    is_estimated: bool
    segments: tuple[UsageSegment, ...]
    ladder: BilledLadder | None
    tariff_zh: str
    tariff_en: str
    tariff_version: int

    @property
    def amount_fen(self) -> int:
        """Return what the service comes to."""
        return sum(line.amount_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class Bill:
    """One document with its services in the order of its lines. `corrects` is the number it answers."""

    invoice: Invoice
    site: Site
    corrects: str
    household_size: int
    area_m2: Decimal | None
    services: tuple[BilledService, ...]

    @property
    def code(self) -> str:
        """Return what proves a print genuine."""
        return invoice_code(self.invoice)


def invoice_code(invoice: Invoice) -> str:
    """Return the code printed on a document."""
    kind = DocumentKind.CREDIT_NOTE if invoice.kind is InvoiceKind.CREDIT_NOTE else DocumentKind.INVOICE
    return code_of(kind, invoice.invoice_id, invoice.number, invoice.issued_on, invoice.total_fen)


def graduated_steps(
    tariff: Tariff, charge_no: int, bounds: Sequence[Decimal], month: int
) -> tuple[LadderStep, ...]:
    """Return the tiers a charge was priced by, with this household's bounds; empty if it has none."""
    rule = tariff.charges[charge_no]
    if not isinstance(rule, Tiered) or rule.mode is not Mode.GRADUATED:
        return ()
    tiers = rule.tiers or next(season.tiers for season in rule.seasons if month in season.months)
    uppers: list[Decimal | None] = [*bounds, None]
    pairs = enumerate(zip(tiers, uppers, strict=True), start=1)
    return tuple(LadderStep(number, upper, tier.price.value) for number, (tier, upper) in pairs)
