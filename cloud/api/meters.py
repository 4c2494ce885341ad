"""Meters where they hang, what they showed, and exchanging them."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.readings import INSTANT_MS_MAX, PointValueView, point_value_view
from cloud.api.route import Call, Nothing, Open, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.api.words import QualityWord, checked_decimal, decimal_or_none, micro_of, quality_word
from cloud.domain.access import Action
from cloud.domain.ids import InstallationId, SeriesId, SiteId
from cloud.domain.meter import Freshness, Installation, MeterDetail, MeterRow
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.services import meters
from cloud.services.meters import NewMeter, Step
from protocol.quantity import decimal_from_micro


class MeterQuery(PageQuery, frozen=True, kw_only=True):
    """Which meters; `search` is part of a place's, space's or device's code or of a serial number."""

    commodity: Commodity | None = None
    freshness: Freshness | None = None
    search: Annotated[str, Meta(max_length=meters.SEARCH_LENGTH_MAX)] = ""


class ChartQuery(Request, frozen=True, kw_only=True):
    """Which stretch of time, in how many buckets; every extreme is kept."""

    from_ms: Annotated[int, Meta(ge=0, le=INSTANT_MS_MAX)]
    to_ms: Annotated[int, Meta(ge=0, le=INSTANT_MS_MAX)]
    bucket_count: Annotated[int, Meta(ge=1, le=meters.BUCKETS_MAX)] = 400


class UsageQuery(Request, frozen=True, kw_only=True):
    """Which local days, up to, not including, `to_on`, in bars of an hour or a day."""

    from_on: date
    to_on: date
    step: Step = Step.DAY


class NewExchange(Request, frozen=True, kw_only=True):
    """What was taken down and what was hung, at one moment; `reason` is a form's number or a sentence.

    Values are registers in the commodity's unit as the dials show them, e.g. "1234.56".
    """

    at_ms: Annotated[int, Meta(ge=0, le=INSTANT_MS_MAX)]
    closing_value: Decimal
    serial: Annotated[str, Meta(min_length=1, max_length=64)]
    model: Annotated[str, Meta(max_length=100)] = ""
    opening_value: Decimal
    series_id: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    multiplier: Decimal = Decimal(1)
    register_modulus: Decimal | None = None
    max_per_day: Decimal | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class MeterView(View, frozen=True):
    """A meter where it hangs now, and its register's newest value and when it was read."""

    installation_id: str
    service_point_id: str
    service_point_code: str
    commodity: Commodity
    kind: ServicePointKind
    space_id: str | None
    space_code: str
    holder_name: str
    meter_id: str
    serial: str
    model: str
    series_id: int | None
    gateway_code: str
    device_code: str
    unit: str
    last_value: Decimal | None
    valued_at_ms: int | None
    measured_at_ms: int | None
    quality: QualityWord | None
    reason: str
    freshness: Freshness


class InstallationView(View, frozen=True):
    """That a meter hung at a service point, with the register at both ends."""

    installation_id: str
    service_point_id: str
    meter_id: str
    serial: str
    series_id: int | None
    from_at_ms: int
    to_at_ms: int | None
    opening_value: Decimal
    closing_value: Decimal | None
    multiplier: Decimal
    reason: str


class MeterDetailView(View, frozen=True):
    """A meter, everything its device says now, and what hung in its place before."""

    meter: MeterView
    values: tuple[PointValueView, ...]
    installations: tuple[InstallationView, ...]


class SampleView(View, frozen=True):
    """One corner of a line; `value` None interrupts it."""

    at_ms: int
    value: Decimal | None


class ChartView(View, frozen=True):
    """A point's line, interrupted where nothing was read."""

    series_id: int
    unit: str
    from_ms: int
    to_ms: int
    samples: tuple[SampleView, ...]
    reading_count: int


class BarView(View, frozen=True):
    """What a register grew by between two moments; None where a reading at an end is missing."""

    from_ms: int
    to_ms: int
    used: Decimal | None


class UsageView(View, frozen=True):
    """Growth bar by bar; `gaps` tell the known total of what was not read in between."""

    series_id: int
    unit: str
    step: Step
    bars: tuple[BarView, ...]
    gaps: tuple[BarView, ...]
    total: Decimal | None


async def list_meters(call: Call[MeterQuery, Nothing]) -> Page[MeterView]:
    """List the meters that hang now, by the code of their place."""
    query = call.query
    found = await call.read(
        meters.list_meters,
        SiteId(call.id("site_id")),
        commodity=query.commodity,
        freshness=query.freshness,
        search=query.search,
        cursor=query.cursor,
        limit=query.limit,
    )
    return page_of(found, meter_view)


