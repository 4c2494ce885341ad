"""The `gatehouse bill` commands: what can be checked of billing without a server."""

from pathlib import Path

import click

from cloud.billing_cases.case import Outcome, Verdict, read_cases
from cloud.billing_cases.runner import run_file
from cloud.domain.errors import GatehouseError, Invalid
from cloud.domain.tariff_document import parse_document


@click.group()
def bill() -> None:
    """Rate billing cases with the real billing code; check tariff files."""


@bill.command("cases")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="Show only what did not pass.")
def cases_command(file: Path, *, quiet: bool) -> None:
    """Run the worked examples in FILE and print passed, failed or not supported by id.

    An input nobody reads or an expected value nobody computes makes a case "not supported".
    Exits with 1 if any case failed.
    """
    try:
        outcomes = run_file(read_cases(file.read_bytes()))
    except GatehouseError as error:
        raise click.ClickException(str(error)) from error
    for outcome in outcomes:
        if not (quiet and outcome.verdict is Verdict.PASSED):
            _show(outcome)
    counts = {verdict: sum(o.verdict is verdict for o in outcomes) for verdict in Verdict}
    click.echo(
        f"{counts[Verdict.PASSED]} passed, {counts[Verdict.FAILED]} failed, "
        f"{counts[Verdict.NOT_SUPPORTED]} not supported"
    )
    if counts[Verdict.FAILED]:
        raise SystemExit(1)


@bill.command("tariff")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def tariff_command(file: Path) -> None:
    """Check the tariff document in FILE: print its versions, or everything wrong with it.

    Exits with 1 if it would be refused.
    """
    try:
        versions = parse_document(file.read_bytes())
    except Invalid as error:
        click.echo(click.style(str(error), fg="red"), err=True)
        for problem in error.problems:
            click.echo(f"    {problem.pointer or '/'}: {problem.detail}", err=True)
        raise SystemExit(1) from error
    for version in versions:
        tariff = version.tariff
        until = "open" if tariff.valid_to is None else f"before {tariff.valid_to}"
        click.echo(
            f"{tariff.code} version {tariff.version}: {tariff.valid_from} to {until}, confidence "
            f"{tariff.confidence.value}, {', '.join(charge.component for charge in tariff.charges)}"
        )


def _show(outcome: Outcome) -> None:
    colours = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.NOT_SUPPORTED: "yellow"}
    verdict = click.style(outcome.verdict.value, fg=colours[outcome.verdict])
    click.echo(f"{outcome.case_id:<18} {verdict}")
    for detail in outcome.details:
        click.echo(f"    {detail}")
