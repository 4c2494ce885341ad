"""The poller in virtual time: on the multiple, never piled up, dead devices cheap, priorities kept."""

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from edge.driver import Driver, EvidenceKeeper
from edge.drivers.modbus import ModbusDriver
from edge.line import Line
from edge.poller import Poller
from edge.rules.offline import Offline
from edge.transport import Lost, Received
from protocol.event import Event, EventState, Severity
from protocol.fieldbus import modbus
from protocol.fieldbus.modbus import Framing
from protocol.quantity import quantity_named
from protocol.reading import ClockQuality, Quality, Reading
from provisioning.lines import LineId
from provisioning.profile import AlarmWhen, ModbusSource, ModbusTable, PointProfile, Profile
from tests.edge.building_blocks import MIDNIGHT_MS, bus_settings, device_of
from tests.edge.virtual_time import LoopClock, run_virtually

LINE = LineId("bus")


@dataclass
class Slaves:
    """A transport with Modbus slaves behind it, which answer at the speed of the bus."""

    dead: set[int] = field(default_factory=set)
    turnaround_s: float = 0.01
    asked: list[tuple[float, int]] = field(default_factory=list)
    is_down: bool = False
    _received: Received = lambda _: None

    async def open(self, received: Received, lost: Lost) -> None:
        from edge.errors import LineDown

        if self.is_down:
            raise LineDown("cable pulled")
        self._received = received

    def close(self) -> None:
        pass

    def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        (request,) = modbus.RequestReader(Framing.RTU).feed(data)
        self.asked.append((loop.time(), request.unit_id))
        if request.unit_id in self.dead:
            return
        reply = modbus.encode_reply(request, Framing.RTU, [7] * request.quantity)
        on_the_wire_s = (len(data) + len(reply)) * 10 / 9600
        loop.call_later(self.turnaround_s + on_the_wire_s, lambda: self._received(reply))


@dataclass
class Sink:
    """Takes what the intake takes."""

    taken: list[tuple[float, Reading]] = field(default_factory=list)
    notes: list[tuple[str, str, bool]] = field(default_factory=list)
    offline: Offline = field(default_factory=Offline)
    told: list[Event] = field(default_factory=list)

    def accept(self, readings: Sequence[Reading]) -> None:
        now = asyncio.get_running_loop().time()
        self.taken += [(now, reading) for reading in readings]

    def note(self, kind: str, name: str, *, is_offline: bool, reason: str) -> None:
        known = [entry for entry in self.notes if entry[:2] == (kind, name)]
        if is_offline != (known[-1][2] if known else False):
            self.notes.append((kind, name, is_offline))

    def note_on_line(
        self, line_id: str, device_ids: Collection[str], device_id: str, failures: int, *, is_silent: bool
    ) -> bool:
        events = self.offline.note_on_line(line_id, device_ids, device_id, failures, 0, is_silent=is_silent)
        for event in events:
            self.notes.append(
                (event.kind, event.point_key.partition("/")[0], event.state is EventState.RAISED)
            )
        self.told += events
        return self.offline.is_in_doubt(line_id, device_id)

    def times(self, device: str, *, only_good: bool = True) -> list[float]:
        return [
            at
            for at, reading in self.taken
            if reading.point_key.startswith(f"{device}/")
            and (reading.quality is Quality.GOOD or not only_good)
        ]


def profile(*, registers: int = 8, has_alarm: bool = False) -> Profile:
    source = ModbusSource(
        ModbusTable.HOLDING_REGISTER, registers - 1, "uint16", "ABCD", None, Decimal(1), frozenset()
    )
    first = ModbusSource(ModbusTable.HOLDING_REGISTER, 0, "uint16", "ABCD", None, Decimal(1), frozenset())
    alarm = AlarmWhen(frozenset({9}), "k", Severity.MAJOR, "m") if has_alarm else None
    points = (
        PointProfile("a", quantity_named("voltage"), first, alarm=alarm),
        PointProfile("b", quantity_named("voltage"), source),
    )
    return Profile("p", "t", "s", "modbus", points)


