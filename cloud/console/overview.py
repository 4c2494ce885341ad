"""The first page: what needs a person, what the building does now, whether the month can be billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.houses import drawn_of, houses_of
from cloud.console.pictures.building import BuildingPicture, Lift, Mark, draw_buildings
from cloud.console.pictures.curve import Curve, draw_day
from cloud.console.states import state_word
from cloud.domain.access import Action, may
from cloud.domain.equipment import EquipmentKind
from cloud.domain.errors import NotFound
from cloud.domain.ids import SeriesId, SiteId
from cloud.domain.maintenance import ClockState
from cloud.domain.meter import Freshness, MeterRow
from cloud.domain.overview import Overview
from cloud.domain.periods import PeriodCode, midnight_ms, month_code, month_of
from cloud.domain.premises import Building, Commodity, ServicePointKind
from cloud.domain.series import PointValue, Sample
from cloud.domain.user import User
from cloud.services import duty, equipment, meters, overview, premises
from cloud.services.duty import NamedTurn
from cloud.store.db import Tx
from protocol.quantity import MICRO
from protocol.reading import Quality

SLOTS_A_DAY = 96  # quarter hours
_WEEKS_COMPARED = 4
_NEEDS_SHOWN = 6
_METERS_READ = 500
_BAR_WIDTH = 400.0

_PARTS = frozenset({"building", "facts", "feed", "headline", "load", "queue", "readiness"})


@dataclass(frozen=True, slots=True)
class LiftLine:
    """A lift under the picture: where it is, what it does, when it is due."""

    name: str
    floor: int | None
    mode: str
    days_left: int | None
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class BarPart:
    """A stretch of the bar of readiness."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """How many of the flats' meters could be billed if the month ended now, and which could not."""

    code: PeriodCode
    start_on: date
    end_on: date
    total: int
    ready: int
    held: tuple[str, ...]
    missing: tuple[str, ...]
    parts: tuple[BarPart, ...]

    @property
    def percent(self) -> Decimal:
        """Return the share that is ready."""
        return Decimal(self.ready * 100) / self.total


@dataclass(frozen=True, slots=True)
class TodayView:
    """Everything the page shows."""

    overview: Overview
    shown: int
    newest_at_ms: int | None
    usual_now: tuple[str, str] | None
    picture: BuildingPicture
    flat_paths: dict[str, str]
    buildings: tuple[Building, ...]
    drawn: str  # the building that is drawn, where not all are
    lifts: tuple[LiftLine, ...]
    load: Curve
    load_now: str
    load_at_ms: int | None
    readiness: Readiness | None
    on_duty: tuple[NamedTurn, ...]


async def show(desk: Desk) -> web.StreamResponse:
    """Show the first page."""
    shown = 1000 if "all" in desk.request.query else _NEEDS_SHOWN
    view = await desk.read(_today, desk.site.site_id, desk.format, shown, _building(desk))
    return await desk.page("overview/page.html", view=view)


async def show_part(desk: Desk) -> web.StreamResponse:
    """Show one part of the first page anew, because something it shows has changed."""
    part = desk.request.match_info["part"]
    if part not in _PARTS:
        raise NotFound(f"the first page has no part {part!r}")
    view = await desk.read(_today, desk.site.site_id, desk.format, _NEEDS_SHOWN, _building(desk))
    return desk.part(f"overview/{part}.html", view=view)


def _building(desk: Desk) -> str:
    return desk.request.query.get("building", "")[:40]


def _today(tx: Tx, actor: User, site_id: SiteId, fmt: Format, shown: int, wanted: str) -> TodayView:
    seen = overview.overview(tx, actor, site_id)
    rows: Sequence[MeterRow] = ()
    if may(actor, Action.READ_METERS):
        rows = meters.list_meters(tx, actor, site_id, limit=_METERS_READ).items
    lifts = _lifts(tx, actor, site_id)
    buildings = tuple(premises.list_buildings(tx, actor, site_id))
    drawn = drawn_of(buildings, wanted, premises.count_homes(tx, actor, site_id))
    houses, paths = houses_of(tx, actor, site_id, drawn, [_picture_lift(lift) for lift in lifts])
    curve, usual_now = _load(tx, actor, rows, fmt)
    return TodayView(
        seen,
        shown,
        max((row.valued_at_ms for row in rows if row.valued_at_ms is not None), default=None),
        usual_now,
        draw_buildings(houses),
        paths,
        buildings,
        drawn[0].code if len(drawn) < len(buildings) else "",
        tuple(lifts),
        curve,
        f"{fmt.rounded(seen.load_micro_kw, 'kW')} kW" if seen.load_micro_kw is not None else "",
        seen.load_at_ms,
        readiness_of(rows, fmt),
        tuple(duty.on_duty(tx, actor, site_id)) if may(actor, Action.READ_DUTY) else (),
    )


def _lifts(tx: Tx, actor: User, site_id: SiteId) -> list[LiftLine]:
    lines = []
    for status in equipment.list_equipment(tx, actor, site_id):
        if status.equipment.kind is not EquipmentKind.LIFT:
            continue
        values = equipment.get_equipment(tx, actor, status.equipment.equipment_id).values
        clock = status.clocks[0] if status.clocks else None
        lines.append(
            LiftLine(
                status.equipment.name,
                floor_of(values),
                _word_of(values, "lift_mode"),
                None if clock is None else clock.days_left,
                clock is not None and clock.state is ClockState.OVERDUE,
            )
        )
    return lines


