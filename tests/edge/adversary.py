"""A bus that lies: late, repeated, truncated, damaged, foreign and echoed frames, in virtual time.

Every point of every device has a value no other point has, so a value in the wrong place shows.
Replies come up to three timeouts late. A *site* is a bus with the devices on it; together the sites
have every driver. On Modbus TCP only what TCP lets through is done: late, repeated and foreign
replies, and pieces.

    python -m tests.edge.adversary --exchanges 1000000      every site, one after the other
    python -m tests.edge.adversary --site mbus --seed 7     one of them, with another chance
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from edge.driver import Driver, EvidenceKeeper
from edge.drivers import DRIVERS
from edge.line import Line
from edge.transport import Lost, Received
from protocol.fieldbus import cjt188, dlt645, dlt645_1997, mbus, modbus
from protocol.fieldbus.cjt188_data import Amount, HeatData, Status, WaterData, encode_heat, encode_water
from protocol.fieldbus.mbus_records import encode_record
from protocol.fieldbus.modbus import Framing
from protocol.quantity import MICRO, quantity_named
from protocol.reading import ClockQuality, Quality
from provisioning.config import DeviceConfig
from provisioning.profile import ModbusSource, ModbusTable, PointProfile, Profile
from provisioning.profiles import load_profile
from tests.edge.building_blocks import MIDNIGHT_MS, bus_settings, device_of
from tests.edge.virtual_time import LoopClock, run_virtually

TIMEOUT_MS = 500
LATE_S = 3 * TIMEOUT_MS / 1000

UNITS = (1, 2, 3)
# A unit whose blocks cannot be given lengths of their own: its manual allows two registers a read.
CRAMPED_UNIT = 9
METERS = tuple(f"2026070001{n:02d}" for n in range(1, 5))
OLD_METERS = tuple(f"1997070001{n:02d}" for n in range(1, 4))
EITHER_METERS = tuple(f"2010070001{n:02d}" for n in range(1, 3))
WATERS = tuple(f"202607000001{n:02d}" for n in range(1, 5))
HEATS = tuple(f"202607000002{n:02d}" for n in range(1, 4))
MBUS_PRIMARY = ("1", "2", "77")
MBUS_SECONDARY = ("12345678", "12345679", "87654321")
DIS = ("00010000", "02010100", "02020100", "02030000")
OLD_DIS = ("9010", "B611", "B621", "B630")


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

Truth = dict[str, int]


def true_register(unit_id: int, address: int) -> int:
    return (unit_id * 7919 + address * 31) & 0xFFFF


def only(name: str, *points: str) -> Profile:
    profile = load_profile(name)
    return replace(profile, points=tuple(p for p in profile.points if p.name in points))


@dataclass(frozen=True)
class Site:
    """A bus: its devices, what each point truly is, and what an asked device answers, b"" for silence.

    `stays_hidden` tells of a request whose answers nobody else may be handed later.
    """

    devices: Sequence[DeviceConfig]
    truth: Truth
    honest_reply: Callable[[bytes], bytes]
    stays_hidden: Callable[[bytes], bool] = lambda _: False
    is_tcp: bool = False


def _modbus_answer(framing: Framing) -> Callable[[bytes], bytes]:
    def answer(wire: bytes) -> bytes:
        (request,) = modbus.RequestReader(framing).feed(wire)
        span = range(request.start, request.start + request.quantity)
        return modbus.encode_reply(request, framing, [true_register(request.unit_id, a) for a in span])

    return answer


def _units(units: Sequence[int], profile: Profile) -> tuple[list[DeviceConfig], Truth]:
    truth: Truth = {}
    for unit_id in units:
        for i in range(len(profile.points)):
            high, low = (true_register(unit_id, i * 200 + k) for k in (0, 1))
            truth[f"unit-{unit_id}/p{i}"] = (high << 16 | low) * MICRO
    return [device_of(profile, str(unit), f"unit-{unit}") for unit in units], truth


def modbus_rtu() -> Site:
    devices, truth = _units(UNITS, ROOMY)
    cramped, more = _units((CRAMPED_UNIT,), CRAMPED)
    # What a length cannot tell apart the line keeps apart in time, but only what was asked here.
    return Site(
        [*devices, *cramped],
        truth | more,
        _modbus_answer(Framing.RTU),
        lambda wire: wire[0] == CRAMPED_UNIT,
    )


def modbus_tcp() -> Site:
    devices, truth = _units((*UNITS, CRAMPED_UNIT), ROOMY)
    return Site(devices, truth, _modbus_answer(Framing.TCP), is_tcp=True)


def _meters(
    profile: Profile, meters: Sequence[str], base: int, points: Sequence[str]
) -> tuple[list[DeviceConfig], Truth]:
    truth = {
        f"{meter}/{point}": (base + 10 * n + k + 1) * MICRO
        for n, meter in enumerate(meters)
        for k, point in enumerate(points)
    }
    return [device_of(profile, meter, meter) for meter in meters], truth


def dlt645_2007() -> Site:
    profile = load_profile("dlt645_single_phase")
    devices, truth = _meters(profile, METERS, 0, [point.name for point in profile.points])

    def answer(wire: bytes) -> bytes:
        frame = dlt645.decode_frame(wire)
        di = frame.data[3::-1].hex().upper()
        value = Decimal(10 * METERS.index(frame.meter_address) + DIS.index(di) + 1)
        payload = dlt645.encode_items(dlt645.data_identifier(di), [value])
        return dlt645.encode_frame(dlt645.read_reply(frame.meter_address, di, payload))

    return Site(devices, truth, answer)


def _old_answer(meters: Sequence[str], wire: bytes) -> bytes:
    frame = dlt645_1997.decode_frame(wire)
    di = frame.data[1::-1].hex().upper()
    value = Decimal(10 * meters.index(frame.meter_address) + OLD_DIS.index(di) + 1)
    payload = dlt645.encode_items(dlt645_1997.data_identifier(di), [value])
    return dlt645.encode_frame(dlt645_1997.read_reply(frame.meter_address, di, payload))


def dlt645_of_1997() -> Site:
    profile = load_profile("dlt645_1997_single_phase")
    devices, truth = _meters(profile, OLD_METERS, 0, [point.name for point in profile.points])
    return Site(devices, truth, lambda wire: _old_answer(OLD_METERS, wire))


def dlt645_of_either() -> Site:
    """Old meters whose edition nobody was told; to the newer edition they are silent."""
    points = ("active_energy_import", "active_power")
    profile = only("dlt645_either_edition", *points)
    devices = [device_of(profile, meter, meter) for meter in EITHER_METERS]
    truth = {
        f"{meter}/{point}": (10 * n + OLD_DIS.index(di) + 1) * MICRO
        for n, meter in enumerate(EITHER_METERS)
        for point, di in zip(points, ("9010", "B630"), strict=True)
    }

    def answer(wire: bytes) -> bytes:
        frame = dlt645_1997.decode_frame(wire)
        return _old_answer(EITHER_METERS, wire) if frame.control_code == 0x01 else b""

    return Site(devices, truth, answer)


def cjt188_meters() -> Site:
    water, truth = _meters(only("cjt188_cold_water", "water_volume"), WATERS, 500, ["water_volume"])
    heat = replace(
        only("cjt188_cold_water", "water_volume"),
        meter_type="20",
        points=tuple(
            PointProfile(name, quantity_named(name), replace(source, field=field))
            for name, field in (("heat_energy", "current_heat"), ("water_volume", "volume"))
            for source in [load_profile("cjt188_cold_water").points[0].source]
        ),
    )
    heats, more = _meters(heat, HEATS, 800, ["heat_energy", "water_volume"])

    def answer(wire: bytes) -> bytes:
        asked = cjt188.decode_frame(wire)
        if asked.address in WATERS:
            volume = Amount(Decimal(501 + 10 * WATERS.index(asked.address)), "m3")
            data = encode_water(WaterData(volume, volume, None, Status(b"\0\0")))
            return cjt188.encode_frame(cjt188.reply_to(asked, 0x10, asked.address, data))
        energy = Decimal(801 + 10 * HEATS.index(asked.address))
        nothing = Amount(Decimal(0), "kWh")
        data = encode_heat(
            HeatData(
                nothing,
                Amount(energy, "kWh"),
                Amount(Decimal(0), "kW"),
                Amount(Decimal(0), "m3/h"),
                Amount(energy + 1, "m3"),
                Decimal(60),
                Decimal(40),
                Decimal(100),
                None,
                Status(b"\0\0"),
                is_unit_first=True,
            )
        )
        return cjt188.encode_frame(cjt188.reply_to(asked, 0x20, asked.address, data))

    return Site([*water, *heats], truth | more, answer)


class _MbusMeters:
    """Meters of two telegrams: volume, then flow. A selection chooses whom 253 is."""

    def __init__(self) -> None:
        self._selected = ""

    def answer(self, wire: bytes) -> bytes:
        frame = mbus.decode_frame(wire)
        if frame.control == mbus.SND_NKE:
            return mbus.ACK
        if frame.control_information == mbus.CI_SELECT:
            self._selected = frame.data[3::-1].hex()
            return mbus.ACK
        address = self._selected if frame.address == mbus.SELECTED else str(frame.address)
        meters = (*MBUS_PRIMARY, *MBUS_SECONDARY)
        if address not in meters:
            return b""
        n = meters.index(address)
        is_first = bool(frame.control & mbus.FCB)
        records = (
            [encode_record(b"\x16", 10 * n + 1), b"\x1f"]
            if is_first
            else [encode_record(b"\x3e", 10 * n + 2)]
        )
        identification = address if address in MBUS_SECONDARY else f"{40000000 + n}"
        header = mbus.Header(identification, "GWF", 1, 7)
        primary = 0 if address in MBUS_SECONDARY else frame.address
        return mbus.encode_frame(mbus.telegram_reply(primary, header, records))


def mbus_meters() -> Site:
    profile = only("mbus_cold_water_meter", "water_volume", "volume_flow")
    meters = (*MBUS_PRIMARY, *MBUS_SECONDARY)
    devices, truth = _meters(profile, meters, 0, ["water_volume", "volume_flow"])
    return Site(devices, truth, _MbusMeters().answer)


def riser() -> Site:
    """A riser cabinet: everything that shares one pair of wires."""
    parts = (modbus_rtu(), dlt645_2007(), dlt645_of_1997(), cjt188_meters())
    truth: Truth = {}
    for part in parts:
        truth |= part.truth

    def answer(wire: bytes) -> bytes:
        if not wire.startswith(b"\xfe"):
            return parts[0].honest_reply(wire)
        body = wire.lstrip(b"\xfe")
        if body[7] != 0x68:
            return parts[3].honest_reply(wire)
        return parts[1 if body[8] == 0x11 else 2].honest_reply(wire)

    return Site([d for part in parts for d in part.devices], truth, answer, parts[0].stays_hidden)


SITES: dict[str, Callable[[], Site]] = {
    "cjt188": cjt188_meters,
    "dlt645": dlt645_of_either,
    "dlt645-1997": dlt645_of_1997,
    "dlt645-2007": dlt645_2007,
    "mbus": mbus_meters,
    "modbus-rtu": modbus_rtu,
    "modbus-tcp": modbus_tcp,
    "riser": riser,
}


@dataclass
class Counts:
    """What was done to the drivers, and what came of it."""

    asked: int = 0
    late: int = 0
    repeated: int = 0
    foreign: int = 0
    damaged: int = 0
    cancelled: int = 0
    good: int = 0


class LyingBus:
    """A transport whose devices do everything that devices do."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.counts = Counts()
        self._site = site
        self._rng = rng
        self._received: Received = lambda _: None
        self._earlier: list[bytes] = []

    async def open(self, received: Received, lost: Lost) -> None:
        self._received = received

    def close(self) -> None:
        self._received = lambda _: None

    def write(self, data: bytes) -> None:
        rng, counts, is_tcp = self._rng, self.counts, self._site.is_tcp
        counts.asked += 1
        reply = self._site.honest_reply(data)
        is_hidden = self._site.stays_hidden(data)
        if rng.random() < 0.05 and not is_tcp:
            self._later(0.0, data)  # our own echo
        if rng.random() < 0.05 and not is_tcp:
            self._later(rng.uniform(0, 0.3), rng.randbytes(rng.randrange(1, 12)))
        if rng.random() < 0.05 and self._earlier:
            counts.foreign += 1  # somebody answers something that was asked before, or to others
            self._later(rng.uniform(0, LATE_S), rng.choice(self._earlier))
        fate = rng.random()
        if fate < 0.05 or not reply:
            return  # dead
        if fate < 0.10 and not is_tcp:
            counts.damaged += 1
            at = rng.randrange(len(reply))
            reply = reply[:at] + bytes((reply[at] ^ 1 << rng.randrange(8),)) + reply[at + 1 :]
        elif fate < 0.15 and len(reply) > 1 and not is_tcp:
            reply = reply[: rng.randrange(1, len(reply))]
        delay_s = rng.uniform(0.005, 0.1)
        if rng.random() < 0.15:
            counts.late += 1
            delay_s = rng.uniform(0.3, LATE_S)
        self._later(delay_s, reply)
        if rng.random() < 0.10 and not is_hidden:
            counts.repeated += 1
            self._later(rng.uniform(delay_s, LATE_S), reply)
        if not is_hidden:
            self._earlier = [*self._earlier[-20:], reply]

    def _later(self, delay_s: float, data: bytes) -> None:
        loop, rng = asyncio.get_running_loop(), self._rng
        if len(data) > 4 and rng.random() < 0.2 and not self._site.is_tcp:
            at = rng.randrange(1, len(data))
            loop.call_later(delay_s, lambda: self._received(data[:at]))
            loop.call_later(delay_s + rng.uniform(0, 0.02), lambda: self._received(data[at:]))
        else:
            loop.call_later(delay_s, lambda: self._received(data))


