"""How near to the best possible a bus is used: cycles in virtual time against the computed optimum.

The optimum knows the bus exactly: characters, silences, turnaround, and every way to divide a map
into requests; it has no doubts about late answers. We may lose a tenth of it to being careful.
"""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from edge.driver import Driver, EvidenceKeeper
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.modbus import ModbusDriver
from edge.line import Line
from edge.transport import Lost, Received
from protocol.fieldbus import dlt645, modbus
from protocol.fieldbus.modbus import Framing
from protocol.quantity import quantity_named
from protocol.reading import ClockQuality, Quality
from provisioning.profile import ModbusSource, ModbusTable, PointProfile, Profile
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, bus_settings, device_of
from tests.edge.virtual_time import LoopClock, run_virtually

TURNAROUND_S = 0.01
SPANS = (150, 400, 1000, 4000, 20_000)


class TimedBus:
    """Slaves that answer after their turnaround, at the speed of the wire."""

    def __init__(self, baud: int, bits: int) -> None:
        self.character_s = bits / baud
        self._received: Received = lambda _: None

    async def open(self, received: Received, lost: Lost) -> None:
        self._received = received

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        reply = self._reply(data)
        took_s = (len(data) + len(reply)) * self.character_s + TURNAROUND_S
        asyncio.get_running_loop().call_later(took_s, lambda: self._received(reply))

    def _reply(self, data: bytes) -> bytes:
        for request in modbus.RequestReader(Framing.RTU).feed(data):
            return modbus.encode_reply(request, Framing.RTU, [request.start & 0xFF] * request.quantity)
        (frame,) = dlt645.FrameReader().feed(data)
        di = frame.data[3::-1].hex().upper()
        identifier = dlt645.data_identifier(di)
        values = [Decimal(1)] * (5 if identifier.is_block else 1)
        reply = dlt645.read_reply(frame.meter_address, di, dlt645.encode_items(identifier, values))
        return dlt645.encode_frame(reply)


async def cycle_s(drivers_on: "object", baud: int, bits: int) -> float:
    """Return how long a cycle of all drivers takes, the second one: the first learns the bus."""
    gap_ms = 3500 * bits / baud
    settings = bus_settings(baud=baud, bits_per_character=bits, gap_ms=gap_ms, timeout_ms=2000)
    bus = TimedBus(baud, bits)
    line = Line(settings, bus, LoopClock(ClockQuality.SYNCED, MIDNIGHT_MS), random.Random(1))
    drivers: Sequence[Driver] = drivers_on(line)  # type: ignore[operator]
    took = 0.0
    for _ in range(2):
        began = asyncio.get_running_loop().time()
        for driver in drivers:
            readings = await driver.poll("all")
            assert {reading.quality for reading in readings} == {Quality.GOOD}
        took = asyncio.get_running_loop().time() - began
    return took


def scattered(count: int, span: int, seed: int) -> Profile:
    """A map of single and double registers strewn over a span, as makers like them."""
    chance = random.Random(seed)
    points: list[PointProfile] = []
    free = set(range(span))
    while len(points) < count:
        width = chance.choice((1, 1, 2))
        at = chance.choice(sorted(free))
        if not all(at + k in free for k in range(width)):
            continue
        free -= {at + k for k in range(width)}
        encoding = "uint16" if width == 1 else "uint32"
        source = ModbusSource(
            ModbusTable.HOLDING_REGISTER, at, encoding, "ABCD", None, Decimal(1), frozenset()
        )
        points.append(PointProfile(f"p{len(points)}", quantity_named("voltage"), source))
    return Profile("scattered", "t", "s", "modbus", tuple(points))


def best_cycle_s(profile: Profile, character_s: float) -> float:
    """Return the least time in which all points can be read, over every division into requests."""
    spans = sorted(
        (point.source.address, point.source.address + point.source.width)
        for point in profile.points
        if isinstance(point.source, ModbusSource)
    )

    def request_s(quantity: int) -> float:
        return (8 + 5 + 2 * quantity + 3.5) * character_s + TURNAROUND_S

    @cache
    def best(i: int) -> float:
        if i == len(spans):
            return 0.0
        found = float("inf")
        end = spans[i][1]
        for j in range(i, len(spans)):
            end = max(end, spans[j][1])
            if end - spans[i][0] > 125:
                break
            found = min(found, request_s(end - spans[i][0]) + best(j + 1))
        return found

    return best(0)


def share_of_best_9600(span: int) -> float:
    """Return what share of the best possible speed a map of 100 points strewn over a span is read at."""
    profile = scattered(100, span, seed=span)

    def drivers(line: Line) -> Sequence[Driver]:
        return [ModbusDriver(device_of(profile, "1"), line, EvidenceKeeper(ZoneInfo("UTC")))]

    return best_cycle_s(profile, 10 / 9600) / run_virtually(cycle_s(drivers, 9600, 10))


def share_of_best_2400() -> float:
    """Return what share of the best possible speed thirty DL/T 645 meters of four rates are read at."""
    profile = load_profile("dlt645_four_rate")
    addresses = [f"2026070001{n:02d}" for n in range(30)]

    def drivers(line: Line) -> Sequence[Driver]:
        evidence = EvidenceKeeper(ZoneInfo("UTC"))
        return [Dlt645Driver(device_of(profile, address), line, evidence) for address in addresses]

    # The energies as one block, three further identifiers: no fewer requests give all of it.
    data_bytes = (20, 2, 3, 3)
    best_s = 30 * sum((20 + 20 + data) * 11 / 2400 + TURNAROUND_S for data in data_bytes)
    return best_s / run_virtually(cycle_s(drivers, 2400, 11))


@pytest.mark.parametrize("span", SPANS)
def test_a_scattered_map_at_9600_is_read_in_nearly_the_best_possible_time(span: int) -> None:
    assert share_of_best_9600(span) >= 0.9


def test_thirty_meters_at_2400_are_read_in_nearly_the_best_possible_time() -> None:
    assert share_of_best_2400() >= 0.9
