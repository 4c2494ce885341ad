"""A bus that lies: late, repeated, truncated, damaged, foreign and echoed frames, in virtual time.

Every point of every device has a value no other point has, so a value in the wrong place shows.
Replies come up to three timeouts late. GATEHOUSE_ADVERSARY_EXCHANGES sets how many are tried.
"""

import asyncio
import os
import random
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from edge.driver import Driver, EvidenceKeeper
from edge.drivers.cjt188 import Cjt188Driver
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.modbus import ModbusDriver
from edge.line import Line
from edge.transport import Lost, Received
from protocol.fieldbus import cjt188, dlt645, modbus
from protocol.fieldbus.cjt188_data import Amount, Status, WaterData, encode_water
from protocol.fieldbus.modbus import Framing
from protocol.quantity import MICRO, quantity_named
from protocol.reading import ClockQuality, Quality
from provisioning.profile import ModbusSource, ModbusTable, PointProfile, Profile
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, bus_settings, device_of
from tests.edge.virtual_time import LoopClock, run_virtually

EXCHANGES = int(os.environ.get("GATEHOUSE_ADVERSARY_EXCHANGES", "20000"))
TIMEOUT_MS = 500
LATE_S = 3 * TIMEOUT_MS / 1000

UNITS = (1, 2, 3)
# A unit whose blocks cannot be given lengths of their own: its manual allows two registers a read.
CRAMPED_UNIT = 9
METERS = tuple(f"2026070001{n:02d}" for n in range(1, 5))
WATERS = tuple(f"202607000001{n:02d}" for n in range(1, 5))
DIS = ("00010000", "02010100", "02020100", "02030000")


def far_points(count: int) -> tuple[PointProfile, ...]:
    voltage = quantity_named("voltage")
    return tuple(
        PointProfile(
            f"p{i}",
            voltage,
            ModbusSource(
                ModbusTable.HOLDING_REGISTER, i * 200, "uint32", "ABCD", None, Decimal(1), frozenset()
            ),
        )
        for i in range(count)
    )


ROOMY = Profile("roomy", "t", "s", "modbus", far_points(5))
CRAMPED = Profile("cramped", "t", "s", "modbus", far_points(3), registers_per_read_max=2)
SINGLE, WATER = load_profile("dlt645_single_phase"), load_profile("cjt188_cold_water")


def true_register(unit_id: int, address: int) -> int:
    return (unit_id * 7919 + address * 31) & 0xFFFF


def true_values() -> dict[str, int]:
    """Return the one right value of every point that has a value of its own."""
    values: dict[str, int] = {}
    for unit_id in (*UNITS, CRAMPED_UNIT):
        for i in range(5):
            words = [true_register(unit_id, i * 200 + k) for k in (0, 1)]
            values[f"unit-{unit_id}/p{i}"] = (words[0] << 16 | words[1]) * MICRO
    for n, meter in enumerate(METERS):
        for k, point in enumerate(SINGLE.points):
            values[f"{meter}/{point.name}"] = (10 * n + k + 1) * MICRO
    for n, water in enumerate(WATERS):
        values[f"{water}/water_volume"] = (500 + n) * MICRO
    return values


def honest_reply(wire: bytes) -> bytes:
    """Return what the asked device answers."""
    for request in modbus.RequestReader(Framing.RTU).feed(wire):
        span = range(request.start, request.start + request.quantity)
        return modbus.encode_reply(request, Framing.RTU, [true_register(request.unit_id, a) for a in span])
    for frame in dlt645.FrameReader().feed(wire):
        di = frame.data[3::-1].hex().upper()
        value = Decimal(10 * METERS.index(frame.meter_address) + DIS.index(di) + 1)
        payload = dlt645.encode_items(dlt645.data_identifier(di), [value])
        return dlt645.encode_frame(dlt645.read_reply(frame.meter_address, di, payload))
    for asked in cjt188.FrameReader().feed(wire):
        volume = Amount(Decimal(500 + WATERS.index(asked.address)), "m3")
        data = encode_water(WaterData(volume, volume, None, Status(b"\0\0")))
        return cjt188.encode_frame(cjt188.reply_to(asked, 0x10, asked.address, data))
    raise AssertionError(f"not a request: {wire.hex()}")


@dataclass
class Counts:
    asked: int = 0
    late: int = 0
    repeated: int = 0
    foreign: int = 0
    damaged: int = 0
    cancelled: int = 0


