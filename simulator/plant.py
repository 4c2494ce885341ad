"""The lift, the fire panel, the entrance lock and the leak sensor at an instant, in millionths by point.

A pure function of (seed, instant) and the fault book. The invariant: a lift out of order stands still;
its own time stops with it, so its trips and hours go on where they were when it is repaired.
"""

from hashlib import blake2b

from protocol.quantity import MICRO
from simulator.curves import HOUR_MS, RunningTotal, split_instant
from simulator.faults import FaultBook, FaultKind
from simulator.meters import ValuesMicro

TOP_FLOOR = 6
FIRE_ZONES = 8

LIFT_MODE_NORMAL, LIFT_MODE_FAULT = 0, 3
STOPPED, UP, DOWN = 0, 1, 2
DOOR_CLOSED, DOOR_OPEN = 0, 1

# The controller's own numbers; 0 is none.
FAULT_CODE_DOOR_LOCK = 12  # the door lock circuit opened while travelling
FAULT_CODE_TRAPPED = 50  # stopped between floors with a load in the car

_DOOR_MS = 4_000
_MS_PER_FLOOR = 2_500
# A trip's share of the drive's hour counter: doors excluded, travel over two or three floors.
RUN_MS_PER_TRIP = 20_000


class Lift:
    """A passenger lift that takes people home and down again, one trip after the other."""

    def __init__(self, seed: int, device_id: str, trips: RunningTotal, faults: FaultBook) -> None:
        self._key = f"{seed}/{device_id}/floors".encode()
        self._device_id = device_id
        self._trips = trips
        self._faults = faults

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return mode, direction, door, floor, trips, hours in motion and fault code."""
        broken = self._faults.of(self._device_id, FaultKind.LIFT_FAULT, FaultKind.TRAPPED_PERSON)
        lift_ms = at_ms - sum(fault.overlap_ms(at_ms) for fault in broken)
        trips = self._trips.at(lift_ms)
        direction, door, floor = self._position(lift_ms, trips)
        mode = fault_code = 0
        for fault in broken:
            if fault.lasts_at(at_ms):
                is_trapped = fault.kind is FaultKind.TRAPPED_PERSON
                mode, direction, door = LIFT_MODE_FAULT, STOPPED, DOOR_CLOSED
                fault_code = FAULT_CODE_TRAPPED if is_trapped else FAULT_CODE_DOOR_LOCK
        return {
            "lift_mode": mode * MICRO,
            "lift_direction": direction * MICRO,
            "lift_door": door * MICRO,
            "floor": floor * MICRO,
            "trip_count": trips * MICRO,
            "run_time": trips * RUN_MS_PER_TRIP * MICRO // HOUR_MS,
            "fault_code": fault_code * MICRO,
        }

    def _position(self, lift_ms: int, trips: int) -> tuple[int, int, int]:
        """Return direction, door and floor; a trip takes the beginning of its share of the hour."""
        hourly = self._trips.per_hour(lift_ms)
        start, goal = self._floor_after(trips - 1), self._floor_after(trips)
        if hourly == 0:
            return STOPPED, DOOR_CLOSED, start
        hour_ms = split_instant(lift_ms)[2]
        elapsed_ms = hour_ms % (HOUR_MS // hourly)
        travel_ms = abs(goal - start) * _MS_PER_FLOOR
        if elapsed_ms < _DOOR_MS:
            return STOPPED, DOOR_OPEN, start
        if elapsed_ms < _DOOR_MS + travel_ms:
            passed = (elapsed_ms - _DOOR_MS) // _MS_PER_FLOOR
            return (UP, DOOR_CLOSED, start + passed) if goal > start else (DOWN, DOOR_CLOSED, start - passed)
        is_open = elapsed_ms < 2 * _DOOR_MS + travel_ms
        return STOPPED, DOOR_OPEN if is_open else DOOR_CLOSED, goal

    def _floor_after(self, trip: int) -> int:
        """Return where trip number `trip` ends: every other one at the ground floor."""
        if trip % 2 == 0:
            return 1
        digest = blake2b(max(trip, 0).to_bytes(8, "big"), digest_size=1, key=self._key).digest()
        return 2 + digest[0] % (TOP_FLOOR - 1)


class FirePanel:
    """A fire panel that is quiet unless the fault book says otherwise."""

    def __init__(self, device_id: str, faults: FaultBook) -> None:
        self._device_id = device_id
        self._faults = faults

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return the common alarm, the panel's own fault and every zone's alarm."""
        fires = self._faults.of(self._device_id, FaultKind.FIRE_ALARM)
        burning = {fault.zone for fault in fires if fault.lasts_at(at_ms)}
        faulty = self._faults.of(self._device_id, FaultKind.SYSTEM_FAULT)
        zones = {f"fire_alarm_{zone}": (zone in burning) * MICRO for zone in range(1, FIRE_ZONES + 1)}
        return {
            "fire_alarm": bool(burning) * MICRO,
            "system_fault": any(fault.lasts_at(at_ms) for fault in faulty) * MICRO,
            "tamper": 0,
            **zones,
        }


