"""The parallel run as a page: what agrees, what does not and why, the largest differences first."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.tariffs import charge_name
from cloud.domain.errors import Invalid
from cloud.domain.ids import SiteId
from cloud.domain.parallel_run import VERDICT_NAMES, Compared, ParallelRun, Verdict
from cloud.domain.periods import billing_month
from cloud.domain.user import User
from cloud.services import parallel_run
from cloud.store.db import Tx
from cloud.web.workbooks import workbook_response
from cloud.workbook.parallel import parallel_workbook

# What a person looks through; all of it is in the workbook.
_ROWS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class VerdictTab:
    """The charges of one verdict."""

    verdict: str
    name: str
    count: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One charge, with what it is called."""

    compared: Compared
    charge: str


@dataclass(frozen=True, slots=True)
class ParallelView:
    """The page; without a run nothing of the system before was brought in."""

    months: tuple[tuple[str, date], ...]
    month: date | None
    run: ParallelRun | None
    tabs: tuple[VerdictTab, ...]
    rows: tuple[ComparedRow, ...]
    agreeing: int


async def show(desk: Desk) -> web.StreamResponse:
    """Compare a month, the newest there is unless asked, the largest differences first."""
    query = desk.request.query
    asked, chosen = query.get("month", ""), query.get("verdict", "")
    view = await desk.read(_view, desk.site.site_id, asked, chosen, desk.format)
    return await desk.page("reports/parallel.html", view=view)


async def fetch(desk: Desk) -> web.StreamResponse:
    """Hand out the comparison of a month as a workbook."""
    code = desk.request.match_info["code"]
    found = await desk.read(parallel_run.parallel_run, desk.site.site_id, code)
    names = {row.charge_code: charge_name(row.charge_code, desk.format) for row in found.rows}
    body = parallel_workbook(found, names, is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"{desk.site.code}-parallel-run-{code}")


def _view(tx: Tx, actor: User, site_id: SiteId, asked: str, chosen: str, fmt: Format) -> ParallelView:
    codes = parallel_run.months_to_compare(tx, actor, site_id)
    months = tuple((code, billing_month(code).start_on) for code in codes)
    if not codes:
        return ParallelView((), None, None, (), (), 0)
    try:
        code = asked or codes[0]
        month = billing_month(code).start_on
    except ValueError as error:
        raise Invalid(f"a month is written 2026-10, not {asked!r}") from error
    run = parallel_run.parallel_run(tx, actor, site_id, code)
    counts = run.counts
    # What is off by the most money comes first; where all agree, that is what is shown.
    default = max(Verdict, key=lambda one: sum(abs(row.difference_fen) for row in run.of(one)))
    verdict = next((one for one in Verdict if one.value == chosen), default)
    tabs = tuple(
        VerdictTab(one.value, VERDICT_NAMES[one][0 if fmt.is_chinese else 1], counts[one], one is verdict)
        for one in Verdict
        if counts[one] or one is verdict
    )
    rows = tuple(ComparedRow(row, charge_name(row.charge_code, fmt)) for row in run.of(verdict)[:_ROWS_SHOWN])
    return ParallelView(months, month, run, tabs, rows, counts[Verdict.EQUAL])
