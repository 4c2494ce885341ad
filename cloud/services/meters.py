"""Meters: the list, one meter's page, its charts, and hanging and exchanging them.

The invariant: nobody sees a register that is not theirs to see, and no exchange leaves a moment
of a service point measured by two meters or by a register whose value then nobody knows.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from cloud.domain.access import Action, may, require, require_account
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AccountId, InstallationId, SeriesId, SiteId
from cloud.domain.meter import Freshness, Installation, MeterDetail, MeterRow
from cloud.domain.page import Page, checked_limit, key_from_cursor, page_of
from cloud.domain.periods import local_date, midnight_ms, time_zone
from cloud.domain.premises import Commodity
from cloud.domain.series import (
    Bucket,
    Point,
    Sample,
    UsageBar,
    UsageGap,
    samples_from_buckets,
    total_growth,
    usage_bars,
    usage_gaps,
)
from cloud.domain.user import User
from cloud.services.premises import site_of
from cloud.store import audit, meter_rows, meters, points, readings
from cloud.store.db import Tx

# A chart is some 800 pixels wide; two corners a bucket fill it.
BUCKETS_MAX = 2_000
# A month of hours, with a day more where clocks are set back.
BARS_MAX = 800
SEARCH_LENGTH_MAX = 100
# Above this a multiplier is more often a slip of the decimal point than a transformer.
MULTIPLIER_MAX = Decimal(10_000)

_HOUR_MS = 3_600_000


class Step(Enum):
    """How wide the bars of a usage chart are, in the site's local time."""

    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Chart:
    """A point's line over a time: every extreme is in it, and it is interrupted where nothing was read."""

    point: Point
    from_ms: int
    to_ms: int
    samples: tuple[Sample, ...]
    reading_count: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a cumulative register grew by, bar by bar; the known total of what was not read is in `gaps`.

    `total_micro` is last minus first register of the time, None if either was not read or it went back.
    """

    point: Point
    step: Step
    bars: tuple[UsageBar, ...]
    gaps: tuple[UsageGap, ...]
    total_micro: int | None


@dataclass(frozen=True, slots=True)
class NewMeter:
    """The meter an exchange brings. `series_id` is the point that reads it, None for one read by hand."""

    serial: str
    model: str
    opening_value_micro: int
    series_id: SeriesId | None = None
    multiplier: Decimal = Decimal(1)
    register_modulus_micro: int | None = None
    max_per_day_micro: int | None = None


def list_meters(
    tx: Tx,
    actor: User,
    site_id: SiteId,
    *,
    commodity: Commodity | None = None,
    freshness: Freshness | None = None,
    search: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[MeterRow]:
    """Return the meters that hang now, by the code of their place.

    `search` is part of a place's, space's or device's code or of a serial number.
    """
    require(actor, Action.READ_METERS)
    checked_limit(limit)
    if len(search) > SEARCH_LENGTH_MAX:
        raise Invalid(f"the search has {len(search)} characters, at most {SEARCH_LENGTH_MAX} make sense")
    after = str(key_from_cursor(cursor, str)[0]) if cursor else ""
    found = meter_rows.list_rows(
        tx, site_id, _today(tx, site_id), commodity, freshness, search.strip(), after, limit + 1
    )
    return page_of(found, limit, lambda last: (last.service_point_code,))


def worst_meters(tx: Tx, actor: User, site_id: SiteId, limit: int = 50) -> list[MeterRow]:
    """Return the meters that hang now, the longest without a value first."""
    require(actor, Action.READ_METERS)
    return meter_rows.worst_rows(tx, site_id, _today(tx, site_id), checked_limit(limit))


def count_by_freshness(tx: Tx, actor: User, site_id: SiteId) -> dict[Freshness, int]:
    """Return how many of the meters that hang now are how fresh; every grade is in it."""
    require(actor, Action.READ_METERS)
    return meter_rows.count_by_freshness(tx, site_id)


def get_meter(tx: Tx, actor: User, installation_id: InstallationId) -> MeterDetail:
    """Return one meter with everything its device says now and what hung in its place before."""
    require(actor, Action.READ_METERS)
    installation = meters.find_installation(tx, installation_id)
    if installation is None:
        raise NotFound(f"there is no installation {installation_id}")
    site_id = meters.site_of_service_point(tx, installation.service_point_id)
    row = meter_rows.find_row(tx, installation_id, _today(tx, site_id))
    assert row is not None, "the installation was just read"
    device_id = None if row.series_id is None else meters.device_of_series(tx, row.series_id)
    values = () if device_id is None else tuple(points.values_of_device(tx, device_id))
    return MeterDetail(row, values, tuple(meters.installations_of(tx, installation.service_point_id)))


def meters_of_account(tx: Tx, actor: User, account_id: AccountId) -> list[MeterRow]:
    """Return the meters an account pays for now; a resident sees only those of their own accounts."""
    require(actor, Action.READ_OWN_ACCOUNTS)
    require_account(actor, account_id)
    site_id = meters.site_of_account(tx, account_id)
    if site_id is None:
        raise NotFound("there is no such account")
    return meter_rows.rows_of_account(tx, account_id, _today(tx, site_id))


def chart(
    tx: Tx, actor: User, series_id: SeriesId, from_ms: int, to_ms: int, bucket_count: int = 400
) -> Chart:
    """Return a point's line in `[from_ms, to_ms)`, reduced so that no extreme is lost."""
    point = _point_for(tx, actor, series_id)
    if to_ms <= from_ms:
        raise Invalid(f"the time ends at {to_ms}, before it begins at {from_ms}")
    if not 1 <= bucket_count <= BUCKETS_MAX:
        raise Invalid(f"bucket_count is {bucket_count}, expected 1 to {BUCKETS_MAX}")
    width_ms = max(1, -(-(to_ms - from_ms) // bucket_count))
    buckets = readings.buckets(tx, series_id, from_ms, to_ms, width_ms)
    samples = samples_from_buckets(buckets, silence_ms=_silence_ms(buckets, width_ms))
    return Chart(point, from_ms, to_ms, tuple(samples), sum(bucket.count for bucket in buckets))


def usage(tx: Tx, actor: User, series_id: SeriesId, from_on: date, to_on: date, step: Step) -> Usage:
    """Return what a register grew by in the local days `[from_on, to_on)`, a bar an hour or a day."""
    point = _point_for(tx, actor, series_id)
    if to_on <= from_on:
        raise Invalid(f"the time ends on {to_on}, before it begins on {from_on}")
    site_id = meters.site_of_series(tx, series_id)
    assert site_id is not None, "a point belongs to a gateway of a site"
    edges_ms = _edges_ms(from_on, to_on, step, time_zone(site_of(tx, site_id).time_zone))
    # Bars that have not begun yet are not drawn; the running one ends now.
    edges_ms = [at_ms for at_ms in edges_ms if at_ms < tx.now_ms] + [
        at_ms for at_ms in edges_ms if at_ms >= tx.now_ms
    ][:1]
    tolerance_ms = _HOUR_MS // 2 if step is Step.HOUR else _HOUR_MS
    edges = readings.register_at(tx, series_id, [min(at_ms, tx.now_ms) for at_ms in edges_ms], tolerance_ms)
    edges = [(at_ms, register) for at_ms, (_, register) in zip(edges_ms, edges, strict=True)]
    bars = tuple(usage_bars(edges))
    return Usage(point, step, bars, tuple(usage_gaps(edges)), total_growth(edges))


def exchange(
    tx: Tx,
    actor: User,
    installation_id: InstallationId,
    at_ms: int,
    closing_value_micro: int,
    new: NewMeter,
    reason: str,
) -> Installation:
    """Take a meter down with its last register value and hang another with its first, at one moment.

    `reason` is a form's number or a sentence; without one an exchange cannot be defended later.
    """
    require(actor, Action.MANAGE_METERS)
    old = meters.find_installation(tx, installation_id)
    if old is None:
        raise NotFound(f"there is no installation {installation_id}")
    _check_exchange(tx, old, at_ms, closing_value_micro, new, reason)
    if not meters.close_installation(tx, installation_id, at_ms, closing_value_micro):
        raise Conflict(f"meter {old.meter.serial} was taken down already")
    known = meters.meters_by_serial(tx, [new.serial]).get(new.serial)
    if known is not None and known.commodity is not old.meter.commodity:
        raise Invalid(f"meter {new.serial} measures {known.commodity.value}, not {old.meter.commodity.value}")
    meter_id = (
        known.meter_id
        if known is not None
        else meters.insert_meter(
            tx, new.serial, old.meter.commodity, new.model, new.register_modulus_micro, new.max_per_day_micro
        )
    )
    added = meters.insert_installation(
        tx,
        old.service_point_id,
        meter_id,
        new.series_id,
        at_ms,
        new.opening_value_micro,
        new.multiplier,
        reason,
        actor.person_id,
    )
    if added is None:
        raise Conflict(f"meter {new.serial} hangs somewhere else: take it down there first")
    audit.record(
        tx,
        actor.user_id,
        "exchange_meter",
        "installation",
        installation_id,
        {"old": old.meter.serial, "new": new.serial, "closing_value_micro": closing_value_micro},
    )
    hung = meters.find_installation(tx, added)
    assert hung is not None, "the installation was just written"
    return hung


def _check_exchange(
    tx: Tx, old: Installation, at_ms: int, closing_value_micro: int, new: NewMeter, reason: str
) -> None:
    if not reason.strip():
        raise Invalid("an exchange needs a reason: the form's number, or a sentence")
    if at_ms <= old.from_at_ms or at_ms > tx.now_ms:
        raise Invalid(f"the exchange at {at_ms} is not between the old meter's installation and now")
    if closing_value_micro < 0 or new.opening_value_micro < 0:
        raise Invalid("a register shows no negative value")
    if not 0 < new.multiplier <= MULTIPLIER_MAX:
        raise Invalid(f"the multiplier {new.multiplier} is not above 0 and at most {MULTIPLIER_MAX}")
    if not new.serial.strip():
        raise Invalid("the new meter needs its serial number")
    if new.series_id is not None and points.find_point(tx, new.series_id) is None:
        raise NotFound(f"there is no point with series {new.series_id}")


def _point_for(tx: Tx, actor: User, series_id: SeriesId) -> Point:
    """Return a point the actor may read; to a resident the others do not exist."""
    point = points.find_point(tx, series_id)
    is_theirs = may(actor, Action.READ_METERS) or (
        may(actor, Action.READ_OWN_ACCOUNTS)
        and bool(actor.account_ids)
        and meters.is_measured_for(tx, series_id, actor.account_ids)
    )
    if point is None or not is_theirs:
        raise NotFound(f"there is no point with series {series_id}")
    return point


def _silence_ms(buckets: list[Bucket], width_ms: int) -> int:
    """Return the longest time between readings that is normal here: some turns, or some buckets."""
    steps = [later.first_at_ms - earlier.last_at_ms for earlier, later in pairwise(buckets)]
    usual_ms = int(median(steps)) if steps else width_ms
    return max(3 * usual_ms, 2 * width_ms)


def _edges_ms(from_on: date, to_on: date, step: Step, zone: ZoneInfo) -> list[int]:
    days = [from_on + timedelta(days=number) for number in range((to_on - from_on).days + 1)]
    if len(days) * (24 if step is Step.HOUR else 1) > BARS_MAX + 25:
        raise Invalid(f"{len(days) - 1} days in steps of one {step.value} are more than {BARS_MAX} bars")
    midnights = [midnight_ms(day, zone) for day in days]
    if step is Step.DAY:
        return midnights
    # Hours of the clock on the wall: where a day has 23 or 25 of them, so many bars.
    return list(range(midnights[0], midnights[-1] + 1, _HOUR_MS))


def _today(tx: Tx, site_id: SiteId) -> date:
    return local_date(tx.now_ms, time_zone(site_of(tx, site_id).time_zone))
