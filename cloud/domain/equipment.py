"""Equipment: what the property must keep in working order, whether or not it speaks to us."""

from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from cloud.domain.attachment import AttachmentRecord
from cloud.domain.errors import Invalid
from cloud.domain.ids import BuildingId, DeviceId, EquipmentId, SiteId, SpaceId
from cloud.domain.maintenance import Completion, MaintenanceClock
from cloud.domain.series import PointValue
from cloud.domain.work_order import WorkOrder

CODE_LENGTH_MAX = 64
TEXT_LENGTH_MAX = 200
# A transformer station of a large community costs some millions.
PRICE_FEN_MAX = 10_000_000_000


class EquipmentKind(Enum):
    """What a piece of equipment is."""

    ACCESS_CONTROL = "access_control"
    CAMERA = "camera"
    ESCALATOR = "escalator"
    FIRE_PANEL = "fire_panel"
    GENERATOR = "generator"
    LIFT = "lift"
    METER = "meter"
    OTHER = "other"
    POWER_SUPPLY = "power_supply"
    PUMP = "pump"
    SENSOR = "sensor"
    VEHICLE_GATE = "vehicle_gate"
    VENTILATION = "ventilation"


@dataclass(frozen=True, slots=True)
class Purchase:
    """How a piece of equipment came, and the last day its supplier answers for it; empty: nobody knows."""

    purchased_on: date | None = None
    price_fen: int | None = None
    supplier: str = ""
    warranty_until_on: date | None = None

    def __post_init__(self) -> None:
        if self.price_fen is not None and not 0 <= self.price_fen <= PRICE_FEN_MAX:
            raise Invalid(f"the price is {self.price_fen} fen, expected 0 to {PRICE_FEN_MAX}")
        if len(self.supplier) > TEXT_LENGTH_MAX:
            raise Invalid(
                f"the supplier has {len(self.supplier)} characters, expected 0 to {TEXT_LENGTH_MAX}"
            )
        if self.purchased_on and self.warranty_until_on and self.warranty_until_on < self.purchased_on:
            raise Invalid(
                f"the warranty ends on {self.warranty_until_on}, before the purchase on {self.purchased_on}"
            )


@dataclass(frozen=True, slots=True)
class Equipment:
    """One piece of equipment; `device_id` is set where it is connected and its points can be shown.

    `place` says in words where it stands, beyond building and space. From `retired_on` it is no more.
    """

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
    place: str = ""
    purchase: Purchase = field(default_factory=Purchase)
    retired_on: date | None = None

    def __post_init__(self) -> None:
        texts = {"code": (self.code, 1, CODE_LENGTH_MAX), "name": (self.name, 1, TEXT_LENGTH_MAX)}
        for name in ("brand", "model", "serial_number", "place"):
            texts[name] = (getattr(self, name), 0, TEXT_LENGTH_MAX)
        for name, (text, least, most) in texts.items():
            if not least <= len(text.strip()) <= most:
                said = f"the {name.replace('_', ' ')} has {len(text.strip())} characters"
                raise Invalid(f"{said}, expected {least} to {most}")

    def is_under_warranty(self, today: date) -> bool:
        """Tell whether its supplier still answers for it."""
        until_on = self.purchase.warranty_until_on
        return until_on is not None and today <= until_on


@dataclass(frozen=True, slots=True)
class EquipmentStatus:
    """One piece of equipment today: where each of its plans stands, and how many alarms it has open."""

    equipment: Equipment
    clocks: tuple[MaintenanceClock, ...]
    alarms_open: int


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """What somebody changed in the register: by field, what stood there and what stands there since."""

    at_ms: int
    user_name: str
    action: str
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class EquipmentDetail:
    """One piece of equipment's page: its status, what its device says now, and what was and is to be done."""

    status: EquipmentStatus
    values: tuple[PointValue, ...]
    completions: tuple[Completion, ...]
    work_orders: tuple[WorkOrder, ...]
    attachments: tuple[AttachmentRecord, ...]
    changes: tuple[RegisterChange, ...]
