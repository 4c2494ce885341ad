"""Printing many papers at once: asked for, watched, fetched."""

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.errors import Invalid
from cloud.press.works import Form
from cloud.web.print_orders import begin_bills, begin_notices
from cloud.web.printing import PRINT_RUNS, PrintRun, file_response


async def print_bills(desk: Desk) -> web.StreamResponse:
    """Begin printing a month's bills; what was asked for before goes on."""
    form = await desk.request.post()
    run = await begin_bills(
        desk.request,
        desk.actor,
        desk.site.site_id,
        str(form.get("period", "")),
        _form(str(form.get("form", ""))),
        desk.preferences.language,
    )
    return desk.go(f"/prints/{run.run_id}")


async def print_notices(desk: Desk) -> web.StreamResponse:
    """Begin printing a notice for everybody who has something to pay as of today."""
    form = await desk.request.post()
    run = await begin_notices(
        desk.request,
        desk.actor,
        desk.site.site_id,
        desk.format.today,
        _form(str(form.get("form", ""))),
        desk.preferences.language,
    )
    return desk.go(f"/prints/{run.run_id}")


async def show_run(desk: Desk) -> web.StreamResponse:
    """Show how far a run is."""
    if desk.is_partial:
        return desk.part("prints/progress.html", run=_run(desk))
    return await desk.page("prints/run.html", run=_run(desk))


async def fetch(desk: Desk) -> web.StreamResponse:
    """Hand out a finished run's file."""
    return file_response(_run(desk))


async def stop(desk: Desk) -> web.StreamResponse:
    """Stop a run."""
    run = desk.request.app[PRINT_RUNS].stop(desk.actor, desk.request.match_info["run"])
    return desk.go(f"/prints/{run.run_id}")


def _run(desk: Desk) -> PrintRun:
    return desk.request.app[PRINT_RUNS].find(desk.actor, desk.request.match_info["run"])


def _form(text: str) -> Form:
    try:
        return Form(text)
    except ValueError as error:
        raise Invalid(
            f"papers are printed as {', '.join(one.value for one in Form)}, not {text!r}"
        ) from error
