"""The list of meters, and one meter: its chart, what it says now, its raw readings and their frames."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from aiohttp import web

from cloud.console.charts import Span, chart_json, span_named
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.frames import FrameView, frame_view
from cloud.console.lists import Filter, link
from cloud.console.states import state_words
from cloud.domain.errors import NotFound
from cloud.domain.ids import InstallationId, SeriesId, SiteId, is_uuid
from cloud.domain.meter import Freshness, MeterDetail, MeterRow
from cloud.domain.periods import midnight_ms
from cloud.domain.premises import Commodity
from cloud.domain.series import StoredReading, UsageBar
from cloud.domain.user import User
from cloud.services import meters, readings
from cloud.services.meters import Step
from cloud.store.db import Tx
from protocol.reading import Quality

_ROWS = 50
_ROWS_BESIDE = 500
_NORMAL_SHOWN = 12
_READINGS_SHOWN = 25

_HUES = {Commodity.ELECTRICITY: "elec", Commodity.WATER: "water"}


@dataclass(frozen=True, slots=True)
class MetersView:
    """The list of meters."""

    rows: tuple[MeterRow, ...]
    attention: int
    filters: tuple[Filter, ...]
    query: str
    next_href: str


@dataclass(frozen=True, slots=True)
class Group:
    """Meters of one condition in the list beside a meter; `total` may be more than is listed."""

    title: str
    rows: tuple[MeterRow, ...]
    total: int
    is_exception: bool
    is_held: bool


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """The raw exchange a reading was taken from, opened below the readings."""

    measured_at_ms: int
    frame: FrameView


@dataclass(frozen=True, slots=True)
class MeterView:
    """One meter's page."""

    meter: MeterDetail
    groups: tuple[Group, ...]
    multiplier: Decimal
    account_path: str
    hue: str
    span: Span
    chart_json: str
    bars: tuple[UsageBar, ...]
    used_micro: int | None
    completeness: Decimal | None
    valued_count: int
    asked_count: int
    yesterday_on: date
    yesterday_micro: int | None
    held: tuple[StoredReading, ...]
    readings: tuple[StoredReading, ...]
    shown_frame: ShownFrame | None
    state_words: dict[SeriesId, str]


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the meters of a site: all, those of one commodity, or those that need a look."""
    view = await desk.read(_list, desk.site.site_id, desk.format, dict(desk.request.query))
    return await desk.page("meters/list.html", view=view)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show one meter, named by its serial number or its installation."""
    query = desk.request.query
    span = span_named(query.get("span", ""), desk.format)
    name = desk.request.match_info["meter"]
    view = await desk.read(
        _meter, desk.site.site_id, name, span, query.get("frame", ""), query.get("way", ""), desk.format
    )
    return await desk.page("meters/meter.html", view=view)


async def show_values(desk: Desk) -> web.StreamResponse:
    """Show what a meter says now, anew."""
    detail = await desk.read(find_meter, desk.site.site_id, desk.request.match_info["meter"])
    return desk.part("meters/values.html", view=_ValuesView(detail, dict(state_words(detail.values))))


@dataclass(frozen=True, slots=True)
class _ValuesView:
    meter: MeterDetail
    state_words: dict[SeriesId, str]


def _list(tx: Tx, actor: User, site_id: SiteId, fmt: Format, query: dict[str, str]) -> MetersView:
    gettext = fmt.language.gettext
    commodity = next((c for c in Commodity if c.value == query.get("commodity")), None)
    search = query.get("q", "").strip()[:100]
    is_attention = query.get("show") == "attention"
    grades = meters.count_by_freshness(tx, actor, site_id)
    attention = grades[Freshness.SILENT] + grades[Freshness.NEVER] + grades[Freshness.LATE]
    if is_attention:
        worst = meters.worst_meters(tx, actor, site_id, _ROWS_BESIDE)
        rows, onward = tuple(row for row in worst if needs_a_look(row)), None
    else:
        page = meters.list_meters(
            tx, actor, site_id, commodity=commodity, search=search, cursor=query.get("after"), limit=_ROWS
        )
        rows, onward = page.items, page.next_cursor
    chosen = {"commodity": commodity.value if commodity else None, "q": search}
    filters = (
        Filter(gettext("All"), "/meters", not is_attention and commodity is None, sum(grades.values())),
        Filter(gettext("To look at"), "/meters?show=attention", is_attention, attention),
        *(
            Filter(gettext(c.value), f"/meters?commodity={c.value}", commodity is c and not is_attention)
            for c in Commodity
        ),
    )
    next_href = link("/meters", {**chosen, "after": onward}) if onward else ""
    return MetersView(rows, attention, filters, search, next_href)


def needs_a_look(row: MeterRow) -> bool:
    """Tell whether a meter is not as it should be: held, late, or silent."""
    return row.freshness is not Freshness.FRESH or row.quality is Quality.HELD


def find_meter(tx: Tx, actor: User, site_id: SiteId, name: str) -> MeterDetail:
    """Return the meter a page's address names: by its serial number, or by its installation's id."""
    if is_uuid(name):
        return meters.get_meter(tx, actor, InstallationId(name))
    found = meters.list_meters(tx, actor, site_id, search=name, limit=_ROWS).items
    row = next((row for row in found if row.serial == name), None)
    if row is None:
        raise NotFound(f"no meter of number {name!r} hangs here now")
    return meters.get_meter(tx, actor, row.installation_id)


