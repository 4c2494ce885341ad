"""The compliance clock: when equipment must next be looked after, derived and never stored.

The invariant: the next date follows from the last completion (or the plan's start), what the equipment
itself has said since, and today, so that an outage of ours, however long, can neither skip a date nor
hide that one has passed. Every plan has its days: a sensor that falls silent postpones nothing.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from cloud.domain.checklist import Cycle, is_within
from cloud.domain.errors import Invalid
from cloud.domain.ids import EquipmentId, PlanId, SeriesId, WorkOrderId

INTERVAL_DAYS_MAX = 3_660
LEAD_DAYS_MAX = 366
PLAN_TEXT_LENGTH_MAX = 200


class ClockState(Enum):
    """How urgent a plan is today."""

    OK = "ok"
    DUE_SOON = "due_soon"  # within the plan's lead time
    DUE_TODAY = "due_today"
    OVERDUE = "overdue"


class TriggerKind(Enum):
    """What a point of the equipment says that makes its service due before the days are over."""

    ABOVE = "above"  # it was at the limit or above: vibration, temperature
    BELOW = "below"  # it was at the limit or below: pressure, a battery
    USAGE = "usage"  # its running total has grown by the limit: hours, trips


@dataclass(frozen=True, slots=True)
class Trigger:
    """A point and its limit, in millionths of the point's unit; counted from the last signature."""

    kind: TriggerKind
    series_id: SeriesId
    limit_micro: int

    def __post_init__(self) -> None:
        if self.kind is TriggerKind.USAGE and self.limit_micro <= 0:
            raise Invalid("the limit of a running total must be above 0")

    def is_reached(self, value_micro: int) -> bool:
        """Tell whether a value (what a total has grown by) is at or beyond the limit."""
        if self.kind is TriggerKind.BELOW:
            return value_micro <= self.limit_micro
        return value_micro >= self.limit_micro


@dataclass(frozen=True, slots=True)
class Watched:
    """What a plan's point has said since the last signature.

    `value_micro` is what a total has grown by, else what is measured now; None where nothing was heard.
    `reached_on` is the day the limit was reached, `expected_on` when a total is going to reach it.
    """

    value_micro: int | None
    heard_at_ms: int | None
    reached_on: date | None
    expected_on: date | None

    @property
    def due_on(self) -> date | None:
        """Return the day the service is due for what was heard, if it is."""
        return self.reached_on or self.expected_on


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """Look after this equipment at least every `interval_days` (lifts: 15, TSG T5002-2017 §6).

    `lead_days` before the day a work order is made. Dates are the site's local dates. With a `trigger`
    it is due earlier if the equipment says so.
    """

    plan_id: PlanId
    equipment_id: EquipmentId
    code: str
    title: str
    basis: str
    interval_days: int
    lead_days: int
    starts_on: date
    ends_on: date | None
    checklist_code: str = ""
    cycle: Cycle = Cycle.NONE
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        for name, text in (("code", self.code), ("title", self.title)):
            if not 1 <= len(text.strip()) <= PLAN_TEXT_LENGTH_MAX:
                said = f"the plan's {name} has {len(text.strip())} characters"
                raise Invalid(f"{said}, expected 1 to {PLAN_TEXT_LENGTH_MAX}")
        if not 1 <= self.interval_days <= INTERVAL_DAYS_MAX:
            raise Invalid(
                f"the plan is due every {self.interval_days} days, expected 1 to {INTERVAL_DAYS_MAX}"
            )
        if not 0 <= self.lead_days <= LEAD_DAYS_MAX:
            raise Invalid(f"orders are made {self.lead_days} days before, expected 0 to {LEAD_DAYS_MAX}")
        if self.ends_on is not None and self.ends_on < self.starts_on:
            raise Invalid(f"the plan ends on {self.ends_on}, before it starts on {self.starts_on}")
        if bool(self.checklist_code) is (self.cycle is Cycle.NONE):
            raise Invalid("an item list goes with a cycle: choose both or neither")

    def does_too(self, other: "MaintenancePlan") -> bool:
        """Tell whether a visit of this plan does another's work: same equipment and list, a shorter cycle."""
        return (
            bool(self.checklist_code)
            and (self.equipment_id, self.checklist_code) == (other.equipment_id, other.checklist_code)
            and is_within(other.cycle, self.cycle)
        )


@dataclass(frozen=True, slots=True)
class MaintenanceClock:
    """A plan on a given day: `day_number` of `interval_days` have passed since the last signature.

    `is_by_trigger`: it is due for what the equipment said, before its days are over.
    """

    plan: MaintenancePlan
    last_completed_on: date | None
    due_on: date
    day_number: int
    days_left: int
    state: ClockState
    watched: Watched | None = None
    is_by_trigger: bool = False


def clock_on(
    plan: MaintenancePlan, last_completed_on: date | None, today: date, watched: Watched | None = None
) -> MaintenanceClock:
    """Return where the plan stands on `today`; due `interval_days` after the last completion.

    Never completed, it is first due on `starts_on`; earlier if what was `watched` says so.
    """
    if last_completed_on is None:
        due_on = plan.starts_on
    else:
        due_on = last_completed_on + timedelta(days=plan.interval_days)
    day_number = plan.interval_days - (due_on - today).days
    earlier_on = None if watched is None else watched.due_on
    is_by_trigger = earlier_on is not None and earlier_on < due_on
    if earlier_on is not None and is_by_trigger:
        due_on = earlier_on
    days_left = (due_on - today).days
    if days_left < 0:
        state = ClockState.OVERDUE
    elif days_left == 0:
        state = ClockState.DUE_TODAY
    else:
        state = ClockState.DUE_SOON if days_left <= plan.lead_days else ClockState.OK
    return MaintenanceClock(
        plan, last_completed_on, due_on, day_number, days_left, state, watched, is_by_trigger
    )


def expected_day(used_micro: int, limit_micro: int, since: date, today: date) -> date | None:
    """Return the day a total reaches its limit if it goes on growing as it did; None if nobody can say."""
    days = (today - since).days
    if days < 1 or used_micro <= 0:
        return None
    ahead = -(-(limit_micro - used_micro) * days // used_micro)
    return today + timedelta(days=ahead) if ahead <= INTERVAL_DAYS_MAX else None


@dataclass(frozen=True, slots=True)
class Completion:
    """That a plan's work was done and signed; the clock starts again from the signature's day."""

    plan_id: PlanId
    completed_at_ms: int
    signed_by: str
    note: str
    work_order_id: WorkOrderId | None = None
