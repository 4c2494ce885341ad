"""The Modbus driver: planned blocks, exact values, learned holes, failures kept apart."""

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.driver import EvidenceKeeper
from edge.drivers.modbus import ModbusDriver
from edge.drivers.modbus_plan import Block, gap_budget, plan_blocks
from edge.drivers.modbus_values import Doubtful, converter
from protocol.errors import FrameError
from protocol.fieldbus import modbus
from protocol.fieldbus.modbus import Framing
from protocol.fieldbus.words import NumberKind, WordOrder, decode_number, encode_number
from protocol.quantity import MICRO, quantity_named
from protocol.reading import Quality, Reading
from provisioning.profile import ModbusSource, ModbusTable, PointProfile, Profile
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, Registers, ScriptedBus, ToldClock, bus_settings, device_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOLDING = ModbusTable.HOLDING_REGISTER


def point(
    name: str,
    address: int,
    encoding: str = "uint16",
    *,
    order: str = "ABCD",
    scale: str = "1",
    table: ModbusTable = HOLDING,
    quantity: str = "voltage",
    absent: Sequence[int] = (),
    bit: int | None = None,
    codes: dict[str, int] | None = None,
    is_billing: bool = False,
) -> PointProfile:
    source = ModbusSource(table, address, encoding, order, bit, Decimal(scale), frozenset(absent))
    return PointProfile(name, quantity_named(quantity), source, is_billing, codes=codes or {})


def profile_of(*points: PointProfile, registers_max: int = 125) -> Profile:
    return Profile("p", "t", "s", "modbus", points, registers_per_read_max=registers_max)


def spans(blocks: Sequence[Block]) -> list[tuple[int, int]]:
    return [(block.start, block.quantity) for block in blocks]


def planned(points: Sequence[PointProfile], baud: int = 0, **limits: int) -> list[tuple[int, int]]:
    bus = bus_settings(baud=baud)
    limits = {"registers_max": 125, "bits_max": 2000} | limits
    return spans(plan_blocks({"all": points}, bus, **limits)["all"])  # type: ignore[arg-type]


def test_a_hole_is_read_over_where_that_is_cheaper_than_a_second_request() -> None:
    budget = gap_budget(bus_settings(baud=9600, bits_per_character=10), is_bits=False)

    assert planned([point("a", 0), point("b", 1 + budget)], baud=9600) == [(0, 2 + budget)]
    assert len(planned([point("a", 0), point("b", 2 + budget)], baud=9600)) == 2
    # about 15 registers at 9600 baud
    assert 12 <= budget <= 18


def test_no_block_is_longer_than_the_device_allows() -> None:
    points = [point(f"p{i}", i * 2, "uint32") for i in range(50)]

    assert planned(points, registers_max=40) == [(0, 40), (40, 40), (80, 20)]


def test_tables_and_groups_are_read_apart() -> None:
    points = [
        point("a", 0),
        point("b", 1, table=ModbusTable.INPUT_REGISTER),
        point("c", 2, table=ModbusTable.COIL),
    ]

    assert sorted(planned(points)) == [(0, 1), (1, 1), (2, 1)]


def test_overlapping_and_repeated_points_share_their_block() -> None:
    points = [point("a", 10, "uint32"), point("high", 10), point("b", 11)]

    assert planned(points) == [(10, 2)]


def test_on_a_serial_bus_every_length_of_a_device_is_its_own() -> None:
    points = [point(f"p{i}", i * 1000, "float32") for i in range(5)]

    lengths = [quantity for _, quantity in planned(points, baud=9600)]

    assert sorted(lengths) == [2, 3, 4, 5, 6]


def test_on_a_network_the_transaction_tells_answers_apart_and_blocks_stay_short() -> None:
    points = [point(f"p{i}", i * 1000, "float32") for i in range(5)]

    assert [quantity for _, quantity in planned(points)] == [2] * 5


@given(
    kind=st.sampled_from(
        [k for k in NumberKind if k.value in {"int16", "uint16", "int32", "uint32", "int64"}]
    ),
    order=st.sampled_from(WordOrder),
    scale=st.sampled_from(["1", "0.1", "0.01", "0.001", "0.000001", "10", "0.0000001"]),
    data=st.data(),
)
def test_integers_of_every_order_are_what_the_codec_says_times_the_scale(
    kind: NumberKind, order: WordOrder, scale: str, data: st.DataObject
) -> None:
    bits = 16 * kind.register_count
    low, high = (0, 2**bits - 1) if kind.value.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    number = data.draw(st.integers(low, high))
    words = [0xAAAA, *encode_number(Decimal(number), kind, order), 0x5555]

    value = converter(point("p", 0, kind.value, order=order.value, scale=scale), -1)(words)

    decoded = decode_number(words[1:-1], kind, order)
    assert decoded == number
    assert value == int((Decimal(number) * Decimal(scale) * MICRO).to_integral_value())


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_a_float_is_the_shortest_decimal_that_means_it_to_the_millionth(number: float) -> None:
    words = encode_number(Decimal(number), NumberKind.FLOAT32)

    value = converter(point("p", 0, "float32"), 0)(words)

    decoded = decode_number(words, NumberKind.FLOAT32)
    assert decoded is not None
    assert value == int((decoded * MICRO).to_integral_value())


