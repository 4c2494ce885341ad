"""Faults on demand: what is wrong with the building right now, and what was wrong before.

Three sorts: *wire* faults spoil replies while they last; *plant* faults are conditions of the building
itself (a fire, a leak, a stuck lift); *register* faults happen once and cannot be taken back, like the
exchange of a meter. The invariant: a fault never makes a device issue a value that is not its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from simulator.building import Device, Role


class FaultKind(Enum):
    """What can be wrong."""

    DEAD = "dead"  # does not answer at all
    BAD_CHECKSUM = "bad_checksum"
    LATE_REPLY = "late_reply"  # a whole reply, `delay_ms` after its time
    NOISE = "noise"  # junk before and after a whole reply
    TRUNCATED = "truncated"  # the last bytes are missing
    FOREIGN_REPLY = "foreign_reply"  # another device's reply instead
    ROLLOVER = "rollover"  # the running totals stand just below their modulus
    METER_EXCHANGED = "meter_exchanged"  # a new meter at the old address, counting from `start_value`
    LIFT_FAULT = "lift_fault"
    TRAPPED_PERSON = "trapped_person"
    FIRE_ALARM = "fire_alarm"  # in `zone`
    SYSTEM_FAULT = "system_fault"  # of the fire panel
    LEAK = "leak"  # wet, and water running day and night
    BROKER_OFFLINE = "broker_offline"


WIRE_FAULTS = frozenset(
    {
        FaultKind.DEAD,
        FaultKind.BAD_CHECKSUM,
        FaultKind.LATE_REPLY,
        FaultKind.NOISE,
        FaultKind.TRUNCATED,
        FaultKind.FOREIGN_REPLY,
    }
)
REGISTER_FAULTS = frozenset({FaultKind.ROLLOVER, FaultKind.METER_EXCHANGED})

_METERS = frozenset(
    {
        Role.FLAT_ELECTRICITY,
        Role.FLAT_WATER,
        Role.PUBLIC_ELECTRICITY,
        Role.PUMP_ELECTRICITY,
        Role.MASTER_ELECTRICITY,
        Role.MASTER_WATER,
        Role.CHARGER_ELECTRICITY,
        Role.GARAGE_ELECTRICITY,
        Role.SHOP_ELECTRICITY,
    }
)
_ON_RS485 = _METERS - {Role.MASTER_ELECTRICITY, Role.PUMP_ELECTRICITY} | {
    Role.HEAT_STATION,
    Role.RELAY_BOARD,
}
_WIRED = _METERS | {Role.LIFT, Role.FIRE_PANEL, Role.HEAT_STATION, Role.RELAY_BOARD}
_WIRELESS = frozenset({Role.LOCK, Role.LEAK_SENSOR, Role.PLUG, Role.SIREN, Role.WIRELESS_METER})
_CALLERS = frozenset({Role.ALARM_CALLER, Role.FIRE_CALLER})

ROLES_OF: dict[FaultKind, frozenset[Role]] = {
    FaultKind.BAD_CHECKSUM: _ON_RS485,  # TCP has its own
    FaultKind.BROKER_OFFLINE: _WIRELESS,
    FaultKind.DEAD: _WIRED | _WIRELESS | {Role.CAMERA},
    FaultKind.FIRE_ALARM: frozenset({Role.FIRE_PANEL}) | _CALLERS,
    FaultKind.FOREIGN_REPLY: _WIRED,
    FaultKind.LATE_REPLY: _WIRED,
    FaultKind.LEAK: frozenset({Role.LEAK_SENSOR, Role.FLAT_WATER}),
    FaultKind.LIFT_FAULT: frozenset({Role.LIFT}),
    FaultKind.METER_EXCHANGED: _METERS,
    FaultKind.NOISE: _ON_RS485,
    FaultKind.ROLLOVER: _METERS,
    FaultKind.SYSTEM_FAULT: frozenset({Role.FIRE_PANEL, Role.HEAT_STATION}) | _CALLERS,
    FaultKind.TRAPPED_PERSON: frozenset({Role.LIFT}),
    FaultKind.TRUNCATED: _WIRED,
}

# Longer than any reply deadline an edge would wait, short enough to meet its next request.
LATE_REPLY_MS = 2_500
DELAY_MS_MAX = 600_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device. `until_ms` is None while it lasts; `replies_left` None is no limit."""

    fault_id: int
    device_id: str
    kind: FaultKind
    since_ms: int
    until_ms: int | None = None
    delay_ms: int = LATE_REPLY_MS
    zone: int = 1
    start_value: int = 0
    replies_left: int | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether it still lasts."""
        return self.until_ms is None

    def lasts_at(self, at_ms: int) -> bool:
        """Tell whether it lasted at that instant."""
        return self.since_ms <= at_ms and (self.until_ms is None or at_ms < self.until_ms)

    def overlap_ms(self, at_ms: int) -> int:
        """Return for how long it had lasted by that instant."""
        end_ms = at_ms if self.until_ms is None else min(at_ms, self.until_ms)
        return max(0, end_ms - self.since_ms)


class FaultBook:
    """Every fault of this run, kept after it ends because water that ran has run."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._of_device: dict[str, tuple[Fault, ...]] = {}

    def add(self, device: Device, wanted: Fault) -> Fault:
        """Enter a fault under a new number; ValueError where the device cannot have it."""
        if device.role not in ROLES_OF[wanted.kind]:
            raise ValueError(
                f"{device.device_id} ({device.role.value}) cannot have the fault {wanted.kind.value!r}; "
                f"it can have: {', '.join(sorted(kind.value for kind in kinds_for(device)))}"
            )
        if not 0 <= wanted.delay_ms <= DELAY_MS_MAX:
            raise ValueError(f"delay_ms {wanted.delay_ms} is not between 0 and {DELAY_MS_MAX}")
        if not 1 <= wanted.zone <= 8:
            raise ValueError(f"zone {wanted.zone} is not between 1 and 8")
        if wanted.start_value < 0:
            raise ValueError(f"start_value {wanted.start_value} is negative")
        if wanted.replies_left is not None and wanted.replies_left < 1:
            raise ValueError(f"replies {wanted.replies_left} is not positive")
        fault = replace(wanted, fault_id=len(self._faults) + 1, device_id=device.device_id)
        self._keep(fault)
        return fault

    def end(self, fault_id: int, at_ms: int) -> Fault:
        """End a fault; KeyError where there is none, ValueError where it cannot be taken back."""
        fault = self._faults[fault_id]
        if fault.kind in REGISTER_FAULTS:
            raise ValueError(f"fault {fault_id}: a {fault.kind.value} has happened and cannot be taken back")
        if not fault.is_active:
            raise ValueError(f"fault {fault_id} has already ended")
        ended = replace(fault, until_ms=max(at_ms, fault.since_ms))
        self._keep(ended)
        return ended

    def all(self) -> list[Fault]:
        """Return every fault of this run, oldest first."""
        return list(self._faults.values())

    def of(self, device_id: str, *kinds: FaultKind) -> list[Fault]:
        """Return the faults of a device of these kinds, ended ones too, oldest first."""
        return [fault for fault in self._of_device.get(device_id, ()) if fault.kind in kinds]

    def active(self, device_id: str, *kinds: FaultKind) -> Fault | None:
        """Return the newest lasting fault of a device among these kinds."""
        lasting = [fault for fault in self.of(device_id, *kinds) if fault.is_active]
        return lasting[-1] if lasting else None

    def any_active(self, kind: FaultKind) -> bool:
        """Tell whether any device has this fault."""
        return any(fault.is_active and fault.kind is kind for fault in self._faults.values())

    def on_reply(self, device_id: str, at_ms: int) -> list[Fault]:
        """Return what spoils the reply a device is about to give, and count it against its limit."""
        spoiling = [fault for fault in self.of(device_id, *WIRE_FAULTS) if fault.is_active]
        for fault in spoiling:
            if fault.replies_left is not None:
                left = fault.replies_left - 1
                self._keep(replace(fault, replies_left=left, until_ms=None if left else at_ms))
        return spoiling

    def _keep(self, fault: Fault) -> None:
        self._faults[fault.fault_id] = fault
        device_id = fault.device_id
        self._of_device[device_id] = tuple(f for f in self._faults.values() if f.device_id == device_id)


def kinds_for(device: Device) -> Iterable[FaultKind]:
    """Return the kinds of fault this device can have."""
    return (kind for kind, roles in ROLES_OF.items() if device.role in roles)
