"""`gatehouse import`: tables brought in from a command line, as the console and the API bring them in.

The invariant: nothing is written unless it was asked for; what is carried out is what was just counted out
to whoever asked, or nothing.
"""

from pathlib import Path

import click

from cloud.command_line import database_options, explained, opened
from cloud.config import DEFAULT_TENANT
from cloud.domain.errors import NotFound
from cloud.domain.ids import ImportId, TenantId, is_uuid
from cloud.domain.imports.plan import Outcome, Plan
from cloud.domain.user import Locale, User, system_user
from cloud.services import companies, imports, premises
from cloud.store.db import Database
from cloud.workbook.writing import faults_text, rejected_workbook, table_workbook

_FAULTS_SHOWN = 20
_REFUSED = (Outcome.CONFLICT, Outcome.WRONG)

_company = click.option("--company", metavar="CODE", help="Which company.  [default: the first]")
_site = click.option("--site", "site_code", required=True, metavar="CODE", help="Which site.")
_language = click.option(
    "--language",
    type=click.Choice([one.value for one in Locale]),
    default=Locale.CHINESE.value,
    show_default=True,
    help="Of titles, help and reasons.",
)


@click.group("import")
def import_group() -> None:
    """Bring tables in: templates, dry run, carrying out, undoing."""


@import_group.command("tables")
def tables_command() -> None:
    """List the tables there are, in the order in which each finds what it refers to."""
    for kind in imports.list_kinds(system_user(DEFAULT_TENANT)):
        click.echo(f"{kind.code:<18} {kind.title_zh}  {kind.title_en}")


@import_group.command("template")
@_language
@click.argument("table")
@click.argument("target", type=click.Path(dir_okay=False, writable=True, path_type=Path))
def template_command(language: str, table: str, target: Path) -> None:
    """Write the empty table TABLE with its help to TARGET (.xlsx)."""
    with explained():
        kind = imports.kind_of(system_user(DEFAULT_TENANT), table)
        target.write_bytes(table_workbook(kind, (), is_chinese=language == Locale.CHINESE.value))
        click.echo(f"{target}: {kind.title_zh} {kind.title_en}")


@import_group.command("bring")
@database_options
@_company
@_site
@_language
@click.option(
    "--carry-out", is_flag=True, help="Do what the new and changed rows say; without it: a dry run."
)
@click.option(
    "--refused",
    "refused_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows here (.xlsx), as they came and with a column that says why.",
)
@click.argument("table")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def bring_command(
    config_path: Path | None,
    database: str | None,
    company: str | None,
    site_code: str,
    language: str,
    refused_path: Path | None,
    table: str,
    file: Path,
    *,
    carry_out: bool,
) -> None:
    """Bring FILE (.xlsx, .xls, .ods or .csv) in as TABLE; prints what every kind of row would do.

    Exits with 1 where rows were refused, carried out or not.
    """
    is_chinese = language == Locale.CHINESE.value
    with explained(), opened(config_path, database) as store:
        actor = _actor(store, company)
        site = store.read_now(actor.tenant_id, premises.site_by_code, actor, site_code)
        checked = store.write_now(
            actor.tenant_id, imports.check, actor, site.site_id, table, file.name, file.read_bytes()
        )
        plan = checked.plan
        assert plan is not None, "a table that was just read is kept"
        click.echo("  ".join(f"{outcome.value} {count}" for outcome, count in plan.counts.items()))
        _tell_refused(plan, refused_path, is_chinese=is_chinese)
        if carry_out:
            done = store.write_now(
                actor.tenant_id, imports.carry_out, actor, checked.run.import_id, plan.digest
            )
            click.echo(f"carried out; to undo it within a day: gatehouse import undo {done.run.import_id}")
        else:
            click.echo("a dry run: nothing was written; --carry-out does it")
    if plan.of(*_REFUSED):
        raise SystemExit(1)


@import_group.command("list")
@database_options
@_company
@_site
def list_command(config_path: Path | None, database: str | None, company: str | None, site_code: str) -> None:
    """List a site's imports, newest first."""
    with explained(), opened(config_path, database) as store:
        actor = _actor(store, company)
        site = store.read_now(actor.tenant_id, premises.site_by_code, actor, site_code)
        for run in store.read_now(actor.tenant_id, imports.list_imports, actor, site.site_id):
            counts = "  ".join(f"{outcome.value} {count}" for outcome, count in run.counts.items() if count)
            click.echo(f"{run.import_id}  {run.state.value:<8} {run.kind:<18} {run.file_name}  {counts}")


@import_group.command("undo")
@database_options
@_company
@click.argument("import_id")
def undo_command(config_path: Path | None, database: str | None, company: str | None, import_id: str) -> None:
    """Remove what an import made and put back what it changed, within a day."""
    with explained(), opened(config_path, database) as store:
        if not is_uuid(import_id):
            raise NotFound(f"there is no import {import_id!r}")
        actor = _actor(store, company)
        run = store.write_now(actor.tenant_id, imports.undo, actor, ImportId(import_id))
        click.echo(f"{run.file_name} ({run.kind}) is undone")


def _tell_refused(plan: Plan, target: Path | None, *, is_chinese: bool) -> None:
    refused = plan.of(*_REFUSED)
    for row in refused[:_FAULTS_SHOWN]:
        told = faults_text(plan, row.faults, is_chinese=is_chinese)
        click.echo(f"  row {row.line}: {told}", err=True)
    if len(refused) > _FAULTS_SHOWN:
        click.echo(f"  and {len(refused) - _FAULTS_SHOWN} more rows", err=True)
    if refused and target is not None:
        target.write_bytes(rejected_workbook(plan, is_chinese=is_chinese))
        click.echo(f"refused rows: {target}")


def _actor(store: Database, company: str | None) -> User:
    if company is None:
        return system_user(DEFAULT_TENANT)
    for one in store.read_now(DEFAULT_TENANT, companies.list_companies):
        if one.code == company:
            return system_user(TenantId(one.tenant_id))
    raise NotFound(f"there is no company {company!r}")
