"""Print runs: a month's bills, or everybody's notices, in one file."""

from datetime import date
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.user import Locale
from cloud.press.works import Form
from cloud.web.print_orders import begin_bills, begin_notices
from cloud.web.printing import PRINT_RUNS, PrintRun, RunState, file_response


class BillRun(Request, frozen=True, kw_only=True):
    """Which month's documents, one PDF each in a ZIP or in volumes to be printed."""

    period_code: Annotated[str, Meta(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]
    form: Form = Form.FILES
    language: Locale = Locale.CHINESE


class NoticeRun(Request, frozen=True, kw_only=True):
    """As of which local day; only who has something to pay gets one."""

    as_of: date
    form: Form = Form.FILES
    language: Locale = Locale.CHINESE


class PrintRunView(View, frozen=True):
    """How far a run is; its file is kept for an hour after it is done."""

    run_id: str
    state: RunState
    done: int
    total: int
    file_name: str
    bytes: int
    problem: str


async def print_bills(call: Call[Nothing, BillRun]) -> PrintRunView:
    """Begin printing everything that was issued for a month."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    run = await begin_bills(call.request, call.actor, site_id, body.period_code, body.form, body.language)
    return _view(run)


async def print_notices(call: Call[Nothing, NoticeRun]) -> PrintRunView:
    """Begin printing a notice for everybody who has something to pay."""
    body, site_id = call.body, SiteId(call.id("site_id"))
    run = await begin_notices(call.request, call.actor, site_id, body.as_of, body.form, body.language)
    return _view(run)


async def get_print_run(call: Call[Nothing, Nothing]) -> PrintRunView:
    """Show how far a run of one's own is."""
    return _view(call.request.app[PRINT_RUNS].find(call.actor, call.id("print_run_id")))


async def get_printed_file(call: Call[Nothing, Nothing]) -> web.FileResponse:
    """Fetch a finished run's file; Conflict while it is not whole."""
    return file_response(call.request.app[PRINT_RUNS].find(call.actor, call.id("print_run_id")))


async def stop_print_run(call: Call[Nothing, Nothing]) -> PrintRunView:
    """Stop a run."""
    return _view(call.request.app[PRINT_RUNS].stop(call.actor, call.id("print_run_id")))


def _view(run: PrintRun) -> PrintRunView:
    return view_of(run, PrintRunView)


_ONE = "/api/v1/print_runs/{print_run_id}"
_READ = Action.READ_LEDGER

ROUTES = (
    Route("GET", _ONE, "Show a print run", _READ, get_print_run, PrintRunView),
    Route(
        "GET",
        _ONE + "/file",
        "Fetch what was printed",
        _READ,
        get_printed_file,
        "application/zip, application/pdf",
        description="A ZIP, or one PDF where one volume holds it all.",
    ),
    Route("POST", _ONE + "/stop", "Stop a print run", _READ, stop_print_run, PrintRunView),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/bill_prints",
        "Print a month's bills",
        _READ,
        print_bills,
        PrintRunView,
        body=BillRun,
        status=202,
    ),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/notice_prints",
        "Print everybody's notices",
        _READ,
        print_notices,
        PrintRunView,
        body=NoticeRun,
        status=202,
    ),
)
