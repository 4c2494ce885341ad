"""Tables in and out: templates, what there is, checking, carrying out, undoing."""

import asyncio
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from cloud.api.parse import read_bytes
from cloud.api.route import Call, Nothing, Request, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.errors import Conflict
from cloud.domain.ids import ImportId, SiteId
from cloud.domain.imports.kind import Column, Kind, Role, shown
from cloud.domain.imports.plan import Outcome, PlannedRow
from cloud.domain.imports.run import ImportRun, ImportState
from cloud.domain.user import Locale
from cloud.services import imports
from cloud.services.imports import CheckedImport
from cloud.web.workbooks import TABLES, XLSX, workbook_response
from cloud.workbook.reading import FILE_BYTES_MAX
from cloud.workbook.writing import faults_text, rejected_workbook, table_workbook

ROWS_TOLD_MAX = 500


class FileQuery(Request, frozen=True, kw_only=True):
    """What the uploaded file is called; its ending says whether it is a workbook or CSV."""

    name: Annotated[str, Meta(max_length=200)] = ""
    language: Locale = Locale.CHINESE


class LanguageQuery(Request, frozen=True, kw_only=True):
    """In which language."""

    language: Locale = Locale.CHINESE


class RowsQuery(Request, frozen=True, kw_only=True):
    """Which rows are told, from which line of the file on; at most 500."""

    outcome: Outcome | None = None
    from_line: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    language: Locale = Locale.CHINESE


class CarryOut(Request, frozen=True, kw_only=True):
    """The digest of the plan that was looked at; without one whatever the table would do now is done."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None


class ColumnView(View, frozen=True):
    """One column of a table."""

    key: str
    title_zh: str
    title_en: str
    role: Role
    is_needed: bool
    help_zh: str
    help_en: str
    example: str


class KindView(View, frozen=True):
    """A table that can be brought in."""

    code: str
    title_zh: str
    title_en: str
    about_zh: str
    about_en: str
    columns: tuple[ColumnView, ...]


class KindsView(View, frozen=True):
    """The tables the caller may bring in."""

    items: tuple[KindView, ...]


class ImportCountsView(View, frozen=True):
    """How many rows would, or did, become what."""

    new: int
    changed: int
    unchanged: int
    conflict: int
    wrong: int


class ImportView(View, frozen=True):
    """One import; it can be undone until a day after it was carried out."""

    import_id: str
    site_id: str
    kind: str
    file_name: str
    file_sha256: str
    state: ImportState
    counts: ImportCountsView
    started_by: str
    checked_at_ms: int
    done_at_ms: int | None
    undone_at_ms: int | None


class ImportRowView(View, frozen=True):
    """One row with its judgement: values as read, what they would change, and what is wrong."""

    line: int
    outcome: Outcome
    values: dict[str, str]
    before: dict[str, str]
    errors: str


class ImportDetailView(View, frozen=True):
    """An import with rows; `digest` names the plan, empty once the file is kept no longer."""

    summary: ImportView
    digest: str
    rows: tuple[ImportRowView, ...]


class ImportsView(View, frozen=True):
    """Imports, newest first."""

    items: tuple[ImportView, ...]


async def list_import_kinds(call: Call[Nothing, Nothing]) -> KindsView:
    """List the tables the caller may bring in, with their columns."""
    return KindsView(items=tuple(_kind_view(kind) for kind in imports.list_kinds(call.actor)))


async def get_import_template(call: Call[LanguageQuery, Nothing]) -> web.Response:
    """Fetch an empty table with its help."""
    kind = imports.kind_of(call.actor, call.code("kind_code"))
    is_chinese = call.query.language is Locale.CHINESE
    return workbook_response(
        await asyncio.to_thread(table_workbook, kind, (), is_chinese=is_chinese), kind.code
    )


async def get_table(call: Call[LanguageQuery, Nothing]) -> web.Response:
    """Fetch what is there as a table, ready to be filled in and brought back."""
    kind, rows = await call.read(imports.present_rows, SiteId(call.id("site_id")), call.code("kind_code"))
    is_chinese = call.query.language is Locale.CHINESE
    body = await asyncio.to_thread(table_workbook, kind, rows, is_chinese=is_chinese)
    return workbook_response(body, kind.code)


async def check_import(call: Call[FileQuery, Nothing]) -> ImportDetailView:
    """Check a table: the body is the file itself. Nothing is written yet."""
    site_id, kind_code = SiteId(call.id("site_id")), call.code("kind_code")
    imports.kind_of(call.actor, kind_code)
    data = await read_bytes(call.request, bytes_max=FILE_BYTES_MAX)
    found = await call.write(imports.check, site_id, kind_code, call.query.name, data)
    return _detail_view(found, RowsQuery(language=call.query.language))


async def get_import(call: Call[RowsQuery, Nothing]) -> ImportDetailView:
    """Show an import; while its file is kept, with what every row would do now."""
    return _detail_view(await call.read(imports.get_import, _id(call)), call.query)


async def get_rejected_rows(call: Call[LanguageQuery, Nothing]) -> web.Response:
    """Fetch the rows that were refused as they came, with a column that says why."""
    found = await call.read(imports.get_import, _id(call))
    if found.plan is None:
        raise Conflict("the uploaded file is kept no longer: upload it again")
    is_chinese = call.query.language is Locale.CHINESE
    body = await asyncio.to_thread(rejected_workbook, found.plan, is_chinese=is_chinese)
    return workbook_response(body, f"{found.run.kind}-rejected")


async def carry_out_import(call: Call[Nothing, CarryOut]) -> ImportView:
    """Do what the new and changed rows say."""
    done = await call.write(imports.carry_out, _id(call), call.body.digest)
    return _import_view(done.run)


async def undo_import(call: Call[Nothing, Nothing]) -> ImportView:
    """Remove what an import made and put back what it changed."""
    return _import_view(await call.write(imports.undo, _id(call)))


async def list_imports(call: Call[Nothing, Nothing]) -> ImportsView:
    """List a site's imports, newest first."""
    found = await call.read(imports.list_imports, SiteId(call.id("site_id")))
    return ImportsView(items=tuple(_import_view(run) for run in found))


