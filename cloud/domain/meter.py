"""Meters: devices whose cumulative register may be billed, where they hang, and how fresh they are.

The invariant: a service point has one meter at a time; what an exchange takes away is closed with a
reading before what it brings is opened with one, so that usage is the sum of the parts.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from cloud.domain.ids import InstallationId, MeterId, SeriesId, ServicePointId, SpaceId
from cloud.domain.premises import Commodity, ServicePointKind
from cloud.domain.series import PointValue
from protocol.reading import Quality

# A meter read every quarter of an hour may miss one turn before anybody should wonder.
FRESH_WITHIN_MS = 35 * 60 * 1000
# After a day without a value the period's boundary readings are in danger.
LATE_WITHIN_MS = 24 * 3600 * 1000


class Freshness(Enum):
    """How old a meter's newest value is."""

    FRESH = "fresh"
    LATE = "late"  # older than it should be
    SILENT = "silent"  # a day and more: somebody should go and look
    NEVER = "never"  # no value yet


def freshness_at(now_ms: int, valued_at_ms: int | None) -> Freshness:
    """Return how fresh a value measured at `valued_at_ms` is."""
    if valued_at_ms is None:
        return Freshness.NEVER
    age_ms = now_ms - valued_at_ms
    if age_ms <= FRESH_WITHIN_MS:
        return Freshness.FRESH
    return Freshness.LATE if age_ms <= LATE_WITHIN_MS else Freshness.SILENT


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter as an article. `register_modulus_micro` is where it returns to zero, None if not known."""

    meter_id: MeterId
    serial: str
    commodity: Commodity
    model: str
    register_modulus_micro: int | None
    max_per_day_micro: int | None


@dataclass(frozen=True, slots=True)
class Installation:
    """That a meter hung at a service point, half-open in time, with the register at both ends.

    Usage is (closing − opening) × `multiplier`; `series_id` is the point that reads the register, None
    for a meter read by hand. `register` names a further dial of the same meter ("peak"); empty is the total.
    """

    installation_id: InstallationId
    service_point_id: ServicePointId
    meter: Meter
    series_id: SeriesId | None
    from_at_ms: int
    to_at_ms: int | None
    opening_value_micro: int
    closing_value_micro: int | None
    multiplier: Decimal
    reason: str
    register: str = ""


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One line of the list of meters: the installation that is in place now, and its register's state.

    `quality` and `reason` are of the newest reading; `last_value_micro` at `valued_at_ms` is the newest
    value there is.
    """

    installation_id: InstallationId
    service_point_id: ServicePointId
    service_point_code: str
    commodity: Commodity
    kind: ServicePointKind
    space_id: SpaceId | None
    space_code: str
    holder_name: str
    meter_id: MeterId
    serial: str
    model: str
    series_id: SeriesId | None
    gateway_code: str
    device_code: str
    unit: str
    multiplier: Decimal
    last_value_micro: int | None
    valued_at_ms: int | None
    measured_at_ms: int | None
    quality: Quality | None
    reason: str
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class MeterDetail:
    """One meter's page: its row, everything its device says now, and what hung there before it."""

    row: MeterRow
    values: tuple[PointValue, ...]
    installations: tuple[Installation, ...]