def test_nan_and_not_available_codes_are_absent() -> None:
    nan = converter(point("p", 0, "float32"), 0)
    coded = converter(point("p", 0, "int16", absent=[0x8000]), 0)

    assert nan([0x7FC0, 0]) is None
    assert coded([0x8000]) is None
    assert coded([0x7FFF]) == 0x7FFF * MICRO


def test_bcd_with_letters_is_no_number() -> None:
    value = converter(point("p", 0, "bcd16"), 0)

    assert value([0x1234]) == 1234 * MICRO
    with pytest.raises(FrameError):
        value([0x12A4])


def test_a_bit_of_a_register_and_a_named_code_become_the_states_code() -> None:
    door = converter(point("p", 0, "bit", bit=3, quantity="door_contact"), 0)
    mode = converter(point("p", 0, quantity="lift_mode", codes={"7": 3}), 0)

    assert door([0b1000]) == MICRO
    assert mode([7]) == 3 * MICRO
    with pytest.raises(Doubtful, match="code 9 is none of 7 fault"):
        mode([9])


def exception(wire: bytes, code: int) -> bytes:
    (request,) = modbus.RequestReader(Framing.TCP).feed(wire)
    return modbus.encode_exception(request, Framing.TCP, code)


async def polled(driver: ModbusDriver) -> dict[str, Reading]:
    return {reading.point_key.removeprefix("d/"): reading for reading in await driver.poll("all")}


def driver_on(bus: ScriptedBus, profile: Profile, unit_id: int = 1) -> ModbusDriver:
    return ModbusDriver(device_of(profile, str(unit_id)), bus, EvidenceKeeper(SHANGHAI))


@pytest.mark.parametrize("framing", Framing)
async def test_a_meter_is_read_in_one_request(framing: Framing) -> None:
    meter = Registers(1, framing, dict.fromkeys(range(17), 0) | {1: 0x3039, 11: 2205, 13: 0xFFF6})
    bus = ScriptedBus(meter.answer, baud=9600 if framing is Framing.RTU else 0)

    readings = await polled(driver_on(bus, load_profile("acrel_ddsy1352")))

    assert meter.reads == [(0, 17)]
    assert readings["active_energy_import"].value_micro == 123_450_000  # 12345 x 0.01 kWh
    assert readings["voltage"].value_micro == 220_500_000
    assert readings["active_power"].value_micro == -10_000
    assert {reading.quality for reading in readings.values()} == {Quality.GOOD}


async def test_a_hole_is_learned_and_never_read_over_again() -> None:
    profile = profile_of(point("a", 0), point("b", 5), point("c", 20))
    meter = Registers(1, Framing.TCP, {0: 1, 5: 2, 20: 3} | dict.fromkeys(range(1, 5), 0))
    driver = driver_on(ScriptedBus(meter.answer, baud=0), profile)

    first = await polled(driver)
    meter.reads.clear()
    second = await polled(driver)

    assert [first[name].value_micro for name in "abc"] == [MICRO, 2 * MICRO, 3 * MICRO]
    assert meter.reads == [(0, 6), (20, 1)]
    assert [second[name].value_micro for name in "abc"] == [MICRO, 2 * MICRO, 3 * MICRO]


async def test_a_point_the_device_does_not_have_is_refused_and_the_others_are_read() -> None:
    profile = profile_of(point("a", 0), point("b", 1), point("c", 2))
    meter = Registers(1, Framing.TCP, {0: 1, 2: 3})
    driver = driver_on(ScriptedBus(meter.answer, baud=0), profile)

    readings = await polled(driver)
    meter.reads.clear()
    await polled(driver)

    assert readings["a"].value_micro == MICRO
    assert readings["b"].quality is Quality.REFUSED
    assert "illegal data address" in readings["b"].reason
    assert readings["c"].value_micro == 3 * MICRO
    assert (1, 1) not in meter.reads  # within the hour it is not asked again


async def test_a_refused_point_is_asked_again_after_an_hour() -> None:
    meter = Registers(1, Framing.TCP, {0: 1})
    bus = ScriptedBus(meter.answer, baud=0)
    driver = driver_on(bus, profile_of(point("a", 0), point("b", 1)))
    await polled(driver)
    meter.holding[1] = 2
    clock = bus.clock
    assert isinstance(clock, ToldClock)

    clock.at_ms += 3_600_001

    assert (await polled(driver))["b"].value_micro == 2 * MICRO


