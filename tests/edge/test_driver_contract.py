"""What every polled driver owes, on a real pseudo-terminal: the same promises, protocol by protocol.

A device here is a number that changes between polls; `Far` plays it in the protocol's own frames.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from edge.driver import Driver, EvidenceKeeper
from edge.drivers import DRIVERS
from edge.line import Line
from edge.transport import SerialTransport
from protocol.errors import Refused
from protocol.fieldbus import cjt188, dlt645, dlt645_1997, mbus, modbus
from protocol.fieldbus.cjt188_data import Amount, HeatData, Status, WaterData, encode_heat, encode_water
from protocol.fieldbus.dlt645_frame import decode_frame, encode_frame
from protocol.fieldbus.mbus_records import encode_record
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.profile import Profile
from provisioning.profiles import load_profile
from tests.edge.building_blocks import ToldClock, Wire, bus_settings, device_of, rng, serial_wire

METER, OTHER = "202607000104", "202607000105"
WATER, OTHER_WATER = "20260700000101", "20260700000102"
HEAT, OTHER_HEAT = "12345678", "12345679"


@dataclass(frozen=True)
class Far:
    """The far side of one protocol: `reply(request, value, address)` and `refusal(request)`."""

    profile: Profile
    point: str
    address: str
    other: str
    reply: Callable[[bytes, int, str], bytes]
    refusal: Callable[[bytes], bytes] | None = None


def _only(name: str, point: str) -> Profile:
    profile = load_profile(name)
    return replace(profile, points=tuple(p for p in profile.points if p.name == point))


def _reply_of_2007(request: bytes, value: int, address: str) -> bytes:
    payload = dlt645.encode_items(dlt645.data_identifier("00010000"), [Decimal(value)])
    return encode_frame(dlt645.read_reply(address, "00010000", payload))


def _reply_of_1997(request: bytes, value: int, address: str) -> bytes:
    payload = dlt645.encode_items(dlt645_1997.data_identifier("9010"), [Decimal(value)])
    return encode_frame(dlt645_1997.read_reply(address, "9010", payload))


def _reply_of_water(request: bytes, value: int, address: str) -> bytes:
    data = WaterData(Amount(Decimal(value), "m3"), Amount(None, "m3"), None, Status(b"\x00\x00"))
    return cjt188.encode_frame(
        cjt188.reply_to(cjt188.decode_frame(request), 0x10, address, encode_water(data))
    )


def _reply_of_heat(request: bytes, value: int, address: str) -> bytes:
    nothing = Amount(Decimal(0), "kWh")
    data = HeatData(
        nothing,
        Amount(Decimal(value), "kWh"),
        Amount(Decimal(0), "kW"),
        Amount(Decimal(0), "m3/h"),
        Amount(Decimal(0), "m3"),
        Decimal(60),
        Decimal(40),
        Decimal(1),
        None,
        Status(b"\x00\x00"),
        is_unit_first=False,  # as the standard prints it; the meters met send it first
    )
    asked = cjt188.decode_frame(request)
    return cjt188.encode_frame(cjt188.reply_to(asked, 0x20, address, encode_heat(data)))


def _reply_of_modbus(request: bytes, value: int, address: str) -> bytes:
    asked = replace(modbus.decode_request(request, modbus.Framing.RTU), unit_id=int(address))
    return modbus.encode_reply(asked, modbus.Framing.RTU, [0, value * 100])


def _mbus_reply(request: bytes, value: int, primary: int, identification: str) -> bytes:
    frame = mbus.decode_frame(request)
    if frame.control in (mbus.SND_NKE, mbus.SND_UD):
        return mbus.ACK
    record = encode_record(b"\x16", value)  # whole cubic metres
    header = mbus.Header(identification, "GWF", 1, 7)
    return mbus.encode_frame(mbus.telegram_reply(primary, header, [record]))


def _reply_of_primary(request: bytes, value: int, address: str) -> bytes:
    return _mbus_reply(request, value, int(address), HEAT)


def _reply_of_secondary(request: bytes, value: int, address: str) -> bytes:
    return _mbus_reply(request, value, 0, address)


def _mbus_refusal(request: bytes) -> bytes:
    if mbus.decode_frame(request).control in (mbus.SND_NKE, mbus.SND_UD):
        return mbus.ACK
    return mbus.encode_frame(mbus.Frame(mbus.RSP_UD, 5, mbus.CI_ERROR, b"\x08"))


_ELECTRICITY = _only("dlt645_single_phase", "active_energy_import")
_EITHER = _only("dlt645_either_edition", "active_energy_import")
_OLD = _only("dlt645_1997_single_phase", "active_energy_import")
_WATER = _only("mbus_cold_water_meter", "water_volume")
FAR_SIDES = {
    "cjt188": Far(
        _only("cjt188_cold_water", "water_volume"), "water_volume", WATER, OTHER_WATER, _reply_of_water
    ),
    "cjt188 heat": Far(
        _only("cjt188_heat", "heat_energy"), "heat_energy", WATER, OTHER_WATER, _reply_of_heat
    ),
    "dlt645": Far(
        _EITHER,
        "active_energy_import",
        METER,
        OTHER,
        _reply_of_2007,
        lambda request: encode_frame(dlt645.abnormal_reply(decode_frame(request), METER)),
    ),
    "dlt645-1997": Far(
        _OLD,
        "active_energy_import",
        METER,
        OTHER,
        _reply_of_1997,
        lambda request: encode_frame(dlt645_1997.abnormal_reply(decode_frame(request), METER)),
    ),
    "dlt645-2007": Far(
        _ELECTRICITY,
        "active_energy_import",
        METER,
        OTHER,
        _reply_of_2007,
        lambda request: encode_frame(dlt645.abnormal_reply(decode_frame(request), METER)),
    ),
    "mbus primary": Far(_WATER, "water_volume", "5", "6", _reply_of_primary, _mbus_refusal),
    "mbus secondary": Far(_WATER, "water_volume", HEAT, OTHER_HEAT, _reply_of_secondary, _mbus_refusal),
    "modbus": Far(
        _only("acrel_ddsy1352", "active_energy_import"),
        "active_energy_import",
        "1",
        "2",
        _reply_of_modbus,
        lambda request: modbus.encode_exception(
            modbus.decode_request(request, modbus.Framing.RTU), modbus.Framing.RTU, 6
        ),
    ),
}
far_sides = pytest.mark.parametrize("far", FAR_SIDES.values(), ids=FAR_SIDES)

Played = bytes | list[bytes | float]


@contextlib.asynccontextmanager
async def driven(
    far: Far, answer: Callable[[bytes], Played], timeout_ms: int = 80
) -> AsyncIterator[tuple[Driver, Wire]]:
    async with serial_wire(answer) as (config, wire):
        settings = bus_settings(timeout_ms=timeout_ms, late_limit_ms=240)
        line = Line(settings, SerialTransport(config), ToldClock(), rng())
        device = device_of(far.profile, far.address)
        try:
            yield DRIVERS[far.profile.protocol](device, line, EvidenceKeeper(ZoneInfo("UTC"))), wire
        finally:
            line.close()


async def poll(driver: Driver, far: Far) -> Reading:
    (reading,) = await driver.poll("all")
    assert reading.point_key == f"d/{far.point}"
    return reading


@far_sides
async def test_a_value_is_read_with_its_frames_as_evidence(far: Far) -> None:
    async with driven(far, lambda request: far.reply(request, 42, far.address), timeout_ms=5_000) as (
        driver,
        wire,
    ):
        reading = await poll(driver, far)

    assert (reading.quality, reading.value_micro) == (Quality.GOOD, 42 * MICRO)
    assert reading.evidence is not None
    assert reading.evidence.protocol in (far.profile.protocol, "dlt645-2007", "modbus-rtu")
    assert reading.evidence.request in b"".join(wire.heard)
    assert reading.evidence.reply.lstrip(b"\xfe") in far.reply(wire.heard[-1], 42, far.address)


@far_sides
async def test_silence_is_no_reply_and_no_value(far: Far) -> None:
    async with driven(far, lambda _: b"") as (driver, _):
        reading = await poll(driver, far)

    assert (reading.quality, reading.value_micro) == (Quality.NO_REPLY, None)
    assert reading.reason


@far_sides
async def test_a_wrong_checksum_is_a_bad_frame_and_no_value(far: Far) -> None:
    def damaged(request: bytes) -> bytes:
        reply = far.reply(request, 42, far.address)
        return reply if reply == mbus.ACK else reply[:-2] + bytes((reply[-2] ^ 1,)) + reply[-1:]

    async with driven(far, damaged) as (driver, _):
        reading = await poll(driver, far)

    assert (reading.quality, reading.value_micro) == (Quality.BAD_FRAME, None)


@far_sides
async def test_the_reply_of_another_device_is_no_value(far: Far) -> None:
    async with driven(far, lambda request: far.reply(request, 42, far.other)) as (driver, _):
        reading = await poll(driver, far)

    assert reading.value_micro is None
    assert reading.quality in (Quality.NO_REPLY, Quality.BAD_FRAME)


@far_sides
async def test_a_reply_in_pieces_is_put_together(far: Far) -> None:
    def pieces(request: bytes) -> list[bytes | float]:
        return [part for byte in far.reply(request, 42, far.address) for part in (bytes((byte,)), 0.001)]

    async with driven(far, pieces, timeout_ms=5_000) as (driver, _):
        reading = await poll(driver, far)

    assert reading.value_micro == 42 * MICRO


@far_sides
async def test_our_own_echo_before_the_reply_does_no_harm(far: Far) -> None:
    async with driven(
        far, lambda request: request + far.reply(request, 42, far.address), timeout_ms=5_000
    ) as (driver, _):
        reading = await poll(driver, far)

    assert reading.value_micro == 42 * MICRO


@far_sides
async def test_a_late_reply_is_never_taken_for_the_next_one(far: Far) -> None:
    asked = 0

    def late_once(request: bytes) -> Played:
        nonlocal asked
        reply = far.reply(request, 1 if asked <= 1 else 2, far.address)
        if reply == mbus.ACK:
            return reply
        asked += 1
        return [0.13, reply] if asked == 2 else reply  # the timeout is 80 ms

    async with driven(far, late_once) as (driver, _):
        await poll(driver, far)  # a driver that looks for its meter's edition has found it
        first = await poll(driver, far)
        second = await poll(driver, far)
        third = await poll(driver, far)

    assert first.quality is Quality.NO_REPLY
    assert {second.value_micro, third.value_micro} <= {None, 2 * MICRO}
    assert third.value_micro == 2 * MICRO


@pytest.mark.parametrize(
    "far", [pytest.param(far, id=name) for name, far in FAR_SIDES.items() if far.refusal is not None]
)
async def test_a_refusal_is_said_in_the_devices_words(far: Far) -> None:
    assert far.refusal is not None
    async with driven(far, far.refusal) as (driver, _):
        reading = await poll(driver, far)

    assert (reading.quality, reading.value_micro) == (Quality.REFUSED, None)
    assert reading.reason


@far_sides
async def test_a_poll_that_is_cancelled_leaves_the_bus_usable(far: Far) -> None:
    is_slow = True

    def answer(request: bytes) -> Played:
        reply = far.reply(request, 1 if is_slow else 2, far.address)
        return [0.05, reply] if is_slow else reply

    async with driven(far, answer) as (driver, _):
        task = asyncio.create_task(driver.poll("all"))
        await asyncio.sleep(0.02)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        is_slow = False
        reading = await poll(driver, far)

    assert task.cancelled()
    assert reading.value_micro == 2 * MICRO


@far_sides
async def test_a_probe_is_answered_by_whoever_is_there(far: Far) -> None:
    async with driven(far, lambda request: far.reply(request, 42, far.address), timeout_ms=5_000) as (
        driver,
        wire,
    ):
        await driver.probe()

    assert wire.heard


@far_sides
async def test_the_plan_names_every_point_and_the_length_of_the_first_request(far: Far) -> None:
    async with driven(far, lambda request: far.reply(request, 42, far.address), timeout_ms=5_000) as (
        driver,
        wire,
    ):
        planned = driver.plan("all")
        await poll(driver, far)

    assert [name for request in planned for name in request.points] == [far.point]
    assert planned[0].request_bytes == len(wire.heard[0])


@far_sides
async def test_a_person_s_own_read_brings_the_answer_and_nothing_else_is_sent(far: Far) -> None:
    async with driven(far, lambda request: far.reply(request, 42, far.address), timeout_ms=5_000) as (
        driver,
        wire,
    ):
        await poll(driver, far)
        question = wire.heard[-1]

        heard = await driver.read_raw(question)
        sent = len(wire.heard)
        with pytest.raises(Refused):
            await driver.read_raw(b"\x68\x00\x00")

    assert heard.request == question
    assert heard.reply.lstrip(b"\xfe") in far.reply(question, 42, far.address)
    assert len(wire.heard) == sent
