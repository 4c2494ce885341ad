"""Bill runs: a period checked before it is billed, what it would come to, approved or refused."""

import asyncio
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.periods import WAIT_S_MAX, UsageProblemView
from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.bill_run import (
    NOTE_LENGTH_MAX,
    BillRun,
    BillRunState,
    Difference,
    DoubtKind,
    Preview,
    PreviewRow,
)
from cloud.domain.ids import BillRunId, PeriodId
from cloud.services import bill_runs, billing
from cloud.web.bill_runs import BILL_RUNS


class Check(Request, frozen=True, kw_only=True):
    """How long to wait for the check before answering how far it is; it goes on by itself."""

    wait_s: Annotated[int, Meta(ge=0, le=WAIT_S_MAX)] = 20


class Decision(Request, frozen=True, kw_only=True):
    """What the person who looked at it has to say; a refusal says what is to be put right."""

    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


class BillRunView(View, frozen=True):
    """One check of a period. `accounts` of them are looked at, of which `checked` are done."""

    run_id: str
    period_id: str
    number: int
    state: BillRunState
    accounts: int
    begun_by: str | None
    begun_at_ms: int
    checked_at_ms: int | None
    decided_by: str | None
    decided_by_name: str
    decided_at_ms: int | None
    note: str


class DoubtView(View, frozen=True):
    """A meter whose usage is worth a look before it is billed."""

    kind: DoubtKind
    meter_serial: str
    quantity: Decimal
    expected: Decimal
    unit: str


class CheckedView(View, frozen=True):
    """What an account would be billed, or why it cannot be."""

    account_id: str
    account_number: str
    space_code: str
    building_code: str
    unit_code: str
    amount_fen: int | None
    before_fen: int | None
    sums_fen: dict[str, int]
    doubts: tuple[DoubtView, ...]
    problems: tuple[UsageProblemView, ...]


class DifferenceView(View, frozen=True):
    """An invoice that is not what was approved."""

    account_number: str
    space_code: str
    invoice_number: str
    approved_fen: int | None
    issued_fen: int


class PreviewView(View, frozen=True):
    """What a run came to in all, what the month before did, and what was issued otherwise."""

    run: BillRunView
    checked: int
    billable: int
    total_fen: int
    sums_fen: dict[str, int]
    before_fen: dict[str, int]
    to_visit: int
    differences: tuple[DifferenceView, ...]


async def check_period(call: Call[Nothing, Check]) -> BillRunView:
    """Work out what a period would come to; asked again, a check that was broken off goes on."""
    period_id = PeriodId(call.id("period_id"))
    await call.read(billing.period_overview, period_id)
    run = call.request.app[BILL_RUNS].check(call.actor, period_id)
    await asyncio.wait([run.task], timeout=call.body.wait_s)
    if run.task.done():
        run.task.result()  # what it was refused for is this answer's problem
    while (found := await call.read(bill_runs.newest_run, period_id)) is None:
        await asyncio.wait([run.task], timeout=1)  # it has not written its first row yet
        if run.task.done():
            run.task.result()
    return _run_view(found)


async def list_runs(call: Call[PageQuery, Nothing]) -> Page[BillRunView]:
    """List a period's checks."""
    found = await call.read(bill_runs.list_runs, PeriodId(call.id("period_id")))
    return cut(found, call.query, lambda run: f"{run.number:06}", _run_view)


async def get_preview(call: Call[Nothing, Nothing]) -> PreviewView:
    """Show what a run came to."""
    run_id = BillRunId(call.id("bill_run_id"))
    found = await call.read(bill_runs.preview, run_id)
    return _preview_view(found, await call.read(bill_runs.differences, run_id))


async def list_checked(call: Call[PageQuery, Nothing]) -> Page[CheckedView]:
    """List what each account would be billed."""
    found = await call.read(bill_runs.preview, BillRunId(call.id("bill_run_id")))
    return cut(found.rows, call.query, lambda row: row.account_number, _checked_view)


async def list_meters_to_visit(call: Call[PageQuery, Nothing]) -> Page[CheckedView]:
    """List the accounts with a meter somebody should look at, riser by riser."""
    found = await call.read(bill_runs.preview, BillRunId(call.id("bill_run_id")))
    places = {row.account_number: f"{place:08}" for place, row in enumerate(found.to_visit)}
    return cut(found.to_visit, call.query, lambda row: places[row.account_number], _checked_view)


async def approve(call: Call[Nothing, Decision]) -> web.Response:
    """Let the period be billed."""
    run_id = BillRunId(call.id("bill_run_id"))
    return await call.change(_run_view, bill_runs.get_run, bill_runs.approve, run_id, call.body.note)


async def refuse(call: Call[Nothing, Decision]) -> web.Response:
    """Keep the period from being billed until it is checked anew."""
    run_id = BillRunId(call.id("bill_run_id"))
    return await call.change(_run_view, bill_runs.get_run, bill_runs.refuse, run_id, call.body.note)


async def get_run(call: Call[Nothing, Nothing]) -> BillRunView:
    """Show where a run stands."""
    return _run_view(await call.read(bill_runs.get_run, BillRunId(call.id("bill_run_id"))))


def _run_view(run: BillRun) -> BillRunView:
    return view_of(run, BillRunView)


def _checked_view(row: PreviewRow) -> CheckedView:
    one = row.checked
    return view_of(
        row,
        CheckedView,
        account_id=one.account_id,
        amount_fen=one.amount_fen,
        before_fen=one.before_fen,
        sums_fen=dict(one.sums),
        doubts=tuple(view_of(doubt, DoubtView) for doubt in one.doubts),
        problems=tuple(view_of(problem, UsageProblemView) for problem in one.problems),
    )


def _preview_view(found: Preview, differences: list[Difference]) -> PreviewView:
    return PreviewView(
        run=_run_view(found.run),
        checked=len(found.rows),
        billable=found.billable,
        total_fen=found.total_fen,
        sums_fen=found.sums,
        before_fen=dict(found.before),
        to_visit=len(found.to_visit),
        differences=tuple(view_of(one, DifferenceView) for one in differences),
    )


_PERIOD, _ONE = "/api/v1/periods/{period_id}/checks", "/api/v1/bill_runs/{bill_run_id}"
_CLOSE, _APPROVE, _READ = Action.CLOSE_PERIOD, Action.APPROVE_BILLS, Action.READ_LEDGER

ROUTES = (
    Route(
        "POST",
        _PERIOD,
        "Check a period before it is billed",
        _CLOSE,
        check_period,
        BillRunView,
        body=Check,
        description="Issues nothing. Once checked, a period is billed only after somebody approved it.",
    ),
    Route("GET", _PERIOD, "List checks", _READ, list_runs, Page[BillRunView], query=PageQuery),
    Route("GET", _ONE, "Show a check", _READ, get_run, BillRunView),
    Route("GET", _ONE + "/preview", "Show what a period would come to", _READ, get_preview, PreviewView),
    Route(
        "GET",
        _ONE + "/accounts",
        "List what each account would be billed",
        _READ,
        list_checked,
        Page[CheckedView],
        query=PageQuery,
    ),
    Route(
        "GET",
        _ONE + "/visits",
        "List the meters to visit",
        _READ,
        list_meters_to_visit,
        Page[CheckedView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _ONE + "/approve",
        "Approve a bill run",
        _APPROVE,
        approve,
        BillRunView,
        body=Decision,
        is_guarded=True,
    ),
    Route(
        "POST",
        _ONE + "/refuse",
        "Refuse a bill run",
        _APPROVE,
        refuse,
        BillRunView,
        body=Decision,
        is_guarded=True,
    ),
)
