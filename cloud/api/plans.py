"""Maintenance plans: added to equipment, changed, ended."""

from datetime import date
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from cloud.api.maintenance import MaintenanceClockView, clock_view
from cloud.api.route import Call, Nothing, Request, Route
from cloud.domain.access import Action
from cloud.domain.checklist import Cycle
from cloud.domain.ids import EquipmentId, PlanId, SeriesId
from cloud.domain.maintenance import (
    INTERVAL_DAYS_MAX,
    LEAD_DAYS_MAX,
    PLAN_TEXT_LENGTH_MAX,
    MaintenanceClock,
    MaintenancePlan,
    Trigger,
    TriggerKind,
)
from cloud.domain.user import User
from cloud.services import plans
from cloud.store.db import Tx

Text = Annotated[str, Meta(max_length=PLAN_TEXT_LENGTH_MAX)]


class TriggerBody(Request, frozen=True, kw_only=True):
    """A point whose value makes the service due earlier; the limit in millionths of the point's unit."""

    kind: TriggerKind
    series_id: Annotated[int, Meta(ge=1, le=2_147_483_647)]
    limit_micro: Annotated[int, Meta(ge=-(2**53), le=2**53)]


class PlanTerms(Request, frozen=True, kw_only=True):
    """What a plan asks for. Every plan has its days; a trigger can only make it due earlier."""

    title: Annotated[str, Meta(min_length=1, max_length=PLAN_TEXT_LENGTH_MAX)]
    basis: Text = ""
    interval_days: Annotated[int, Meta(ge=1, le=INTERVAL_DAYS_MAX)]
    lead_days: Annotated[int, Meta(ge=0, le=LEAD_DAYS_MAX)] = 0
    starts_on: date
    ends_on: date | None = None
    checklist_code: Text = ""
    cycle: Cycle = Cycle.NONE
    trigger: TriggerBody | None = None


class NewPlan(PlanTerms, frozen=True, kw_only=True):
    """A plan to be added; its code stays."""

    code: Annotated[str, Meta(min_length=1, max_length=PLAN_TEXT_LENGTH_MAX)]


async def add_plan(call: Call[Nothing, NewPlan]) -> web.Response:
    """Add a plan to a piece of equipment."""
    equipment_id = EquipmentId(call.id("equipment_id"))

    def add(tx: Tx, actor: User) -> MaintenanceClock:
        # Known to exist for the caller before what they say is looked at.
        plans.points_of(tx, actor, equipment_id)
        body = call.body
        plan_id = PlanId(tx.new_id())
        return plans.add_plan(
            tx, actor, MaintenancePlan(plan_id, equipment_id, code=body.code.strip(), **_terms(body))
        )

    return await call.create(clock_view, add)


async def get_plan(call: Call[Nothing, Nothing]) -> MaintenanceClockView:
    """Show a plan with where it stands today."""
    return clock_view(await call.read(plans.get_plan, PlanId(call.id("plan_id"))))


async def change_plan(call: Call[Nothing, PlanTerms]) -> web.Response:
    """Let a plan say something else from now on."""
    plan_id = PlanId(call.id("plan_id"))
    await call.read(plans.get_plan, plan_id)
    return await call.change(clock_view, plans.get_plan, plans.change_plan, plan_id, _terms(call.body))


def _terms(body: PlanTerms) -> dict[str, Any]:
    said = body.trigger
    trigger = None if said is None else Trigger(said.kind, SeriesId(said.series_id), said.limit_micro)
    return {
        "title": body.title.strip(),
        "basis": body.basis.strip(),
        "interval_days": body.interval_days,
        "lead_days": body.lead_days,
        "starts_on": body.starts_on,
        "ends_on": body.ends_on,
        "checklist_code": body.checklist_code,
        "cycle": body.cycle,
        "trigger": trigger,
    }


_PLAN = "/api/v1/maintenance_plans/{plan_id}"

ROUTES = (
    Route(
        "POST",
        "/api/v1/equipment/{equipment_id}/plans",
        "Add a maintenance plan",
        Action.MANAGE_MAINTENANCE,
        add_plan,
        MaintenanceClockView,
        body=NewPlan,
        status=201,
        creates=True,
    ),
    Route("GET", _PLAN, "Show a maintenance plan", Action.READ_EQUIPMENT, get_plan, MaintenanceClockView),
    Route(
        "PUT",
        _PLAN,
        "Change a maintenance plan",
        Action.MANAGE_MAINTENANCE,
        change_plan,
        MaintenanceClockView,
        body=PlanTerms,
        is_guarded=True,
        description="Its code and what was signed stay; the clock counts on from the last signature.",
    ),
)
