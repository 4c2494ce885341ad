"""The board of maintenance clocks, one piece of equipment, and signing a service as done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.overview import floor_of
from cloud.console.pictures.service_clock import ServiceClock, draw_clock
from cloud.console.register import place_of
from cloud.console.states import state_word, state_words
from cloud.console.uploads import read_form_with_file
from cloud.domain.attachment import ATTACHMENT_BYTES_MAX, AttachmentRecord
from cloud.domain.camera import CameraNow
from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentKind, RegisterChange
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AttachmentId, PlanId, SeriesId, SiteId, is_uuid
from cloud.domain.maintenance import ClockState, Completion, MaintenanceClock
from cloud.domain.series import Point, PointValue
from cloud.domain.user import User
from cloud.domain.work_order import WorkOrder, WorkOrderState
from cloud.services import cameras, equipment, maintenance, premises, service_sheets
from cloud.store.db import Tx

_ORDERS_READ = 500
_UNFINISHED = frozenset({WorkOrderState.OPEN, WorkOrderState.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Interval:
    """The days between two signatures; `is_over` if they were more than the plan allows."""

    on: date
    days: int
    is_over: bool
    signed_by: str


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One plan of one piece of equipment today."""

    equipment: Equipment
    clock: MaintenanceClock
    picture: ServiceClock
    order: WorkOrder | None
    is_selected: bool
    signed_by: str = ""
    completions: tuple[Completion, ...] = ()
    intervals: tuple[Interval, ...] = ()
    sheets: Mapping[int, str] = field(default_factory=dict)  # a signed sheet's id by its moment


@dataclass(frozen=True, slots=True)
class LiftNow:
    """A lift as it is this moment."""

    equipment: Equipment
    floors: int
    floor: int | None
    has_fault: bool
    at_ms: int | None
    values: tuple[PointValue, ...]


@dataclass(frozen=True, slots=True)
class BoardView:
    """The board: every plan, the most urgent first."""

    clocks: tuple[ClockRow, ...]
    overdue: int
    due_soon: int
    in_use: int
    lift: LiftNow | None
    state_words: dict[SeriesId, str]


@dataclass(frozen=True, slots=True)
class EquipmentView:
    """One piece of equipment's page."""

    equipment: Equipment
    place: str
    clocks: tuple[ClockRow, ...]
    lift: LiftNow | None
    values: tuple[PointValue, ...]
    orders: tuple[WorkOrder, ...]
    state_words: dict[SeriesId, str]
    points: Mapping[SeriesId, Point]
    attachments: tuple[AttachmentRecord, ...]
    changes: tuple[RegisterChange, ...]
    cameras: tuple[CameraNow, ...]  # that see what it is connected by
    error: str = ""


@dataclass(frozen=True, slots=True)
class _LiftView:
    lift: LiftNow
    state_words: dict[SeriesId, str]


