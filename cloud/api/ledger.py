"""The ledger: whether the books balance."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.reports import MONTH
from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.ledger import CHART
from cloud.domain.user import Locale
from cloud.services import ledger
from cloud.web.workbooks import XLSX, workbook_response
from cloud.workbook.finance import trial_workbook


class MonthBalanceQuery(Request, frozen=True, kw_only=True):
    """Which local month, by the day of posting."""

    month: Annotated[str, Meta(pattern=MONTH)]


class MonthBalanceFileQuery(MonthBalanceQuery, frozen=True, kw_only=True):
    """Which local month, and in which language."""

    language: Locale = Locale.CHINESE


class TurnoverView(View, frozen=True):
    """One ledger account in a month; balances are debit positive."""

    ledger_account: str
    subject_code: str
    subject_name: str
    opening_fen: int
    debit_fen: int
    credit_fen: int
    closing_fen: int


class MonthBalanceView(View, frozen=True):
    """A month's trial balance; `debit_fen` and `credit_fen` are equal."""

    month: str
    items: tuple[TurnoverView, ...]
    debit_fen: int
    credit_fen: int


class LedgerBalanceView(View, frozen=True):
    """One ledger account's sum of postings: debit positive, credit negative."""

    code: str
    name: str
    balance_fen: int


class TrialBalanceView(View, frozen=True):
    """Every ledger account's sum; together they are zero."""

    items: tuple[LedgerBalanceView, ...]
    total_fen: int


async def get_trial_balance(call: Call[Nothing, Nothing]) -> TrialBalanceView:
    """Sum every ledger account."""
    found = await call.read(ledger.trial_balance)
    items = tuple(
        LedgerBalanceView(code=code, name=CHART.get(code, ""), balance_fen=balance_fen)
        for code, balance_fen in sorted(found.balances.items())
    )
    return TrialBalanceView(items=items, total_fen=found.total_fen)


async def get_month_balance(call: Call[MonthBalanceQuery, Nothing]) -> MonthBalanceView:
    """Show what stood on every ledger account before a month, what moved, and what stands after it."""
    found = await call.read(ledger.month_trial_balance, call.query.month)
    items = tuple(
        TurnoverView(
            ledger_account=row.turnover.ledger_account,
            subject_code=row.subject.code,
            subject_name=row.subject.name,
            opening_fen=row.turnover.opening_fen,
            debit_fen=row.turnover.debit_fen,
            credit_fen=row.turnover.credit_fen,
            closing_fen=row.turnover.closing_fen,
        )
        for row in found.rows
    )
    return MonthBalanceView(
        month=found.month, items=items, debit_fen=found.debit_fen, credit_fen=found.credit_fen
    )


async def get_month_balance_workbook(call: Call[MonthBalanceFileQuery, Nothing]) -> web.Response:
    """Fetch a month's trial balance as a workbook."""
    query = call.query
    found = await call.read(ledger.month_trial_balance, query.month)
    body = trial_workbook(found, is_chinese=query.language is Locale.CHINESE)
    return workbook_response(body, f"trial-balance-{query.month}")


ROUTES = (
    Route(
        "GET",
        "/api/v1/ledger/month_balance",
        "Show a month's trial balance",
        Action.READ_LEDGER,
        get_month_balance,
        MonthBalanceView,
        query=MonthBalanceQuery,
        description="Local month, by the day of posting. Debit equals credit, or it is refused.",
    ),
    Route(
        "GET",
        "/api/v1/ledger/month_balance/workbook",
        "Fetch a month's trial balance",
        Action.READ_LEDGER,
        get_month_balance_workbook,
        XLSX,
        query=MonthBalanceFileQuery,
    ),
    Route(
        "GET",
        "/api/v1/ledger/trial_balance",
        "Show the trial balance",
        Action.READ_LEDGER,
        get_trial_balance,
        TrialBalanceView,
    ),
)
