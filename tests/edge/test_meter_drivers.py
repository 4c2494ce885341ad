"""DL/T 645 and CJ/T 188 meters: blocks and their fallback, both byte orders, absent and bad values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from edge.driver import Driver, EvidenceKeeper
from edge.drivers.cjt188 import Cjt188Driver
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.dlt645_either import EitherEditionDriver
from edge.drivers.frame_receiver import FrameReceiver
from protocol.errors import FrameError
from protocol.fieldbus import cjt188, dlt645, dlt645_1997
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water
from protocol.fieldbus.dlt645_frame import decode_frame, encode_frame
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.profile import Cjt188Source, Dlt645Source
from provisioning.profiles import load_profile
from provisioning.strict import Malformed
from tests.edge.building_blocks import ScriptedBus, device_of

UTC = ZoneInfo("UTC")
METER = "202607000104"
WATER = "20260700000101"
FOUR_RATE = load_profile("dlt645_four_rate")
SINGLE = load_profile("dlt645_single_phase")
COLD_WATER = load_profile("cjt188_cold_water")

ENERGIES = [Decimal("123456.78"), Decimal("1.25"), Decimal("2.5"), Decimal("3"), Decimal("4.01")]
VALUES: Mapping[str, Sequence[Decimal]] = {
    "0001FF00": ENERGIES,
    "00010000": ENERGIES[0:1],
    "00010100": ENERGIES[1:2],
    "00010200": ENERGIES[2:3],
    "00010300": ENERGIES[3:4],
    "00010400": ENERGIES[4:5],
    "02010100": [Decimal("220.1")],
    "02020100": [Decimal("-1.234")],
    "02030000": [Decimal("0.2713")],
}


class Meter:
    """A DL/T 645 meter; `refused` it says no to, `ignored` it does not answer."""

    def __init__(self, *, refused: Sequence[str] = (), ignored: Sequence[str] = ()) -> None:
        self.refused = set(refused)
        self.ignored = set(ignored)
        self.asked: list[str] = []
        self.payloads: dict[str, bytes] = {
            di: dlt645.encode_items(dlt645.data_identifier(di), values) for di, values in VALUES.items()
        }

    def answer(self, wire: bytes) -> bytes:
        request = dlt645.decode_frame(wire)
        if request.meter_address != METER or request.function == dlt645_1997.Function.READ:
            return b""  # what 1997 calls reading is no function here
        di = request.data[3::-1].hex().upper()
        self.asked.append(di)
        if di in self.ignored:
            return b""
        if di in self.refused:
            return dlt645.encode_frame(dlt645.abnormal_reply(request, METER))
        return dlt645.encode_frame(dlt645.read_reply(METER, di, self.payloads[di]))


async def polled(driver: Driver) -> dict[str, Reading]:
    return {reading.point_key.removeprefix("d/"): reading for reading in await driver.poll("all")}


def electricity(meter: Meter, profile: object = FOUR_RATE) -> Dlt645Driver:
    return Dlt645Driver(device_of(profile, METER), ScriptedBus(meter.answer), EvidenceKeeper(UTC))  # type: ignore[arg-type]


async def test_four_rates_are_read_as_one_block() -> None:
    meter = Meter()

    readings = await polled(electricity(meter))

    assert meter.asked == ["0001FF00", "02010100", "02020100", "02030000"]
    assert readings["active_energy_import"].value_micro == 123_456_780_000
    assert readings["active_energy_import_valley"].value_micro == 4_010_000
    assert readings["current"].value_micro == -1_234_000
    assert readings["active_power"].value_micro == 271_300
    assert {reading.quality for reading in readings.values()} == {Quality.GOOD}
    assert len(readings) == 8


async def test_a_refused_block_is_read_item_by_item_and_not_asked_for_again() -> None:
    meter = Meter(refused=["0001FF00"])
    driver = electricity(meter)

    first = await polled(driver)
    meter.asked.clear()
    second = await polled(driver)

    singles = ["00010000", "00010100", "00010200", "00010300", "00010400"]
    assert sorted(meter.asked) == sorted([*singles, "02010100", "02020100", "02030000"])
    for readings in (first, second):
        assert readings["active_energy_import_peak"].value_micro == 2_500_000
        assert {reading.quality for reading in readings.values()} == {Quality.GOOD}


async def test_a_block_that_is_met_with_silence_is_given_up_after_two_polls() -> None:
    meter = Meter(ignored=["0001FF00"])
    driver = electricity(meter)

    first = await polled(driver)
    await polled(driver)
    third = await polled(driver)

    assert first["active_energy_import"].quality is Quality.NO_REPLY
    assert first["voltage"].quality is Quality.GOOD
    assert third["active_energy_import"].value_micro == 123_456_780_000


async def test_a_dead_meter_gives_a_failed_reading_for_every_point() -> None:
    meter = Meter(ignored=list(VALUES))

    readings = await polled(electricity(meter, SINGLE))

    assert {reading.quality for reading in readings.values()} == {Quality.NO_REPLY}
    assert {reading.value_micro for reading in readings.values()} == {None}
    assert len(readings) == 4


async def test_one_refused_identifier_costs_only_its_point() -> None:
    meter = Meter(refused=["02020100"])

    readings = await polled(electricity(meter, SINGLE))

    assert readings["current"].quality is Quality.REFUSED
    assert "no requested data" in readings["current"].reason
    assert readings["voltage"].value_micro == 220_100_000


async def test_ff_is_absent_and_letters_are_no_number() -> None:
    meter = Meter()
    meter.payloads["02010100"] = b"\xff\xff"
    meter.payloads["02020100"] = b"\xab\x00\x00"

    readings = await polled(electricity(meter, SINGLE))

    assert readings["voltage"].quality is Quality.ABSENT
    assert readings["current"].quality is Quality.BAD_FRAME
    assert "non-BCD" in readings["current"].reason


async def test_a_meter_with_fewer_rates_says_absent_for_the_others() -> None:
    meter = Meter()
    meter.payloads["0001FF00"] = meter.payloads["0001FF00"][:8]

    readings = await polled(electricity(meter))

    assert readings["active_energy_import_sharp"].value_micro == 1_250_000
    assert readings["active_energy_import_peak"].quality is Quality.ABSENT
    assert "only 2 items" in readings["active_energy_import_peak"].reason


async def test_an_answer_longer_than_a_frame_is_fetched_to_its_end() -> None:
    meter = Meter()
    whole = meter.payloads["0001FF00"]

    def answer(wire: bytes) -> bytes:
        request = dlt645.decode_frame(wire)
        if request.function == dlt645.Function.READ_FOLLOW_UP:
            sequence = request.data[4]
            part = whole[8 * sequence : 8 * sequence + 8]
            reply = dlt645.follow_up_reply(METER, "0001FF00", part, sequence, has_follow_up=sequence < 2)
            return dlt645.encode_frame(reply)
        if request.data[3::-1].hex().upper() == "0001FF00":
            reply = dlt645.read_reply(METER, "0001FF00", whole[:8], has_follow_up=True)
            return dlt645.encode_frame(reply)
        return meter.answer(wire)

    driver = Dlt645Driver(device_of(FOUR_RATE, METER), ScriptedBus(answer), EvidenceKeeper(UTC))

    readings = await polled(driver)

    assert readings["active_energy_import"].value_micro == 123_456_780_000
    assert readings["active_energy_import_valley"].value_micro == 4_010_000
    evidence = readings["active_energy_import"].evidence
    assert evidence is not None
    assert len(dlt645.FrameReader().feed(evidence.reply)) == 3


async def test_a_reply_about_another_identifier_is_not_believed() -> None:
    meter = Meter()

    def answer(wire: bytes) -> bytes:
        request = dlt645.decode_frame(wire)
        other = "02010100" if request.data[3::-1].hex().upper() != "02010100" else "00010000"
        return dlt645.encode_frame(dlt645.read_reply(METER, other, meter.payloads[other]))

    driver = Dlt645Driver(device_of(SINGLE, METER), ScriptedBus(answer), EvidenceKeeper(UTC))

    readings = await polled(driver)

    assert {reading.quality for reading in readings.values()} == {Quality.NO_REPLY}
    assert "heard instead: data identifier" in readings["voltage"].reason


def test_a_profile_whose_unit_is_not_the_identifiers_is_refused() -> None:
    wrong = replace(SINGLE.points[1], source=Dlt645Source("02020100", "", 0))

    with pytest.raises(Malformed, match="02020100 is in A, voltage in V"):
        electricity(Meter(), replace(SINGLE, points=(wrong,)))


def test_an_unknown_identifier_in_a_profile_is_refused() -> None:
    wrong = replace(SINGLE.points[1], source=Dlt645Source("EEEEEEEE", "", 0))

    with pytest.raises(Malformed, match="EEEEEEEE is not in the table"):
        electricity(Meter(), replace(SINGLE, points=(wrong,)))


class WaterMeter:
    """A CJ/T 188 meter that hears only one order of the identifier's bytes."""

    def __init__(self, *, is_low_first: bool, always_serial: int | None = None) -> None:
        self.is_low_first = is_low_first
        self.always_serial = always_serial
        self.data = encode_water(
            WaterData(Amount(Decimal("1234.56"), "m3"), Amount(None, "m3"), None, Status(b"\x05\x00"))
        )

    def answer(self, wire: bytes) -> bytes:
        request = cjt188.decode_frame(wire)
        if request.di_low_first != self.is_low_first or request.address != WATER:
            return b""
        reply = cjt188.reply_to(request, 0x10, WATER, self.data)
        if self.always_serial is not None:
            reply = replace(reply, serial=self.always_serial)
        return cjt188.encode_frame(reply)


