"""Assessing accounts: usage from readings, and the charges it leads to, without issuing anything.

The bill and the running charge are one computation: the running charge is the bill of a period that
has not ended, with each meter's newest reading standing for the one at the end. So when time stops
they are equal. The invariant: an account is assessed whole or not at all; what is missing or doubtful
comes back as problems that name the meter.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cloud.domain.errors import Invalid
from cloud.domain.holidays import parse_holidays
from cloud.domain.ids import InvoiceId, ServicePointId, TariffId
from cloud.domain.meter import Installation
from cloud.domain.periods import ServicePeriod, midnight_ms
from cloud.domain.rating import (
    Customer,
    PlannedSlice,
    RatedLine,
    asks_periods,
    calendar_of,
    history_since,
    plan,
    rate,
)
from cloud.domain.tariff import PastUsage
from cloud.domain.tariff_document import Tariff
from cloud.domain.usage import ProblemKind, UsageProblem
from cloud.services.dials import Dials, read_dials
from cloud.services.measuring import MeasuredSlice, SpecialDays, measure_slices
from cloud.store import special_days, tariffs, usage
from cloud.store.db import Tx
from cloud.store.subjects import Service, Subject
from cloud.tariffs import shipped_holidays


@dataclass(frozen=True, slots=True)
class AssessedService:
    """One supply of an account, measured and priced. `tariff_ids` are by version number."""

    service: Service
    slices: tuple[MeasuredSlice, ...]
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


@dataclass(frozen=True, slots=True)
class _Context:
    """What all accounts of an assessment share: dials, and days that are not like others."""

    dials: Dials
    special: SpecialDays


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
    context = _Context(
        _read_dials(tx, services, plans, zone, as_of_ms, except_invoices),
        _special_days(tx, subjects, services, plans),
    )
    history = _read_history(tx, services, plans)
    outcomes: list[Assessment | list[UsageProblem]] = []
    for subject in subjects:
        done: list[AssessedService] = []
        problems: list[UsageProblem] = []
        for service in subject.services:
            point = service.service_point_id
            billed = [] if point is None else [*history.get(point, ()), *pending.get(point, ())]
            outcome = _assess_service(subject, service, plans.of(service), context, billed)
            if isinstance(outcome, list):
                problems += outcome
            else:
                slices, lines = outcome
                done.append(AssessedService(service, tuple(slices), lines, ids[service.tariff_code]))
        outcomes.append(problems or Assessment(subject, tuple(done)))
    return outcomes


def _assess_service(
    subject: Subject,
    service: Service,
    planned: list[PlannedSlice] | str,
    context: _Context,
    billed: Sequence[usage.HistoryRow],
) -> tuple[list[MeasuredSlice], tuple[RatedLine, ...]] | list[UsageProblem]:
    start_ms = midnight_ms(service.dates.start_on, context.dials.zone)
    if isinstance(planned, str):
        return [UsageProblem(ProblemKind.NO_TARIFF, _serial(service), start_ms, planned)]
    measured = measure_slices(service, planned, context.dials, context.special)
    parts = [part for part in measured if isinstance(part, MeasuredSlice)]
    if not parts:
        return [problem for problem in measured if isinstance(problem, UsageProblem)]
    customer = Customer(
        subject.account.household_size,
        service.area_m2 if service.area_m2 is not None else subject.area_m2,
        service.count,
        service.holder_since,
        subject.account.number,
    )
    past = [
        PastUsage(row.dates, row.quantity, row.account_id == subject.account.account_id) for row in billed
    ]
    try:
        lines = rate([part.planned for part in parts], [part.used for part in parts], customer, past)
    except Invalid as error:
        return [UsageProblem(ProblemKind.NOT_RATED, _serial(service), start_ms, str(error))]
    return parts, tuple(lines)


def _read_dials(
    tx: Tx,
    services: Iterable[Service],
    plans: _Plans,
    zone: ZoneInfo,
    as_of_ms: int | None,
    except_invoices: Collection[InvoiceId],
) -> Dials:
    """Read every dial any service will ask for."""
    asked: dict[date, list[Installation]] = {}
    by_interval: list[Installation] = []
    for service in services:
        planned = plans.of(service)
        if isinstance(planned, str) or service.service_point_id is None:
            continue
        tracks = list(service.installations)
        if any(asks_periods(part.tariff) for part in planned):
            tracks += [track for found in service.registers.values() for track in found]
            by_interval += () if service.registers else service.installations
        for on in {service.dates.start_on, *(part.dates.end_on for part in planned)}:
            asked.setdefault(on, []).extend(tracks)
    return read_dials(tx, zone, as_of_ms, asked, by_interval, except_invoices)


def _special_days(
    tx: Tx, subjects: Sequence[Subject], services: Iterable[Service], plans: _Plans
) -> SpecialDays:
    """Read what is known of special days, where some tariff asks for them."""
    regions = {
        part.tariff.region
        for service in services
        for part in _planned(plans.of(service))
        if (calendar := calendar_of(part.tariff)) and any(slots.days for slots in calendar.periods)
    }
    if not regions or not subjects:
        return SpecialDays(None, {})
    body = shipped_holidays(min(regions))
    told = special_days.told_at(tx, subjects[0].account.site_id)
    return SpecialDays(None if body is None else parse_holidays(body), told)


def _planned(found: list[PlannedSlice] | str) -> Sequence[PlannedSlice]:
    return () if isinstance(found, str) else found


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
        if first is not None and service.service_point_id is not None:
            points.add(service.service_point_id)
            since.append(first)
            until.append(service.dates.start_on)
    if not points:
        return {}
    return usage.history_of(tx, sorted(points), min(since), max(until))


def _serial(service: Service) -> str:
    return service.installations[-1].meter.serial if service.installations else service.service_point_code
