"""Reports of a month, and the journal for the finance department's own books."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.api.words import plain_or_none
from cloud.domain.access import Action
from cloud.domain.ids import SiteId
from cloud.domain.journal import SUBJECT_LENGTH_MAX, Subject
from cloud.domain.report import Collected, EnergyBalance
from cloud.domain.user import Locale
from cloud.services import journal, reports
from cloud.web.workbooks import CSV, XLSX, csv_response, workbook_response
from cloud.workbook.finance import journal_csv, journal_workbook

MONTH = r"^[12][0-9]{3}-(0[1-9]|1[0-2])$"


class FileForm(Enum):
    """What kind of file."""

    CSV = "csv"
    XLSX = "xlsx"


class JournalQuery(Request, frozen=True, kw_only=True):
    """Which local month, by the day of posting, and as which file."""

    month: Annotated[str, Meta(pattern=MONTH)]
    form: FileForm = FileForm.CSV
    language: Locale = Locale.CHINESE


class ReportQuery(Request, frozen=True, kw_only=True):
    """Which billing month; the newest with documents if none is named."""

    period_code: Annotated[str, Meta(pattern=MONTH)] | None = None


class SubjectBody(Request, frozen=True, kw_only=True):
    """An account of the finance department's chart."""

    code: Annotated[str, Meta(min_length=1, max_length=SUBJECT_LENGTH_MAX)]
    name: Annotated[str, Meta(min_length=1, max_length=SUBJECT_LENGTH_MAX)]


class SubjectsBody(Request, frozen=True, kw_only=True):
    """Ledger accounts with what they are in the finance department's chart; others stay."""

    subjects: Annotated[dict[str, SubjectBody], Meta(min_length=1, max_length=200)]


class SubjectView(View, frozen=True):
    """A ledger account and what it is in the finance department's chart."""

    ledger_account: str
    code: str
    name: str


class SubjectsView(View, frozen=True):
    """Every ledger account."""

    items: tuple[SubjectView, ...]


class CollectedView(View, frozen=True):
    """What was billed under one name and what of it was paid; `rate` is the share, "0.9731"."""

    name: str
    billed_fen: int
    paid_fen: int
    open_fen: int
    rate: Decimal | None


class ItemSumView(View, frozen=True):
    """What one kind of charge came to."""

    charge_code: str
    amount_fen: int


class EnergyBalanceView(View, frozen=True):
    """master = submeters + public_meters + loss; None while something in `missing` cannot be measured."""

    commodity: str
    unit: str
    master: Decimal | None
    submeters: Decimal | None
    public_meters: Decimal | None
    loss: Decimal | None
    loss_ratio: Decimal | None
    missing: tuple[str, ...]


class MonthReportView(View, frozen=True):
    """A month's report, with the months up to it."""

    period_code: str
    months: tuple[CollectedView, ...]
    buildings: tuple[CollectedView, ...]
    items: tuple[ItemSumView, ...]
    energy: tuple[EnergyBalanceView, ...]


async def get_journal(call: Call[JournalQuery, Nothing]) -> web.Response:
    """Fetch what was posted in a month as vouchers; a month that is over is the same file every time."""
    query = call.query
    found = await call.read(journal.month_journal, query.month)
    is_chinese = query.language is Locale.CHINESE
    if query.form is FileForm.CSV:
        return csv_response(journal_csv(found, is_chinese=is_chinese), f"journal-{query.month}")
    return workbook_response(journal_workbook(found, is_chinese=is_chinese), f"journal-{query.month}")


async def list_subjects(call: Call[Nothing, Nothing]) -> SubjectsView:
    """List what ledger accounts are in the finance department's chart."""
    return _subjects_view(await call.read(journal.chart_subjects))


async def set_subjects(call: Call[Nothing, SubjectsBody]) -> web.Response:
    """Say what some ledger accounts are in the finance department's chart."""
    said = {code: Subject(one.code, one.name) for code, one in call.body.subjects.items()}
    return await call.change_seen(
        lambda tx, actor: _subjects_view(journal.chart_subjects(tx, actor)),
        lambda tx, actor: _subjects_view(journal.set_subjects(tx, actor, said)),
    )


async def get_month_report(call: Call[ReportQuery, Nothing]) -> MonthReportView:
    """Report a month: collection, buildings, items, energy and loss."""
    asked = (SiteId(call.id("site_id")), call.query.period_code)
    found = await call.read(reports.month_report, *asked)
    energy = await call.read(reports.month_energy, *asked)
    return MonthReportView(
        period_code=found.period_code,
        months=tuple(_collected_view(one) for one in found.months),
        buildings=tuple(_collected_view(one) for one in found.buildings),
        items=tuple(view_of(one, ItemSumView) for one in found.items),
        energy=tuple(_energy_view(one) for one in energy),
    )


def _subjects_view(found: Mapping[str, Subject]) -> SubjectsView:
    return SubjectsView(
        items=tuple(
            SubjectView(ledger_account=account, code=one.code, name=one.name)
            for account, one in sorted(found.items())
        )
    )


def _collected_view(one: Collected) -> CollectedView:
    return view_of(one, CollectedView)


def _energy_view(one: EnergyBalance) -> EnergyBalanceView:
    usage = one.usage
    return EnergyBalanceView(
        commodity=one.commodity,
        unit=one.unit,
        master=None if usage is None else plain_or_none(usage.master),
        submeters=None if usage is None else plain_or_none(usage.submeters),
        public_meters=None if usage is None else plain_or_none(usage.public_meters),
        loss=None if usage is None else plain_or_none(usage.loss),
        loss_ratio=one.loss_ratio,
        missing=one.missing,
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/ledger/journal",
        "Export the journal",
        Action.READ_LEDGER,
        get_journal,
        f"{CSV}, {XLSX}",
        query=JournalQuery,
        description="Vouchers in the finance department's chart; debit and credit of each are equal.",
    ),
    Route("GET", "/api/v1/ledger/subjects", "List subjects", Action.READ_LEDGER, list_subjects, SubjectsView),
    Route(
        "PUT",
        "/api/v1/ledger/subjects",
        "Set subjects",
        Action.MANAGE_TARIFFS,
        set_subjects,
        SubjectsView,
        body=SubjectsBody,
        is_guarded=True,
        description="A code stands for one subject: under two names it is refused.",
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/month_report",
        "Report a month",
        Action.READ_LEDGER,
        get_month_report,
        MonthReportView,
        query=ReportQuery,
    ),
)