class Door:
    """A door on a card reader: its lock as the reader was last told, everything else at rest."""

    def __init__(self) -> None:
        self._open_until_ms: int | None = 0

    def unlock(self, until_ms: int | None) -> None:
        """Open the lock until that instant, or until further notice."""
        self._open_until_ms = until_ms

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return what its reader tells: present, over its secure channel, nobody tampering."""
        is_open = self._open_until_ms is None or at_ms < self._open_until_ms
        rest = ("door_contact", "exit_button", "tamper", "power_fault")
        present = {"availability": MICRO, "secure_channel": MICRO, "lock_state": is_open * MICRO}
        return {**present, **dict.fromkeys(rest, 0)}


class Watching:
    """A camera as its box tells of it: it answers, gives pictures, and its clock is right."""

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return that it is present and well."""
        del at_ms
        return {"availability": MICRO, "picture_fault": 0, "clock_fault": 0}


class Lock:
    """The entrance door's lock: opened for some seconds each time somebody comes home."""

    OPEN_MS = 8_000

    def __init__(self, arrivals: RunningTotal) -> None:
        self._arrivals = arrivals
        self._asked_at_ms = -self.OPEN_MS

    def unlock(self, at_ms: int) -> None:
        """Open as somebody from afar asks, and lock by itself as always."""
        self._asked_at_ms = at_ms

    def arrivals_at(self, at_ms: int) -> int:
        """Return how often it had been opened by that instant."""
        return self._arrivals.at(at_ms)

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return whether it is open, and the battery, which lasts a year."""
        has_come = self._arrivals.at(at_ms) > self._arrivals.at(at_ms - self.OPEN_MS)
        is_open = has_come or 0 <= at_ms - self._asked_at_ms < self.OPEN_MS
        return {"lock_state": is_open * MICRO, **_radio(at_ms)}


class RelayBoard:
    """Eight relays that stay as they were last told; the first is the one with a siren."""

    POINTS = ("relay_state", *(f"switch_state_{number}" for number in range(2, 9)))

    def __init__(self) -> None:
        self._is_on = dict.fromkeys(self.POINTS, False)

    def switch(self, point: str, *, is_on: bool) -> None:
        """Switch one relay."""
        self._is_on[point] = is_on

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return how every relay stands."""
        del at_ms
        return {point: is_on * MICRO for point, is_on in self._is_on.items()}


class LeakSensor:
    """A leak sensor on the pump room's floor."""

    def __init__(self, device_id: str, faults: FaultBook) -> None:
        self._device_id = device_id
        self._faults = faults

    def values_micro(self, at_ms: int) -> ValuesMicro:
        """Return whether it is wet, and its battery."""
        leaks = self._faults.of(self._device_id, FaultKind.LEAK)
        return {
            "water_leak": any(fault.lasts_at(at_ms) for fault in leaks) * MICRO,
            "tamper": 0,
            **_radio(at_ms),
        }


def _radio(at_ms: int) -> dict[str, int]:
    """Return what every battery-powered Zigbee device reports; a battery lasts a year and a half."""
    day_of_year = at_ms // (24 * HOUR_MS) % 365
    return {
        "battery_level": (100 - day_of_year // 6) * MICRO,
        "battery_low": 0,
        "signal_quality": (84 + at_ms // (10 * 60_000) % 7) * MICRO,
        "availability": 1 * MICRO,
    }
