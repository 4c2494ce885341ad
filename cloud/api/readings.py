"""Readings: what points say now and said before."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, page_of, view_of
from cloud.api.words import (
    CLOCK_QUALITIES,
    QUALITIES,
    ClockWord,
    QualityWord,
    decimal_or_none,
    quality_word,
)
from cloud.domain.access import Action
from cloud.domain.ids import DeviceId, SeriesId
from cloud.domain.series import PointValue, StoredReading
from cloud.services import readings

# The whole range of the column, so that a number from elsewhere is refused here and not by the database.
INSTANT_MS_MAX = 253_402_300_799_999  # the end of year 9999


class HistoryQuery(PageQuery, frozen=True, kw_only=True):
    """Which stretch of time: `from_ms` up to, not including, `to_ms`; UTC milliseconds."""

    from_ms: Annotated[int, Meta(ge=0, le=INSTANT_MS_MAX)]
    to_ms: Annotated[int, Meta(ge=0, le=INSTANT_MS_MAX)]


class EvidenceQuery(Request, frozen=True, kw_only=True):
    """Which exchange: `epoch` and `evidence_seq` of a reading."""

    epoch: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    evidence_seq: Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ReadingView(View, frozen=True):
    """One reading; `value` is None where `quality` and `reason` say why there is none.

    `epoch` and `seq` are its place in the gateway's stream; `evidence_seq` names the raw exchange.
    """

    measured_at_ms: int
    value: Decimal | None
    quality: QualityWord
    reason: str
    clock_quality: ClockWord
    received_at_ms: int
    epoch: int
    seq: int
    evidence_seq: int | None


class PointValueView(View, frozen=True):
    """What a point says now, and beside it the newest value there was and when."""

    series_id: int
    key: str
    name: str
    quantity: str
    unit: str
    value: Decimal | None
    quality: QualityWord | None
    reason: str
    measured_at_ms: int | None
    received_at_ms: int | None
    last_value: Decimal | None
    valued_at_ms: int | None


class PointValuesView(View, frozen=True):
    """Everything a device says now."""

    items: tuple[PointValueView, ...]


class EvidenceView(View, frozen=True):
    """The raw exchange on the wire; `sha256` was stored when it came in, `is_intact` that it still fits."""

    protocol: str
    line: str
    request_hex: str
    reply_hex: str
    captured_at_ms: int
    round_trip_us: int
    sha256: str
    is_intact: bool


async def list_readings(call: Call[HistoryQuery, Nothing]) -> Page[ReadingView]:
    """List a point's readings in a stretch of time, oldest first."""
    query, series_id = call.query, SeriesId(call.number("series_id"))
    found = await call.read(
        readings.history, series_id, query.from_ms, query.to_ms, query.cursor, query.limit
    )
    return page_of(found, reading_view)


async def list_device_values(call: Call[Nothing, Nothing]) -> PointValuesView:
    """List what a device's points say now."""
    found = await call.read(readings.current, DeviceId(call.id("device_id")))
    return PointValuesView(items=tuple(point_value_view(value) for value in found))


async def get_evidence(call: Call[EvidenceQuery, Nothing]) -> EvidenceView:
    """Show the raw exchange a reading was taken from."""
    query, series_id = call.query, SeriesId(call.number("series_id"))
    kept = await call.read(readings.evidence_of, series_id, query.epoch, query.evidence_seq)
    shown = kept.evidence
    return view_of(
        shown,
        EvidenceView,
        request_hex=shown.request.hex(),
        reply_hex=shown.reply.hex(),
        sha256=kept.sha256,
        is_intact=shown.digest().hex() == kept.sha256,
    )


def reading_view(reading: StoredReading) -> ReadingView:
    """Return a reading as it is told."""
    return ReadingView(
        measured_at_ms=reading.measured_at_ms,
        value=decimal_or_none(reading.value_micro),
        quality=QUALITIES[reading.quality],
        reason=reading.reason,
        clock_quality=CLOCK_QUALITIES[reading.clock_quality],
        received_at_ms=reading.received_at_ms,
        epoch=reading.epoch,
        seq=reading.seq,
        evidence_seq=reading.evidence_seq,
    )


def point_value_view(value: PointValue) -> PointValueView:
    """Return a point's present value as it is told."""
    point = value.point
    return PointValueView(
        series_id=point.series_id,
        key=point.key,
        name=point.name,
        quantity=point.quantity,
        unit=point.unit,
        value=decimal_or_none(value.value_micro),
        quality=quality_word(value.quality),
        reason=value.reason,
        measured_at_ms=value.measured_at_ms,
        received_at_ms=value.received_at_ms,
        last_value=decimal_or_none(value.last_value_micro),
        valued_at_ms=value.valued_at_ms,
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/points/{series_id}/readings",
        "List a point's readings",
        Action.READ_METERS,
        list_readings,
        Page[ReadingView],
        query=HistoryQuery,
        description="A gap is a reading without a value, or no reading; never a zero.",
    ),
    Route(
        "GET",
        "/api/v1/points/{series_id}/evidence",
        "Show the raw exchange of a reading",
        Action.READ_METERS,
        get_evidence,
        EvidenceView,
        query=EvidenceQuery,
        description="`gatehouse decode frame` explains its bytes.",
    ),
    Route(
        "GET",
        "/api/v1/devices/{device_id}/values",
        "List what a device says now",
        Action.READ_METERS,
        list_device_values,
        PointValuesView,
    ),
)
