"""The lift moves people about, stands still when broken, and never loses a trip."""

import itertools
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from protocol.quantity import MICRO
from simulator.curves import DAY_MS, HOUR_MS, day_start_ms
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.models import Building
from tests.simulator.building import AT_MS, device_called, shown

MONDAY_MS = day_start_ms(date(2026, 9, 14).toordinal())

undisturbed = Building(1, FaultBook())


def lift(at_ms: int, building: Building = undisturbed) -> dict[str, int]:
    return {point: value // MICRO for point, value in shown(building, "lift-1", at_ms).items()}


@given(st.integers(MONDAY_MS, MONDAY_MS + 365 * DAY_MS))
def test_the_lift_is_where_it_can_be(at_ms: int) -> None:
    seen = lift(at_ms)

    assert 1 <= seen["floor"] <= 6
    assert seen["lift_mode"] == 0
    assert not (seen["lift_direction"] and seen["lift_door"])  # never travels with an open door


def test_the_lift_passes_every_floor_on_its_way() -> None:
    seen = [lift(MONDAY_MS + 8 * HOUR_MS + second * 500) for second in range(7_200)]

    steps = {abs(later["floor"] - earlier["floor"]) for earlier, later in itertools.pairwise(seen)}

    assert steps == {0, 1}
    assert {frame["lift_direction"] for frame in seen} == {0, 1, 2}
    assert {frame["lift_door"] for frame in seen} == {0, 1}


def test_the_lift_is_busy_in_the_morning_and_idle_at_night() -> None:
    def trips(from_hour: int, to_hour: int) -> int:
        began, ended = (lift(MONDAY_MS + hour * HOUR_MS)["trip_count"] for hour in (from_hour, to_hour))
        return ended - began

    assert trips(7, 9) > 20
    assert trips(1, 4) <= 2
    assert 150 < trips(0, 24) < 330


def test_a_broken_lift_stands_and_goes_on_where_it_was() -> None:
    faults = FaultBook()
    building = Building(1, faults)
    stuck = Fault(fault_id=0, device_id="", kind=FaultKind.TRAPPED_PERSON, since_ms=AT_MS)
    fault = faults.add(device_called("lift-1"), stuck)
    began, later = lift(AT_MS, building), lift(AT_MS + HOUR_MS, building)

    faults.end(fault.fault_id, AT_MS + HOUR_MS)
    building.forget_shown()
    repaired = lift(AT_MS + HOUR_MS + 600_000, building)

    assert began == later
    assert (began["lift_mode"], began["fault_code"], began["lift_direction"]) == (3, 50, 0)
    assert repaired == lift(AT_MS + 600_000)


def test_a_lift_fault_has_its_own_code() -> None:
    faults = FaultBook()
    broken = Fault(fault_id=0, device_id="", kind=FaultKind.LIFT_FAULT, since_ms=AT_MS)
    faults.add(device_called("lift-1"), broken)

    assert lift(AT_MS, Building(1, faults))["fault_code"] == 12


def test_the_panel_tells_its_own_fault_apart_from_fire() -> None:
    faults = FaultBook()
    faulty = Fault(fault_id=0, device_id="", kind=FaultKind.SYSTEM_FAULT, since_ms=AT_MS)
    faults.add(device_called("fire-1"), faulty)

    panel = shown(Building(1, faults), "fire-1", AT_MS)

    assert panel["system_fault"] == MICRO
    assert panel["fire_alarm"] == 0


def test_the_door_opens_for_seconds_only() -> None:
    states = [
        shown(undisturbed, "lock-1", MONDAY_MS + 18 * HOUR_MS + s * 1_000)["lock_state"] for s in range(3_600)
    ]

    opened = sum(state == MICRO for state in states)

    assert 0 < opened < 600
