"""Assessing accounts: usage from readings, and the charges it leads to, without issuing anything.

The bill and the running charge are one computation: the running charge is the bill of a period that
has not ended, with each meter's newest reading standing for the one at the end. So when time stops
they are equal. The invariant: an account is assessed whole or not at all; what is missing or doubtful
comes back as problems that name the meter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloud.domain.errors import Invalid
from cloud.domain.ids import InstallationId, InvoiceId, SeriesId, ServicePointId, TariffId
from cloud.domain.meter import Installation
from cloud.domain.periods import ServicePeriod, local_date, midnight_ms
from cloud.domain.rating import (
    Customer,
    PlannedSlice,
    RatedLine,
    SliceMethod,
    SliceUsage,
    history_since,
    plan,
    rate,
    share_by_days,
)
from cloud.domain.tariff import PastUsage
from cloud.domain.tariff_document import ChangeSplit, Tariff
from cloud.domain.usage import (
    DialReading,
    ProblemKind,
    Usage,
    UsageProblem,
    UsageSegment,
    measure,
)
from cloud.store import boundaries, manual_readings, tariffs, usage
from cloud.store.boundaries import Boundary
from cloud.store.db import Tx
from cloud.store.subjects import Service, Subject


@dataclass(frozen=True, slots=True)
class AssessedSlice:
    """A slice with its usage and the segments that follow from: of itself, or of the whole by days."""

    planned: PlannedSlice
    used: SliceUsage
    segments: tuple[UsageSegment, ...]


@dataclass(frozen=True, slots=True)
class AssessedService:
    """One supply of an account, measured and priced. `tariff_ids` are by version number."""

    service: Service
    slices: tuple[AssessedSlice, ...]
    lines: tuple[RatedLine, ...]
    tariff_ids: Mapping[int, TariffId]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an account is to be charged."""

    subject: Subject
    services: tuple[AssessedService, ...]

    @property
    def total_fen(self) -> int:
        """Return the sum of all lines."""
        return sum(line.amount_fen for service in self.services for line in service.lines)


@dataclass(slots=True)
class _Plans:
    """The slices of each tariff and span of dates met so far: most accounts share one."""

    versions: Mapping[str, Sequence[Tariff]]
    _known: dict[tuple[str, ServicePeriod], list[PlannedSlice] | str] = field(default_factory=dict)

    def of(self, service: Service) -> list[PlannedSlice] | str:
        """Return a service's slices, or why there are none."""
        key = service.tariff_code, service.dates
        if key not in self._known:
            try:
                self._known[key] = plan(self.versions[service.tariff_code], service.dates)
            except Invalid as error:
                self._known[key] = f"{service.tariff_code}: {error}"
        return self._known[key]


@dataclass(slots=True)
class _Dials:
    """Which reading bills a meter at the start of a day.

    The one an adjoining bill used; else one a person read or had estimated for that moment; else the
    nearest of the wire. `as_of_ms` None: the period has ended. Otherwise days that have not begun by
    then are billed by the newest reading.
    """

    zone: ZoneInfo
    as_of_ms: int | None
    billed: dict[date, dict[tuple[ServicePointId, InstallationId], DialReading]] = field(default_factory=dict)
    manual: dict[date, dict[InstallationId, DialReading]] = field(default_factory=dict)
    nearest: dict[int, dict[SeriesId, Boundary]] = field(default_factory=dict)
    newest: dict[SeriesId, DialReading] = field(default_factory=dict)

    def has_begun(self, on: date) -> bool:
        """Tell whether a day had begun at the moment of assessment."""
        return self.as_of_ms is None or midnight_ms(on, self.zone) <= self.as_of_ms

    def at(self, installation: Installation, on: date) -> Boundary:
        """Return the reading that bills an installation at the start of a day, or why none does."""
        key = installation.service_point_id, installation.installation_id
        met = self.billed.get(on, {}).get(key)
        if met is not None:
            return met
        by_hand = self.manual.get(on, {}).get(installation.installation_id)
        if by_hand is not None:
            return by_hand
        if installation.series_id is None:
            return (ProblemKind.MISSING_READING, "the meter is read by hand and nobody entered a reading")
        if not self.has_begun(on):
            newest = self.newest.get(installation.series_id)
            return newest or (ProblemKind.MISSING_READING, "no reading yet")
        return self.nearest[midnight_ms(on, self.zone)][installation.series_id]


