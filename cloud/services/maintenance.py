"""Maintenance: clocks that cannot stop, the work they ask for, and the signatures that restart them.

The invariant: where a plan stands is computed from its last signature and today whenever somebody
looks; work orders only remind. A job that did not run for a month has hidden nothing: the day it runs
again, every plan that is due has its work order, with the day it was due on.
"""

from collections.abc import Sequence
from datetime import date

from cloud.domain.access import Action, require
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AlarmId, EquipmentId, PlanId, SiteId, WorkOrderId
from cloud.domain.maintenance import Completion, MaintenanceClock, MaintenancePlan, clock_on
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.domain.work_order import WorkOrder, WorkOrderKind, WorkOrderState
from cloud.services import watching
from cloud.services.premises import site_of
from cloud.store import audit, equipment, work_orders
from cloud.store import plans as plan_store
from cloud.store.db import Tx
from cloud.store.numbers import next_number

TEXT_LENGTH_MAX = 500


def clocks(tx: Tx, actor: User, site_id: SiteId) -> list[MaintenanceClock]:
    """Return where every plan of a site stands today, the most urgent first."""
    require(actor, Action.READ_EQUIPMENT)
    site = site_of(tx, site_id)
    found = clocks_of(tx, site, plan_store.list_plans(tx, site_id, today_at(tx, site)))
    return sorted(found, key=lambda clock: (clock.due_on, clock.plan.plan_id))


def clocks_of(tx: Tx, site: Site, plans: Sequence[MaintenancePlan]) -> list[MaintenanceClock]:
    """Return where these plans of one site stand today, in their order."""
    zone, today = time_zone(site.time_zone), today_at(tx, site)
    last = plan_store.last_completions(tx, [plan.plan_id for plan in plans])
    watched = watching.watched(tx, site, plans, last)
    return [
        clock_on(
            plan,
            local_date(last[plan.plan_id], zone) if plan.plan_id in last else None,
            today,
            watched.get(plan.plan_id),
        )
        for plan in plans
    ]


def completions_since(
    tx: Tx, actor: User, site_id: SiteId, from_ms: int
) -> list[tuple[Equipment, str, Completion]]:
    """Return what was signed on a site since an instant, oldest first, with its equipment and title."""
    require(actor, Action.READ_EQUIPMENT)
    site_of(tx, site_id)
    pieces = {one.equipment_id: one for one in equipment.list_equipment(tx, site_id)}
    signed = plan_store.completions_since(tx, site_id, from_ms)
    return [(pieces[equipment_id], title, done) for equipment_id, title, done in signed]


def generate_work_orders(tx: Tx, actor: User, site_id: SiteId) -> int:
    """Ask for the work of every plan that is due within its lead time or overdue; return how many are new.

    A plan that somebody has been asked for already is not asked for again.
    """
    require(actor, Action.MANAGE_MAINTENANCE)
    site = site_of(tx, site_id)
    watching.note_reached(tx, site)
    count = 0
    for clock in clocks_of(tx, site, plan_store.list_plans(tx, site_id, today_at(tx, site))):
        if clock.days_left > clock.plan.lead_days or work_orders.has_unfinished(tx, clock.plan.plan_id):
            continue
        added = work_orders.insert_work_order(
            tx,
            site_id,
            _next_number(tx, site),
            WorkOrderKind.MAINTENANCE,
            clock.plan.equipment_id,
            clock.plan.title,
            clock.due_on,
            plan_id=clock.plan.plan_id,
        )
        count += added is not None
    return count


def complete(tx: Tx, actor: User, plan_id: PlanId, signed_by: str, note: str = "") -> MaintenanceClock:
    """Note that a plan's work was done, now; its clock starts again and what was asked for it is finished.

    It counts from the moment it is signed here; there is no signing for another day.
    """
    require(actor, Action.COMPLETE_MAINTENANCE)
    _check_text("signature", signed_by, may_be_empty=False)
    _check_text("note", note)
    plan = plan_store.lock_plan(tx, plan_id)
    if plan is None:
        raise NotFound(f"there is no maintenance plan {plan_id}")
    if plan.checklist_code:
        raise Conflict(f"{plan.title} has an item list: answer it and sign its sheet")
    owner = equipment.find_equipment(tx, plan.equipment_id)
    assert owner is not None, "a plan is of a piece of equipment"
    record_completion(tx, actor, plan, owner, signed_by, note)
    [clock] = clocks_of(tx, site_of(tx, owner.site_id), [plan])
    return clock