def floor_of(values: Sequence[PointValue]) -> int | None:
    """Return where a lift's car last was."""
    found = next((v.last_value_micro for v in values if v.point.quantity == "floor"), None)
    return None if found is None else found // MICRO


def _word_of(values: Sequence[PointValue], quantity: str) -> str:
    found = next((v for v in values if v.point.quantity == quantity), None)
    return "" if found is None else state_word(quantity, found.last_value_micro)


def _picture_lift(line: LiftLine) -> Lift:
    if line.mode in ("fault", "fire"):
        return Lift(line.name, line.floor, Mark.CRITICAL)
    return Lift(line.name, line.floor, Mark.ATTENTION if line.is_overdue else Mark.NONE)


def readiness_of(rows: Sequence[MeterRow], fmt: Format) -> Readiness | None:
    """Return how far the flats' meters are fit to be billed; None on a site without any."""
    billed = [row for row in rows if row.kind is ServicePointKind.FLAT]
    if not billed:
        return None
    held = [row for row in billed if row.quality is Quality.HELD]
    missing = [
        row
        for row in billed
        if row.freshness in (Freshness.SILENT, Freshness.NEVER) and row.quality is not Quality.HELD
    ]
    ready = len(billed) - len(held) - len(missing)
    month = month_of(fmt.today)
    return Readiness(
        month_code(month.start_on),
        month.start_on,
        month.end_on,
        len(billed),
        ready,
        tuple(_meter_name(row, fmt) for row in held),
        tuple(_meter_name(row, fmt) for row in missing),
        _bar([("ready", ready), ("held", len(held)), ("missing", len(missing))], len(billed)),
    )


def _meter_name(row: MeterRow, fmt: Format) -> str:
    commodity = fmt.language.gettext(row.commodity.value)
    return f"{row.space_code or row.service_point_code} {commodity}"


def _bar(counts: Sequence[tuple[str, int]], total: int) -> tuple[BarPart, ...]:
    parts = []
    x = 0.0
    for kind, count in counts:
        if not count:
            continue
        width = _BAR_WIDTH * count / total
        parts.append(BarPart(x, max(1.5, width - 1.5), kind))
        x += width
    return tuple(parts)


def _load(tx: Tx, actor: User, rows: Sequence[MeterRow], fmt: Format) -> tuple[Curve, tuple[str, str] | None]:
    """Return today's load curve against the last same weekdays, and what is usual at this time of day."""
    series = [power for row in rows if (power := _power_of(tx, actor, row)) is not None]
    if not series:
        return draw_day([], [], None), None
    today = _slots(tx, actor, series, fmt.today, fmt)
    before = [
        _slots(tx, actor, series, fmt.today - timedelta(weeks=weeks), fmt)
        for weeks in range(1, _WEEKS_COMPARED + 1)
    ]
    usual = [_range([day[slot] for day in before]) for slot in range(SLOTS_A_DAY)]
    now = fmt.local(fmt.now_ms)
    now_slot = (now.hour * 60 + now.minute) // 15
    drawn_to = next((slot for slot in range(now_slot, -1, -1) if today[slot] is not None), None)
    usual_now = usual[now_slot]
    words = None if usual_now is None else (f"{usual_now[0]:.1f}", f"{usual_now[1]:.1f}")
    return draw_day(today, usual, drawn_to), words


def _power_of(tx: Tx, actor: User, row: MeterRow) -> tuple[SeriesId, Decimal] | None:
    if row.kind is not ServicePointKind.MASTER or row.commodity is not Commodity.ELECTRICITY:
        return None
    values = meters.get_meter(tx, actor, row.installation_id).values
    power = next((value.point for value in values if value.point.quantity == "active_power"), None)
    return None if power is None else (power.series_id, row.multiplier)


def _slots(
    tx: Tx, actor: User, series: Sequence[tuple[SeriesId, Decimal]], on: date, fmt: Format
) -> list[float | None]:
    """Return a day's mean load in kW by quarter hour; None where any master was not read."""
    from_ms = midnight_ms(on, fmt.zone)
    to_ms = min(midnight_ms(on + timedelta(days=1), fmt.zone), fmt.now_ms + 1)
    total: list[float | None] = [0.0] * SLOTS_A_DAY
    for series_id, multiplier in series:
        drawn = meters.chart(tx, actor, series_id, from_ms, to_ms, 2 * SLOTS_A_DAY)
        means = _means(drawn.samples, fmt)
        for slot in range(SLOTS_A_DAY):
            so_far, mean = total[slot], means[slot]
            total[slot] = None if so_far is None or mean is None else so_far + mean * float(multiplier)
    return total


def _means(samples: Sequence[Sample], fmt: Format) -> list[float | None]:
    found: list[list[int]] = [[] for _ in range(SLOTS_A_DAY)]
    for sample in samples:
        if sample.value_micro is not None:
            at: datetime = fmt.local(sample.at_ms)
            found[(at.hour * 60 + at.minute) // 15].append(sample.value_micro)
    return [sum(values) / len(values) / MICRO if values else None for values in found]


def _range(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if len(known) >= 2 else None
