"""The resident's pages: what I owe, what this month comes to so far, and why each line is what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.invoices import TraceView, trace_view
from cloud.console.pictures.curve import Bar, draw_bars
from cloud.console.running import LadderNow, RunningPart, ladder_now, running_parts
from cloud.console.tariffs import charge_name
from cloud.console.traces import steps_of
from cloud.domain.errors import NotFound
from cloud.domain.invoice import Invoice, InvoiceLine, InvoiceSummary
from cloud.domain.payment import Receipt
from cloud.domain.people import Account
from cloud.domain.periods import billing_month, local_date
from cloud.domain.premises import Commodity
from cloud.domain.running_charge import RunningCharge
from cloud.domain.tariff_document import Tariff
from cloud.domain.tariffs.tiered import Tiered
from cloud.domain.trace import LineTrace
from cloud.domain.user import User
from cloud.services import invoices, ledger, meters, payments, premises, running, tariffs
from cloud.services.meters import Step
from cloud.store.db import Tx

_BILLS_SHOWN = 24
_DAYS_SHOWN = 7


@dataclass(frozen=True, slots=True)
class HomeView:
    """The first page: owed, month so far, ladder."""

    accounts: tuple[Account, ...]
    account: Account
    owed_fen: int
    bill: InvoiceSummary | None
    bill_month: date | None
    as_of_ms: int | None
    parts: tuple[RunningPart, ...]
    bars: tuple[Bar, ...]
    days: tuple[date, ...]
    ladders: tuple[LadderNow, ...]


@dataclass(frozen=True, slots=True)
class BillRow:
    """One bill in the list."""

    number: str
    month: str
    space_code: str
    due_on: date
    total_fen: int


@dataclass(frozen=True, slots=True)
class BillsView:
    """All bills and receipts, newest first, and how the bills went over time."""

    invoices: tuple[BillRow, ...]
    receipts: tuple[Receipt, ...]
    history_bars: tuple[Bar, ...]
    history_names: tuple[str, ...]


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
    dial: str


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
    sentence: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class BillView:
    """One bill."""

    invoice: Invoice
    parts: tuple[BillPart, ...]
    open_fen: int  # what is left to pay of it, late fee included; 0 once paid or taken back


async def show_home(desk: Desk) -> web.StreamResponse:
    """Show the resident's first page."""
    view = await desk.read(_home, desk.request.query.get("account", ""), desk.format)
    return await desk.page("home/home.html", tab="/home", view=view)


async def show_running(desk: Desk) -> web.StreamResponse:
    """Show the month so far, anew."""
    view = await desk.read(_home, desk.request.query.get("account", ""), desk.format)
    return desk.part("home/running.html", view=view)


async def show_bills(desk: Desk) -> web.StreamResponse:
    """Show the resident's bills."""
    view = await desk.read(_bills, desk.format)
    return await desk.page("home/bills.html", tab="/home/bills", view=view)


async def show_bill(desk: Desk) -> web.StreamResponse:
    """Show one bill with why for each of its services."""
    view = await desk.read(_bill, desk.request.match_info["number"], desk.format)
    return await desk.page("home/bill.html", tab="/home/bills", view=view)


async def show_line(desk: Desk) -> web.StreamResponse:
    """Show where one line comes from, for the person who pays it."""
    number, line_no = desk.request.match_info["number"], int(desk.request.match_info["line_no"])
    view: TraceView = await desk.read(trace_view, number, line_no, dict(desk.request.query), desk.format)
    return await desk.page("home/line.html", tab="/home/bills", view=view)


async def show_more(desk: Desk) -> web.StreamResponse:
    """Show language, colours and signing out."""
    return await desk.page("home/more.html", tab="/home/more")


def _home(tx: Tx, actor: User, number: str, fmt: Format) -> HomeView:
    accounts = tuple(premises.own_accounts(tx, actor))
    if not accounts:
        raise NotFound("no home is tied to this login: ask the property office")
    account = next((one for one in accounts if one.number == number), accounts[0])
    charge = running.running_charge(tx, actor, account.account_id)
    bills = invoices.list_invoices(tx, actor, account_id=account.account_id, limit=1).items
    bill = bills[0] if bills else None
    days, bars = _days_of_use(tx, actor, account, fmt)
    return HomeView(
        accounts,
        account,
        ledger.balance(tx, actor, account.account_id),
        bill,
        None if bill is None else billing_month(bill.period_code).start_on,
        None if charge is None else charge.as_of_ms,
        running_parts(charge, fmt),
        bars,
        days,
        _ladders(tx, actor, account, charge),
    )


