"""What is due, when, and in which order; no line waits for another.

Polls are due at multiples of their interval by the wall clock (so that hourly readings are taken on
the hour), never queued: a poll that could not be made in its time is counted as an overrun and the
next one is the next multiple. On a line the most urgent of the polls that are due goes first, and
polls that may bring an alarm slip in between the requests of another device's poll. A device whose
breaker is open is only probed; when it answers, all its groups are polled at once.
"""

import asyncio
import heapq
import logging
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from edge.breaker import URGENT_PAUSE_MAX_S
from edge.clock import Clock
from edge.driver import Driver, Priority, failed_readings, points_of, priority_of
from edge.errors import EXCHANGE_FAILURES, LineDown, Unconfirmed
from edge.intake import Intake
from edge.line import Line
from edge.rules.offline import LINE_DOWN
from protocol.errors import Refused
from protocol.reading import Reading
from provisioning.config import DeviceConfig, DeviceId
from provisioning.lines import LineId

log = logging.getLogger(__name__)

# Intervals shorter than this are spread over the interval rather than all begun on the multiple, in
# so many slots: being woken is most of what a poll costs, and polls of one slot share their wake-ups.
_ALIGNED_FROM_S = 60.0
_SLOTS = 2
# Lines wake at multiples of this by the loop's clock, so that what is due together wakes together.
_TICK_S = 0.01
# A timer may fire before its time by this share of the interval and still count as on time.
_EARLY = 0.05
# A device that failed once is asked again this soon: two failures in a row make it offline.
_CONFIRM_S = 5.0


@dataclass(slots=True)
class Job:
    """One group of one device. `due` is loop time; exactly one poll of it is ever outstanding."""

    driver: Driver
    group: str
    interval_s: float
    phase_s: float
    priority: Priority
    due: float = 0.0
    polls: int = 0
    overruns: int = 0
    last_took_s: float = 0.0

    @property
    def device(self) -> DeviceConfig:
        """Return the device as configured."""
        return self.driver.device


@dataclass(slots=True)
class _LineJobs:
    """One line's jobs; two servers share them: one for alarms (True), one for the rest."""

    line_id: LineId
    line: Line
    jobs: list[Job] = field(default_factory=list)
    device_ids: frozenset[DeviceId] = frozenset()
    has_news: dict[bool, bool] = field(default_factory=lambda: {True: True, False: True})
    asleep: set[asyncio.Future[None]] = field(default_factory=set)
    is_gone: bool = False

    def wake(self) -> None:
        """Have both servers look again."""
        self.has_news = {True: True, False: True}
        for woken in self.asleep:
            _wake(woken)


class Settled(Protocol):
    """A driver whose device is to hold settings."""

    async def send_settings(self) -> None:
        """Write what the device is to hold and does not hold."""
        ...


