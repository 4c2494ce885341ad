"""Invoices, and everything each line of them follows from."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Route, View, page_of, view_of
from cloud.api.words import plain_or_none
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, InvoiceId, SiteId
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine
from cloud.domain.trace import LineTrace
from cloud.services import invoices


class InvoiceQuery(PageQuery, frozen=True, kw_only=True):
    """Which invoices."""

    site_id: Id | None = None
    account_id: Id | None = None
    period_code: Annotated[str, Meta(max_length=20)] | None = None


class InvoiceSummaryView(View, frozen=True):
    """One document; a credit note's amounts are negative."""

    invoice_id: str
    number: str
    kind: InvoiceKind
    account_id: str
    account_number: str
    holder_name: str
    space_code: str
    period_code: str
    version: int
    issued_on: date
    due_on: date
    total_fen: int
    currency: str


class InvoiceLineView(View, frozen=True):
    """One charge; quantity and unit price are None for an amount by itself."""

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
    tariff_id: str
    service_point_id: str | None


class InvoiceView(View, frozen=True):
    """A whole document. The total is the sum of the lines."""

    invoice_id: str
    number: str
    kind: InvoiceKind
    account_id: str
    account_number: str
    holder_name: str
    space_code: str
    period_id: str
    period_code: str
    start_on: date
    end_on: date
    version: int
    corrects_id: str | None
    reason: str
    currency: str
    issued_on: date
    due_on: date
    total_fen: int
    lines: tuple[InvoiceLineView, ...]


class RecomputedView(View, frozen=True):
    """What the line's trace comes to; `faults` names whatever in it does not hold together."""

    amount_fen: int
    billed_fen: int
    is_equal: bool
    faults: tuple[str, ...]


async def list_invoices(call: Call[InvoiceQuery, Nothing]) -> Page[InvoiceSummaryView]:
    """List documents, the newest first; a resident's are those of their own accounts."""
    query = call.query
    found = await call.read(
        invoices.list_invoices,
        site_id=None if query.site_id is None else SiteId(query.site_id),
        account_id=None if query.account_id is None else AccountId(query.account_id),
        period_code=query.period_code,
        cursor=query.cursor,
        limit=query.limit,
    )
    return page_of(found, lambda one: view_of(one, InvoiceSummaryView))


async def get_invoice(call: Call[Nothing, Nothing]) -> InvoiceView:
    """Show a document with its lines."""
    return invoice_view(await call.read(invoices.get_invoice, InvoiceId(call.id("invoice_id"))))


async def get_line_trace(call: Call[Nothing, Nothing]) -> LineTrace:
    """Tell everything a line's amount follows from, down to the bytes on the wire."""
    return await call.read(invoices.trace, InvoiceId(call.id("invoice_id")), call.number("line_no"))


async def recompute_line(call: Call[Nothing, Nothing]) -> RecomputedView:
    """Compute a line anew from its trace alone."""
    invoice_id, line_no = InvoiceId(call.id("invoice_id")), call.number("line_no")
    recomputed = await call.read(invoices.recompute_line, invoice_id, line_no)
    billed = await call.read(invoices.get_invoice, invoice_id)
    billed_fen = next(line.amount_fen for line in billed.lines if line.line_no == line_no)
    return RecomputedView(
        amount_fen=recomputed.amount_fen,
        billed_fen=billed_fen,
        is_equal=recomputed.amount_fen == billed_fen and not recomputed.faults,
        faults=recomputed.faults,
    )


def invoice_view(invoice: Invoice) -> InvoiceView:
    """Return a document as it is told."""
    return view_of(
        invoice,
        InvoiceView,
        start_on=invoice.dates.start_on,
        end_on=invoice.dates.end_on,
        lines=tuple(_line_view(line) for line in invoice.lines),
    )


def _line_view(line: InvoiceLine) -> InvoiceLineView:
    return view_of(
        line,
        InvoiceLineView,
        quantity=plain_or_none(line.quantity),
        unit_price=plain_or_none(line.unit_price),
    )


_ONE = "/api/v1/invoices/{invoice_id}"
_LINE = _ONE + "/lines/{line_no}"
_READ = Action.READ_INVOICES

ROUTES = (
    Route(
        "GET",
        "/api/v1/invoices",
        "List invoices",
        _READ,
        list_invoices,
        Page[InvoiceSummaryView],
        query=InvoiceQuery,
    ),
    Route("GET", _ONE, "Show an invoice", _READ, get_invoice, InvoiceView),
    Route(
        "GET",
        _LINE + "/trace",
        "Trace a line to the wire",
        _READ,
        get_line_trace,
        LineTrace,
        description=(
            "Tariff version with its source, place on the ladder, usage, readings and raw frames with their "
            "hashes. The amount can be computed anew from this answer alone."
        ),
    ),
    Route(
        "POST",
        _LINE + "/recompute",
        "Compute a line anew",
        _READ,
        recompute_line,
        RecomputedView,
        description="From its trace alone; changes nothing.",
    ),
)
