"""Providers' daily bills, compared with our books."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from cloud.api.parse import read_bytes
from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.payment import Method
from cloud.domain.provider_statement import Direction, Match, Matched
from cloud.services import provider_statements
from cloud.web.workbooks import TABLES
from cloud.workbook.reading import FILE_BYTES_MAX

ROWS_TOLD_MAX = 5_000


class StatementQuery(Request, frozen=True, kw_only=True):
    """Whose bill of which day, and what the file is called."""

    method: Method
    on: date
    name: Annotated[str, Meta(max_length=200)] = ""


class MatchedView(View, frozen=True):
    """One row: what the provider tells of, what we booked; null where a side knows nothing of it."""

    match: Match
    direction: Direction
    reference: str
    order_number: str
    number: str | None
    account_number: str | None
    theirs_fen: int | None
    ours_fen: int | None
    said_at: str


class ComparisonView(View, frozen=True):
    """A provider's day: sums with refunds counted against them, and the rows, what needs a person first."""

    method: Method
    on: date
    theirs_fen: int
    ours_fen: int
    counts: dict[str, int]
    items: tuple[MatchedView, ...]


async def compare_provider_statement(call: Call[StatementQuery, Nothing]) -> ComparisonView:
    """Compare a provider's bill of a day with our books: the body is the file itself. Nothing is written."""
    data = await read_bytes(call.request, bytes_max=FILE_BYTES_MAX)
    query = call.query
    found = await call.read(
        provider_statements.reconcile, SiteId(call.id("site_id")), query.method, query.on, query.name, data
    )
    return ComparisonView(
        method=found.method,
        on=found.on,
        theirs_fen=found.theirs_fen,
        ours_fen=found.ours_fen,
        counts={match.value: count for match, count in found.counts.items()},
        items=tuple(_view(row) for row in found.rows[:ROWS_TOLD_MAX]),
    )


def _view(row: Matched) -> MatchedView:
    ours = row.ours
    moved = row.theirs if row.theirs is not None else ours.movement if ours is not None else None
    assert moved is not None, "one of both tells of it"
    return MatchedView(
        match=row.match,
        direction=moved.direction,
        reference=moved.reference,
        order_number=moved.order_number,
        number=None if ours is None else ours.number,
        account_number=None if ours is None else ours.account_number,
        theirs_fen=None if row.theirs is None else row.theirs.amount_fen,
        ours_fen=None if ours is None else ours.movement.amount_fen,
        said_at=moved.said_at,
    )


ROUTES = (
    Route(
        "POST",
        "/api/v1/sites/{site_id}/provider_statements",
        "Compare a provider's bill",
        Action.READ_LEDGER,
        compare_provider_statement,
        ComparisonView,
        query=StatementQuery,
        uploads=TABLES,
        body_bytes_max=FILE_BYTES_MAX,
        description="WeChat Pay's 交易账单 or Alipay's 业务明细 as downloaded, or saved as a workbook. "
        "Nothing is booked.",
    ),
)
