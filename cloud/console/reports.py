"""Reports of a month: what was collected, for what, by which building, and where energy went."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.pictures.curve import Bar, draw_bars
from cloud.console.tariffs import charge_name, commodity_name
from cloud.domain.errors import Invalid, NotFound
from cloud.domain.ids import SiteId
from cloud.domain.periods import billing_month
from cloud.domain.report import EnergyBalance, MonthReport
from cloud.domain.user import User
from cloud.services import journal, reports
from cloud.store.db import Tx
from cloud.web.workbooks import csv_response, workbook_response
from cloud.workbook.finance import journal_csv, journal_workbook, report_workbook

_WIDTH = 700.0
_STRIP = 640.0


@dataclass(frozen=True, slots=True)
class Named:
    """A sum under a name, with its share of the largest, for a bar."""

    name: str
    fen: int
    width: float


@dataclass(frozen=True, slots=True)
class Flow:
    """Where a commodity went, drawn to scale: width is quantity."""

    name: str
    balance: EnergyBalance
    parts: tuple[tuple[str, float, float], ...]  # which, x, width


@dataclass(frozen=True, slots=True)
class ReportView:
    """The page."""

    report: MonthReport | None
    month: date | None
    months: tuple[tuple[str, str], ...]  # code, name
    bars: tuple[Bar, ...]
    paid_bars: tuple[Bar, ...]
    names: tuple[str, ...]
    items: tuple[Named, ...]
    journal_month: str


async def show(desk: Desk) -> web.StreamResponse:
    """Show a month's report, the newest unless asked; where energy went comes after the page."""
    asked = desk.request.query.get("period", "")
    if "part" in desk.request.query:
        energy = await desk.read(reports.month_energy, desk.site.site_id, asked or None)
        return desk.part("reports/energy.html", flows=tuple(_flow(one, desk.format) for one in energy))
    view = await desk.read(_view, desk.site.site_id, asked, desk.format)
    return await desk.page("reports/month.html", view=view)


async def fetch_report(desk: Desk) -> web.StreamResponse:
    """Hand out a month's report as a workbook."""
    code = desk.request.match_info["code"]
    report = await desk.read(reports.month_report, desk.site.site_id, code)
    energy = await desk.read(reports.month_energy, desk.site.site_id, code)
    names = {one.charge_code: charge_name(one.charge_code, desk.format) for one in report.items}
    names |= {one.commodity: charge_name(one.commodity, desk.format) for one in energy}
    body = report_workbook(report, energy, names, is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"{desk.site.code}-report-{code}")


async def fetch_journal(desk: Desk) -> web.StreamResponse:
    """Hand out what was posted in a month as vouchers, as CSV or as a workbook."""
    month = desk.request.query.get("month", "")
    try:
        billing_month(month)
    except (Invalid, ValueError) as error:
        raise Invalid(f"a month is written 2026-10, not {month!r}") from error
    found = await desk.read(journal.month_journal, month)
    is_chinese = desk.format.is_chinese
    if desk.request.query.get("form") == "csv":
        return csv_response(journal_csv(found, is_chinese=is_chinese), f"journal-{month}")
    return workbook_response(journal_workbook(found, is_chinese=is_chinese), f"journal-{month}")


def _view(tx: Tx, actor: User, site_id: SiteId, asked: str, fmt: Format) -> ReportView:
    codes = reports.billed_months(tx, actor, site_id)
    months = tuple((code, fmt.month(billing_month(code).start_on)) for code in codes)
    this_month = f"{fmt.today:%Y-%m}"
    if not codes:
        return ReportView(None, None, (), (), (), (), (), this_month)
    if asked and asked not in codes:
        raise NotFound(f"nothing was billed in {asked!r}")
    report = reports.month_report(tx, actor, site_id, asked or None)
    most = max((abs(one.amount_fen) for one in report.items), default=1) or 1
    bars = draw_bars([max(0.0, float(one.billed_fen)) for one in report.months], _WIDTH, 130)
    paid = tuple(
        Bar(bar.x, bar.y + bar.height * (1 - share), bar.width, bar.height * share, float(one.paid_fen))
        for bar, one in zip(bars, report.months, strict=True)
        for share in [min(1.0, max(0.0, float(one.rate or 0)))]
    )
    return ReportView(
        report,
        billing_month(report.period_code).start_on,
        months,
        bars,
        paid,
        tuple(fmt.month_short(billing_month(one.name).start_on) for one in report.months),
        tuple(
            Named(charge_name(one.charge_code, fmt), one.amount_fen, max(0.0, 100.0 * one.amount_fen / most))
            for one in report.items
        ),
        this_month,
    )


def _flow(balance: EnergyBalance, fmt: Format) -> Flow:
    name = commodity_name(balance.commodity, fmt)
    usage = balance.usage
    if usage is None or usage.master <= 0:
        return Flow(name, balance, ())
    parts = []
    x = 0.0
    for which, quantity in (
        ("sub", usage.submeters),
        ("public", usage.public_meters),
        ("loss", usage.loss),
    ):
        width = max(0.0, float(quantity / usage.master) * _STRIP)
        parts.append((which, x, width))
        x += width
    return Flow(name, balance, tuple(parts))