def _days_of_use(
    tx: Tx, actor: User, account: Account, fmt: Format
) -> tuple[tuple[date, ...], tuple[Bar, ...]]:
    """Return the electricity of the last days, today until now; nothing without a meter that is read."""
    rows = meters.meters_of_account(tx, actor, account.account_id)
    row = next((r for r in rows if r.commodity is Commodity.ELECTRICITY and r.series_id is not None), None)
    if row is None or row.series_id is None:
        return (), ()
    first, until = fmt.today - timedelta(days=_DAYS_SHOWN - 1), fmt.today + timedelta(days=1)
    bars = meters.usage(tx, actor, row.series_id, first, until, Step.DAY).bars
    if not any(bar.used_micro for bar in bars):
        return (), ()
    days = tuple(local_date(bar.from_ms, fmt.zone) for bar in bars)
    return days, draw_bars([(bar.used_micro or 0) / 1e6 for bar in bars], 326, 52)


def _ladders(tx: Tx, actor: User, account: Account, charge: RunningCharge | None) -> tuple[LadderNow, ...]:
    if charge is None:
        return ()
    _, supplies = premises.get_account(tx, actor, account.account_id)
    drawn = []
    for service in sorted(charge.services, key=lambda one: one.commodity):
        codes = [s.tariff_code for s in supplies if s.service_point_id == service.service_point_id]
        rule = _tiered_rule(tx, actor, codes)
        if rule is None:
            continue
        household = rule.ladder.household
        bounds = tuple(tier.to for tier in rule.tiers if tier.to is not None)
        if household is not None:
            bounds = household.widen(bounds, account.household_size)
        ladder = ladder_now(service, bounds, [tier.price.value for tier in rule.tiers])
        drawn += [ladder] if ladder else []
    return tuple(drawn)


def _tiered_rule(tx: Tx, actor: User, codes: Sequence[str]) -> Tiered | None:
    for summary in tariffs.list_tariffs(tx, actor):
        if summary.code in codes and summary.state.value == "active":
            tariff: Tariff = tariffs.get_tariff(tx, actor, summary.code, summary.version).tariff
            return next((rule for rule in tariff.charges if isinstance(rule, Tiered) and rule.tiers), None)
    return None


def _bills(tx: Tx, actor: User, fmt: Format) -> BillsView:
    rows = invoices.list_invoices(tx, actor, limit=_BILLS_SHOWN).items
    oldest_first = list(reversed(rows))[-6:]
    received = [
        receipt
        for account in premises.own_accounts(tx, actor)
        for receipt in payments.list_payments(tx, actor, account.account_id)
    ]
    return BillsView(
        tuple(
            BillRow(
                row.number,
                fmt.month(billing_month(row.period_code).start_on),
                row.space_code,
                row.due_on,
                row.total_fen,
            )
            for row in rows
        ),
        tuple(received[:_BILLS_SHOWN]),
        draw_bars([max(0.0, float(row.total_fen)) for row in oldest_first], 326, 74),
        tuple(fmt.month_short(billing_month(row.period_code).start_on) for row in oldest_first),
    )


def _bill(tx: Tx, actor: User, number: str, fmt: Format) -> BillView:
    invoice = invoices.get_by_number(tx, actor, number)
    traces = {trace.line_no: trace for trace in invoices.traces(tx, actor, invoice.invoice_id)}
    by_service: dict[tuple[str, str | None], list[InvoiceLine]] = {}
    for line in invoice.lines:
        by_service.setdefault((line.charge_code, line.service_point_id), []).append(line)
    parts = [
        _part(code, lines, [traces[line.line_no] for line in lines], fmt, is_open=index == 0)
        for index, ((code, _), lines) in enumerate(by_service.items())
    ]
    items = payments.open_items(tx, actor, invoice.account_id, fmt.today)
    own = next((item for item in items if item.invoice.invoice_id == invoice.invoice_id), None)
    open_fen = 0 if own is None else own.invoice.left_fen + own.late_fee_left_fen
    return BillView(invoice, tuple(parts), open_fen)


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
    first, last = usage.segments[0].opening, usage.segments[-1].closing
    return (
        DialPicture(gettext("at the start"), first.measured_at_ms, _dial(first.value)),
        DialPicture(gettext("at the end"), last.measured_at_ms, _dial(last.value)),
    )


def _dial(value: Decimal) -> str:
    """Write a register as six digits and two decimals, as the meter's display has them."""
    return f"{value:09.2f}"


def _sentence(traces: Sequence[LineTrace], fmt: Format) -> str:
    usage = next((trace.usage for trace in traces if trace.usage is not None), None)
    if usage is None or len(usage.segments) < 2:
        return ""
    told = " + ".join(fmt.number(segment.quantity, usage.unit) for segment in usage.segments)
    sentence = fmt.language.gettext("The meter was exchanged: %(parts)s = %(total)s, nothing counted twice.")
    return sentence % {"parts": told, "total": fmt.quantity(usage.quantity, usage.unit)}
