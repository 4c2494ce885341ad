"""Rating: from usage and the tariff versions in force to priced lines.

A service period is cut into slices wherever anything about the price changes: a new version, a
season, a ladder year. The invariant: slices add up to the usage, lines are rounded once each by the
tariff's policy, and the total is the sum of the lines, with one more line where a policy rounds the
total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.ladder import Cycle, Ladder
from cloud.domain.money import Scope
from cloud.domain.periods import ServicePeriod, year_start
from cloud.domain.tariff import (
    NO_PERIODS,
    Basis,
    Charge,
    ChargeRule,
    LadderPosition,
    PastUsage,
    PricedLine,
)
from cloud.domain.tariff_document import Tariff, version_in_force
from cloud.domain.tariffs.flat import Flat
from cloud.domain.tariffs.formula import Formula
from cloud.domain.tariffs.matrix import Matrix, SplitRule
from cloud.domain.tariffs.tiered import Tiered
from cloud.domain.tariffs.time_of_use import TimeOfUse
from cloud.domain.time_of_use import Calendar

# The component of the line that makes the lines add up where a tariff rounds the total.
ROUNDING_COMPONENT = "rounding"


class SliceMethod(Enum):
    """How the quantity of a slice is known."""

    DAYS = "days"  # the days' share of the whole period's usage
    READING = "reading"  # measured between readings at both its ends
    WHOLE = "whole"  # it is the whole period


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """A part of a service period in which one version, season and ladder year is in force."""

    dates: ServicePeriod
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class SliceUsage:
    """What was used in a slice; `by_period`, `sequence` and `time_split` as in `Basis`."""

    quantity: Decimal
    method: SliceMethod = SliceMethod.WHOLE
    by_period: Mapping[str, Decimal] = field(default_factory=lambda: NO_PERIODS)
    sequence: tuple[tuple[str, Decimal], ...] = ()
    time_split: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """What a tariff may ask about who is charged; None where it is not known."""

    household_size: int | None = None
    area_m2: Decimal | None = None
    count: int = 1
    holder_since: date | None = None
    share_key: str = ""


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One line of a bill with everything it follows from except the readings.

    `charge_no` is the place of its rule in the tariff, None for the rounding of a total; `slice_no`
    counts from 0. `base` is what percent and limit rules saw.
    """

    tariff: Tariff
    charge_no: int | None
    slice_no: int
    basis: Basis
    position: LadderPosition | None
    charge: Charge
    amount_fen: int
    base: tuple[PricedLine, ...] = ()


def plan(versions: Sequence[Tariff], period: ServicePeriod) -> list[PlannedSlice]:
    """Return a service period cut where its price changes; Invalid where no version is in force."""
    planned = []
    at = period.start_on
    while at < period.end_on:
        tariff = version_in_force(versions, at)
        part = period.meet(at, tariff.valid_to)
        assert part is not None, "a version in force on a day covers that day"
        breaks = [on for rule in tariff.charges for on in rule.breaks(part)]
        # A bill's tiers follow the season of the whole bill, so breaks are sought in the whole.
        planned += [PlannedSlice(cut, tariff) for cut in part.split_at(breaks)]
        at = part.end_on
    return planned


def asks_usage(tariff: Tariff) -> bool:
    """Tell whether a tariff prices what a meter measures."""
    return any(
        isinstance(rule, Flat | Matrix | Tiered | TimeOfUse)
        or (isinstance(rule, Formula) and rule.asks_quantity)
        for rule in tariff.charges
    )


def asks_periods(tariff: Tariff) -> bool:
    """Tell whether a tariff prices by the time of use."""
    return any(isinstance(rule, Matrix | TimeOfUse) for rule in tariff.charges)


def asks_order(tariff: Tariff) -> bool:
    """Tell whether a tariff asks in which order the energy of different periods was used."""
    return any(
        isinstance(rule, Matrix) and rule.split_rule is SplitRule.CHRONOLOGICAL for rule in tariff.charges
    )


def calendar_of(tariff: Tariff) -> Calendar | None:
    """Return a tariff's time-of-use calendar, None where only the meter knows it."""
    calendars = [rule.calendar for rule in tariff.charges if isinstance(rule, Matrix | TimeOfUse)]
    return next((calendar for calendar in calendars if calendar is not None), None)


def history_since(planned: Sequence[PlannedSlice]) -> date | None:
    """Return the first day whose billed usage a ladder of these slices may count; None if none does."""
    since: list[date] = []
    for part in planned:
        ladders = [getattr(rule, "ladder", None) for rule in part.tariff.charges]
        since += [
            year_start(ladder.year_start).year_of(part.dates.start_on).start_on
            for ladder in ladders
            if isinstance(ladder, Ladder) and ladder.cycle is Cycle.YEAR
        ]
    return min(since, default=None)


