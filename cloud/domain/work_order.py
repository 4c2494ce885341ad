"""A work order: something a person is asked to do to a piece of equipment by a day."""

from dataclasses import dataclass
from datetime import date
from enum import Enum

from cloud.domain.ids import AlarmId, EquipmentId, PlanId, SiteId, WorkOrderId


class WorkOrderKind(Enum):
    """Why there is work."""

    MAINTENANCE = "maintenance"  # a plan's clock
    REPAIR = "repair"  # something is broken


class WorkOrderState(Enum):
    """How far it has come."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One work order; `due_on` is the site's local date. Overdue is a question of the day, never stored."""

    work_order_id: WorkOrderId
    site_id: SiteId
    number: str
    kind: WorkOrderKind
    equipment_id: EquipmentId
    equipment_name: str
    plan_id: PlanId | None
    alarm_id: AlarmId | None
    state: WorkOrderState
    title: str
    due_on: date
    created_at_ms: int
    completed_at_ms: int | None

    def is_overdue(self, today: date) -> bool:
        """Tell whether the day has passed with the work not done."""
        return self.state in (WorkOrderState.OPEN, WorkOrderState.IN_PROGRESS) and self.due_on < today
