"""The list of invoices, one invoice as paper, and the trace of a line down to the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.bill_parts import BillPart, bill_parts
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.frames import FrameView
from cloud.console.lists import link
from cloud.console.pictures.curve import Bar, draw_bars
from cloud.console.pictures.ladder import Ladder
from cloud.console.traces import (
    ShownReading,
    exact_amount,
    frame_of,
    ladder_of,
    readings_of,
    selected_reading,
)
from cloud.domain.errors import NotFound
from cloud.domain.ids import SiteId
from cloud.domain.invoice import Invoice, InvoiceKind, InvoiceLine, InvoiceSummary
from cloud.domain.ledger import CHART, revenue_account
from cloud.domain.periods import BillingPeriod
from cloud.domain.recompute import recompute
from cloud.domain.trace import LineTrace
from cloud.domain.user import User
from cloud.services import billing, invoices, ledger, premises
from cloud.store.db import Tx

_ROWS = 50
_PERIODS_SHOWN = 12
_ACCOUNTS_SEARCHED = 20
_HISTORY_SHOWN = 12
_SHARES_WIDTH = 700.0

_FILLS = {"electricity": ("f-t1", "f-t2", "f-t3"), "water": ("f-water",)}


@dataclass(frozen=True, slots=True)
class InvoicesView:
    """The invoices of a period, or those a search found."""

    rows: tuple[InvoiceSummary, ...]
    periods: tuple[BillingPeriod, ...]
    period: BillingPeriod | None
    count: int
    total_fen: int
    is_whole: bool
    query: str
    next_href: str


@dataclass(frozen=True, slots=True)
class Share:
    """A line's part of the total, drawn."""

    line: InvoiceLine
    x: float
    width: float
    fill: str


@dataclass(frozen=True, slots=True)
class PostingLine:
    """One side of the invoice's entry in the ledger."""

    on: date
    name: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """One invoice's page."""

    invoice: Invoice
    account_path: str
    faults: tuple[str, ...]
    shares: tuple[Share, ...]
    parts: tuple[BillPart, ...]
    history: tuple[InvoiceSummary, ...]
    history_bars: tuple[Bar, ...]
    postings: tuple[PostingLine, ...]

    @property
    def is_correctable(self) -> bool:
        """Tell whether it is the newest word on its month and not a credit note."""
        newest = max(
            (row.version for row in self.history if row.period_code == self.invoice.period_code), default=0
        )
        return self.invoice.kind is InvoiceKind.INVOICE and self.invoice.version == newest


@dataclass(frozen=True, slots=True)
class TraceView:
    """The trace of one line, five links from the amount to the bytes."""

    invoice: Invoice
    account_path: str
    faults: tuple[str, ...]
    line: InvoiceLine
    trace: LineTrace
    exact: str
    ladder: Ladder | None
    readings: tuple[ShownReading, ...]
    readings_summary: str
    selected: int
    frame: FrameView | None


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the invoices of a period, the newest one unless asked."""
    view = await desk.read(_list, desk.site.site_id, dict(desk.request.query))
    return await desk.page("invoices/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one invoice."""
    view = await desk.read(_invoice, desk.request.match_info["number"], desk.format)
    return await desk.page("invoices/invoice.html", view=view)


async def show_trace(desk: Desk) -> web.StreamResponse:
    """Show where a line's amount comes from."""
    view = await desk.read(
        trace_view,
        desk.request.match_info["number"],
        int(desk.request.match_info["line_no"]),
        dict(desk.request.query),
        desk.format,
    )
    return await desk.page("invoices/trace.html", view=view)


def _list(tx: Tx, actor: User, site_id: SiteId, query: dict[str, str]) -> InvoicesView:
    periods = billing.list_periods(tx, actor, site_id)
    issued = [(period, *billing.issued_of_period(tx, actor, period.period_id)) for period in periods]
    billed = [one for one in issued if one[1]][:_PERIODS_SHOWN]
    chosen = next((one for one in billed if one[0].code == query.get("period")), None)
    period, count, total_fen = chosen or (billed[0] if billed else (None, 0, 0))
    code = None if period is None else period.code
    search = query.get("q", "").strip()[:100]
    if search:
        rows, onward = _search(tx, actor, site_id, search, code), None
    else:
        page = invoices.list_invoices(
            tx, actor, site_id=site_id, period_code=code, cursor=query.get("after"), limit=_ROWS
        )
        rows, onward = page.items, page.next_cursor
    is_whole = not search and onward is None and "after" not in query
    return InvoicesView(
        rows,
        tuple(one for one, _, _ in billed),
        period,
        count,
        total_fen,
        is_whole,
        search,
        link("/invoices", {"period": code, "after": onward}) if onward else "",
    )