def record_completion(
    tx: Tx, actor: User, plan: MaintenancePlan, owner: Equipment, signed_by: str, note: str
) -> WorkOrderId | None:
    """Start a plan's clock again from now; return the work order that asked for it, which is finished."""
    site, plan_id = site_of(tx, owner.site_id), plan.plan_id
    asked = work_orders.list_work_orders(
        tx, site.site_id, work_orders.UNFINISHED, None, limit=100, equipment_id=plan.equipment_id
    )
    order = next((order.work_order_id for order in asked if order.plan_id == plan_id), None)
    done = Completion(plan_id, tx.now_ms, signed_by.strip(), note.strip(), order)
    if not plan_store.insert_completion(tx, done, actor.person_id):
        raise Conflict(f"{plan.title} of {owner.name} has just been signed")
    work_orders.finish_plan(tx, plan_id)
    audit.record(
        tx, actor.user_id, "complete_maintenance", "maintenance_plan", plan_id, {"work_order": order}
    )
    return order


def list_work_orders(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    states: frozenset[WorkOrderState] = work_orders.UNFINISHED,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[WorkOrder]:
    """Return work orders in any of `states`, the earliest due first, so overdue ones lead."""
    require(actor, Action.READ_EQUIPMENT)
    checked_limit(limit)
    site_of(tx, site_id)
    after = None
    if cursor:
        due_on, number = key_from_cursor(cursor, str, str)
        after = (_date_from_cursor(str(due_on)), str(number))
    found = work_orders.list_work_orders(tx, site_id, states, after, limit + 1)
    return page_of(found, limit, lambda last: (last.due_on.isoformat(), last.number))


def get_work_order(tx: Tx, actor: User, work_order_id: WorkOrderId) -> WorkOrder:
    """Return one work order."""
    require(actor, Action.READ_EQUIPMENT)
    found = work_orders.find_work_order(tx, work_order_id)
    if found is None:
        raise NotFound(f"there is no work order {work_order_id}")
    return found


def request_repair(
    tx: Tx,
    actor: User,
    equipment_id: EquipmentId,
    title: str,
    due_on: date,
    alarm_id: AlarmId | None = None,
) -> WorkOrder:
    """Ask for a repair by a day, perhaps because of an alarm."""
    require(actor, Action.MANAGE_MAINTENANCE)
    _check_text("title", title, may_be_empty=False)
    owner = equipment.find_equipment(tx, equipment_id)
    if owner is None:
        raise NotFound(f"there is no equipment {equipment_id}")
    site = site_of(tx, owner.site_id)
    if due_on < today_at(tx, site):
        raise Invalid(f"{due_on} is past: say by when it should be done")
    added = work_orders.insert_work_order(
        tx,
        site.site_id,
        _next_number(tx, site),
        WorkOrderKind.REPAIR,
        equipment_id,
        title.strip(),
        due_on,
        alarm_id=alarm_id,
    )
    assert added is not None, "a repair belongs to no plan, so nothing can be in its way"
    audit.record(tx, actor.user_id, "request_repair", "work_order", added)
    return get_work_order(tx, actor, added)


def move_work_order(tx: Tx, actor: User, work_order_id: WorkOrderId, state: WorkOrderState) -> WorkOrder:
    """Begin, finish or cancel a work order. A plan's work is finished by signing it (`complete`)."""
    require(actor, Action.MANAGE_MAINTENANCE)
    found = get_work_order(tx, actor, work_order_id)
    if state is WorkOrderState.DONE and found.plan_id is not None:
        raise Conflict(f"{found.number} belongs to a maintenance plan: sign the plan, which finishes it")
    if not work_orders.set_state(tx, work_order_id, state):
        raise Conflict(f"{found.number} is {found.state.value} already")
    audit.record(tx, actor.user_id, "move_work_order", "work_order", work_order_id, {"state": state.value})
    return get_work_order(tx, actor, work_order_id)


def today_at(tx: Tx, site: Site) -> date:
    """Return the day it is on the site."""
    return local_date(tx.now_ms, time_zone(site.time_zone))


def _next_number(tx: Tx, site: Site) -> str:
    """Return the next number people call a work order by, restarting each local year: `DG-W-2026-0001`."""
    year = str(today_at(tx, site).year)
    return f"{site.code}-W-{year}-{next_number(tx, site.code, 'work_order', year):04d}"


def _check_text(name: str, text: str, *, may_be_empty: bool = True) -> None:
    if len(text) > TEXT_LENGTH_MAX or not (may_be_empty or text.strip()):
        low = 0 if may_be_empty else 1
        raise Invalid(f"the {name} has {len(text.strip())} characters, expected {low} to {TEXT_LENGTH_MAX}")


def _date_from_cursor(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("the cursor is not one of this list: leave it out to begin at the first page") from None
