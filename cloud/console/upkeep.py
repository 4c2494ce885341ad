"""Upkeep seen as a whole: services on a calendar, how each piece of equipment did and what it cost."""

from calendar import Calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import mark
from cloud.console.typed import day_of, fen_of
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import SiteId
from cloud.domain.maintenance import ClockState, MaintenanceClock
from cloud.domain.periods import billing_month, midnight_ms, month_code
from cloud.domain.reliability import Cost, CostKind, Reliability
from cloud.domain.user import User
from cloud.services import equipment, maintenance, reliability
from cloud.store.db import Tx
from cloud.web.workbooks import workbook_response
from cloud.workbook.writing import Sheet, sheets_workbook

_DAYS = (90, 365, 1_095)
_TITLES = (
    mark("Code"),
    mark("Name"),
    mark("Availability"),
    mark("Failures"),
    mark("Out of service, hours"),
    mark("Hours between failures"),
    mark("Hours to repair"),
    mark("Parts, ¥"),
    mark("Labour, ¥"),
    mark("Contractor, ¥"),
)
_HOUR_MS = 3_600_000
_BAR_WIDTH = 180.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One service on a day of the calendar: done then, or due then."""

    equipment: Equipment
    title: str
    is_done: bool
    state: ClockState
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the calendar."""

    on: date
    is_in_month: bool
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A month, week by week; what is overdue stands above it whichever month is shown."""

    month: date
    before: str
    after: str
    weeks: tuple[tuple[Day, ...], ...]
    overdue: tuple[tuple[Equipment, MaintenanceClock], ...]


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """One piece of equipment in the table, its cost drawn as parts of the dearest."""

    found: Reliability
    bars: tuple[tuple[str, float, float], ...]  # kind, x, width


@dataclass(frozen=True, slots=True)
class ReliabilityView:
    """How the site's equipment did over the last days."""

    rows: tuple[ReliabilityRow, ...]
    days: int
    choices: tuple[int, ...]
    down: int
    cost_fen: int


async def show_calendar(desk: Desk) -> web.StreamResponse:
    """Show a month of services: signed and due."""
    wanted = desk.request.query.get("month", "")
    view = await desk.read(_calendar, desk.site.site_id, _month(wanted, desk.format), desk.format)
    return await desk.page("equipment/calendar.html", view=view)


async def show_reliability(desk: Desk) -> web.StreamResponse:
    """Show how the site's equipment did, and what it cost."""
    days = _days(desk.request.query.get("days", ""))
    found = await desk.read(reliability.of_site, desk.site.site_id, days)
    most = max((one.cost_fen for one in found), default=0)
    rows = tuple(ReliabilityRow(one, _bars(one, most)) for one in found)
    view = ReliabilityView(
        rows, days, _DAYS, sum(1 for one in found if one.is_down), sum(one.cost_fen for one in found)
    )
    return await desk.page("equipment/reliability.html", view=view)