def _search(
    tx: Tx, actor: User, site_id: SiteId, search: str, code: str | None
) -> tuple[InvoiceSummary, ...]:
    accounts = premises.list_accounts(tx, actor, site_id, search, None, _ACCOUNTS_SEARCHED).items
    found = [
        row
        for account in accounts
        for row in invoices.list_invoices(
            tx, actor, account_id=account.account_id, period_code=code, limit=_ROWS
        ).items
    ]
    return tuple(found)


def _invoice(tx: Tx, actor: User, number: str, fmt: Format) -> InvoiceView:
    invoice = invoices.get_by_number(tx, actor, number)
    history = invoices.list_invoices(tx, actor, account_id=invoice.account_id, limit=_HISTORY_SHOWN).items
    oldest_first = tuple(reversed(history))
    return InvoiceView(
        invoice,
        f"/accounts/{invoice.account_number}",
        faults_of(tx, actor, invoice),
        _shares(invoice),
        bill_parts(tx, actor, invoice, fmt),
        oldest_first,
        draw_bars([max(0.0, float(row.total_fen)) for row in oldest_first], _SHARES_WIDTH, 110),
        _postings(tx, actor, invoice, fmt),
    )


def faults_of(tx: Tx, actor: User, invoice: Invoice) -> tuple[str, ...]:
    """Recompute every line from its trace; return what does not agree."""
    faults = []
    for trace in invoices.traces(tx, actor, invoice.invoice_id):
        again = recompute(trace)
        if again.amount_fen != trace.amount_fen:
            faults.append(f"{trace.line_no}: {again.amount_fen} ≠ {trace.amount_fen} fen")
        faults += [f"{trace.line_no}: {fault}" for fault in again.faults]
    return tuple(faults)


def trace_view(
    tx: Tx, actor: User, number: str, line_no: int, query: dict[str, str], fmt: Format
) -> TraceView:
    """Return everything the page of a line's trace shows."""
    invoice = invoices.get_by_number(tx, actor, number)
    line = next((line for line in invoice.lines if line.line_no == line_no), None)
    if line is None:
        raise NotFound(f"invoice {number} has no line {line_no}")
    trace = invoices.trace(tx, actor, invoice.invoice_id, line_no)
    readings = readings_of(trace)
    selected = selected_reading(readings, query.get("reading", ""))
    shows_request = query.get("way") == "request"
    return TraceView(
        invoice,
        f"/accounts/{invoice.account_number}",
        faults_of(tx, actor, invoice),
        line,
        trace,
        exact_amount(line),
        ladder_of(trace, invoice.lines),
        readings,
        _summary(readings, fmt),
        selected,
        frame_of(readings, selected, fmt.language, shows_request=shows_request),
    )


def _summary(readings: Sequence[ShownReading], fmt: Format) -> str:
    by_hand = sum(reading.traced.source != "wire" for reading in readings)
    count = len(readings)
    if by_hand == 0:
        text = fmt.language.ngettext("%(num)s, measured", "%(num)s, all measured", count)
        return text % {"num": count}
    text = fmt.language.ngettext(
        "%(num)s, %(hand)s entered when the meter was installed",
        "%(num)s, %(hand)s entered when a meter was installed",
        count,
    )
    return text % {"num": count, "hand": by_hand}


def _shares(invoice: Invoice) -> tuple[Share, ...]:
    total = sum(line.amount_fen for line in invoice.lines if line.amount_fen > 0)
    if total <= 0:
        return ()
    shares = []
    x = 0.0
    for line in invoice.lines:
        if line.amount_fen <= 0:
            continue
        width = _SHARES_WIDTH * line.amount_fen / total
        fills = _FILLS.get(line.charge_code, ("f-acc",))
        tier = int(line.tier) - 1 if line.tier.isdecimal() else 0
        shares.append(Share(line, x, max(1.0, width - 2), fills[min(tier, len(fills) - 1)]))
        x += width
    return tuple(shares)


def _postings(tx: Tx, actor: User, invoice: Invoice, fmt: Format) -> tuple[PostingLine, ...]:
    """Return the invoice's entry as the books have it: the customer owes, each service earns."""
    rows = [
        row for row in ledger.statement(tx, actor, invoice.account_id) if row.invoice_id == invoice.invoice_id
    ]
    if not rows:
        return ()
    by_code: dict[str, int] = {}
    for line in invoice.lines:
        by_code[line.charge_code] = by_code.get(line.charge_code, 0) + line.amount_fen
    debit = PostingLine(rows[0].occurred_on, chart_name("receivable", fmt), rows[0].amount_fen)
    earned = [
        PostingLine(rows[0].occurred_on, chart_name(revenue_account(code), fmt), -amount_fen)
        for code, amount_fen in by_code.items()
        if amount_fen
    ]
    return (debit, *earned)


def chart_name(code: str, fmt: Format) -> str:
    """Return a ledger account's name in the reader's language; the chart holds both side by side."""
    chinese, _, english = CHART.get(code, code).partition(" ")
    return chinese if fmt.is_chinese or not english else english