def assess(
    tx: Tx,
    subjects: Sequence[Subject],
    zone: ZoneInfo,
    as_of_ms: int | None = None,
    pending: Mapping[ServicePointId, Sequence[usage.HistoryRow]] = MappingProxyType({}),
    except_invoices: Collection[InvoiceId] = (),
) -> list[Assessment | list[UsageProblem]]:
    """Return, for each subject in order, its assessment or everything that stands in its way.

    With `as_of_ms` the charge so far: usage up to each meter's newest reading, fixed charges whole.
    `pending` is usage of earlier periods that ladders count although it is not billed yet;
    `except_invoices` are being taken back and do not bind the dials at their ends.
    """
    services = [service for subject in subjects for service in subject.services]
    stored = tariffs.active_versions(tx, {service.tariff_code for service in services})
    plans = _Plans({code: [one.tariff for one in found] for code, found in stored.items()})
    ids = {
        code: {one.version.tariff.version: one.tariff_id for one in found} for code, found in stored.items()
    }
    dials = _read_dials(tx, services, plans, _Dials(zone, as_of_ms), except_invoices)
    history = _read_history(tx, services, plans)
    outcomes: list[Assessment | list[UsageProblem]] = []
    for subject in subjects:
        done: list[AssessedService] = []
        problems: list[UsageProblem] = []
        for service in subject.services:
            point = service.service_point_id
            billed = [*history.get(point, ()), *pending.get(point, ())]
            outcome = _assess_service(subject, service, plans.of(service), dials, billed)
            if isinstance(outcome, list):
                problems += outcome
            else:
                slices, lines = outcome
                done.append(AssessedService(service, slices, lines, ids[service.tariff_code]))
        outcomes.append(problems or Assessment(subject, tuple(done)))
    return outcomes


def _assess_service(
    subject: Subject,
    service: Service,
    planned: list[PlannedSlice] | str,
    dials: _Dials,
    billed: Sequence[usage.HistoryRow],
) -> tuple[tuple[AssessedSlice, ...], tuple[RatedLine, ...]] | list[UsageProblem]:
    start_ms = midnight_ms(service.dates.start_on, dials.zone)
    if isinstance(planned, str):
        return [UsageProblem(ProblemKind.NO_TARIFF, _serial(service), start_ms, planned)]
    slices = _measure_slices(service, planned, dials)
    if not slices or isinstance(slices[0], UsageProblem):
        return [problem for problem in slices if isinstance(problem, UsageProblem)]
    parts = tuple(part for part in slices if isinstance(part, AssessedSlice))
    customer = Customer(subject.account.household_size, subject.area_m2, holder_since=service.holder_since)
    past = [
        PastUsage(row.dates, row.quantity, row.account_id == subject.account.account_id) for row in billed
    ]
    try:
        lines = rate([part.planned for part in parts], [part.used for part in parts], customer, past)
    except Invalid as error:
        return [UsageProblem(ProblemKind.NOT_RATED, _serial(service), start_ms, str(error))]
    return parts, tuple(lines)


def _measure_slices(
    service: Service, planned: Sequence[PlannedSlice], dials: _Dials
) -> Sequence[AssessedSlice | UsageProblem]:
    """Measure a service slice by slice where there are readings at the cuts, else as a whole by days."""
    whole = _measure(service, service.dates, dials)
    if isinstance(whole, list):
        return whole
    if len(planned) == 1:
        return [AssessedSlice(planned[0], SliceUsage(whole.quantity), whole.segments)]
    if all(part.tariff.change_split is ChangeSplit.READING for part in planned):
        measured = [_measure(service, part.dates, dials) for part in planned]
        if not any(isinstance(part, list) for part in measured):
            return [
                AssessedSlice(part, SliceUsage(found.quantity, SliceMethod.READING), found.segments)
                for part, found in zip(planned, measured, strict=True)
                if isinstance(found, Usage)
            ]
    begun = [_begun_part(part.dates, dials) for part in planned]
    spans = [part for part in begun if part is not None]
    shares = share_by_days(whole.quantity, spans)
    shares += [SliceUsage(Decimal(0), SliceMethod.DAYS)] * (len(planned) - len(spans))
    return [AssessedSlice(part, share, whole.segments) for part, share in zip(planned, shares, strict=True)]


