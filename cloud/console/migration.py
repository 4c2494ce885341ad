"""Moving here from a system before: every table in order, and both systems' books beside each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.errors import Invalid
from cloud.domain.ids import SiteId
from cloud.domain.imports.kind import Kind
from cloud.domain.imports.run import ImportRun, ImportState
from cloud.domain.reconciling import Figure, Reconciled, figure_from_text, text_from_figure
from cloud.domain.user import User
from cloud.services import imports, reconciling
from cloud.store.db import Tx

# Which figures tell that a table has come over.
_FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "accounts": (Figure.ACCOUNTS, Figure.HOUSEHOLD_MEMBERS),
    "equipment": (Figure.EQUIPMENT,),
    "meters": (Figure.METERS, Figure.FIRST_REGISTERS),
    "opening_balances": (Figure.OWED, Figure.PREPAID),
    "people": (Figure.PEOPLE, Figure.RELATIONS),
    "readings": (Figure.READINGS, Figure.READINGS_SUM),
    "spaces": (Figure.SPACES, Figure.BUILT_AREA),
}


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One figure as it is read and typed."""

    name: str
    here: str
    said: str
    difference: str
    state: str  # open, agrees, differs
    error: str


@dataclass(frozen=True, slots=True)
class Step:
    """One table on the way: `run` is its last import, `count` what is there of it."""

    kind: Kind
    run: ImportRun | None
    is_done: bool
    is_next: bool
    lines: tuple[FigureLine, ...]


@dataclass(frozen=True, slots=True)
class MigrationView:
    """How far the move has come."""

    steps: tuple[Step, ...]
    rest: tuple[FigureLine, ...]
    done: int
    agreeing: int
    differing: int
    is_refused: bool


async def show(desk: Desk) -> web.StreamResponse:
    """Show the way, how far it is gone, and what does not agree yet."""
    return await desk.page("imports/migration.html", view=await desk.read(_view, desk.site.site_id))


async def note(desk: Desk) -> web.StreamResponse:
    """Note what the old system had."""
    form = {name: str(value) for name, value in (await desk.request.post()).items()}
    said: dict[Figure, int] = {}
    errors: dict[Figure, str] = {}
    for one in Figure:
        typed = form.get(one.value, "")
        try:
            if typed.strip():
                said[one] = figure_from_text(one, typed)
        except Invalid as error:
            errors[one] = str(error)
    if errors:
        view = await desk.read(_view, desk.site.site_id, form, errors)
        return await desk.page("imports/migration.html", status=422, view=view)
    await desk.write(reconciling.note_former, desk.site.site_id, said)
    return desk.go("/tables/migration#books", "figures-noted")


def _view(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[Figure, str] = MappingProxyType({}),
) -> MigrationView:
    found = {one.figure: one for one in reconciling.reconcile(tx, actor, site_id)}
    lines = {figure: _line(one, typed, errors.get(figure, "")) for figure, one in found.items()}
    runs: dict[str, ImportRun] = {}
    for run in imports.list_imports(tx, actor, site_id):
        runs.setdefault(run.kind, run)
    steps: list[Step] = []
    shown: set[Figure] = set()
    for kind in imports.list_kinds(actor):
        figures = _FIGURES.get(kind.code, ())
        shown.update(figures)
        last = runs.get(kind.code)
        # What is owed grows by our own bills too: only its table says that the old balances are here.
        tells = figures if kind.code != "opening_balances" else ()
        is_done = any(found[figure].here for figure in tells) or (
            last is not None and last.state is ImportState.DONE
        )
        is_next = not is_done and not any(step.is_next for step in steps)
        steps.append(Step(kind, last, is_done, is_next, tuple(lines[figure] for figure in figures)))
    return MigrationView(
        tuple(steps),
        tuple(line for figure, line in lines.items() if figure not in shown),
        sum(step.is_done for step in steps),
        sum(one.agrees for one in found.values()),
        sum(one.said is not None and not one.agrees for one in found.values()),
        bool(errors),
    )


def _line(one: Reconciled, typed: Mapping[str, str] | None, error: str) -> FigureLine:
    state = "open" if one.said is None else "agrees" if one.agrees else "differs"
    difference = one.difference
    return FigureLine(
        one.figure.value,
        text_from_figure(one.figure, one.here),
        text_from_figure(one.figure, one.said) if typed is None else typed.get(one.figure.value, ""),
        "" if not difference else ("+" if difference > 0 else "") + text_from_figure(one.figure, difference),
        state,
        error,
    )