def water(meter: WaterMeter) -> Cjt188Driver:
    return Cjt188Driver(device_of(COLD_WATER, WATER), ScriptedBus(meter.answer), EvidenceKeeper(UTC))


async def test_a_water_meter_tells_volume_valve_and_battery() -> None:
    readings = await polled(water(WaterMeter(is_low_first=False)))

    assert readings["water_volume"].value_micro == 1_234_560_000
    assert readings["valve_state"].value_micro == 1 * MICRO  # closed
    assert readings["battery_low"].value_micro == 1 * MICRO
    assert readings["water_volume"].evidence is not None


async def test_the_other_byte_order_is_found_and_kept() -> None:
    driver = water(WaterMeter(is_low_first=True))

    qualities = [(await polled(driver))["water_volume"].quality for _ in range(4)]

    assert qualities == [Quality.NO_REPLY, Quality.GOOD, Quality.GOOD, Quality.GOOD]


async def test_after_an_exchange_of_meters_the_order_is_doubted() -> None:
    meter = WaterMeter(is_low_first=True)
    driver = water(meter)
    await polled(driver)
    await polled(driver)

    meter.is_low_first = False
    qualities = [(await polled(driver))["water_volume"].quality for _ in range(4)]

    assert qualities == [Quality.NO_REPLY] * 3 + [Quality.GOOD]