class Poller:
    """Polls every device on time and hands the readings in.

    `settled` are the devices that forget their settings when the power fails: they are told them at
    the start, and again whenever they or their line come back.
    """

    def __init__(
        self,
        lines: Mapping[LineId, Line],
        drivers: Iterable[Driver],
        intake: Intake,
        clock: Clock,
        settled: Mapping[DeviceId, Settled] = MappingProxyType({}),
    ) -> None:
        self._settled: Mapping[DeviceId, Settled] = MappingProxyType({})
        self._unsettled: set[DeviceId] = set()
        self._intake = intake
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ticks: dict[int, list[asyncio.Future[None]]] = {}
        self._is_stopping, self._stopped, self._has_ended = False, asyncio.Event(), asyncio.Event()
        self._by_line: dict[LineId, _LineJobs] = {}
        self._group: asyncio.TaskGroup | None = None
        self.change(lines, drivers, settled)

    @property
    def jobs(self) -> list[Job]:
        """Return all jobs, for health."""
        return [job for here in self._by_line.values() for job in here.jobs]

    def change(
        self,
        lines: Mapping[LineId, Line],
        drivers: Iterable[Driver],
        settled: Mapping[DeviceId, Settled] = MappingProxyType({}),
    ) -> None:
        """Go on with these: a driver that stays keeps its times, a new one is polled at its first.

        A poll under way ends; if its device has gone, its readings are not handed in.
        """
        new = {name for name, driver in settled.items() if self._settled.get(name) is not driver}
        self._settled, self._unsettled = settled, (self._unsettled & settled.keys()) | new
        kept = {(id(job.driver), job.group): job for job in self.jobs}
        for line_id, here in list(self._by_line.items()):
            if lines.get(line_id) is not here.line:
                here.is_gone = True
                here.wake()
                del self._by_line[line_id]
        for line_id, line in lines.items():
            if line_id not in self._by_line:
                here = self._by_line[line_id] = _LineJobs(line_id, line)
                self._begin(here)
        now = self._loop.time()
        wanted: dict[LineId, list[Job]] = {line_id: [] for line_id in self._by_line}
        for driver in drivers:
            for group in driver.device.intervals_s:
                wanted[driver.device.line_id].append(
                    kept.get((id(driver), group)) or _new_job(driver, group, now)
                )
        for line_id, here in self._by_line.items():
            here.jobs = wanted[line_id]
            here.device_ids = frozenset(job.device.device_id for job in here.jobs)
            for job in here.jobs:
                if job.priority <= Priority.ALARM:
                    here.line.device(job.device.address).breaker.pause_max_s = URGENT_PAUSE_MAX_S
            here.wake()

    async def run(self) -> None:
        """Poll until stopped or cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for here in self._by_line.values():
                    self._begin(here)
                await self._stopped.wait()
        finally:
            self._group = None
        self._has_ended.set()

    def _begin(self, here: _LineJobs) -> None:
        if self._group is None:
            return  # not running yet; `run` begins them all
        here.wake()
        for is_urgent in (True, False):
            self._group.create_task(self._serve(here, is_urgent=is_urgent), name=f"poll {here.line_id}")

    async def stop(self) -> None:
        """Begin no new poll; return when those under way have ended, as their deadlines see to.

        What a device was asked it also answers to: a reading on the wire is not thrown away.
        """
        self._is_stopping = True
        self._stopped.set()
        for here in self._by_line.values():
            here.wake()
        await self._has_ended.wait()

    async def poll_all(self) -> int:
        """Poll every job once, lines side by side, whatever is due; return the readings handed in."""
        handed_in = 0

        async def sweep(here: _LineJobs) -> None:
            nonlocal handed_in
            for job in sorted(here.jobs, key=lambda job: job.priority):
                readings = await self._poll(here, job)
                self._intake.accept(readings)
                handed_in += len(readings)

        async with asyncio.TaskGroup() as group:
            for here in self._by_line.values():
                group.create_task(sweep(here))
        return handed_in

    async def _serve(self, here: _LineJobs, *, is_urgent: bool) -> None:
        """Serve the line's alarms, or the rest, until the line goes or all polling ends."""
        jobs: list[Job] = []
        waiting: list[tuple[float, int]] = []
        ready: list[tuple[Priority, float, int]] = []
        while not (self._is_stopping or here.is_gone):
            now = self._loop.time()
            if here.has_news[is_urgent]:
                here.has_news[is_urgent] = False
                jobs = [job for job in here.jobs if (job.priority <= Priority.ALARM) is is_urgent]
                waiting, ready = [(job.due, i) for i, job in enumerate(jobs)], []
                heapq.heapify(waiting)
            while waiting and waiting[0][0] <= now:
                due, i = heapq.heappop(waiting)
                heapq.heappush(ready, (jobs[i].priority, due, i))
            if not ready:
                await self._sleep(here, math.ceil(waiting[0][0] / _TICK_S) if waiting else None)
                continue
            _, _, i = heapq.heappop(ready)
            job = jobs[i]
            readings = await self._poll(here, job)
            if readings and not (here.has_news[is_urgent] and self._has_gone(here, job)):
                self._intake.accept(readings)
            self._schedule(here.line, job)
            heapq.heappush(waiting, (job.due, i))

    async def _sleep(self, here: _LineJobs, tick: int | None) -> None:
        """Sleep until a tick of the loop's clock, or until woken; one timer wakes all who wait for a tick."""
        woken = self._loop.create_future()
        if tick is not None:
            waiting = self._ticks.get(tick)
            if waiting is None:
                waiting = self._ticks[tick] = []
                self._loop.call_at(tick * _TICK_S, self._strike, tick)
            waiting.append(woken)
        here.asleep.add(woken)
        try:
            await woken
        finally:
            here.asleep.discard(woken)

    def _strike(self, tick: int) -> None:
        for sleeper in self._ticks.pop(tick):
            _wake(sleeper)

    @staticmethod
    def _has_gone(here: _LineJobs, job: Job) -> bool:
        """Tell whether the configuration has dropped the job while it was polled."""
        return here.is_gone or not any(job is known for known in here.jobs)

    async def _poll(self, here: _LineJobs, job: Job) -> list[Reading]:
        """Poll the job's group; where the device or bus is out of reach, probe it, or leave it alone."""
        line, address = here.line, job.device.address
        if line.ready_at(address) > self._loop.time():
            return []
        is_bus = False
        try:
            if line.device(address).breaker.is_open or line.is_down:
                await job.driver.probe()
            if job.device.device_id in self._unsettled:
                await self._settle(job.device.device_id)
            began_at = self._loop.time()
            readings = await job.driver.poll(job.group)
            job.polls += 1
            job.last_took_s = self._loop.time() - began_at
        except EXCHANGE_FAILURES as failure:
            readings = self._unreachable(here, job.device, failure)
            is_bus = isinstance(failure, LineDown)
        self._note_reach(here, job.device, is_bus=is_bus)
        return readings

    async def _settle(self, device_id: DeviceId) -> None:
        """Send a device its settings; what it does not take is told once and tried at its next return."""
        self._unsettled.discard(device_id)
        try:
            await self._settled[device_id].send_settings()
        except (Refused, Unconfirmed) as refusal:
            log.warning("setting not taken", extra={"device": device_id, "reason": str(refusal)})
        except EXCHANGE_FAILURES:
            self._unsettled.add(device_id)
            raise

    def _unreachable(self, here: _LineJobs, device: DeviceConfig, failure: Exception) -> list[Reading]:
        """Return failed readings for all that the failed probe stood for: the device, or the whole bus."""
        is_bus = isinstance(failure, LineDown)
        return [
            reading
            for job in here.jobs
            if is_bus or job.device.device_id == device.device_id
            for reading in failed_readings(job.device, points_of(job.device, job.group), failure, self._clock)
        ]

    def _note_reach(self, here: _LineJobs, device: DeviceConfig, *, is_bus: bool) -> None:
        line = here.line
        if line.is_down:
            self._unsettled |= {job.device.device_id for job in here.jobs} & self._settled.keys()
        self._intake.note(LINE_DOWN, here.line_id, is_offline=line.is_down, reason=line.down_reason)
        if is_bus or line.is_down:
            return  # says nothing of the device
        breaker = line.device(device.address).breaker
        if breaker.is_open:
            self._unsettled |= {device.device_id} & self._settled.keys()
        is_in_doubt = self._intake.note_on_line(
            here.line_id, here.device_ids, device.device_id, breaker.failures, is_silent=breaker.is_open
        )
        if is_in_doubt:
            self._ask_neighbour(here)

    def _ask_neighbour(self, here: _LineJobs) -> None:
        """Ask at once one device that was not silent so far: whether it is the bus must not wait an hour."""
        hopeful = [job for job in here.jobs if not here.line.device(job.device.address).breaker.failures]
        if hopeful:
            min(hopeful, key=lambda job: job.due).due = self._loop.time()
            here.wake()

    def _schedule(self, line: Line, job: Job) -> None:
        """Set when the job is due next: the next multiple of its interval, or when it may be probed."""
        now = self._loop.time()
        ready_at = line.ready_at(job.device.address)
        if ready_at > now:
            job.due = ready_at
            return
        if line.device(job.device.address).breaker.failures:
            # One silence may be noise; whether it was is worth knowing before the next hour.
            job.due = now + min(job.interval_s, _CONFIRM_S)
            return
        wall_s = self._clock.wall_ms() / 1000 - job.phase_s
        # The multiple this poll was for; a timer may fire a little early.
        done = math.floor((wall_s - (now - job.due)) / job.interval_s + _EARLY)
        wait_s = (done + 1) * job.interval_s - wall_s
        if wait_s <= 0:
            missed = math.floor(-wait_s / job.interval_s) + 1
            job.overruns += missed
            wait_s += missed * job.interval_s
        job.due = now + wait_s


def _new_job(driver: Driver, group: str, now: float) -> Job:
    device, interval_s = driver.device, driver.device.intervals_s[group]
    phase_s = _phase_s(device, group, interval_s)
    return Job(driver, group, interval_s, phase_s, priority_of(device, group), due=now + phase_s)


def _phase_s(device: DeviceConfig, group: str, interval_s: float) -> float:
    """Return how far off the multiple short intervals are begun, so that they do not all begin at once."""
    if interval_s >= _ALIGNED_FROM_S:
        return 0.0
    return interval_s * (zlib.crc32(f"{device.device_id}/{group}".encode()) % _SLOTS) / _SLOTS


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
