"""Response plans: what is in force for each kind of emergency, written anew in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.ids import SiteId
from cloud.domain.response_plan import PlanKind, ResponsePlan, steps_of
from cloud.domain.user import User
from cloud.services import response_plans
from cloud.store.db import Tx

_TEXT_LENGTH_MAX = 10_000


@dataclass(frozen=True, slots=True)
class PlansView:
    """All plans in force, the one looked at with its versions, and what was typed."""

    plans: tuple[ResponsePlan, ...]
    versions: tuple[ResponsePlan, ...]
    typed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @property
    def shown(self) -> ResponsePlan:
        """Return the version in force of the plan looked at."""
        return self.versions[0]

    @property
    def chinese(self) -> str:
        """Return its steps in Chinese, one a line."""
        return "\n".join(step.chinese for step in self.shown.steps)

    @property
    def english(self) -> str:
        """Return its steps in English, one a line."""
        return "\n".join(step.english for step in self.shown.steps)


async def show(desk: Desk) -> web.StreamResponse:
    """Show the plan of one kind."""
    kind = _kind(desk.request.query.get("kind", ""))
    return await desk.page("response_plans.html", view=await desk.read(_view, desk.site.site_id, kind))


async def write(desk: Desk) -> web.StreamResponse:
    """Write the next version of a plan."""
    form = {
        name: str(value).strip()[:_TEXT_LENGTH_MAX] for name, value in (await desk.request.post()).items()
    }
    kind = _kind(form.get("kind", ""))
    try:
        steps = steps_of(_lines(form.get("chinese", "")), _lines(form.get("english", "")))
        written = await desk.write(response_plans.write_plan, desk.site.site_id, kind, steps)
    except (Conflict, Invalid) as error:
        view = await desk.read(_view, desk.site.site_id, kind, form, str(error))
        return await desk.page("response_plans.html", status=422, view=view)
    return desk.go(f"/response-plans?kind={kind.value}", "plan-written", version=str(written.version))


def _view(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    kind: PlanKind,
    typed: Mapping[str, str] | None = None,
    error: str = "",
) -> PlansView:
    return PlansView(
        tuple(response_plans.list_plans(tx, actor, site_id)),
        tuple(response_plans.versions(tx, actor, site_id, kind)),
        typed or {},
        error,
    )


def _kind(word: str) -> PlanKind:
    return next((kind for kind in PlanKind if kind.value == word), PlanKind.FIRE)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