def _id(call: Call[Any, Any]) -> ImportId:
    return ImportId(call.id("import_id"))


def _kind_view(kind: Kind) -> KindView:
    return view_of(kind, KindView, columns=tuple(_column_view(column) for column in kind.columns))


def _column_view(column: Column) -> ColumnView:
    return view_of(column, ColumnView)


def _import_view(run: ImportRun) -> ImportView:
    counts = ImportCountsView(**{outcome.value: count for outcome, count in run.counts.items()})
    return view_of(run, ImportView, counts=counts)


def _detail_view(found: CheckedImport, query: RowsQuery) -> ImportDetailView:
    rows: list[PlannedRow] = []
    plan = found.plan
    if plan is not None:
        told = (row for row in plan.rows if query.outcome in (None, row.outcome))
        rows = [row for row in told if row.line >= query.from_line][:ROWS_TOLD_MAX]
    return ImportDetailView(
        summary=_import_view(found.run),
        digest="" if plan is None else plan.digest,
        rows=tuple(
            ImportRowView(
                line=row.line,
                outcome=row.outcome,
                values={key: shown(value) for key, value in row.values.items()},
                before={key: shown(value) for key, value in row.before.items()},
                errors=""
                if plan is None
                else faults_text(plan, row.faults, is_chinese=query.language is Locale.CHINESE),
            )
            for row in rows
        ),
    )


_ONE = "/api/v1/imports/{import_id}"
_ACTION = Action.IMPORT_TABLES

ROUTES = (
    Route("GET", "/api/v1/import_kinds", "List tables", _ACTION, list_import_kinds, KindsView),
    Route(
        "GET",
        "/api/v1/import_kinds/{kind_code}/template",
        "Fetch a template",
        _ACTION,
        get_import_template,
        XLSX,
        query=LanguageQuery,
    ),
    Route("GET", _ONE, "Show an import", _ACTION, get_import, ImportDetailView, query=RowsQuery),
    Route(
        "POST",
        _ONE + "/carry_out",
        "Carry an import out",
        _ACTION,
        carry_out_import,
        ImportView,
        body=CarryOut,
    ),
    Route(
        "GET",
        _ONE + "/rejected",
        "Fetch refused rows",
        _ACTION,
        get_rejected_rows,
        XLSX,
        query=LanguageQuery,
    ),
    Route("POST", _ONE + "/undo", "Undo an import", _ACTION, undo_import, ImportView),
    Route("GET", "/api/v1/sites/{site_id}/imports", "List imports", _ACTION, list_imports, ImportsView),
    Route(
        "POST",
        "/api/v1/sites/{site_id}/imports/{kind_code}",
        "Check a table",
        _ACTION,
        check_import,
        ImportDetailView,
        query=FileQuery,
        uploads=TABLES,
        body_bytes_max=FILE_BYTES_MAX,
        status=201,
        description="The body is the file: .xlsx, .xls, .ods, or CSV in UTF-8 or GBK. Nothing is written.",
    ),
    Route(
        "GET",
        "/api/v1/sites/{site_id}/tables/{kind_code}",
        "Fetch a table",
        _ACTION,
        get_table,
        XLSX,
        query=LanguageQuery,
    ),
)
