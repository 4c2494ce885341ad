"""The bill run as one goes through it: check, look, approve, issue; with how far each is.

The invariant: nothing is issued from here that nobody approved; the service refuses it anyhow.
"""

import asyncio

from aiohttp import web

from cloud.console.bill_check import risers_of
from cloud.console.billing import Going, run_view
from cloud.console.desk import Desk
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import PeriodId
from cloud.domain.periods import PeriodState
from cloud.services import bill_runs, billing
from cloud.services.closing import ClosingReport
from cloud.web.bill_runs import BILL_RUNS, Run, Work
from cloud.web.workbooks import workbook_response
from cloud.workbook.writing import Sheet, sheets_workbook

# A small estate is done before one has read the page; a large one shows how far it is.
_PATIENCE_S = 3.0


async def show_run(desk: Desk) -> web.StreamResponse:
    """Show one month's bill run."""
    code = desk.request.match_info["code"]
    view = await desk.read(run_view, desk.site.site_id, code, desk.format)
    going = None if view.period_id is None else _going_on(desk, view.period_id)
    return await desk.page("billing/run.html", view=view, check=view.check, going=going)


async def check(desk: Desk) -> web.StreamResponse:
    """Work out what the month would come to; nothing is issued."""
    code = desk.request.match_info["code"]
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    run = desk.request.app[BILL_RUNS].check(desk.actor, period.period_id)
    await _give_it_a_moment(run)
    return desk.go(f"/billing/{code}")


async def decide(desk: Desk) -> web.StreamResponse:
    """Approve or refuse what the newest check came to."""
    code = desk.request.match_info["code"]
    form = await desk.request.post()
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    run = await desk.read(bill_runs.newest_run, period.period_id)
    if run is None or str(form.get("run", "")) != run.run_id:
        raise Conflict("the month was checked again meanwhile: look at the newest check")
    note = str(form.get("note", ""))
    is_approved = form.get("decision") == "approve"
    await desk.write(bill_runs.approve if is_approved else bill_runs.refuse, run.run_id, note)
    return desk.go(f"/billing/{code}", "bill-run-approved" if is_approved else "bill-run-refused", code=code)


async def close(desk: Desk) -> web.StreamResponse:
    """Issue the month's invoices: every account that can be billed, once."""
    code = desk.request.match_info["code"]
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    if period.state is PeriodState.OPEN and period.dates.end_on <= desk.format.today:
        found = await desk.read(bill_runs.newest_run, period.period_id)
        to_bill = await desk.read(billing.count_to_bill, desk.site.site_id, period.dates)
        if found is None and to_bill:
            raise Conflict(f"check {code} and have it approved first")
    run = desk.request.app[BILL_RUNS].close(desk.actor, period.period_id)
    await _give_it_a_moment(run)
    if run.is_going:
        return desk.go(f"/billing/{code}")
    report = run.task.result()
    assert isinstance(report, ClosingReport), "that is what closing returns"
    said = {"code": code, "count": str(report.invoices_issued)}
    if report.held:
        return desk.go(f"/billing/{code}", "period-partly-closed", held=str(len(report.held)), **said)
    return desk.go(f"/billing/{code}", "period-closed", **said)


async def show_progress(desk: Desk) -> web.StreamResponse:
    """Show how far the check or the bill run is; when it has ended, the whole page is asked for anew."""
    code = desk.request.match_info["code"]
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    going = _going_on(desk, period.period_id)
    if going is None:
        return web.Response(headers={"HX-Refresh": "true"})
    return desk.part("billing/progress.html", going=going, code=code)


async def fetch_visits(desk: Desk) -> web.StreamResponse:
    """Hand out the meters to visit as a workbook, with a column to write the reading in."""
    code = desk.request.match_info["code"]
    period = await desk.write(billing.open_period, desk.site.site_id, code)
    run = await desk.read(bill_runs.newest_run, period.period_id)
    if run is None:
        raise NotFound(f"month {code} was never checked")
    seen = await desk.read(bill_runs.preview, run.run_id)
    gettext = desk.language.gettext
    header = [
        gettext("Building"), gettext("Entrance"), gettext("Flat"), gettext("Account"), gettext("Meter"),
        gettext("Why"), gettext("Reading"),
    ]  # fmt: skip
    rows = [
        (riser.building_code, riser.unit_code, one.space_code, one.account_number, one.meter_serial,
         one.reason, None)
        for riser in risers_of(seen, desk.format)
        for one in riser.visits
    ]  # fmt: skip
    sheet = Sheet(gettext("Meters to visit"), header, rows, (10, 10, 12, 14, 20, 60, 16))
    return workbook_response(sheets_workbook([sheet]), f"{desk.site.code}-visits-{code}")


def _going_on(desk: Desk, period_id: PeriodId) -> Going | None:
    """Return what this process is doing for a period just now."""
    for work in Work:
        run = desk.request.app[BILL_RUNS].find(period_id, work)
        if run is not None and run.is_going:
            return Going(work.value, run.progress.done, run.progress.accounts)
    return None


async def _give_it_a_moment(run: Run) -> None:
    """Wait for a small run to end; what it was refused for is told on a page."""
    await asyncio.wait([run.task], timeout=_PATIENCE_S)
    if not run.is_going:
        run.task.result()