async def fetch_reliability(desk: Desk) -> web.StreamResponse:
    """Hand out the same figures as a workbook."""
    days = _days(desk.request.query.get("days", ""))
    found = await desk.read(reliability.of_site, desk.site.site_id, days)
    gettext = desk.language.gettext
    header = [gettext(title) for title in _TITLES]
    rows = []
    for one in found:
        costs = dict(one.costs)
        hours = (one.down_ms, one.between_failures_ms, one.to_repair_ms)
        rows.append(
            [
                one.equipment.code,
                one.equipment.name,
                desk.format.percent(one.availability, 3),
                one.failures,
                *(None if span is None else span // _HOUR_MS for span in hours),
                *(Decimal(costs[kind]) / 100 for kind in _COST_ORDER),
            ]
        )
    body = sheets_workbook([Sheet(gettext("Reliability and cost"), header, rows)])
    return workbook_response(body, f"{desk.site.code}-reliability-{days}")


async def record(desk: Desk) -> web.StreamResponse:
    """Note that equipment is out of service or back, or what was paid for it."""
    code = desk.request.match_info["code"]
    form = {name: str(value).strip()[:300] for name, value in (await desk.request.post()).items()}
    try:
        await desk.write(_record, desk.site.site_id, code, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_record_view, desk.site.site_id, code, form, str(error))
        return await desk.page("equipment/record.html", status=422, view=view)
    return desk.go(f"/equipment/{code}/record", "equipment-noted", code=code)


async def show_record(desk: Desk) -> web.StreamResponse:
    """Show one piece's outages and costs, and the forms to note more."""
    code = desk.request.match_info["code"]
    view = await desk.read(_record_view, desk.site.site_id, code, {}, "")
    return await desk.page("equipment/record.html", view=view)


@dataclass(frozen=True, slots=True)
class RecordView:
    """One piece of equipment's outages and costs over the last year."""

    equipment: Equipment
    record: reliability.Record
    typed: Mapping[str, str]
    error: str


def _record_view(
    tx: Tx, actor: User, site_id: SiteId, code: str, typed: Mapping[str, str], error: str
) -> RecordView:
    item = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment
    found = reliability.of_equipment(tx, actor, item.equipment_id, 365)
    return RecordView(item, found, typed, error)


def _record(tx: Tx, actor: User, site_id: SiteId, code: str, form: Mapping[str, str], fmt: Format) -> None:
    equipment_id = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment.equipment_id
    match form.get("act", ""):
        case "out":
            reliability.begin_outage(tx, actor, equipment_id, form.get("reason", ""))
        case "back":
            reliability.end_outage(tx, actor, equipment_id)
        case "cost":
            reliability.record_cost(tx, actor, equipment_id, _cost(form, fmt))
        case _:
            raise NotFound("there is no such act")


def _cost(form: Mapping[str, str], fmt: Format) -> Cost:
    kind = next((one for one in CostKind if one.value == form.get("kind")), CostKind.PARTS)
    text = form.get("amount", "")
    # A mistake is taken back by the same amount below nothing.
    sign, digits = (-1, text[1:]) if text[:1] in ("-", "−") else (1, text)
    fen = sign * fen_of(digits, fmt, least_fen=0)
    spent_on = day_of(form.get("spent_on", ""), fmt, "spent_on")
    return Cost(spent_on, kind, fen, form.get("note", ""))


def _calendar(tx: Tx, actor: User, site_id: SiteId, month: date, fmt: Format) -> CalendarView:
    visits: dict[date, list[Visit]] = {}
    overdue = []
    for status in equipment.list_equipment(tx, actor, site_id):
        item = status.equipment
        for clock in status.clocks:
            visit = Visit(item, clock.plan.title, is_done=False, state=clock.state)
            visits.setdefault(clock.due_on, []).append(visit)
            if clock.state is ClockState.OVERDUE:
                overdue.append((item, clock))
    for item, title, done in maintenance.completions_since(
        tx, actor, site_id, midnight_ms(month - timedelta(days=7), fmt.zone)
    ):
        on = fmt.local(done.completed_at_ms).date()
        visit = Visit(item, title, is_done=True, state=ClockState.OK, signed_by=done.signed_by)
        visits.setdefault(on, []).append(visit)
    weeks = tuple(
        tuple(Day(on, on.month == month.month, tuple(visits.get(on, ()))) for on in week)
        for week in Calendar().monthdatescalendar(month.year, month.month)
    )
    following = (month + timedelta(days=32)).replace(day=1)
    overdue.sort(key=lambda pair: pair[1].due_on)
    return CalendarView(
        month, month_code(month - timedelta(days=1)), month_code(following), weeks, tuple(overdue)
    )


_COST_ORDER: Sequence[CostKind] = (CostKind.PARTS, CostKind.LABOUR, CostKind.CONTRACTOR)


def _bars(one: Reliability, most_fen: int) -> tuple[tuple[str, float, float], ...]:
    """Return the parts of a bar of costs; what was taken back beyond what was paid draws nothing."""
    bars = []
    x = 0.0
    costs = dict(one.costs)
    for kind in _COST_ORDER:
        width = _BAR_WIDTH * max(costs[kind], 0) / most_fen if most_fen > 0 else 0.0
        bars.append((kind.value, x, width))
        x += width
    return tuple(bars)


def _days(text: str) -> int:
    return next((days for days in _DAYS if str(days) == text), 365)


def _month(text: str, fmt: Format) -> date:
    try:
        return billing_month(text).start_on if text else fmt.today.replace(day=1)
    except (Invalid, ValueError):
        return fmt.today.replace(day=1)
