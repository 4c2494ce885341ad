"""M-Bus meters: several telegrams, selection, units, what a record must be to be believed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from edge.driver import EvidenceKeeper
from edge.drivers.mbus import MbusDriver
from protocol.fieldbus import mbus
from protocol.fieldbus.mbus_records import encode_record
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.profiles import load_profile, parse_profile
from provisioning.strict import Malformed
from tests.edge.building_blocks import ScriptedBus, device_of

HEAT = load_profile("mbus_heat_meter")
HEADER = mbus.Header("12345678", "LUG", 4, 4)
ENERGY, VOLUME, POWER = (
    encode_record(b"\x06", 37351),
    encode_record(b"\x13", 561080),
    encode_record(b"\x2e", 3),
)
MORE = b"\x1f"


class Meter:
    """A meter of several telegrams that heeds the frame count bit as EN 13757-2 says."""

    def __init__(self, *telegrams: Sequence[bytes], header: mbus.Header = HEADER) -> None:
        self.telegrams = [
            [*records, *([MORE] if number < len(telegrams) - 1 else [])]
            for number, records in enumerate(telegrams)
        ]
        self.header = header
        self.at = -1
        self.last_bit: bool | None = None
        self.is_selected = False
        self.asked: list[mbus.Frame] = []

    def answer(self, wire: bytes) -> bytes:
        frame = mbus.decode_frame(wire)
        self.asked.append(frame)
        if frame.control == mbus.SND_NKE or frame.control_information == mbus.CI_SELECT:
            self.at, self.last_bit = -1, None
            self.is_selected = self._is_meant(frame.data)
            is_for_us = frame.control == mbus.SND_NKE or self.is_selected
            return mbus.ACK if is_for_us else b""
        if frame.address == mbus.SELECTED and not self.is_selected:
            return b""
        bit = bool(frame.control & mbus.FCB)
        if bit != self.last_bit:
            self.at, self.last_bit = self.at + 1, bit
        header = replace(self.header, access_number=self.at)
        return mbus.encode_frame(mbus.telegram_reply(5, header, self.telegrams[self.at]))

    def _is_meant(self, selection: bytes) -> bool:
        ours = mbus.encode_header(self.header)[:8]
        return len(selection) == 8 and all(b in (o, 0xFF) for b, o in zip(selection, ours, strict=True))


async def polled(
    answer: Callable[[bytes], bytes], address: str = "5", profile: object = HEAT
) -> dict[str, Reading]:
    driver = MbusDriver(device_of(profile, address), ScriptedBus(answer), EvidenceKeeper(ZoneInfo("UTC")))  # type: ignore[arg-type]
    return {reading.point_key.removeprefix("d/"): reading for reading in await driver.poll("all")}


async def test_telegrams_are_read_on_while_points_are_missing_with_the_bit_toggled() -> None:
    meter = Meter([ENERGY], [VOLUME], [POWER])

    readings = await polled(meter.answer)

    assert readings["heat_energy"].value_micro == 37351 * MICRO
    assert readings["water_volume"].value_micro == 561_080_000
    assert readings["heat_power"].value_micro == 3 * MICRO
    assert [frame.control for frame in meter.asked] == [0x40, 0x7B, 0x5B, 0x7B]


async def test_the_readout_ends_with_the_telegram_that_completes_the_points() -> None:
    meter = Meter([ENERGY], [VOLUME], [POWER])
    profile = replace(HEAT, points=HEAT.points[:1])

    await polled(meter.answer, profile=profile)

    assert [frame.control for frame in meter.asked] == [0x40, 0x7B]


async def test_a_failing_second_telegram_costs_only_its_points() -> None:
    meter = Meter([ENERGY], [VOLUME])

    def answer(wire: bytes) -> bytes:
        is_second = mbus.decode_frame(wire).control == 0x5B
        return b"" if is_second else meter.answer(wire)

    readings = await polled(answer)

    assert readings["heat_energy"].value_micro == 37351 * MICRO
    assert readings["water_volume"].quality is Quality.NO_REPLY
    assert "not read to its end" in readings["water_volume"].reason


async def test_a_meter_that_does_not_go_on_is_not_read_for_ever() -> None:
    header = replace(HEADER, access_number=1)
    stuck = mbus.encode_frame(mbus.telegram_reply(5, header, [ENERGY, MORE]))

    readings = await polled(lambda wire: mbus.ACK if mbus.decode_frame(wire).control == 0x40 else stuck)

    assert readings["heat_energy"].value_micro == 37351 * MICRO
    assert "comes twice" in readings["water_volume"].reason


@pytest.mark.parametrize("address", ["12345678", "12345678-LUG", "12345678-LUG-04-04"])
async def test_a_meter_is_selected_by_what_its_header_says(address: str) -> None:
    meter = Meter([ENERGY, VOLUME])

    readings = await polled(meter.answer, address)

    assert readings["heat_energy"].value_micro == 37351 * MICRO
    assert [frame.address for frame in meter.asked] == [mbus.SELECTED, mbus.SELECTED]


async def test_a_selection_nobody_fits_is_no_reply() -> None:
    readings = await polled(Meter([ENERGY]).answer, "12345678-KAM")

    assert {reading.quality for reading in readings.values()} == {Quality.NO_REPLY}


async def test_two_meters_answering_a_selection_at_once_are_a_bad_frame_that_says_so() -> None:
    readings = await polled(lambda _: b"\xf5\xe1", "12345678")

    assert {reading.quality for reading in readings.values()} == {Quality.BAD_FRAME}
    assert "more than one meter" in readings["heat_energy"].reason


async def test_a_stored_or_backward_value_is_not_the_present_one() -> None:
    backward = encode_record(b"\x86\x3c", 99)  # VIFE 3C: accumulation of negative contributions only
    readings = await polled(Meter([encode_record(b"\x06", 1, storage=1), backward, ENERGY]).answer)

    assert readings["heat_energy"].value_micro == 37351 * MICRO


async def test_joules_are_refused_where_the_quantity_is_in_kilowatt_hours() -> None:
    readings = await polled(Meter([encode_record(b"\x0e", 123456)]).answer)

    assert readings["heat_energy"].quality is Quality.BAD_FRAME
    assert "counts in J" in readings["heat_energy"].reason


async def test_a_value_that_is_no_number_is_absent_or_bad_but_never_a_number() -> None:
    invalid = bytes((0x0C, 0x06)) + b"\xff\xff\xff\xff"  # BCD of all F: not available

    reading = (await polled(Meter([invalid]).answer))["heat_energy"]

    assert (reading.value_micro, reading.quality) == (None, Quality.ABSENT)


async def test_an_encrypted_telegram_is_a_bad_frame() -> None:
    readings = await polled(Meter([ENERGY], header=replace(HEADER, signature=0x0500)).answer)

    assert readings["heat_energy"].quality is Quality.BAD_FRAME
    assert "encrypted" in readings["heat_energy"].reason


async def test_counters_of_a_fixed_date_are_not_billed_as_present() -> None:
    stored = mbus.Frame(
        mbus.RSP_UD, 5, mbus.CI_FIXED, bytes.fromhex("93929190 10 02 05 69 31650000 69000000")
    )

    def answer(wire: bytes) -> bytes:
        return mbus.ACK if mbus.decode_frame(wire).control == 0x40 else mbus.encode_frame(stored)

    readings = await polled(answer, profile=load_profile("mbus_heat_meter_fixed"))

    assert readings["heat_energy"].quality is Quality.BAD_FRAME
    assert "fixed date" in readings["heat_energy"].reason


def test_a_point_that_says_two_ways_to_read_it_is_refused() -> None:
    head = 'title = "t"\nsource = "s"\nprotocol = "mbus"\n'
    text = head + 'points = [{ name = "heat_energy", measures = "Energy", counter = 1 }]'

    with pytest.raises(Malformed, match="exactly one of measures, status_bit and counter"):
        parse_profile(text, "wrong")
