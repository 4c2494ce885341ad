"""Maintenance: where every plan stands, signing it as done, and the work that is asked for."""

from datetime import date
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.checklist import Cycle
from cloud.domain.ids import AlarmId, EquipmentId, PlanId, SiteId, WorkOrderId
from cloud.domain.maintenance import ClockState, Completion, MaintenanceClock, TriggerKind
from cloud.domain.work_order import WorkOrder, WorkOrderKind, WorkOrderState
from cloud.services import maintenance

_UNFINISHED = frozenset({WorkOrderState.OPEN, WorkOrderState.IN_PROGRESS})
_STATES: dict[str, frozenset[WorkOrderState]] = {
    "unfinished": _UNFINISHED,
    "all": frozenset(WorkOrderState),
    **{state.value: frozenset({state}) for state in WorkOrderState},
}


class WorkOrderQuery(PageQuery, frozen=True, kw_only=True):
    """Which work orders; without `state` those that are not finished."""

    state: Literal["unfinished", "open", "in_progress", "done", "cancelled", "all"] = "unfinished"


class Signature(Request, frozen=True, kw_only=True):
    """Who signs that a plan's work was done. It counts from now; there is no signing for another day."""

    signed_by: Annotated[str, Meta(min_length=1, max_length=maintenance.TEXT_LENGTH_MAX)]
    note: Annotated[str, Meta(max_length=maintenance.TEXT_LENGTH_MAX)] = ""


class NewRepair(Request, frozen=True, kw_only=True):
    """What is to be repaired, by which day, perhaps because of an alarm."""

    equipment_id: Id
    title: Annotated[str, Meta(min_length=1, max_length=maintenance.TEXT_LENGTH_MAX)]
    due_on: date
    alarm_id: Id | None = None


class NewState(Request, frozen=True, kw_only=True):
    """Where the work stands now."""

    state: WorkOrderState


class TriggerView(View, frozen=True):
    """A point whose value makes the service due earlier; the limit in millionths of the point's unit."""

    kind: TriggerKind
    series_id: int
    limit_micro: int


class WatchedView(View, frozen=True):
    """What that point has said since the last signature: what a total grew by, else what is measured now."""

    value_micro: int | None
    heard_at_ms: int | None
    reached_on: date | None
    expected_on: date | None


class MaintenanceClockView(View, frozen=True):
    """A plan today: `day_number` of `interval_days` have passed since the last signature."""

    plan_id: str
    equipment_id: str
    code: str
    title: str
    basis: str
    interval_days: int
    lead_days: int
    starts_on: date
    ends_on: date | None
    last_completed_on: date | None
    due_on: date
    day_number: int
    days_left: int
    state: ClockState
    checklist_code: str
    cycle: Cycle
    trigger: TriggerView | None
    watched: WatchedView | None
    is_by_trigger: bool


class CompletionView(View, frozen=True):
    """That a plan's work was done and signed."""

    plan_id: str
    completed_at_ms: int
    signed_by: str
    note: str
    work_order_id: str | None


class WorkOrderView(View, frozen=True):
    """Something asked of a person by a day; `number` is for people, e.g. DG-W-2026-0001."""

    work_order_id: str
    site_id: str
    number: str
    kind: WorkOrderKind
    equipment_id: str
    equipment_name: str
    plan_id: str | None
    alarm_id: str | None
    state: WorkOrderState
    title: str
    due_on: date
    created_at_ms: int
    completed_at_ms: int | None


class MadeWorkOrders(View, frozen=True):
    """How many work orders are new."""

    count: int


async def list_maintenance(call: Call[PageQuery, Nothing]) -> Page[MaintenanceClockView]:
    """List where every plan of a site stands today, the soonest due first."""
    found = await call.read(maintenance.clocks, SiteId(call.id("site_id")))
    return cut(found, call.query, _clock_key, clock_view)


async def complete_maintenance(call: Call[Nothing, Signature]) -> web.Response:
    """Sign that a plan's work was done; its clock starts again."""
    plan_id, body = PlanId(call.id("plan_id")), call.body
    return await call.create(clock_view, maintenance.complete, plan_id, body.signed_by, body.note)