async def lie_to_the_drivers(site: Site, exchanges: int, seed: int) -> tuple[Counts, list[str]]:
    """Poll the site's devices at random until so much was asked; return the readings that were wrong."""
    rng = random.Random(seed)
    bus = LyingBus(site, rng)
    settings = bus_settings(
        timeout_ms=TIMEOUT_MS,
        late_limit_ms=3 * TIMEOUT_MS,
        gap_ms=0.0 if site.is_tcp else 4.0,
        baud=0 if site.is_tcp else 9600,
    )
    line = Line(settings, bus, LoopClock(ClockQuality.SYNCED, MIDNIGHT_MS), rng)
    evidence = EvidenceKeeper(ZoneInfo("UTC"))
    drivers: list[Driver] = [
        DRIVERS[device.profile.protocol](device, line, evidence) for device in site.devices
    ]
    truth, wrong, counts = site.truth, [], bus.counts
    loop = asyncio.get_running_loop()
    while counts.asked < exchanges:
        driver = rng.choice(drivers)
        await asyncio.sleep(max(0.0, line.ready_at(driver.device.address) - loop.time()))
        try:
            async with asyncio.timeout(rng.uniform(0.01, 1.0) if rng.random() < 0.02 else None):
                readings = await driver.poll("all")
        except TimeoutError:
            counts.cancelled += 1
            continue
        for reading in readings:
            if reading.quality is Quality.GOOD and reading.point_key in truth:
                counts.good += 1
                if reading.value_micro != truth[reading.point_key]:
                    wrong.append(f"{reading.point_key} = {reading.value_micro}")
    return counts, wrong