class LyingBus:
    """A transport whose devices do everything that devices do."""

    def __init__(self, rng: random.Random) -> None:
        self.counts = Counts()
        self._rng = rng
        self._received: Received = lambda _: None
        self._earlier: list[bytes] = []

    async def open(self, received: Received, lost: Lost) -> None:
        self._received = received

    def close(self) -> None:
        self._received = lambda _: None

    def write(self, data: bytes) -> None:
        rng, counts = self._rng, self.counts
        counts.asked += 1
        reply = honest_reply(data)
        is_cramped = data[0] == CRAMPED_UNIT
        if rng.random() < 0.05:
            self._later(0.0, data)  # our own echo
        if rng.random() < 0.05:
            self._later(rng.uniform(0, 0.3), rng.randbytes(rng.randrange(1, 12)))
        if rng.random() < 0.05 and self._earlier:
            counts.foreign += 1  # somebody answers something that was asked before, or to others
            self._later(rng.uniform(0, LATE_S), rng.choice(self._earlier))
        fate = rng.random()
        if fate < 0.05:
            return  # dead
        if fate < 0.10:
            counts.damaged += 1
            at = rng.randrange(len(reply))
            reply = reply[:at] + bytes((reply[at] ^ 1 << rng.randrange(8),)) + reply[at + 1 :]
        elif fate < 0.15:
            reply = reply[: rng.randrange(1, len(reply))]
        delay_s = rng.uniform(0.005, 0.1)
        if rng.random() < 0.15:
            counts.late += 1
            delay_s = rng.uniform(0.3, LATE_S)
        self._later(delay_s, reply)
        if rng.random() < 0.10 and not is_cramped:
            counts.repeated += 1
            self._later(rng.uniform(delay_s, LATE_S), reply)
        if not is_cramped:
            self._earlier = [*self._earlier[-20:], reply]

    def _later(self, delay_s: float, data: bytes) -> None:
        loop, rng = asyncio.get_running_loop(), self._rng
        if len(data) > 4 and rng.random() < 0.2:
            at = rng.randrange(1, len(data))
            loop.call_later(delay_s, lambda: self._received(data[:at]))
            loop.call_later(delay_s + rng.uniform(0, 0.02), lambda: self._received(data[at:]))
        else:
            loop.call_later(delay_s, lambda: self._received(data))


def drivers_on(line: Line) -> list[Driver]:
    evidence = EvidenceKeeper(ZoneInfo("UTC"))
    made: list[Driver] = [
        ModbusDriver(device_of(ROOMY, str(unit), f"unit-{unit}"), line, evidence) for unit in UNITS
    ]
    made.append(ModbusDriver(device_of(CRAMPED, str(CRAMPED_UNIT), f"unit-{CRAMPED_UNIT}"), line, evidence))
    made += [Dlt645Driver(device_of(SINGLE, meter, meter), line, evidence) for meter in METERS]
    made += [Cjt188Driver(device_of(WATER, water, water), line, evidence) for water in WATERS]
    return made


async def lie_to_the_drivers(exchanges: int, seed: int) -> tuple[Counts, int, list[str]]:
    rng = random.Random(seed)
    bus = LyingBus(rng)
    settings = bus_settings(timeout_ms=TIMEOUT_MS, late_limit_ms=3 * TIMEOUT_MS, gap_ms=4.0, baud=9600)
    line = Line(settings, bus, LoopClock(ClockQuality.SYNCED, MIDNIGHT_MS), rng)
    drivers, truth, wrong, good = drivers_on(line), true_values(), [], 0
    loop = asyncio.get_running_loop()
    while bus.counts.asked < exchanges:
        driver = rng.choice(drivers)
        await asyncio.sleep(max(0.0, line.ready_at(driver.device.address) - loop.time()))
        try:
            async with asyncio.timeout(rng.uniform(0.01, 1.0) if rng.random() < 0.02 else None):
                readings = await driver.poll("all")
        except TimeoutError:
            bus.counts.cancelled += 1
            continue
        for reading in readings:
            if reading.quality is Quality.GOOD and reading.point_key in truth:
                good += 1
                if reading.value_micro != truth[reading.point_key]:
                    wrong.append(f"{reading.point_key} = {reading.value_micro}")
    return bus.counts, good, wrong


def test_no_lie_on_the_bus_ever_becomes_a_value() -> None:
    counts, good, wrong = run_virtually(lie_to_the_drivers(EXCHANGES, seed=645))

    assert wrong == []
    # The lies were told, and the truth still came through.
    assert min(counts.late, counts.repeated, counts.foreign, counts.damaged) > EXCHANGES // 100
    assert counts.cancelled > 0
    assert good > EXCHANGES // 3