async def test_a_single_late_refusal_teaches_nothing() -> None:
    meter = Registers(1, Framing.TCP, dict.fromkeys(range(10), 5))
    refuse_once = [True]

    def answer(wire: bytes) -> bytes:
        if refuse_once:
            refuse_once.clear()
            return exception(wire, 2)
        return meter.answer(wire)

    driver = driver_on(ScriptedBus(answer, baud=0), profile_of(point("a", 0), point("b", 9)))

    readings = await polled(driver)

    assert {reading.quality for reading in readings.values()} == {Quality.GOOD}
    assert [request.description for request in driver.plan("all")] == ["holding_register 0 x10"]


async def test_a_block_that_fails_fails_alone() -> None:
    meter = Registers(1, Framing.TCP, {0: 1, 1000: 2})
    driver = driver_on(
        ScriptedBus(lambda wire: b"" if wire[8:10] == b"\x00\x00" else meter.answer(wire), baud=0),
        profile_of(point("a", 0), point("b", 1000)),
    )

    readings = await polled(driver)

    assert (readings["a"].quality, readings["a"].value_micro) == (Quality.NO_REPLY, None)
    assert readings["b"].value_micro == 2 * MICRO


async def test_a_busy_device_is_refused_this_time_only() -> None:
    meter = Registers(1, Framing.TCP, {0: 1, 1: 2})
    bus = ScriptedBus(lambda wire: exception(wire, 6), baud=0)
    driver = driver_on(bus, profile_of(point("a", 0), point("b", 1)))

    first = await polled(driver)
    bus.answer = meter.answer
    second = await polled(driver)

    assert first["a"].quality is Quality.REFUSED
    assert meter.reads == [(0, 2)]
    assert second["a"].quality is Quality.GOOD


async def test_a_billed_point_has_its_frame_once_in_each_local_hour() -> None:
    meter = Registers(1, Framing.RTU, dict.fromkeys(range(17), 0))
    bus = ScriptedBus(meter.answer)
    driver = driver_on(bus, load_profile("acrel_ddsy1352"))
    clock = bus.clock
    assert isinstance(clock, ToldClock)

    kept = []
    for minutes in (0, 1, 59, 60, 119, 121):
        clock.at_ms = MIDNIGHT_MS + minutes * 60_000
        readings = await polled(driver)
        kept.append(readings["active_energy_import"].evidence is not None)
        assert readings["voltage"].evidence is None

    assert kept == [True, False, False, True, False, True]
    evidence = readings["active_energy_import"].evidence
    assert evidence is not None
    assert (evidence.protocol, evidence.line) == ("modbus-rtu", "bus")
    assert evidence.request == bus.asked[-1]
    assert evidence.reply == meter.answer(bus.asked[-1])


async def test_half_hour_zones_have_their_frame_at_local_midnight() -> None:
    keeper = EvidenceKeeper(ZoneInfo("Asia/Kolkata"))
    midnight_ms = 1_788_201_000_000  # 2026-09-01T00:00:00+05:30

    assert keeper.hour_of(midnight_ms) == keeper.hour_of(midnight_ms - 1) + 1


async def test_a_probe_takes_a_refusal_for_a_sign_of_life() -> None:
    meter = Registers(1, Framing.TCP, {})

    await driver_on(ScriptedBus(meter.answer, baud=0), profile_of(point("a", 0))).probe()

    assert meter.reads == [(0, 1)]


async def test_a_slow_device_is_read_over_wider_holes_than_a_quick_one() -> None:
    # At 9600 baud two requests cost a turnaround more than one; 40 ms are 19 registers.
    points = [point("a", 0), point("b", 29)]
    device = Registers(1, Framing.RTU, dict.fromkeys(range(60), 7))
    bus = ScriptedBus(device.answer, baud=9600)
    driver = ModbusDriver(device_of(profile_of(*points), "1"), bus, EvidenceKeeper(ZoneInfo("UTC")))

    await driver.poll("all")
    bus.turnaround = 0.040
    await driver.poll("all")  # the plan follows what has been measured
    device.reads.clear()
    slow = await driver.poll("all")
    wide = list(device.reads)
    bus.turnaround = 0.002
    await driver.poll("all")
    device.reads.clear()
    quick = await driver.poll("all")

    assert wide == [(0, 30)]
    assert len(device.reads) == 2
    assert [r.value_micro for r in slow] == [r.value_micro for r in quick] == [7_000_000, 7_000_000]


def test_the_budget_follows_the_turnaround() -> None:
    bus = bus_settings(baud=9600, bits_per_character=10)

    budgets = [gap_budget(bus, is_bits=False, turnaround_s=s) for s in (0.0, 0.01, 0.2)]

    assert budgets == [10, 14, 106]
