"""Billing periods: opened, closed into invoices, and whom they still wait for."""

import asyncio
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.ids import PeriodId, SiteId
from cloud.domain.periods import BillingPeriod, PeriodState
from cloud.domain.usage import ProblemKind
from cloud.services import billing
from cloud.services.billing import PeriodOverview
from cloud.web.bill_runs import BILL_RUNS, Run, Work

WAIT_S_MAX = 60


class NewPeriod(Request, frozen=True, kw_only=True):
    """Which month: "2026-10"."""

    code: Annotated[str, Meta(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]


class Close(Request, frozen=True, kw_only=True):
    """How long to wait for the run before answering how far it is; it goes on by itself."""

    wait_s: Annotated[int, Meta(ge=0, le=WAIT_S_MAX)] = 20


class PeriodView(View, frozen=True):
    """One billing month; it ends before `end_on`."""

    period_id: str
    site_id: str
    code: str
    start_on: date
    end_on: date
    state: PeriodState


class UsageProblemView(View, frozen=True):
    """Why a meter's usage cannot be billed."""

    kind: ProblemKind
    meter_serial: str
    at_ms: int
    detail: str


class HoldView(View, frozen=True):
    """An account that could not be billed, and every reason why not."""

    account_id: str
    account_number: str
    holder_name: str
    space_code: str
    held_at_ms: int
    problems: tuple[UsageProblemView, ...]


class PeriodOverviewView(View, frozen=True):
    """A period, what was billed in it, and whom it waits for."""

    period: PeriodView
    accounts_to_bill: int
    invoice_count: int
    total_fen: int
    holds: tuple[HoldView, ...]


class ClosingView(View, frozen=True):
    """Where a run stands: `done` of `accounts`, and what is in the books so far."""

    state: Literal["running", "done"]
    done: int
    accounts: int
    overview: PeriodOverviewView


async def list_periods(call: Call[PageQuery, Nothing]) -> Page[PeriodView]:
    """List a site's periods by month."""
    found = await call.read(billing.list_periods, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda period: period.code, _period_view)


async def open_period(call: Call[Nothing, NewPeriod]) -> PeriodView:
    """Open a month; one that is there is answered as it is."""
    site_id = SiteId(call.id("site_id"))
    return _period_view(await call.write(billing.open_period, site_id, call.body.code))


async def get_period(call: Call[Nothing, Nothing]) -> PeriodOverviewView:
    """Show a period and whom it waits for."""
    return _overview_view(await call.read(billing.period_overview, PeriodId(call.id("period_id"))))


async def close_period(call: Call[Nothing, Close]) -> ClosingView:
    """Bill every account of the period that has no invoice yet; asked again, it goes on where it was."""
    period_id = PeriodId(call.id("period_id"))
    await call.read(billing.period_overview, period_id)
    run = call.request.app[BILL_RUNS].close(call.actor, period_id)
    await asyncio.wait([run.task], timeout=call.body.wait_s)
    if run.task.done():
        run.task.result()  # what it was refused for is this answer's problem
    return _closing_view(await call.read(billing.period_overview, period_id), run)


async def get_closing(call: Call[Nothing, Nothing]) -> ClosingView:
    """Tell how far the run is."""
    period_id = PeriodId(call.id("period_id"))
    found = await call.read(billing.period_overview, period_id)
    return _closing_view(found, call.request.app[BILL_RUNS].find(period_id, Work.CLOSE))


def _closing_view(found: PeriodOverview, run: Run | None) -> ClosingView:
    is_running = run is not None and run.is_going
    return ClosingView(
        state="running" if is_running else "done",
        done=0 if run is None else run.progress.done,
        accounts=0 if run is None else run.progress.accounts,
        overview=_overview_view(found),
    )


def _period_view(period: BillingPeriod) -> PeriodView:
    return view_of(period, PeriodView, start_on=period.dates.start_on, end_on=period.dates.end_on)


def _overview_view(found: PeriodOverview) -> PeriodOverviewView:
    holds = tuple(
        view_of(
            hold, HoldView, problems=tuple(view_of(problem, UsageProblemView) for problem in hold.problems)
        )
        for hold in found.holds
    )
    return view_of(found, PeriodOverviewView, period=_period_view(found.period), holds=holds)


_SITE, _ONE = "/api/v1/sites/{site_id}/periods", "/api/v1/periods/{period_id}"
_CLOSE = Action.CLOSE_PERIOD

ROUTES = (
    Route(
        "GET", _SITE, "List periods", Action.READ_INVOICES, list_periods, Page[PeriodView], query=PageQuery
    ),
    Route("POST", _SITE, "Open a period", _CLOSE, open_period, PeriodView, body=NewPeriod),
    Route("GET", _ONE, "Show a period", _CLOSE, get_period, PeriodOverviewView),
    Route(
        "POST",
        _ONE + "/closing",
        "Close a period",
        _CLOSE,
        close_period,
        ClosingView,
        body=Close,
        description=(
            "Issues one invoice an account. Accounts with a missing or doubtful reading are held, never "
            "billed wrong. Asked again it joins the run or goes on; nobody gets two invoices."
        ),
    ),
    Route("GET", _ONE + "/closing", "Tell how far a closing is", _CLOSE, get_closing, ClosingView),
)
