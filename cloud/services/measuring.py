"""Measuring a service: what was used in each slice, and, where a tariff asks, at what time of day.

The invariant: slices add up to what the meters measured over the whole period. Time of use comes from
the meter's own rate registers where it has them, else from its readings between the boundaries; where
an interval straddles a bound it is divided by time and the line says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.holidays import Holidays, day_types
from cloud.domain.meter import Installation
from cloud.domain.periods import ServicePeriod, local_date
from cloud.domain.rating import PlannedSlice, SliceMethod, SliceUsage, asks_order, asks_periods, calendar_of
from cloud.domain.tariff_document import ChangeSplit
from cloud.domain.usage import (
    ProblemKind,
    Usage,
    UsageProblem,
    UsageSegment,
    measure,
)
from cloud.services.dials import Dials
from cloud.services.time_split import TimeSplitter
from cloud.store.boundaries import Boundary
from cloud.store.subjects import Service


@dataclass(frozen=True, slots=True)
class MeasuredSlice:
    """A slice with its usage and the segments that follow from: of itself, or of the whole by days."""

    planned: PlannedSlice
    used: SliceUsage
    segments: tuple[UsageSegment, ...]


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """What is known of days that are not like others: published holidays, and what was told."""

    holidays: Holidays | None
    told: Mapping[date, str]


@dataclass(frozen=True, slots=True)
class _Measured:
    """Usage of some dates, by period of use where that was asked; `registers` are in that order."""

    quantity: Decimal
    segments: tuple[UsageSegment, ...]
    by_period: Mapping[str, Decimal]


def measure_slices(
    service: Service, planned: Sequence[PlannedSlice], dials: Dials, special: SpecialDays
) -> list[MeasuredSlice] | list[UsageProblem]:
    """Measure a service slice by slice where there are readings at the cuts, else as a whole by days.

    A service without a meter has a slice each with nothing used.
    """
    if service.service_point_id is None:
        return [MeasuredSlice(part, SliceUsage(Decimal(0)), ()) for part in planned]
    is_timed = any(asks_periods(part.tariff) for part in planned)
    by_register = is_timed and bool(service.registers)
    whole = _measure(service, service.dates, dials, by_register=by_register)
    if isinstance(whole, list):
        return whole
    if is_timed and not by_register:
        return _by_intervals(service, planned, whole, dials, special)
    if len(planned) == 1:
        return [_slice(planned[0], whole, SliceMethod.WHOLE)]
    if all(part.tariff.change_split is ChangeSplit.READING for part in planned):
        parts = [_measure(service, part.dates, dials, by_register=by_register) for part in planned]
        measured = [part for part in parts if isinstance(part, _Measured)]
        if len(measured) == len(planned):
            pairs = zip(planned, measured, strict=True)
            return [_slice(part, found, SliceMethod.READING) for part, found in pairs]
    return _by_days(planned, whole, dials)


def _slice(part: PlannedSlice, found: _Measured, method: SliceMethod) -> MeasuredSlice:
    split = "registers" if found.by_period else ""
    used = SliceUsage(found.quantity, method, found.by_period, (), split)
    return MeasuredSlice(part, used, found.segments)


def _by_days(planned: Sequence[PlannedSlice], whole: _Measured, dials: Dials) -> list[MeasuredSlice]:
    """Divide a whole by the days of each slice that had begun; the rest of them has nothing yet."""
    begun = [_begun_days(part.dates, dials) for part in planned]
    weights = [days for days in begun if days]
    count = len(weights)

    def shares(quantity: Decimal) -> list[Decimal]:
        return money.split_quantity(quantity, weights) + [Decimal(0)] * (len(planned) - count)

    by_period = {period: shares(quantity) for period, quantity in whole.by_period.items()}
    totals = shares(whole.quantity)
    slices = []
    for index, part in enumerate(planned):
        used = {period: parts[index] for period, parts in by_period.items()}
        quantity = money.add(list(used.values())) if used else totals[index]
        split = "registers" if used else ""
        slices.append(
            MeasuredSlice(part, SliceUsage(quantity, SliceMethod.DAYS, used, (), split), whole.segments)
        )
    return slices


def _begun_days(dates: ServicePeriod, dials: Dials) -> int:
    if dials.as_of_ms is None:
        return dates.days
    begun = dates.meet(None, local_date(dials.as_of_ms, dials.zone) + timedelta(days=1))
    return 0 if begun is None else begun.days


def _measure(
    service: Service, dates: ServicePeriod, dials: Dials, *, by_register: bool
) -> _Measured | list[UsageProblem]:
    if not dials.has_begun(dates.start_on):
        return _Measured(Decimal(0), (), {register: Decimal(0) for register in service.registers})
    start_ms, end_ms = dates.bounds_ms(dials.zone)

    def reading_at(installation: Installation, at_ms: int) -> Boundary:
        return dials.so_far(installation, dates, at_ms)

    if not by_register:
        outcome = measure(service.installations, start_ms, end_ms, reading_at)
        return _Measured(outcome.quantity, outcome.segments, {}) if isinstance(outcome, Usage) else outcome
    by_period: dict[str, Decimal] = {}
    segments: list[UsageSegment] = []
    problems: list[UsageProblem] = []
    for register, tracks in service.registers.items():
        outcome = measure(tracks, start_ms, end_ms, reading_at)
        if isinstance(outcome, Usage):
            by_period[register] = outcome.quantity
            segments += outcome.segments
        else:
            problems += outcome
    if problems:
        return problems
    return _Measured(money.add(list(by_period.values())), tuple(segments), by_period)


def _by_intervals(
    service: Service, planned: Sequence[PlannedSlice], whole: _Measured, dials: Dials, special: SpecialDays
) -> list[MeasuredSlice] | list[UsageProblem]:
    """Divide what was measured between readings by the tariff's calendar."""
    slices = []
    for part in planned:
        own = whole
        if len(planned) > 1:
            measured = _measure(service, part.dates, dials, by_register=False)
            if isinstance(measured, list):
                return measured
            own = measured
        calendar = calendar_of(part.tariff)
        if calendar is None:
            return [_no_calendar(service, part, dials)]
        try:
            types = day_types(calendar, part.dates, special.holidays, special.told)
            in_order = asks_order(part.tariff)
            splitter = TimeSplitter(calendar, dials.zone, types, in_order=in_order)
            split = splitter.split(own.segments, service.installations, dials)
        except Invalid as error:
            at_ms = part.dates.bounds_ms(dials.zone)[0]
            return [UsageProblem(ProblemKind.NOT_RATED, service.service_point_code, at_ms, str(error))]
        method = SliceMethod.READING if len(planned) > 1 else SliceMethod.WHOLE
        how = "linear" if split.is_linear else "intervals"
        quantity = money.add(list(split.by_period.values()))
        used = SliceUsage(quantity, method, split.by_period, split.sequence, how)
        slices.append(MeasuredSlice(part, used, own.segments))
    return slices


def _no_calendar(service: Service, part: PlannedSlice, dials: Dials) -> UsageProblem:
    detail = (
        f"tariff {part.tariff.code} prices by the meter's rate registers, and the meter has none; "
        "add its registers or a calendar to the tariff"
    )
    at_ms = part.dates.bounds_ms(dials.zone)[0]
    return UsageProblem(ProblemKind.NOT_RATED, service.service_point_code, at_ms, detail)
