"""What meters show: whole steps, exact sums, and exchange and rollover exactly as the book says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.building import DEVICES, Device, Role
from simulator.curves import DAY_MS, HANDED_OVER_AT_MS, HOUR_MS
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.maps import shown_values
from simulator.meters import LEAK_LITRES_PER_HOUR, RATE_POINTS
from simulator.models import Building
from simulator.registers import ROLLOVER_MARGIN_STEPS
from tests.simulator.building import AT_MS, device_called, shown

METERS = [d for d in DEVICES if d.role.value.endswith("meter")]
FOUR_RATE = [d for d in METERS if d.profile in ("dlt645_four_rate", "acrel_ddsy1352")]

undisturbed = Building(1, FaultBook())


def total_point(device: Device) -> str:
    return "water_volume" if device.role in (Role.FLAT_WATER, Role.MASTER_WATER) else "active_energy_import"


def with_fault(device: Device, kind: FaultKind, since_ms: int, **details: int) -> Building:
    faults = FaultBook()
    wanted = Fault(fault_id=0, device_id="", kind=kind, since_ms=since_ms)
    faults.add(device, replace(wanted, **details))
    return Building(1, faults)


@pytest.mark.parametrize("device", FOUR_RATE, ids=lambda device: device.device_id)
@given(at_ms=st.integers(HANDED_OVER_AT_MS, HANDED_OVER_AT_MS + 1_500 * DAY_MS))
def test_four_rates_sum_to_the_total_shown(device: Device, at_ms: int) -> None:
    values = shown(undisturbed, device.device_id, at_ms)

    assert sum(values[point] for point in RATE_POINTS) == values["active_energy_import"]


@pytest.mark.parametrize("device", METERS, ids=lambda device: device.device_id)
def test_a_register_never_falls_over_two_days(device: Device) -> None:
    point = total_point(device)

    values = [shown(undisturbed, device.device_id, AT_MS + k * HOUR_MS // 4)[point] for k in range(192)]

    assert values == sorted(values)
    assert (device.flat is not None and device.flat.household_size == 0) or values[-1] > values[0]


def test_what_is_shown_is_the_same_in_any_order_of_asking() -> None:
    instants = [AT_MS + k * HOUR_MS for k in range(48)]

    forward = [shown(Building(1, FaultBook()), "em-main", at_ms) for at_ms in instants]
    building = Building(1, FaultBook())
    backward = [shown(building, "em-main", at_ms) for at_ms in reversed(instants)]

    assert forward == backward[::-1]


def test_the_master_meters_cover_what_is_behind_them_over_a_month() -> None:
    end_ms = AT_MS + 30 * DAY_MS

    def used(device_id: str, point: str) -> int:
        return shown(undisturbed, device_id, end_ms)[point] - shown(undisturbed, device_id, AT_MS)[point]

    flats_m3 = sum(used(d.device_id, "water_volume") for d in METERS if d.role is Role.FLAT_WATER)
    behind_kwh = sum(
        used(d.device_id, "active_energy_import")
        for d in METERS
        if d.role in (Role.FLAT_ELECTRICITY, Role.PUBLIC_ELECTRICITY, Role.PUMP_ELECTRICITY)
    )

    assert flats_m3 < used("wm-main", "water_volume") < 1.02 * flats_m3
    assert behind_kwh < used("em-main", "active_energy_import") < 1.02 * behind_kwh


def test_somebody_reaches_the_second_tier_within_the_year() -> None:
    year_start_ms, year_end_ms = 1767196800000, 1798732800000  # 2026 in Asia/Shanghai

    def in_year(device_id: str) -> int:
        point = "active_energy_import"
        began = shown(undisturbed, device_id, year_start_ms)[point]
        return (shown(undisturbed, device_id, year_end_ms)[point] - began) // 1_000_000

    heavy, ordinary = in_year("em-602"), in_year("em-101")

    assert heavy > 4_800  # Beijing's third tier
    assert 2_000 < ordinary < 2_880


def test_a_rollover_passes_zero_and_counts_on() -> None:
    device = device_called("em-101")
    building = with_fault(device, FaultKind.ROLLOVER, AT_MS)
    consumed = [shown(undisturbed, "em-101", AT_MS + k * HOUR_MS)["active_energy_import"] for k in range(24)]

    rolled = [shown(building, "em-101", AT_MS + k * HOUR_MS)["active_energy_import"] for k in range(24)]

    modulus_micro = 1_000_000 * 1_000_000
    assert rolled[0] == modulus_micro - ROLLOVER_MARGIN_STEPS * 10_000
    assert rolled[-1] < rolled[0]
    assert [(value - rolled[0]) % modulus_micro for value in rolled] == [v - consumed[0] for v in consumed]


def test_an_exchanged_meter_counts_from_its_first_reading() -> None:
    device = device_called("wm-101")
    building = with_fault(device, FaultKind.METER_EXCHANGED, AT_MS, start_value=7)

    before = shown(building, "wm-101", AT_MS - 1)["water_volume"]
    after = shown(building, "wm-101", AT_MS)["water_volume"]
    day_later = shown(building, "wm-101", AT_MS + DAY_MS)["water_volume"]

    used = (
        shown(undisturbed, "wm-101", AT_MS + DAY_MS)["water_volume"]
        - shown(undisturbed, "wm-101", AT_MS)["water_volume"]
    )
    assert before == shown(undisturbed, "wm-101", AT_MS - 1)["water_volume"]
    assert after == 70_000  # seven hundredths of a cubic metre
    assert day_later == 70_000 + used


def test_an_exchanged_four_rate_meter_still_adds_up() -> None:
    building = with_fault(device_called("em-104"), FaultKind.METER_EXCHANGED, AT_MS, start_value=0)

    values = shown(building, "em-104", AT_MS + 3 * DAY_MS)

    assert sum(values[point] for point in RATE_POINTS) == values["active_energy_import"]
    assert values["active_energy_import"] < 40 * 1_000_000


def test_a_leak_runs_through_the_master_meter_until_it_is_stopped() -> None:
    faults = FaultBook()
    building = Building(1, faults)
    sensor = device_called("leak-1")
    fault = faults.add(sensor, Fault(fault_id=0, device_id="", kind=FaultKind.LEAK, since_ms=AT_MS))
    wet = shown(building, "leak-1", AT_MS + HOUR_MS)["water_leak"]

    faults.end(fault.fault_id, AT_MS + 10 * HOUR_MS)
    building.forget_shown()

    def extra(at_ms: int) -> int:
        leaking = shown(building, "wm-main", at_ms)["water_volume"]
        return leaking - shown(undisturbed, "wm-main", at_ms)["water_volume"]

    assert wet == 1_000_000
    assert shown(building, "leak-1", AT_MS + 10 * HOUR_MS)["water_leak"] == 0
    assert extra(AT_MS) == 0
    assert extra(AT_MS + 10 * HOUR_MS) == extra(AT_MS + 30 * HOUR_MS) == 10 * LEAK_LITRES_PER_HOUR * 1_000


def test_a_flats_leak_shows_in_its_own_meter_and_in_the_masters() -> None:
    building = with_fault(device_called("wm-203"), FaultKind.LEAK, AT_MS)

    own = shown(building, "wm-203", AT_MS + HOUR_MS)["water_volume"]
    master = shown(building, "wm-main", AT_MS + HOUR_MS)["water_volume"]

    assert own == LEAK_LITRES_PER_HOUR * 1_000  # nobody lives there: it stood at zero
    assert master - shown(undisturbed, "wm-main", AT_MS + HOUR_MS)["water_volume"] == own


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.device_id)
def test_every_device_shows_plausible_values(device: Device) -> None:
    values = shown_values(device.profile, undisturbed.values_micro(device.device_id, AT_MS))

    for point, value_micro in values.items():
        if point.startswith("voltage"):
            assert 210_000_000 < value_micro < 240_000_000
        if point == "frequency":
            assert abs(value_micro - 50_000_000) <= 100_000
    assert values