def share_by_days(usage: Decimal, slices: Sequence[ServicePeriod]) -> list[SliceUsage]:
    """Divide usage by days, to four decimals, the last slice taking the residue."""
    if len(slices) == 1:
        return [SliceUsage(usage)]
    quantities = money.split_quantity(usage, [part.days for part in slices])
    return [SliceUsage(quantity, SliceMethod.DAYS) for quantity in quantities]


def rate(
    slices: Sequence[PlannedSlice],
    used: Sequence[SliceUsage],
    customer: Customer = Customer(),
    history: Sequence[PastUsage] = (),
) -> list[RatedLine]:
    """Return the lines of one service, slice by slice in the order of the tariff's charges.

    `history` is what was billed at the service point before; slices earlier in this bill are added
    to it here. Invalid where a charge lacks what it needs (periods of use, floor area).
    """
    if not slices or len(slices) != len(used):
        raise Invalid(f"{len(slices)} slices are planned and {len(used)} have a quantity")
    whole = ServicePeriod(slices[0].dates.start_on, slices[-1].dates.end_on)
    lines: list[RatedLine] = []
    printed: list[PricedLine] = []
    earlier: list[PastUsage] = []
    for slice_no, (planned, usage) in enumerate(zip(slices, used, strict=True)):
        basis = Basis(
            planned.dates,
            whole,
            usage.quantity,
            planned.tariff.unit,
            planned.tariff.currency,
            usage.by_period,
            usage.sequence,
            tuple(earlier),
            customer.household_size,
            customer.area_m2,
            customer.count,
            customer.holder_since,
            usage.time_split,
            customer.share_key,
        )
        for charge_no, rule in enumerate(planned.tariff.charges):
            position = rule.place(basis, history)
            base = tuple(printed)
            for charge in rule.charge(basis, position, base):
                line = _line(planned.tariff, charge_no, slice_no, basis, position, charge, base)
                lines.append(line)
                printed.append(_printed(line))
        earlier.append(PastUsage(planned.dates, usage.quantity))
    return lines + _rounding_line(lines)


def recharge(
    tariff: Tariff,
    charge_no: int,
    basis: Basis,
    position: LadderPosition | None,
    base: Sequence[PricedLine],
) -> list[tuple[Charge, int]]:
    """Price one rule again from what a line recorded; returns the charges with their fen."""
    rule: ChargeRule = tariff.charges[charge_no]
    return [(charge, _fen(tariff, charge)) for charge in rule.charge(basis, position, base)]


def total_fen(lines: Sequence[RatedLine]) -> int:
    """Return the total: the sum of the lines."""
    return sum(line.amount_fen for line in lines)


def rounding_difference(tariff: Tariff, amounts: Sequence[money.Number], printed_fen: int) -> int:
    """Return what must be added to printed lines so that they add up to the total as rounded once."""
    exact = sum((Fraction(amount) for amount in amounts), Fraction(0))
    return money.round_fen(exact, tariff.currency, tariff.rounding) - printed_fen


def _line(
    tariff: Tariff,
    charge_no: int,
    slice_no: int,
    basis: Basis,
    position: LadderPosition | None,
    charge: Charge,
    base: tuple[PricedLine, ...],
) -> RatedLine:
    is_derived = charge.is_percent or charge.quantity is None
    return RatedLine(
        tariff,
        charge_no,
        slice_no,
        basis,
        position,
        charge,
        _fen(tariff, charge),
        base if is_derived else (),
    )


def _printed(line: RatedLine) -> PricedLine:
    return PricedLine(line.charge.component, line.amount_fen, line.charge.is_percent, line.charge.amount)


def _fen(tariff: Tariff, charge: Charge) -> int:
    policy = tariff.rounding if tariff.rounding.scope is Scope.LINE else money.HALF_UP
    return money.round_fen(charge.amount, tariff.currency, policy)


def _rounding_line(lines: Sequence[RatedLine]) -> list[RatedLine]:
    if not lines or lines[-1].tariff.rounding.scope is Scope.LINE:
        return []
    last = lines[-1]
    amounts = [line.charge.amount for line in lines]
    difference = rounding_difference(last.tariff, amounts, total_fen(lines))
    if not difference:
        return []
    amount = Fraction(difference, last.tariff.currency.fen_per_unit)
    charge = Charge(ROUNDING_COMPONENT, amount)
    base = tuple(_printed(line) for line in lines)
    return [RatedLine(last.tariff, None, last.slice_no, last.basis, None, charge, difference, base)]
