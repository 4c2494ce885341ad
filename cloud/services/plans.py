"""Maintenance plans: added, changed, ended; what was signed under them stays.

The invariant: a plan keeps its code and its completions; whatever is changed, its clock goes on counting
from the last signature.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.checklists import shipped_checklists
from cloud.domain.access import Action, require
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import EquipmentId, PlanId
from cloud.domain.maintenance import MaintenanceClock, MaintenancePlan, TriggerKind
from cloud.domain.series import Point
from cloud.domain.user import User
from cloud.services.maintenance import clocks_of
from cloud.services.premises import site_of
from cloud.store import audit, equipment, points, service_sheets
from cloud.store import plans as plan_store
from cloud.store.db import Tx
from protocol.quantity import QUANTITIES, Kind


def points_of(tx: Tx, actor: User, equipment_id: EquipmentId) -> list[Point]:
    """Return the points a plan of this equipment may watch: its device's totals and measured values."""
    require(actor, Action.READ_EQUIPMENT)
    found = equipment.find_equipment(tx, equipment_id)
    if found is None:
        raise NotFound(f"there is no equipment {equipment_id}")
    if found.device_id is None:
        return []
    values = points.values_of_device(tx, found.device_id)
    return [one.point for one in values if _kind(one.point) in (Kind.CUMULATIVE, Kind.INSTANT)]


def get_plan(tx: Tx, actor: User, plan_id: PlanId) -> MaintenanceClock:
    """Return a plan with where it stands today."""
    require(actor, Action.READ_EQUIPMENT)
    plan = plan_store.find_plan(tx, plan_id)
    owner = None if plan is None else equipment.find_equipment(tx, plan.equipment_id)
    if plan is None or owner is None:
        raise NotFound(f"there is no maintenance plan {plan_id}")
    [clock] = clocks_of(tx, site_of(tx, owner.site_id), [plan])
    return clock


def add_plan(tx: Tx, actor: User, added: MaintenancePlan) -> MaintenanceClock:
    """Add a plan to a piece of equipment; Conflict if it has one of that code, ended ones included."""
    require(actor, Action.MANAGE_MAINTENANCE)
    _check(tx, actor, added)
    if not plan_store.insert_plan(tx, added):
        raise Conflict(f"the equipment has a plan {added.code!r} already, perhaps one that has ended")
    audit.record(tx, actor.user_id, "add_plan", "maintenance_plan", added.plan_id, {"code": added.code})
    return get_plan(tx, actor, added.plan_id)


def change_plan(tx: Tx, actor: User, plan_id: PlanId, changes: Mapping[str, Any]) -> MaintenanceClock:
    """Let a plan say something else from now on."""
    require(actor, Action.MANAGE_MAINTENANCE)
    before = plan_store.lock_plan(tx, plan_id)
    if before is None:
        raise NotFound(f"there is no maintenance plan {plan_id}")
    after = replace(before, **changes)
    _check(tx, actor, after)
    if after != before:
        plan_store.update_plan(tx, after)
        detail: dict[str, str | int | None] = {
            "interval_days_before": before.interval_days,
            "interval_days": after.interval_days,
            "ends_on": None if after.ends_on is None else after.ends_on.isoformat(),
            "trigger": None if after.trigger is None else after.trigger.kind.value,
        }
        audit.record(tx, actor.user_id, "change_plan", "maintenance_plan", plan_id, detail)
    return get_plan(tx, actor, plan_id)


def _check(tx: Tx, actor: User, plan: MaintenancePlan) -> None:
    """Refuse a list nobody knows, and a point the equipment does not have or that does not fit."""
    known = points_of(tx, actor, plan.equipment_id)
    owner = equipment.find_equipment(tx, plan.equipment_id)
    if owner is not None and owner.retired_on is not None:
        raise Conflict(f"{owner.name} is retired: it has no plans any more")
    code = plan.checklist_code
    if code and code not in shipped_checklists() and service_sheets.newest_checklist(tx, code) is None:
        raise Invalid(f"there is no checklist {code!r}")
    if plan.trigger is None:
        return
    point = next((one for one in known if one.series_id == plan.trigger.series_id), None)
    if point is None:
        raise Invalid(f"the equipment's device has no value {plan.trigger.series_id} to watch")
    is_total = _kind(point) is Kind.CUMULATIVE
    if is_total is not (plan.trigger.kind is TriggerKind.USAGE):
        wanted = "a limit for what it grows by" if is_total else "a limit above or below"
        raise Invalid(f"{point.name} takes {wanted}")


def _kind(point: Point) -> Kind | None:
    quantity = QUANTITIES.get(point.quantity)
    return None if quantity is None else quantity.kind