async def show_board(desk: Desk) -> web.StreamResponse:
    """Show where every maintenance plan of the site stands."""
    view = await desk.read(_board, desk.site.site_id, desk.request.query.get("plan", ""))
    return await desk.page("equipment/board.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one piece of equipment, named by its code."""
    return await desk.page("equipment/equipment.html", view=await _read_one(desk, ""))


async def show_lift(desk: Desk) -> web.StreamResponse:
    """Show where a lift is now, anew."""
    lift = await desk.read(_lift_by_code, desk.site.site_id, desk.request.query.get("code", ""))
    return desk.part("equipment/lift.html", view=_LiftView(lift, dict(state_words(lift.values))))


async def sign(desk: Desk) -> web.StreamResponse:
    """Sign a service as done, now."""
    form = await desk.request.post()
    code, plan_id = desk.request.match_info["code"], desk.request.match_info["plan_id"]
    if not is_uuid(plan_id):
        raise NotFound(f"there is no maintenance plan {plan_id!r}")
    signed_by, note = str(form.get("signed_by", "")), str(form.get("note", ""))
    await desk.write(maintenance.complete, PlanId(plan_id), signed_by, note)
    return desk.go(f"/equipment/{code}", "maintenance-completed", name=code)


async def change_papers(desk: Desk) -> web.StreamResponse:
    """Attach a paper to a piece of equipment, or show one no more."""
    code = desk.request.match_info["code"]
    try:
        form, content = await read_form_with_file(desk.request, ATTACHMENT_BYTES_MAX)
        await desk.write(_change_papers, desk.site.site_id, code, form, content)
    except (Conflict, Invalid) as error:
        view = await _read_one(desk, str(error))
        return await desk.page("equipment/equipment.html", status=422, view=view)
    return desk.go(f"/equipment/{code}#papers", "equipment-noted", code=code)


async def fetch_attachment(desk: Desk) -> web.StreamResponse:
    """Hand out a paper about a piece of equipment."""
    text = desk.request.match_info["attachment"]
    if not is_uuid(text):
        raise NotFound(f"there is no attachment {text!r}")
    code = desk.request.match_info["code"]
    record, content = await desk.read(_attachment, desk.site.site_id, code, AttachmentId(text))
    return web.Response(
        body=content,
        content_type=record.media_type,
        headers={"Content-Disposition": "attachment", "Cache-Control": "private, no-store"},
    )


async def _read_one(desk: Desk, error: str) -> EquipmentView:
    code, chosen = desk.request.match_info["code"], desk.request.query.get("sign", "")
    return await desk.read(_one, desk.site.site_id, code, chosen, desk.format, error)


def _change_papers(
    tx: Tx, actor: User, site_id: SiteId, code: str, form: Mapping[str, str], content: bytes
) -> None:
    equipment_id = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment.equipment_id
    if form.get("act") == "withdraw" and is_uuid(form.get("attachment", "")):
        equipment.withdraw_attachment(tx, actor, equipment_id, AttachmentId(form["attachment"]))
    else:
        equipment.attach(tx, actor, equipment_id, form.get("title", ""), content)


def _attachment(
    tx: Tx, actor: User, site_id: SiteId, code: str, attachment_id: AttachmentId
) -> tuple[AttachmentRecord, bytes]:
    detail = equipment.equipment_by_code(tx, actor, site_id, code)
    return equipment.fetch_attachment(tx, actor, detail.status.equipment.equipment_id, attachment_id)


def _board(tx: Tx, actor: User, site_id: SiteId, chosen: str) -> BoardView:
    statuses = equipment.list_equipment(tx, actor, site_id)
    orders = _open_orders(tx, actor, site_id)
    rows = []
    lift = None
    for status in statuses:
        signatures: Sequence[Completion] = ()
        if status.clocks or status.equipment.kind is EquipmentKind.LIFT:
            detail = equipment.get_equipment(tx, actor, status.equipment.equipment_id)
            signatures = detail.completions
            if lift is None and status.equipment.kind is EquipmentKind.LIFT and detail.values:
                lift = _lift_now(tx, actor, site_id, detail)
        for clock in status.clocks:
            signed = next((c.signed_by for c in signatures if c.plan_id == clock.plan.plan_id), "")
            rows.append(_row(status.equipment, clock, orders, chosen, signed))
    rows.sort(key=lambda row: row.clock.due_on)
    states = [row.clock.state for row in rows]
    return BoardView(
        tuple(rows),
        states.count(ClockState.OVERDUE),
        states.count(ClockState.DUE_SOON) + states.count(ClockState.DUE_TODAY),
        sum(1 for one in statuses if one.equipment.retired_on is None),
        lift,
        {} if lift is None else dict(state_words(lift.values)),
    )


def _one(
    tx: Tx, actor: User, site_id: SiteId, code: str, chosen: str, fmt: Format, error: str
) -> EquipmentView:
    detail = equipment.equipment_by_code(tx, actor, site_id, code)
    item = detail.status.equipment
    orders = _open_orders(tx, actor, site_id)
    rows = []
    for clock in detail.status.clocks:
        own = tuple(c for c in detail.completions if c.plan_id == clock.plan.plan_id)
        signed = service_sheets.sheets_of(tx, actor, clock.plan.plan_id)
        sheets = {one.signed_at_ms: str(one.sheet_id) for one in signed}
        rows.append(_row(item, clock, orders, chosen, "", own, _intervals(own, clock, fmt), sheets))
    is_lift = item.kind is EquipmentKind.LIFT and bool(detail.values)
    buildings, spaces, _ = equipment.places(tx, actor, site_id)
    return EquipmentView(
        item,
        place_of(item, buildings, spaces),
        tuple(rows),
        _lift_now(tx, actor, site_id, detail) if is_lift else None,
        detail.values,
        detail.work_orders,
        dict(state_words(detail.values)),
        {value.point.series_id: value.point for value in detail.values},
        detail.attachments,
        detail.changes,
        _seen_by(tx, actor, site_id, detail),
        error,
    )


def _seen_by(tx: Tx, actor: User, site_id: SiteId, detail: EquipmentDetail) -> tuple[CameraNow, ...]:
    if not detail.values:
        return ()
    value = detail.values[0]
    seen_by = cameras.seeing_device(tx, actor, site_id, value.point.gateway_id, value.device_code)
    return tuple(seen_by)


def _lift_by_code(tx: Tx, actor: User, site_id: SiteId, code: str) -> LiftNow:
    return _lift_now(tx, actor, site_id, equipment.equipment_by_code(tx, actor, site_id, code))


def _lift_now(tx: Tx, actor: User, site_id: SiteId, detail: EquipmentDetail) -> LiftNow:
    item = detail.status.equipment
    buildings = premises.list_buildings(tx, actor, site_id)
    own = [b.floors for b in buildings if b.building_id == item.building_id]
    mode = next((v for v in detail.values if v.point.quantity == "lift_mode"), None)
    word = "" if mode is None else state_word("lift_mode", mode.last_value_micro)
    times = [value.valued_at_ms for value in detail.values if value.valued_at_ms is not None]
    return LiftNow(
        item,
        own[0] if own else max((b.floors for b in buildings), default=1),
        floor_of(detail.values),
        word in ("fault", "fire"),
        max(times, default=None),
        tuple(value for value in detail.values if value.point.quantity != "fault_code"),
    )


def _open_orders(tx: Tx, actor: User, site_id: SiteId) -> Sequence[WorkOrder]:
    return maintenance.list_work_orders(tx, actor, site_id, _UNFINISHED, None, _ORDERS_READ).items


def _row(
    item: Equipment,
    clock: MaintenanceClock,
    orders: Sequence[WorkOrder],
    chosen: str,
    signed_by: str,
    completions: tuple[Completion, ...] = (),
    intervals: tuple[Interval, ...] = (),
    sheets: Mapping[int, str] | None = None,
) -> ClockRow:
    own = next((order for order in orders if order.plan_id == clock.plan.plan_id), None)
    picture = draw_clock(max(0, clock.day_number), clock.plan.interval_days)
    is_selected = clock.plan.plan_id == chosen
    return ClockRow(item, clock, picture, own, is_selected, signed_by, completions, intervals, sheets or {})


def _intervals(
    newest_first: Sequence[Completion], clock: MaintenanceClock, fmt: Format
) -> tuple[Interval, ...]:
    """Return the days between signatures, the newest last."""
    days = [fmt.local(done.completed_at_ms).date() for done in newest_first]
    intervals = [
        Interval(days[i], (days[i] - days[i + 1]).days, False, newest_first[i].signed_by)
        for i in range(len(days) - 1)
    ]
    limit = clock.plan.interval_days
    return tuple(Interval(one.on, one.days, one.days > limit, one.signed_by) for one in reversed(intervals))
