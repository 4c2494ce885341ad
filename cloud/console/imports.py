"""Tables in and out: templates, what there is, and an uploaded table from its check to its undoing.

The invariant: a table is looked at before it is carried out, and what was looked at is what is done.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.language import mark
from cloud.console.lists import link
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import ImportId, is_uuid
from cloud.domain.imports.kind import Kind, Role, shown
from cloud.domain.imports.plan import Outcome, Plan, PlannedRow
from cloud.domain.imports.run import ImportRun, ImportState
from cloud.services import imports
from cloud.services.imports import CheckedImport
from cloud.web.workbooks import workbook_response
from cloud.workbook.writing import faults_text, rejected_workbook, table_workbook

# What a person looks through; the rest is in the file of refused rows, or in the file itself.
_ROWS_SHOWN = 200

OUTCOME_NAMES = {
    Outcome.NEW: mark("new"),
    Outcome.CHANGED: mark("changed"),
    Outcome.CONFLICT: mark("in conflict"),
    Outcome.WRONG: mark("wrong"),
    Outcome.UNCHANGED: mark("unchanged"),
}


@dataclass(frozen=True, slots=True)
class TablesView:
    """The tables the reader may bring in, and what was brought in lately."""

    kinds: tuple[Kind, ...]
    runs: tuple[ImportRun, ...]
    titles: dict[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Tab:
    """The rows of one outcome."""

    outcome: str
    name: str
    count: int
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row: where it is, what it is about, what it would change, what is wrong."""

    line: int
    key: str
    changes: tuple[tuple[str, str, str], ...]  # column, before, after
    values: str
    faults: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """One import's page."""

    run: ImportRun
    title: str
    tabs: tuple[Tab, ...]
    rows: tuple[ShownRow, ...]
    count: int
    digest: str
    to_do: int
    refused: int
    can_carry_out: bool
    can_undo: bool


async def show_tables(desk: Desk) -> web.StreamResponse:
    """Show the tables there are and what was brought in lately."""
    return await desk.page("imports/tables.html", view=await _tables(desk))


async def upload(desk: Desk) -> web.StreamResponse:
    """Check an uploaded table; what is no such table is said beside it."""
    form = await desk.request.post()
    file = form.get("file")
    if not isinstance(file, web.FileField):
        raise Invalid("no file was sent")
    data = await asyncio.to_thread(file.file.read)
    code = desk.request.match_info["kind"]
    try:
        found = await desk.write(imports.check, desk.site.site_id, code, file.filename, data)
    except Invalid as error:
        view = await _tables(desk, f"{file.filename}: {error}")
        return await desk.page("imports/tables.html", status=422, view=view)
    return desk.go(f"/imports/{found.run.import_id}")


async def fetch_template(desk: Desk) -> web.StreamResponse:
    """Hand out an empty table with its help."""
    kind = imports.kind_of(desk.actor, desk.request.match_info["kind"])
    body = await asyncio.to_thread(table_workbook, kind, (), is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"{desk.site.code}-{kind.code}-template")


async def fetch_table(desk: Desk) -> web.StreamResponse:
    """Hand out what is there, ready to be filled in and brought back."""
    code = desk.request.match_info["kind"]
    kind, rows = await desk.read(imports.present_rows, desk.site.site_id, code)
    body = await asyncio.to_thread(table_workbook, kind, rows, is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"{desk.site.code}-{kind.code}")


async def show_import(desk: Desk) -> web.StreamResponse:
    """Show what every row of a table would do, or did."""
    found = await desk.read(imports.get_import, _id(desk))
    return await desk.page("imports/import.html", view=_view(desk, found))


async def carry_out(desk: Desk) -> web.StreamResponse:
    """Do what the new and changed rows say, if that is still what was looked at."""
    form = await desk.request.post()
    done = await desk.write(imports.carry_out, _id(desk), str(form.get("digest", "")))
    counts = done.run.counts
    count = str(counts[Outcome.NEW] + counts[Outcome.CHANGED])
    return desk.go(f"/imports/{done.run.import_id}", "table-imported", count=count)