async def test_a_meter_that_always_answers_serial_zero_is_believed_one_of_another_number_is_not() -> None:
    zero = await polled(water(WaterMeter(is_low_first=False, always_serial=0)))
    late = await polled(water(WaterMeter(is_low_first=False, always_serial=99)))

    assert zero["water_volume"].quality is Quality.GOOD
    assert late["water_volume"].quality is Quality.NO_REPLY


async def test_an_absent_volume_and_a_foreign_unit_are_no_zero() -> None:
    meter = WaterMeter(is_low_first=False)
    meter.data = encode_water(WaterData(Amount(None, "m3"), Amount(None, "m3"), None, Status(b"\x00\x00")))
    absent = await polled(water(meter))
    meter.data = encode_water(
        WaterData(Amount(Decimal(5), "kWh"), Amount(None, "m3"), None, Status(b"\x00\x00"))
    )
    foreign = await polled(water(meter))

    assert (absent["water_volume"].quality, absent["water_volume"].value_micro) == (Quality.ABSENT, None)
    assert foreign["water_volume"].quality is Quality.BAD_FRAME
    assert "counts in kWh" in foreign["water_volume"].reason


async def test_litres_become_cubic_metres() -> None:
    meter = WaterMeter(is_low_first=False)
    meter.data = encode_water(
        WaterData(Amount(Decimal("1234.56"), "L"), Amount(None, "m3"), None, Status(b"\x00\x00"))
    )

    assert (await polled(water(meter)))["water_volume"].value_micro == 1_234_560


