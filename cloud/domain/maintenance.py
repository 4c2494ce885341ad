"""The compliance clock: when equipment must next be looked after, derived and never stored.

The invariant: the next date follows from the last completion (or the plan's start) and today alone, so
that an outage of ours, however long, can neither skip a date nor hide that one has passed.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from cloud.domain.checklist import Cycle, is_within
from cloud.domain.ids import EquipmentId, PlanId, WorkOrderId


class ClockState(Enum):
    """How urgent a plan is today."""

    OK = "ok"
    DUE_SOON = "due_soon"  # within the plan's lead time
    DUE_TODAY = "due_today"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """Look after this equipment at least every `interval_days` (lifts: 15, TSG T5002-2017 §6).

    `lead_days` before the day a work order is made. Dates are the site's local dates.
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

    def does_too(self, other: "MaintenancePlan") -> bool:
        """Tell whether a visit of this plan does another's work: same equipment and list, a shorter cycle."""
        return (
            bool(self.checklist_code)
            and (self.equipment_id, self.checklist_code) == (other.equipment_id, other.checklist_code)
            and is_within(other.cycle, self.cycle)
        )


@dataclass(frozen=True, slots=True)
class MaintenanceClock:
    """A plan on a given day: `day_number` of `interval_days` have passed since the last signature."""

    plan: MaintenancePlan
    last_completed_on: date | None
    due_on: date
    day_number: int
    days_left: int
    state: ClockState


def clock_on(plan: MaintenancePlan, last_completed_on: date | None, today: date) -> MaintenanceClock:
    """Return where the plan stands on `today`; due `interval_days` after the last completion.

    Never completed, it is first due on `starts_on`.
    """
    if last_completed_on is None:
        due_on = plan.starts_on
    else:
        due_on = last_completed_on + timedelta(days=plan.interval_days)
    days_left = (due_on - today).days
    if days_left < 0:
        state = ClockState.OVERDUE
    elif days_left == 0:
        state = ClockState.DUE_TODAY
    else:
        state = ClockState.DUE_SOON if days_left <= plan.lead_days else ClockState.OK
    return MaintenanceClock(plan, last_completed_on, due_on, plan.interval_days - days_left, days_left, state)


@dataclass(frozen=True, slots=True)
class Completion:
    """That a plan's work was done and signed; the clock starts again from the signature's day."""

    plan_id: PlanId
    completed_at_ms: int
    signed_by: str
    note: str
    work_order_id: WorkOrderId | None = None