async def get_installation(call: Call[Nothing, Nothing]) -> MeterDetailView:
    """Show a meter where it hangs."""
    return _detail_view(await call.read(meters.get_meter, InstallationId(call.id("installation_id"))))


async def exchange_meter(call: Call[Nothing, NewExchange]) -> web.Response:
    """Take a meter down and hang another."""
    body, installation_id = call.body, InstallationId(call.id("installation_id"))
    closing_micro = micro_of("closing_value", body.closing_value)
    return await call.create(
        _installation_view,
        meters.exchange,
        installation_id,
        body.at_ms,
        closing_micro,
        _new_meter(body),
        body.reason,
    )


async def get_chart(call: Call[ChartQuery, Nothing]) -> ChartView:
    """Draw a point's line, reduced so that no extreme is lost."""
    query, series_id = call.query, SeriesId(call.number("series_id"))
    chart = await call.read(meters.chart, series_id, query.from_ms, query.to_ms, query.bucket_count)
    return ChartView(
        series_id=series_id,
        unit=chart.point.unit,
        from_ms=chart.from_ms,
        to_ms=chart.to_ms,
        samples=tuple(
            SampleView(at_ms=sample.at_ms, value=decimal_or_none(sample.value_micro))
            for sample in chart.samples
        ),
        reading_count=chart.reading_count,
    )


async def get_usage(call: Call[UsageQuery, Nothing]) -> UsageView:
    """Tell what a register grew by, hour by hour or day by day."""
    query, series_id = call.query, SeriesId(call.number("series_id"))
    usage = await call.read(meters.usage, series_id, query.from_on, query.to_on, query.step)
    return UsageView(
        series_id=series_id,
        unit=usage.point.unit,
        step=usage.step,
        bars=tuple(_bar_view(bar.from_ms, bar.to_ms, bar.used_micro) for bar in usage.bars),
        gaps=tuple(_bar_view(gap.from_ms, gap.to_ms, gap.used_micro) for gap in usage.gaps),
        total=decimal_or_none(usage.total_micro),
    )


def meter_view(row: MeterRow) -> MeterView:
    """Return a meter as it is told."""
    return view_of(
        row,
        MeterView,
        last_value=decimal_or_none(row.last_value_micro),
        quality=quality_word(row.quality),
    )


def _detail_view(detail: MeterDetail) -> MeterDetailView:
    return MeterDetailView(
        meter=meter_view(detail.row),
        values=tuple(point_value_view(value) for value in detail.values),
        installations=tuple(_installation_view(one) for one in detail.installations),
    )


def _installation_view(one: Installation) -> InstallationView:
    return view_of(
        one,
        InstallationView,
        meter_id=one.meter.meter_id,
        serial=one.meter.serial,
        opening_value=decimal_from_micro(one.opening_value_micro),
        closing_value=decimal_or_none(one.closing_value_micro),
    )


def _bar_view(from_ms: int, to_ms: int, used_micro: int | None) -> BarView:
    return BarView(from_ms=from_ms, to_ms=to_ms, used=decimal_or_none(used_micro))


def _new_meter(body: NewExchange) -> NewMeter:
    return NewMeter(
        body.serial,
        body.model,
        micro_of("opening_value", body.opening_value),
        None if body.series_id is None else SeriesId(body.series_id),
        checked_decimal("multiplier", body.multiplier),
        None if body.register_modulus is None else micro_of("register_modulus", body.register_modulus),
        None if body.max_per_day is None else micro_of("max_per_day", body.max_per_day),
    )


_POINT = "/api/v1/points/{series_id}"

ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/meters",
        "List a site's meters",
        Action.READ_METERS,
        list_meters,
        Page[MeterView],
        query=MeterQuery,
    ),
    Route(
        "GET",
        "/api/v1/installations/{installation_id}",
        "Show a meter where it hangs",
        Action.READ_METERS,
        get_installation,
        MeterDetailView,
    ),
    Route(
        "POST",
        "/api/v1/installations/{installation_id}/exchange",
        "Exchange a meter",
        Action.MANAGE_METERS,
        exchange_meter,
        InstallationView,
        body=NewExchange,
        status=201,
        creates=True,
        description="The old one is closed and the new one opened at one moment, each by its register.",
    ),
    Route(
        "GET",
        _POINT + "/chart",
        "Draw a point's line",
        Open.SIGNED_IN,
        get_chart,
        ChartView,
        query=ChartQuery,
        description="A resident sees the points of their own meters.",
    ),
    Route(
        "GET",
        _POINT + "/usage",
        "Tell what a register grew by",
        Open.SIGNED_IN,
        get_usage,
        UsageView,
        query=UsageQuery,
        description="A resident sees the points of their own meters.",
    ),
)