def test_a_field_the_meter_type_does_not_have_is_refused() -> None:
    wrong = replace(COLD_WATER.points[0], source=Cjt188Source("901F", "current_heat"))

    with pytest.raises(Malformed, match="has no field 'current_heat'; 901F has battery_low, current_volume"):
        Cjt188Driver(
            device_of(replace(COLD_WATER, points=(wrong,)), WATER),
            ScriptedBus(lambda _: b""),
            EvidenceKeeper(UTC),
        )


OLD = load_profile("dlt645_1997_three_phase")
EITHER = load_profile("dlt645_either_edition")


class OldMeter:
    """A DL/T 645-1997 meter: refuses what it does not know, ignores other functions."""

    def __init__(self, *, refused: Sequence[str] = ()) -> None:
        self.refused = set(refused)
        self.asked: list[str] = []
        self.parts: dict[str, list[bytes]] = {}
        self.values: dict[str, list[Decimal]] = {
            "901F": ENERGIES,
            "9010": ENERGIES[:1],
            **{f"901{n}": ENERGIES[n : n + 1] for n in range(1, 5)},
            "9020": [Decimal("0.5")],
            **{f"B61{n}": [Decimal(220 + n)] for n in range(1, 4)},
            **{f"B62{n}": [Decimal("1.25")] for n in range(1, 4)},
            **{f"B63{n}": [Decimal("0.2713")] for n in range(4)},
            "B650": [Decimal("0.98")],
        }

    def answer(self, wire: bytes) -> bytes:
        request = decode_frame(wire)
        di = request.data[1::-1].hex().upper()
        if request.meter_address != METER:
            return b""
        if request.function == dlt645_1997.Function.READ_FOLLOW_UP:
            part = self.parts[di].pop(0)
            reply = dlt645_1997.follow_up_reply(METER, di, part, has_follow_up=bool(self.parts[di]))
            return encode_frame(reply)
        if request.function != dlt645_1997.Function.READ:
            return b""  # what 2007 calls reading is no function here
        self.asked.append(di)
        if di in self.refused or di not in self.values:
            return encode_frame(dlt645_1997.abnormal_reply(request, METER))
        payload = dlt645.encode_items(dlt645_1997.data_identifier(di), self.values[di])
        has_more = di in self.parts
        return encode_frame(dlt645_1997.read_reply(METER, di, payload, has_follow_up=has_more))


def old(meter: OldMeter, profile: object = OLD) -> Dlt645Driver:
    return Dlt645Driver(device_of(profile, METER), ScriptedBus(meter.answer), EvidenceKeeper(UTC))  # type: ignore[arg-type]


async def test_a_meter_of_1997_is_read_with_its_own_table() -> None:
    meter = OldMeter()

    readings = await polled(old(meter))

    assert meter.asked[0] == "901F"
    assert readings["active_energy_import"].value_micro == 123_456_780_000
    assert readings["active_energy_import_valley"].value_micro == 4_010_000
    assert readings["voltage_b"].value_micro == 222 * MICRO
    assert readings["active_power"].value_micro == 271_300
    assert {reading.quality for reading in readings.values()} == {Quality.GOOD}
    evidence = readings["active_energy_import"].evidence
    assert evidence is not None
    assert evidence.protocol == "dlt645-1997"