async def make_work_orders(call: Call[Nothing, Nothing]) -> MadeWorkOrders:
    """Ask for the work of every plan that is due; again, it asks for nothing."""
    count = await call.write(maintenance.generate_work_orders, SiteId(call.id("site_id")))
    return MadeWorkOrders(count=count)


async def list_work_orders(call: Call[WorkOrderQuery, Nothing]) -> Page[WorkOrderView]:
    """List a site's work orders, the earliest due first."""
    query, site_id = call.query, SiteId(call.id("site_id"))
    states = _STATES[query.state]
    found = await call.read(maintenance.list_work_orders, site_id, states, query.cursor, query.limit)
    return page_of(found, order_view)


async def get_work_order(call: Call[Nothing, Nothing]) -> WorkOrderView:
    """Show a work order."""
    return order_view(await call.read(maintenance.get_work_order, WorkOrderId(call.id("work_order_id"))))


async def request_repair(call: Call[Nothing, NewRepair]) -> web.Response:
    """Ask for a repair."""
    body = call.body
    alarm_id = None if body.alarm_id is None else AlarmId(body.alarm_id)
    equipment_id = EquipmentId(body.equipment_id)
    return await call.create(
        order_view, maintenance.request_repair, equipment_id, body.title, body.due_on, alarm_id
    )


async def move_work_order(call: Call[Nothing, NewState]) -> web.Response:
    """Begin, finish or cancel a work order."""
    order_id = WorkOrderId(call.id("work_order_id"))
    return await call.change(
        order_view, maintenance.get_work_order, maintenance.move_work_order, order_id, call.body.state
    )


def clock_view(clock: MaintenanceClock) -> MaintenanceClockView:
    """Return a plan today as callers see it."""
    return view_of(
        clock.plan,
        MaintenanceClockView,
        last_completed_on=clock.last_completed_on,
        due_on=clock.due_on,
        day_number=clock.day_number,
        days_left=clock.days_left,
        state=clock.state,
        trigger=None if clock.plan.trigger is None else view_of(clock.plan.trigger, TriggerView),
        watched=None if clock.watched is None else view_of(clock.watched, WatchedView),
        is_by_trigger=clock.is_by_trigger,
    )


def completion_view(completion: Completion) -> CompletionView:
    """Return a completion as callers see it."""
    return view_of(completion, CompletionView)


def order_view(order: WorkOrder) -> WorkOrderView:
    """Return a work order as callers see it."""
    return view_of(order, WorkOrderView)


def _clock_key(clock: MaintenanceClock) -> str:
    return f"{clock.due_on} {clock.plan.plan_id}"


_SITE, _ORDER = "/api/v1/sites/{site_id}", "/api/v1/work_orders/{work_order_id}"
_READ = Action.READ_EQUIPMENT

ROUTES = (
    Route(
        "GET",
        _SITE + "/maintenance",
        "List where maintenance stands",
        _READ,
        list_maintenance,
        Page[MaintenanceClockView],
        query=PageQuery,
    ),
    Route(
        "POST",
        "/api/v1/maintenance_plans/{plan_id}/completions",
        "Sign that maintenance was done",
        Action.COMPLETE_MAINTENANCE,
        complete_maintenance,
        MaintenanceClockView,
        body=Signature,
        status=201,
        creates=True,
    ),
    Route(
        "GET",
        _SITE + "/work_orders",
        "List a site's work orders",
        _READ,
        list_work_orders,
        Page[WorkOrderView],
        query=WorkOrderQuery,
    ),
    Route(
        "POST",
        _SITE + "/work_orders/due",
        "Make work orders for what is due",
        Action.MANAGE_MAINTENANCE,
        make_work_orders,
        MadeWorkOrders,
        description="A job does this every night; nothing is asked for twice.",
    ),
    Route(
        "POST",
        "/api/v1/work_orders",
        "Ask for a repair",
        Action.MANAGE_MAINTENANCE,
        request_repair,
        WorkOrderView,
        body=NewRepair,
        status=201,
        creates=True,
    ),
    Route("GET", _ORDER, "Show a work order", _READ, get_work_order, WorkOrderView),
    Route(
        "POST",
        _ORDER + "/state",
        "Begin, finish or cancel a work order",
        Action.MANAGE_MAINTENANCE,
        move_work_order,
        WorkOrderView,
        body=NewState,
        is_guarded=True,
        description="A maintenance plan's work is finished by signing the plan.",
    ),
)
