"""What was brought over from a system before, beside what that system said it had."""

from collections.abc import Mapping
from decimal import Decimal

from aiohttp import web

from cloud.api.route import Call, Nothing, Request, Route, View
from cloud.domain.access import Action
from cloud.domain.errors import Invalid, Problem
from cloud.domain.ids import SiteId
from cloud.domain.reconciling import Figure, Reconciled, figure_from_decimal, places_of
from cloud.services import reconciling


class FormerFigures(Request, frozen=True, kw_only=True):
    """What the system before had, by figure; what is left out is open again."""

    figures: Mapping[str, Decimal]


class ReconciledView(View, frozen=True):
    """One figure: here, by the system before, and what is here beyond it; null while nobody has said."""

    figure: Figure
    here: Decimal
    said: Decimal | None
    difference: Decimal | None


class ReconciliationView(View, frozen=True):
    """Every figure of a site."""

    items: tuple[ReconciledView, ...]


async def reconcile(call: Call[Nothing, Nothing]) -> ReconciliationView:
    """Show every figure beside the old system's."""
    return _view(await call.read(reconciling.reconcile, SiteId(call.id("site_id"))))


async def note_former(call: Call[Nothing, FormerFigures]) -> web.Response:
    """Note what the old system had."""
    site_id, said = SiteId(call.id("site_id")), _figures(call.body.figures)
    return await call.change_seen(
        lambda tx, actor: _view(reconciling.reconcile(tx, actor, site_id)),
        lambda tx, actor: _view(reconciling.note_former(tx, actor, site_id, said)),
    )


def _figures(told: Mapping[str, Decimal]) -> dict[Figure, int]:
    """Return figures in their smallest units; Invalid names each that cannot be."""
    said: dict[Figure, int] = {}
    problems: list[Problem] = []
    for name, value in told.items():
        try:
            figure = Figure(name)
            said[figure] = figure_from_decimal(figure, value)
        except ValueError:
            known = ", ".join(one.value for one in Figure)
            problems.append(Problem(f"/figures/{name}", f"there is no figure {name!r}; there are {known}"))
        except Invalid as error:
            problems.append(Problem(f"/figures/{name}", str(error)))
    if problems:
        first = problems[0]
        raise Invalid(f"{first.pointer.removeprefix('/figures/')}: {first.detail}", problems)
    return said


def _view(found: list[Reconciled]) -> ReconciliationView:
    def scaled(one: Reconciled, value: int | None) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-places_of(one.figure))

    return ReconciliationView(
        items=tuple(
            ReconciledView(
                figure=one.figure,
                here=scaled(one, one.here) or Decimal(0),
                said=scaled(one, one.said),
                difference=scaled(one, one.difference),
            )
            for one in found
        )
    )


_PATH = "/api/v1/sites/{site_id}/reconciliation"

ROUTES = (
    Route("GET", _PATH, "Reconcile with the old system", Action.READ_LEDGER, reconcile, ReconciliationView),
    Route(
        "PUT",
        _PATH,
        "Note the old system's figures",
        Action.MANAGE_PREMISES,
        note_former,
        ReconciliationView,
        body=FormerFigures,
        is_guarded=True,
    ),
)