async def test_a_block_refused_by_a_meter_of_1997_is_read_item_by_item() -> None:
    meter = OldMeter(refused=["901F"])

    readings = await polled(old(meter))

    assert meter.asked[:6] == ["901F", "9010", "9011", "9012", "9013", "9014"]
    assert readings["active_energy_import_peak"].value_micro == 2_500_000


async def test_a_long_answer_of_1997_is_fetched_to_its_end() -> None:
    meter = OldMeter()
    rest = dlt645.encode_items(dlt645_1997.data_identifier("901F"), ENERGIES[2:])
    meter.values["901F"] = ENERGIES[:2]
    meter.parts["901F"] = [rest[:8], rest[8:]]

    readings = await polled(old(meter))

    assert readings["active_energy_import_peak"].value_micro == 2_500_000
    assert readings["active_energy_import_valley"].value_micro == 4_010_000


async def test_the_edition_is_found_and_kept() -> None:
    meter = OldMeter()
    bus = ScriptedBus(meter.answer)
    driver = EitherEditionDriver(device_of(EITHER, METER), bus, EvidenceKeeper(UTC))

    first = await polled(driver)
    second = await polled(driver)
    third = await polled(driver)

    assert {reading.quality for reading in first.values()} == {Quality.NO_REPLY}
    assert second["active_energy_import"].value_micro == 123_456_780_000
    assert second["voltage"].value_micro == 221 * MICRO
    assert {reading.quality for reading in third.values()} == {Quality.GOOD}


async def test_a_meter_of_2007_is_never_asked_in_the_edition_of_1997() -> None:
    meter = Meter()
    driver = EitherEditionDriver(device_of(EITHER, METER), ScriptedBus(meter.answer), EvidenceKeeper(UTC))

    readings = [await polled(driver) for _ in range(3)]

    assert {len(di) for di in meter.asked} == {8}
    assert readings[2]["voltage"].value_micro == 220_100_000


async def test_a_proven_edition_survives_a_power_cut_and_an_exchange_of_the_meter_is_found() -> None:
    new, before = Meter(), OldMeter()
    answer = before.answer

    bus = ScriptedBus(lambda wire: answer(wire))
    driver = EitherEditionDriver(device_of(EITHER, METER), bus, EvidenceKeeper(UTC))
    await polled(driver)
    await polled(driver)
    answer = lambda _: b""  # noqa: E731 - the power is out
    for _ in range(4):
        await polled(driver)
    answer = before.answer
    back = await polled(driver)
    answer = new.answer
    found = [(await polled(driver))["voltage"].quality for _ in range(6)]

    assert back["voltage"].quality is Quality.GOOD
    assert found == [Quality.NO_REPLY] * 5 + [Quality.GOOD]


async def test_the_head_of_one_answer_with_the_rest_of_another_is_no_value() -> None:
    # Meter 03's head and meter 04's rest: the sums of addresses and serial numbers are equal, so the
    # checksum fits. Met on a bus whose meters answer twice.
    head_of_04 = bytes.fromhex("fefefefe6810040100000726208116901fad00")
    head_of_03 = bytes.fromhex("fefefefe68100301000007262081161f90ae00")
    rest_of_04 = bytes.fromhex("3105002c003105002c0000000000000000008116")
    spliced = cjt188.decode_frame(head_of_03 + rest_of_04)
    assert spliced.address == "20260700000103"  # by itself it is a whole frame

    receiver: FrameReceiver[cjt188.Frame] = FrameReceiver(
        cjt188.FrameReader(), lambda frame: frame.data, cjt188.encode_frame, lambda frame: not frame.is_reply
    )
    assert receiver.feed(head_of_04) is None
    assert receiver.feed(head_of_03) is None
    with pytest.raises(FrameError, match="ran into each other"):
        receiver.feed(rest_of_04)
