"""Which reading bills a register at the start of a day, read for many registers at once.

The invariant: adjoining bills meet in one reading. Where no bill adjoins, what a person read or had
estimated for that moment comes before the nearest reading of the wire.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from cloud.domain.ids import InstallationId, InvoiceId, SeriesId
from cloud.domain.meter import Installation
from cloud.domain.packed_day import Track
from cloud.domain.periods import ServicePeriod, midnight_ms
from cloud.domain.usage import DialReading, ProblemKind
from cloud.store import boundaries, manual_readings, usage
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx
from cloud.store.usage import DialKey


@dataclass(slots=True)
class Dials:
    """What registers showed at the starts of days.

    `as_of_ms` None: the period has ended. Otherwise days that have not begun by then are billed by the
    newest reading. `between` has the readings inside the period, for those whose time of use is asked.
    """

    zone: ZoneInfo
    as_of_ms: int | None
    billed: dict[date, dict[DialKey, DialReading]] = field(default_factory=dict)
    manual: dict[date, dict[InstallationId, DialReading]] = field(default_factory=dict)
    nearest: dict[int, dict[SeriesId, Boundary]] = field(default_factory=dict)
    newest: dict[SeriesId, DialReading] = field(default_factory=dict)
    between: dict[SeriesId, Track] = field(default_factory=dict)

    def has_begun(self, on: date) -> bool:
        """Tell whether a day had begun at the moment of assessment."""
        return self.as_of_ms is None or midnight_ms(on, self.zone) <= self.as_of_ms

    def at(self, installation: Installation, on: date) -> Boundary:
        """Return the reading that bills a register at the start of a day, or why none does."""
        met = self.billed.get(on, {}).get(_key(installation))
        if met is not None:
            return met
        by_hand = self.manual.get(on, {}).get(installation.installation_id)
        if by_hand is not None and not installation.register:
            return by_hand
        if installation.series_id is None:
            return (ProblemKind.MISSING_READING, "the meter is read by hand and nobody entered a reading")
        if not self.has_begun(on):
            newest = self.newest.get(installation.series_id)
            return newest or (ProblemKind.MISSING_READING, "no reading yet")
        return self.nearest[midnight_ms(on, self.zone)][installation.series_id]

    def so_far(self, installation: Installation, dates: ServicePeriod, at_ms: int) -> Boundary:
        """Return what bills a register at the start or the end of some dates.

        Where the end has not come and nothing was read since the start, nothing was used so far.
        """
        start_ms, end_ms = dates.bounds_ms(self.zone)
        if at_ms != end_ms or self.has_begun(dates.end_on):
            return self.at(installation, dates.start_on if at_ms == start_ms else dates.end_on)
        found = self.at(installation, dates.end_on)
        if isinstance(found, DialReading) and found.measured_at_ms >= start_ms:
            return found
        if installation.from_at_ms >= start_ms:
            return DialReading(installation.opening_value_micro, installation.from_at_ms, "opening")
        return self.at(installation, dates.start_on)


def read_dials(
    tx: Tx,
    zone: ZoneInfo,
    as_of_ms: int | None,
    asked: Mapping[date, Sequence[Installation]],
    by_interval: Iterable[Installation],
    except_invoices: Collection[InvoiceId],
) -> Dials:
    """Read the dials of registers at the starts of days, a few statements a day.

    `by_interval` are registers whose readings inside the period are wanted as well.
    """
    dials = Dials(zone, as_of_ms)
    still_open: set[SeriesId] = set()
    for on, installations in asked.items():
        points = sorted({one.service_point_id for one in installations})
        billed = dials.billed[on] = usage.billed_dials(tx, points, on, except_invoices)
        unbilled = [one for one in installations if _key(one) not in billed]
        at_ms = midnight_ms(on, zone)
        by_hand = sorted({one.installation_id for one in unbilled})
        dials.manual[on] = manual_readings.readings_at(tx, by_hand, at_ms)
        series = {one.series_id for one in unbilled if one.series_id is not None}
        if dials.has_begun(on):
            dials.nearest[at_ms] = boundaries.readings_nearest(tx, series, at_ms)
        else:
            still_open |= series
    if not asked:
        return dials
    first_ms, last_ms = midnight_ms(min(asked), zone), midnight_ms(max(asked), zone)
    if as_of_ms is not None:
        last_ms = min(last_ms, as_of_ms)
        if still_open:
            dials.newest = boundaries.latest_readings(tx, still_open, first_ms, as_of_ms)
    wanted = {one.series_id for one in by_interval if one.series_id is not None}
    dials.between = boundaries.readings_between(tx, wanted, first_ms, last_ms)
    return dials


def _key(installation: Installation) -> DialKey:
    return installation.service_point_id, installation.installation_id, installation.register
