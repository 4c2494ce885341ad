"""The resident's pages: what I owe, what this month comes to so far, and why each line is what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from aiohttp import web

from cloud.console.bill_parts import BillPart, bill_parts
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.invoices import TraceView, trace_view
from cloud.console.pictures.curve import Bar, draw_bars
from cloud.console.running import LadderNow, RunningPart, ladder_now, running_parts
from cloud.domain.access import sees_bills
from cloud.domain.errors import NotFound
from cloud.domain.invoice import Invoice, InvoiceSummary
from cloud.domain.payment import Receipt
from cloud.domain.people import Account
from cloud.domain.periods import billing_month, local_date
from cloud.domain.premises import Commodity
from cloud.domain.running_charge import RunningCharge
from cloud.domain.tariff_document import Tariff
from cloud.domain.tariffs.tiered import Tiered
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
    sees_bills: bool
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
    with_bills = sees_bills(actor, account.account_id)
    charge, bill, owed_fen = None, None, 0
    if with_bills:
        charge = running.running_charge(tx, actor, account.account_id)
        bill = next(
            iter(invoices.list_invoices(tx, actor, account_id=account.account_id, limit=1).items), None
        )
        owed_fen = ledger.balance(tx, actor, account.account_id)
    days, bars = _days_of_use(tx, actor, account, fmt)
    return HomeView(
        accounts,
        account,
        with_bills,
        owed_fen,
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
        for account in premises.billed_accounts(tx, actor)
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
    parts = bill_parts(tx, actor, invoice, fmt)
    items = payments.open_items(tx, actor, invoice.account_id, fmt.today)
    own = next((item for item in items if item.invoice.invoice_id == invoice.invoice_id), None)
    open_fen = 0 if own is None else own.invoice.left_fen + own.late_fee_left_fen
    return BillView(invoice, parts, open_fen)
