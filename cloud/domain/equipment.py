"""Equipment: what the property must keep in working order, whether or not it speaks to us."""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import BuildingId, DeviceId, EquipmentId, SiteId, SpaceId
from cloud.domain.maintenance import Completion, MaintenanceClock
from cloud.domain.series import PointValue
from cloud.domain.work_order import WorkOrder


class EquipmentKind(Enum):
    """What a piece of equipment is."""

    ACCESS_CONTROL = "access_control"
    FIRE_PANEL = "fire_panel"
    LIFT = "lift"
    METER = "meter"
    OTHER = "other"
    PUMP = "pump"
    SENSOR = "sensor"


@dataclass(frozen=True, slots=True)
class Equipment:
    """One piece of equipment; `device_id` is set where it is connected and its points can be shown."""

    equipment_id: EquipmentId
    site_id: SiteId
    building_id: BuildingId | None
    space_id: SpaceId | None
    device_id: DeviceId | None
    code: str
    kind: EquipmentKind
    name: str
    brand: str
    model: str
    serial_number: str


@dataclass(frozen=True, slots=True)
class EquipmentStatus:
    """One piece of equipment today: where each of its plans stands, and how many alarms it has open."""

    equipment: Equipment
    clocks: tuple[MaintenanceClock, ...]
    alarms_open: int


@dataclass(frozen=True, slots=True)
class EquipmentDetail:
    """One piece of equipment's page: its status, what its device says now, and what was and is to be done."""

    status: EquipmentStatus
    values: tuple[PointValue, ...]
    completions: tuple[Completion, ...]
    work_orders: tuple[WorkOrder, ...]