def poll(
    slaves: Slaves,
    units: Sequence[int],
    seconds: float,
    *,
    interval_s: float = 1.0,
    alarm_units: Sequence[int] = (),
    meddle: Callable[[], object] | None = None,
    meddle_at_s: float = 0.0,
) -> tuple[Sink, Poller, Line]:
    """Poll the units for some virtual time; at one moment something may happen."""

    async def work() -> tuple[Sink, Poller, Line]:
        sink, clock = Sink(), LoopClock(ClockQuality.SYNCED, MIDNIGHT_MS)
        settings = bus_settings(baud=9600, timeout_ms=1000, late_limit_ms=3000, gap_ms=4.0)
        line = Line(settings, slaves, clock, random.Random(1))
        drivers: list[Driver] = []
        for unit in units:
            device = device_of(profile(has_alarm=unit in alarm_units), str(unit), f"u{unit}")
            device.intervals_s["all"] = interval_s  # type: ignore[index]
            drivers.append(ModbusDriver(device, line, EvidenceKeeper(ZoneInfo("UTC"))))
        poller = Poller({LINE: line}, drivers, sink, clock)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        if meddle is not None:
            loop.call_later(meddle_at_s, meddle)
        task = asyncio.ensure_future(poller.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return sink, poller, line

    return run_virtually(work())


def p95(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def gaps(times: Sequence[float]) -> list[float]:
    distinct = sorted(set(times))
    return [later - earlier for earlier, later in pairwise(distinct)]


def test_a_minute_interval_is_kept_on_the_minute() -> None:
    sink, poller, _ = poll(Slaves(), [1], 600, interval_s=60)

    stamps = sorted({reading.measured_at_ms for _, reading in sink.taken})

    # The first poll is at once; then every one on the minute, within an exchange's length.
    assert len(stamps) == 11
    assert all(stamp % 60_000 < 200 for stamp in stamps[1:])
    assert {later - earlier for earlier, later in pairwise(stamps[1:])} == {60_000}
    assert sum(job.overruns for job in poller.jobs) == 0


def test_short_intervals_keep_their_period_without_drift() -> None:
    sink, _, _ = poll(Slaves(), [1, 2, 3], 3600)

    for unit in (1, 2, 3):
        times = sorted(set(sink.times(f"u{unit}")))
        assert len(times) == pytest.approx(3600, abs=2)
        assert max(gaps(times)) < 1.3


@cache
def twenty(dead: frozenset[int], seconds: float = 900) -> tuple[Sink, float]:
    """Poll twenty slaves of which some are dead; return what was taken and the others' p95 cycle."""
    sink, _, _ = poll(Slaves(dead=set(dead)), range(1, 21), seconds)
    living = [unit for unit in range(1, 21) if unit not in dead]
    return sink, p95([gap for unit in living for gap in gaps(sink.times(f"u{unit}"))])


def test_one_dead_slave_of_twenty_costs_the_others_less_than_a_twentieth() -> None:
    _, healthy_s = twenty(frozenset())

    wounded, wounded_s = twenty(frozenset({7}))

    assert wounded_s <= 1.05 * healthy_s
    assert wounded.times("u7") == []
    assert len(set(wounded.times("u7", only_good=False))) < 900 / 30  # told now and then, not every cycle


def test_ten_dead_slaves_of_twenty_cost_the_others_less_than_a_quarter() -> None:
    _, healthy_s = twenty(frozenset())

    _, wounded_s = twenty(frozenset(range(1, 20, 2)))

    assert wounded_s <= 1.25 * healthy_s


def test_a_dead_device_is_told_once_and_a_returning_one_is_complete_within_a_probe_and_a_cycle() -> None:
    slaves = Slaves(dead={2})

    sink, _, _ = poll(slaves, [1, 2], 400, meddle=slaves.dead.clear, meddle_at_s=200)

    back = min(at for at in sink.times("u2"))
    assert back - 1200.0 <= 60 * 1.25 + 2
    assert sink.notes == [("device_offline", "u2", True), ("device_offline", "u2", False)]
    assert {reading.point_key for at, reading in sink.taken if at == back} == {"u2/a", "u2/b"}
    failed = [reading for _, reading in sink.taken if reading.quality is not Quality.GOOD]
    assert {reading.value_micro for reading in failed} == {None}


def test_a_device_asked_once_an_hour_is_told_offline_within_seconds_of_its_first_silence() -> None:
    slaves = Slaves()

    def die() -> None:
        slaves.dead.add(1)

    sink, _, _ = poll(slaves, [1], 3700, interval_s=3600, meddle=die, meddle_at_s=10)

    assert sink.notes == [("device_offline", "u1", True)]
    silent = [at for at, unit in slaves.asked if unit == 1][1:3]
    assert silent[1] - silent[0] < 10


def test_after_a_stall_each_group_is_polled_once_and_the_missed_ones_are_counted() -> None:
    slaves = Slaves()

    def stall() -> None:
        slaves.turnaround_s = 0.9  # every answer now takes nearly its whole timeout

    _, poller, _ = poll(slaves, [1, 2, 3], 120, meddle=stall, meddle_at_s=30)
    asked = [at for at, unit in slaves.asked if unit == 1]

    # Overloaded, the bus carries what it can: no poll is made twice to catch up.
    assert min(gaps(asked[40:])) >= 0.9
    assert sum(job.overruns for job in poller.jobs) > 100


def test_a_line_that_is_down_is_told_once_for_all_its_devices() -> None:
    slaves = Slaves(is_down=True)

    sink, _, _ = poll(
        slaves, [1, 2, 3], 300, meddle=lambda: setattr(slaves, "is_down", False), meddle_at_s=100
    )

    assert sink.notes == [("line_down", "bus", True), ("line_down", "bus", False)]
    offline = [reading for _, reading in sink.taken if reading.quality is Quality.OFFLINE]
    assert {reading.point_key for reading in offline} == {f"u{unit}/{p}" for unit in (1, 2, 3) for p in "ab"}
    assert {reading.reason for reading in offline} == {"cable pulled"}
    assert all(len(sink.times(f"u{unit}")) > 200 for unit in (1, 2, 3))


def test_a_bus_that_is_cut_is_told_once_and_then_whoever_stays_silent() -> None:
    slaves, units = Slaves(), list(range(1, 41))

    def cut() -> None:
        slaves.dead.update(units)
        asyncio.get_running_loop().call_later(4600, mend)

    def mend() -> None:
        slaves.dead.clear()
        slaves.dead.add(7)

    # Asked once an hour: who answers is not waited for until the next one.
    sink, _, _ = poll(slaves, units, 6000, interval_s=3600, meddle=cut, meddle_at_s=10)

    assert sink.notes == [
        ("line_silent", "bus", True),
        ("line_silent", "bus", False),
        ("device_offline", "u7", True),
    ]
    silent = sink.told[0]
    names = ", ".join(sorted(f"u{unit}" for unit in units))
    assert silent.message == f"40 of 40 devices of the line are silent: {names}"
    assert (silent.point_key, silent.severity) == ("bus/answers", Severity.MAJOR)


def test_one_silent_device_of_a_quiet_line_is_told_by_asking_one_neighbour() -> None:
    slaves = Slaves()
    slaves.dead.add(2)

    sink, _, _ = poll(slaves, [1, 2, 3], 60, interval_s=3600)

    assert sink.notes == [("device_offline", "u2", True)]
    assert len([unit for _, unit in slaves.asked if unit in (1, 3)]) <= 2 * 2 + 2  # two requests a poll


def test_alarms_are_polled_first_where_the_bus_is_too_slow_for_all() -> None:
    slaves = Slaves(turnaround_s=0.3)

    sink, _, _ = poll(slaves, list(range(1, 9)), 300, interval_s=1.0, alarm_units=[5])

    alarm_gaps = gaps(sink.times("u5"))
    assert p95(alarm_gaps) < 1.5
    assert p95(gaps(sink.times("u1"))) > 2


def test_a_change_of_configuration_costs_the_devices_that_stay_no_poll() -> None:
    async def work() -> Sink:
        sink, clock = Sink(), LoopClock(ClockQuality.SYNCED, MIDNIGHT_MS)
        line = Line(bus_settings(baud=9600, timeout_ms=1000, gap_ms=4.0), Slaves(), clock, random.Random(1))

        def driver(unit: int) -> Driver:
            device = device_of(profile(), str(unit), f"u{unit}")
            device.intervals_s["all"] = 1.0  # type: ignore[index]
            return ModbusDriver(device, line, EvidenceKeeper(ZoneInfo("UTC")))

        drivers = {unit: driver(unit) for unit in range(1, 10)}
        poller = Poller({LINE: line}, [drivers[1], drivers[2]], sink, clock)  # type: ignore[arg-type]
        task = asyncio.ensure_future(poller.run())
        for turn in range(300):
            await asyncio.sleep(0.37)
            poller.change({LINE: line}, [drivers[1], drivers[2 + turn % 8]])
        task.cancel()
        return sink

    times = sorted(set(run_virtually(work()).times("u1")))

    assert len(times) == pytest.approx(300 * 0.37, abs=2)
    assert max(gaps(times)) < 1.3
