"""The parallel run: a month in the system before and here, charge by charge."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.reports import MONTH
from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.api.words import plain_or_none
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.parallel_run import Charged, Compared, Verdict
from cloud.domain.user import Locale
from cloud.services import parallel_run
from cloud.web.workbooks import XLSX, workbook_response
from cloud.workbook.parallel import parallel_workbook

ROWS_TOLD_MAX = 500


class ParallelQuery(Request, frozen=True, kw_only=True):
    """Which month, and only charges of one verdict; at most 500, all of them are in the workbook."""

    month: Annotated[str, Meta(pattern=MONTH)]
    verdict: Verdict | None = None


class ParallelFileQuery(Request, frozen=True, kw_only=True):
    """Which month, in which language."""

    month: Annotated[str, Meta(pattern=MONTH)]
    language: Locale = Locale.CHINESE


class ComparedView(View, frozen=True):
    """One charge in both systems; null where a system has none, or does not say how much was used."""

    account_number: str
    space_code: str
    charge_code: str
    verdict: Verdict
    theirs_fen: int | None
    ours_fen: int | None
    difference_fen: int
    their_quantity: Decimal | None
    our_quantity: Decimal | None


class ParallelRunView(View, frozen=True):
    """A month in both systems. `is_issued`: ours are invoices; else what the newest check came to."""

    month: str
    is_issued: bool
    theirs_fen: int
    ours_fen: int
    counts: Mapping[str, int]
    items: tuple[ComparedView, ...]


async def get_parallel_run(call: Call[ParallelQuery, Nothing]) -> ParallelRunView:
    """Compare a month with what the system before charged."""
    query = call.query
    found = await call.read(parallel_run.parallel_run, SiteId(call.id("site_id")), query.month)
    rows = found.rows if query.verdict is None else found.of(query.verdict)
    return ParallelRunView(
        month=found.month,
        is_issued=found.is_issued,
        theirs_fen=found.theirs_fen,
        ours_fen=found.ours_fen,
        counts={verdict.value: count for verdict, count in found.counts.items()},
        items=tuple(_view(row) for row in rows[:ROWS_TOLD_MAX]),
    )


async def get_parallel_workbook(call: Call[ParallelFileQuery, Nothing]) -> web.Response:
    """Fetch the comparison of a month as a workbook, every charge of it."""
    query = call.query
    found = await call.read(parallel_run.parallel_run, SiteId(call.id("site_id")), query.month)
    body = parallel_workbook(found, {}, is_chinese=query.language is Locale.CHINESE)
    return workbook_response(body, f"parallel-run-{query.month}")


def _view(row: Compared) -> ComparedView:
    return ComparedView(
        account_number=row.place.account_number,
        space_code=row.place.space_code,
        charge_code=row.charge_code,
        verdict=row.verdict,
        theirs_fen=None if row.theirs is None else row.theirs.amount_fen,
        ours_fen=None if row.ours is None else row.ours.amount_fen,
        difference_fen=row.difference_fen,
        their_quantity=_quantity(row.theirs),
        our_quantity=_quantity(row.ours),
    )


def _quantity(charged: Charged | None) -> Decimal | None:
    return None if charged is None else plain_or_none(charged.quantity)


_PATH = "/api/v1/sites/{site_id}/parallel_run"

ROUTES = (
    Route(
        "GET",
        _PATH,
        "Compare a month with the system before",
        Action.READ_LEDGER,
        get_parallel_run,
        ParallelRunView,
        query=ParallelQuery,
        description="Bring in what it charged as the table former_charges. Before the month is issued, ours "
        "is what its newest check came to.",
    ),
    Route(
        "GET",
        _PATH + "/workbook",
        "Fetch the comparison with the system before",
        Action.READ_LEDGER,
        get_parallel_workbook,
        XLSX,
        query=ParallelFileQuery,
    ),
)