def _meter(
    tx: Tx, actor: User, site_id: SiteId, name: str, span: Span, frame: str, way: str, fmt: Format
) -> MeterView:
    detail = find_meter(tx, actor, site_id, name)
    row = detail.row
    beside = meters.worst_meters(tx, actor, site_id, _ROWS_BESIDE)
    from_ms = midnight_ms(span.from_on, fmt.zone)
    to_ms = min(midnight_ms(span.until_on, fmt.zone), fmt.now_ms + 1)
    drawn, used_micro = "", None
    bars: tuple[UsageBar, ...] = ()
    recent: list[StoredReading] = []
    if row.series_id is not None:
        recent = _recent(tx, actor, row.series_id, from_ms, to_ms)
        line = meters.chart(tx, actor, row.series_id, from_ms, to_ms)
        use = meters.usage(tx, actor, row.series_id, span.from_on, span.until_on, span.step)
        bars, used_micro = use.bars, use.total_micro
        if line.reading_count:
            drawn = chart_json(row, line, use, span, _held(recent), detail.installations, fmt)
    valued = [reading for reading in recent if reading.quality.has_value]
    yesterday_on = fmt.today - timedelta(days=1)
    return MeterView(
        detail,
        _groups(beside, row, fmt),
        row.multiplier,
        f"/premises?q={row.space_code}" if row.space_code else "",
        _HUES[row.commodity],
        span,
        drawn,
        bars,
        used_micro,
        Decimal(len(valued)) / len(recent) if recent else None,
        len(valued),
        len(recent),
        yesterday_on,
        _used_on(tx, actor, row, yesterday_on),
        tuple(_held(recent)),
        tuple(recent[: -_READINGS_SHOWN - 1 : -1]),
        _shown_frame(tx, actor, recent, frame, way, span, fmt),
        dict(state_words(detail.values)),
    )


def _used_on(tx: Tx, actor: User, row: MeterRow, on: date) -> int | None:
    """Return what a meter counted on one day; None where a reading at an end of it is missing."""
    if row.series_id is None:
        return None
    bars = meters.usage(tx, actor, row.series_id, on, on + timedelta(days=1), Step.DAY).bars
    return bars[0].used_micro if bars else None


def _recent(tx: Tx, actor: User, series_id: SeriesId, from_ms: int, to_ms: int) -> list[StoredReading]:
    """Return the span's readings, oldest first: all of them up to a limit that keeps the page quick."""
    found: list[StoredReading] = []
    cursor = None
    while len(found) < 4 * _ROWS_BESIDE:
        page = readings.history(tx, actor, series_id, from_ms, to_ms, cursor, _ROWS_BESIDE)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _held(found: Iterable[StoredReading]) -> list[StoredReading]:
    return [reading for reading in found if reading.quality is Quality.HELD]


def _shown_frame(
    tx: Tx,
    actor: User,
    recent: Sequence[StoredReading],
    asked: str,
    way: str,
    span: Span,
    fmt: Format,
) -> ShownFrame | None:
    """Return the frame the query asks for, written `epoch.number`, of a reading that is listed."""
    epoch, _, seq = asked.partition(".")
    reading = next((r for r in recent if f"{r.epoch}" == epoch and f"{r.evidence_seq}" == seq), None)
    if reading is None or reading.evidence_seq is None:
        return None
    kept = readings.evidence_of(tx, actor, reading.series_id, reading.epoch, reading.evidence_seq)
    base = {"span": span.name, "frame": asked}
    frame = frame_view(
        kept.evidence,
        kept.sha256,
        fmt.language,
        shows_request=way == "request",
        request_href=link("", {**base, "way": "request"}),
        reply_href=link("", base),
    )
    return ShownFrame(reading.measured_at_ms, frame)


def _groups(rows: Sequence[MeterRow], own: MeterRow, fmt: Format) -> tuple[Group, ...]:
    gettext = fmt.language.gettext
    held = [row for row in rows if row.quality is Quality.HELD]
    silent = [row for row in rows if row not in held and row.freshness is not Freshness.FRESH]
    normal = sorted(
        (row for row in rows if row not in held and row not in silent),
        key=lambda row: (row.space_code or row.service_point_code, row.commodity.value),
    )
    at = next((i for i, row in enumerate(normal) if row.installation_id == own.installation_id), 0)
    first = max(0, min(at - _NORMAL_SHOWN // 2, len(normal) - _NORMAL_SHOWN))
    return (
        Group(gettext("Held, not billed"), tuple(held), len(held), is_exception=True, is_held=True),
        Group(
            gettext("Without a fresh value"),
            tuple(silent[:_NORMAL_SHOWN]),
            len(silent),
            is_exception=True,
            is_held=False,
        ),
        Group(
            gettext("Normal"),
            tuple(normal[first : first + _NORMAL_SHOWN]),
            len(normal),
            is_exception=False,
            is_held=False,
        ),
    )