def main() -> int:
    """Lie as often as asked and print what came of it; 1 if any value was wrong."""
    parser = argparse.ArgumentParser(description="Lie to every driver in virtual time.")
    parser.add_argument("--exchanges", type=int, default=1_000_000, help="of each site")
    parser.add_argument("--site", choices=sorted(SITES), action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=645)
    arguments = parser.parse_args()
    total = errors = 0
    print(
        f"{'site':<12} {'exchanges':>10} {'good':>10} {'late':>8} {'again':>8} {'foreign':>8}"
        f" {'damaged':>8} {'wrong':>6} {'s':>6}"
    )
    for name in arguments.site or SITES:
        began = time.monotonic()
        counts, wrong = run_virtually(lie_to_the_drivers(SITES[name](), arguments.exchanges, arguments.seed))
        total, errors = total + counts.asked, errors + len(wrong)
        print(
            f"{name:<12} {counts.asked:>10,} {counts.good:>10,} {counts.late:>8,} {counts.repeated:>8,}"
            f" {counts.foreign:>8,} {counts.damaged:>8,} {len(wrong):>6} {time.monotonic() - began:>6.0f}",
            flush=True,
        )
        for one in wrong[:10]:
            print(f"  {one}")
    print(f"{total:,} exchanges, {errors} wrong values")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
