"""The books of a month: the trial balance, and which of the finance department's subjects each account is.

The invariant: the page shows sums of postings; a subject changes what exports are called, never the books.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.invoices import chart_name
from cloud.domain.errors import Invalid
from cloud.domain.journal import DEFAULT_SUBJECTS, Subject
from cloud.domain.periods import billing_month
from cloud.domain.trial_balance import MonthTrialBalance, TrialRow
from cloud.domain.user import User
from cloud.services import journal, ledger
from cloud.store.db import Tx
from cloud.web.workbooks import workbook_response
from cloud.workbook.finance import trial_workbook


@dataclass(frozen=True, slots=True)
class BooksRow:
    """One ledger account: its own name, its subject as typed or as it is, and its sums."""

    row: TrialRow
    name: str
    subject_code: str
    subject_name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class BooksView:
    """The page."""

    balance: MonthTrialBalance
    rows: tuple[BooksRow, ...]
    month: str
    is_edited: bool
    error: str


async def show(desk: Desk) -> web.StreamResponse:
    """Show a month's trial balance, this month's unless asked."""
    return await desk.page("ledger/month.html", view=await _read(desk, {}, ""))


async def set_subjects(desk: Desk) -> web.StreamResponse:
    """Say what the finance department calls the ledger accounts; what does not fit comes back as typed."""
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    known = await desk.read(journal.chart_subjects)
    try:
        said = {
            account: Subject(form[f"code.{account}"], form.get(f"name.{account}", ""))
            for account in known
            if f"code.{account}" in form
        }
        changed = {account: subject for account, subject in said.items() if subject != known[account]}
        if changed:
            await desk.write(journal.set_subjects, changed)
    except Invalid as error:
        view = await _read(desk, form, str(error))
        return await desk.page("ledger/month.html", status=422, view=view)
    return desk.go(f"/ledger?month={_month(desk)}", "subjects-set", count=str(len(changed)))


async def fetch(desk: Desk) -> web.StreamResponse:
    """Hand out a month's trial balance as a workbook."""
    month = _month(desk)
    found = await desk.read(ledger.month_trial_balance, month)
    body = trial_workbook(found, is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"trial-balance-{month}")


async def _read(desk: Desk, typed: Mapping[str, str], error: str) -> BooksView:
    is_edited = desk.request.query.get("edit") == "1"
    return await desk.read(_view, _month(desk), typed, error, desk.format, is_edited=is_edited)


def _view(
    tx: Tx, actor: User, month: str, typed: Mapping[str, str], error: str, fmt: Format, *, is_edited: bool
) -> BooksView:
    balance = ledger.month_trial_balance(tx, actor, month)
    rows = []
    for row in balance.rows:
        account = row.turnover.ledger_account
        rows.append(
            BooksRow(
                row,
                chart_name(account, fmt),
                typed.get(f"code.{account}", row.subject.code),
                typed.get(f"name.{account}", row.subject.name),
                row.subject == DEFAULT_SUBJECTS.get(account),
            )
        )
    return BooksView(balance, tuple(rows), month, is_edited or bool(error), error)


def _month(desk: Desk) -> str:
    month = desk.request.query.get("month", "") or f"{desk.format.today:%Y-%m}"
    try:
        billing_month(month)
    except (Invalid, ValueError) as error:
        raise Invalid(f"a month is written 2026-10, not {month!r}") from error
    return month
