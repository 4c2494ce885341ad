"""The form of a maintenance plan: its days, its item list, and what the equipment itself may ask by.

The invariant: what was typed comes back with what is wrong; a plan keeps its code and its signatures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of, number_of, texts_of, whole_of
from cloud.domain.checklist import Checklist, Cycle
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import PlanId, SeriesId, SiteId, is_uuid
from cloud.domain.maintenance import MaintenanceClock, MaintenancePlan, Trigger, TriggerKind
from cloud.domain.series import Point
from cloud.domain.user import User
from cloud.services import equipment, plans, service_sheets
from cloud.store.db import Tx
from protocol.quantity import decimal_from_micro, micro_from_decimal

_TYPED_LENGTH_MAX = 300
_DIGITS_MAX = 5


@dataclass(frozen=True, slots=True)
class PlanView:
    """The form; `clock` is None for a new plan."""

    equipment: Equipment
    clock: MaintenanceClock | None
    points: tuple[Point, ...]
    checklists: tuple[Checklist, ...]
    cycles: tuple[str, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show an empty form."""
    typed = {"starts_on": desk.format.today.isoformat(), "lead_days": "3"}
    return await desk.page("equipment/plan.html", view=await desk.read(_form, *_where(desk), None, typed, ""))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Add a plan, or show the form again with what does not fit."""
    typed = await texts_of(desk)
    try:
        await desk.write(_add, *_where(desk), typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, *_where(desk), None, typed, str(error))
        return await desk.page("equipment/plan.html", status=422, view=view)
    return desk.go(f"/equipment/{_where(desk)[1]}", "plan-noted", title=typed.get("title", "")[:40])


async def show_edit(desk: Desk) -> web.StreamResponse:
    """Show what a plan says, to be changed."""
    view = await desk.read(_form, *_where(desk), _plan_id(desk), None, "")
    return await desk.page("equipment/plan.html", view=view)


async def submit_edit(desk: Desk) -> web.StreamResponse:
    """Let a plan say something else, or show the form again with what does not fit."""
    typed, plan_id = await texts_of(desk), _plan_id(desk)
    try:
        await desk.write(_change, *_where(desk), plan_id, typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, *_where(desk), plan_id, typed, str(error))
        return await desk.page("equipment/plan.html", status=422, view=view)
    return desk.go(f"/equipment/{_where(desk)[1]}", "plan-noted", title=typed.get("title", "")[:40])


def _form(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    code: str,
    plan_id: PlanId | None,
    typed: Mapping[str, str] | None,
    error: str,
) -> PlanView:
    item = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment
    clock = None if plan_id is None else _clock(tx, actor, item, plan_id)
    if typed is None:
        typed = {} if clock is None else _as_typed(clock.plan)
    return PlanView(
        item,
        clock,
        tuple(plans.points_of(tx, actor, item.equipment_id)),
        tuple(service_sheets.list_checklists(tx, actor)),
        tuple(cycle.value for cycle in Cycle if cycle is not Cycle.NONE),
        typed,
        error,
    )


def _clock(tx: Tx, actor: User, item: Equipment, plan_id: PlanId) -> MaintenanceClock:
    clock = plans.get_plan(tx, actor, plan_id)
    if clock.plan.equipment_id != item.equipment_id:
        raise NotFound(f"there is no maintenance plan {plan_id}")
    return clock


def _add(
    tx: Tx, actor: User, site_id: SiteId, code: str, typed: Mapping[str, str], fmt: Format
) -> MaintenanceClock:
    item = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment
    terms = _terms(typed, fmt)
    plan_id = PlanId(tx.new_id())
    added = MaintenancePlan(plan_id, item.equipment_id, code=typed.get("code", ""), **terms)
    return plans.add_plan(tx, actor, added)


def _change(
    tx: Tx, actor: User, site_id: SiteId, code: str, plan_id: PlanId, typed: Mapping[str, str], fmt: Format
) -> MaintenanceClock:
    item = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment
    _clock(tx, actor, item, plan_id)
    return plans.change_plan(tx, actor, plan_id, _terms(typed, fmt))


def _as_typed(plan: MaintenancePlan) -> dict[str, str]:
    trigger = plan.trigger
    return {
        "title": plan.title,
        "basis": plan.basis,
        "interval_days": str(plan.interval_days),
        "lead_days": str(plan.lead_days),
        "starts_on": plan.starts_on.isoformat(),
        "ends_on": "" if plan.ends_on is None else plan.ends_on.isoformat(),
        "checklist": plan.checklist_code,
        "cycle": plan.cycle.value,
        "trigger": "" if trigger is None else trigger.kind.value,
        "point": "" if trigger is None else str(trigger.series_id),
        "limit": "" if trigger is None else f"{decimal_from_micro(trigger.limit_micro):f}",
    }


def _terms(typed: Mapping[str, str], fmt: Format) -> dict[str, Any]:
    cycle = next((one for one in Cycle if one.value == typed.get("cycle", "")), Cycle.NONE)
    return {
        "title": typed.get("title", ""),
        "basis": typed.get("basis", ""),
        "interval_days": whole_of(typed.get("interval_days", ""), fmt),
        "lead_days": whole_of(typed.get("lead_days") or "0", fmt),
        "starts_on": day_of(typed["starts_on"], fmt) if typed.get("starts_on") else fmt.today,
        "ends_on": day_of(typed["ends_on"], fmt) if typed.get("ends_on") else None,
        "checklist_code": typed.get("checklist", ""),
        "cycle": cycle,
        "trigger": _trigger(typed, fmt),
    }


def _trigger(typed: Mapping[str, str], fmt: Format) -> Trigger | None:
    kind = next((one for one in TriggerKind if one.value == typed.get("trigger", "")), None)
    if kind is None:
        return None
    series = typed.get("point", "")
    if not (series.isascii() and series.isdecimal()):
        raise Invalid(fmt.language.gettext("Choose which value is watched."))
    limit_micro = micro_from_decimal(number_of(typed.get("limit", ""), fmt))
    return Trigger(kind, SeriesId(int(series)), limit_micro)


def _where(desk: Desk) -> tuple[SiteId, str]:
    return desk.site.site_id, desk.request.match_info["code"]


def _plan_id(desk: Desk) -> PlanId:
    text = desk.request.match_info["plan_id"]
    if not is_uuid(text):
        raise NotFound(f"there is no maintenance plan {text!r}")
    return PlanId(text)