async def undo(desk: Desk) -> web.StreamResponse:
    """Remove what an import made and put back what it changed."""
    run = await desk.write(imports.undo, _id(desk))
    return desk.go(f"/imports/{run.import_id}", "import-undone", name=run.file_name)


async def fetch_rejected(desk: Desk) -> web.StreamResponse:
    """Hand out the rows that were refused, with a column that says why."""
    found = await desk.read(imports.get_import, _id(desk))
    if found.plan is None:
        raise Conflict("the uploaded file is kept no longer: upload it again")
    body = await asyncio.to_thread(rejected_workbook, found.plan, is_chinese=desk.format.is_chinese)
    return workbook_response(body, f"{desk.site.code}-{found.run.kind}-rejected")


async def _tables(desk: Desk, error: str = "") -> TablesView:
    runs = await desk.read(imports.list_imports, desk.site.site_id)
    kinds = imports.list_kinds(desk.actor)
    own = {kind.code: kind.title(is_chinese=desk.format.is_chinese) for kind in kinds}
    return TablesView(tuple(kinds), tuple(run for run in runs if run.kind in own), own, error)


def _view(desk: Desk, found: CheckedImport) -> ImportView:
    run, plan, is_chinese = found.run, found.plan, desk.format.is_chinese
    # What was done is told by what it was; what is still to be done by what it would be now.
    is_open = run.state is ImportState.CHECKED and plan is not None
    counts = plan.counts if is_open and plan is not None else run.counts
    chosen = _chosen(desk.request.query.get("show", ""), counts)
    path = f"/imports/{run.import_id}"
    tabs = tuple(
        Tab(
            outcome.value,
            desk.language.gettext(OUTCOME_NAMES[outcome]),
            counts[outcome],
            link(path, {"show": outcome.value}),
            outcome is chosen,
        )
        for outcome in OUTCOME_NAMES
    )
    # After it is carried out new and changed rows are there: they are found among the unchanged ones.
    sought = (chosen,) if is_open or chosen not in (Outcome.NEW, Outcome.CHANGED) else ()
    rows: Sequence[PlannedRow] = () if plan is None else plan.of(*sought)
    kind = imports.kind_of(desk.actor, run.kind)
    return ImportView(
        run,
        kind.title(is_chinese=is_chinese),
        tabs,
        () if plan is None else tuple(_shown(plan, row, is_chinese=is_chinese) for row in rows[:_ROWS_SHOWN]),
        len(rows),
        "" if plan is None else plan.digest,
        counts[Outcome.NEW] + counts[Outcome.CHANGED],
        counts[Outcome.CONFLICT] + counts[Outcome.WRONG],
        is_open and counts[Outcome.NEW] + counts[Outcome.CHANGED] > 0,
        run.can_undo(desk.format.now_ms),
    )


def _chosen(asked: str, counts: object) -> Outcome:
    try:
        return Outcome(asked)
    except ValueError:
        assert isinstance(counts, dict)
        order = (Outcome.WRONG, Outcome.CONFLICT, Outcome.CHANGED, Outcome.NEW, Outcome.UNCHANGED)
        return next((outcome for outcome in order if counts[outcome]), Outcome.NEW)


def _shown(plan: Plan, row: PlannedRow, *, is_chinese: bool) -> ShownRow:
    columns = plan.kind.columns
    keys = [shown(row.values[column.key]) for column in columns if column.role is Role.KEY]
    others = [shown(row.values[column.key]) for column in columns if column.role is not Role.KEY]
    return ShownRow(
        row.line,
        " ".join(keys),
        tuple(
            (plan.kind.column(key).title(is_chinese=is_chinese), shown(was), shown(row.values[key]))
            for key, was in row.before.items()
        ),
        " · ".join(text for text in others if text),
        faults_text(plan, row.faults, is_chinese=is_chinese),
    )


def _id(desk: Desk) -> ImportId:
    text = desk.request.match_info["import_id"]
    if not is_uuid(text):
        raise Invalid(f"there is no import {text!r}")
    return ImportId(text)