def _begun_part(dates: ServicePeriod, dials: _Dials) -> ServicePeriod | None:
    """Return the days of a slice that had begun at the moment of assessment."""
    if dials.as_of_ms is None:
        return dates
    today = local_date(dials.as_of_ms, dials.zone)
    return dates.meet(None, today + timedelta(days=1))


def _measure(service: Service, dates: ServicePeriod, dials: _Dials) -> Usage | list[UsageProblem]:
    if not dials.has_begun(dates.start_on):
        return Usage(Decimal(0), ())
    start_ms, end_ms = dates.bounds_ms(dials.zone)
    days = {start_ms: dates.start_on, end_ms: dates.end_on}

    def reading_at(installation: Installation, at_ms: int) -> Boundary:
        found = dials.at(installation, days[at_ms])
        is_open = at_ms == end_ms and not dials.has_begun(dates.end_on)
        if is_open and (not isinstance(found, DialReading) or found.measured_at_ms < start_ms):
            # Nothing was read since the period began: so far nothing was used.
            begun_here = installation.from_at_ms >= start_ms
            opening = DialReading(installation.opening_value_micro, installation.from_at_ms, "opening")
            return opening if begun_here else dials.at(installation, dates.start_on)
        return found

    return measure(service.installations, start_ms, end_ms, reading_at)


def _read_dials(
    tx: Tx, services: Iterable[Service], plans: _Plans, dials: _Dials, except_invoices: Collection[InvoiceId]
) -> _Dials:
    """Read every dial any service will ask for, a few statements an instant."""
    asked: dict[date, list[Installation]] = {}
    for service in services:
        planned = plans.of(service)
        if isinstance(planned, str):
            continue
        for on in {service.dates.start_on, *(part.dates.end_on for part in planned)}:
            asked.setdefault(on, []).extend(service.installations)
    still_open: set[SeriesId] = set()
    for on, installations in asked.items():
        points = sorted({one.service_point_id for one in installations})
        billed = dials.billed[on] = usage.billed_dials(tx, points, on, except_invoices)
        unbilled = [one for one in installations if (one.service_point_id, one.installation_id) not in billed]
        at_ms = midnight_ms(on, dials.zone)
        dials.manual[on] = manual_readings.readings_at(tx, [one.installation_id for one in unbilled], at_ms)
        series = {one.series_id for one in unbilled if one.series_id is not None}
        if dials.has_begun(on):
            dials.nearest[at_ms] = boundaries.readings_nearest(tx, series, at_ms)
        else:
            still_open |= series
    if dials.as_of_ms is not None and still_open:
        first_ms = midnight_ms(min(asked), dials.zone)
        dials.newest = boundaries.latest_readings(tx, still_open, first_ms, dials.as_of_ms)
    return dials


def _read_history(
    tx: Tx, services: Iterable[Service], plans: _Plans
) -> dict[ServicePointId, list[usage.HistoryRow]]:
    """Read what was billed since the ladder years of these services began."""
    points: set[ServicePointId] = set()
    since: list[date] = []
    until: list[date] = []
    for service in services:
        planned = plans.of(service)
        first = None if isinstance(planned, str) else history_since(planned)
        if first is not None:
            points.add(service.service_point_id)
            since.append(first)
            until.append(service.dates.start_on)
    if not points:
        return {}
    return usage.history_of(tx, sorted(points), min(since), max(until))


def _serial(service: Service) -> str:
    return service.installations[-1].meter.serial if service.installations else service.service_point_code
