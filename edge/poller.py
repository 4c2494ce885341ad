"""What is due, when, and in which order; no line waits for another.

Polls are due at multiples of their interval by the wall clock (so that hourly readings are taken on
the hour), never queued: a poll that could not be made in its time is counted as an overrun and the
next one is the next multiple. On a line the most urgent of the polls that are due goes first, and
polls that may bring an alarm slip in between the requests of another device's poll. A device whose
breaker is open is only probed; when it answers, all its groups are polled at once.
"""

import asyncio
import heapq
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge.clock import Clock
from edge.driver import Driver, Priority, failed_readings, points_of, priority_of
from edge.errors import EXCHANGE_FAILURES, LineDown
from edge.intake import Intake
from edge.line import Line
from edge.rules.offline import DEVICE_OFFLINE, LINE_DOWN
from protocol.reading import Reading
from provisioning.config import DeviceConfig, LineId

# Intervals shorter than this are spread over the interval rather than all begun on the multiple, in
# so many slots: being woken is most of what a poll costs, and polls of one slot share their wake-ups.
_ALIGNED_FROM_S = 60.0
_SLOTS = 4
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
    line_id: LineId
    line: Line
    jobs: list[Job] = field(default_factory=list)


class Poller:
    """Polls every device on time and hands the readings in."""

    def __init__(
        self, lines: Mapping[LineId, Line], drivers: Iterable[Driver], intake: Intake, clock: Clock
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._is_stopping, self._has_ended = False, asyncio.Event()
        self._asleep: set[asyncio.Future[None]] = set()
        self._by_line = {line_id: _LineJobs(line_id, line) for line_id, line in lines.items()}
        for driver in drivers:
            device = driver.device
            for group, interval_s in device.intervals_s.items():
                job = Job(
                    driver, group, interval_s, _phase_s(device, group, interval_s), priority_of(device, group)
                )
                self._by_line[device.line_id].jobs.append(job)

    @property
    def jobs(self) -> list[Job]:
        """Return all jobs, for health."""
        return [job for here in self._by_line.values() for job in here.jobs]

    async def run(self) -> None:
        """Poll until stopped or cancelled."""
        async with asyncio.TaskGroup() as group:
            for here in self._by_line.values():
                urgent = [job for job in here.jobs if job.priority <= Priority.ALARM]
                others = [job for job in here.jobs if job.priority > Priority.ALARM]
                for jobs in filter(None, (urgent, others)):
                    group.create_task(self._serve(here, jobs), name=f"poll {here.line_id}")
        self._has_ended.set()

    async def stop(self) -> None:
        """Begin no new poll; return when those under way have ended, as their deadlines see to.

        What a device was asked it also answers to: a reading on the wire is not thrown away.
        """
        self._is_stopping = True
        for woken in self._asleep:
            _wake(woken)
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

    async def _serve(self, here: _LineJobs, jobs: list[Job]) -> None:
        loop = self._loop
        began_at = loop.time()
        for job in jobs:
            job.due = began_at + job.phase_s
        waiting = [(job.due, i) for i, job in enumerate(jobs)]
        heapq.heapify(waiting)
        ready: list[tuple[Priority, float, int]] = []
        while not self._is_stopping:
            now = loop.time()
            while waiting and waiting[0][0] <= now:
                due, i = heapq.heappop(waiting)
                heapq.heappush(ready, (jobs[i].priority, due, i))
            if not ready:
                await self._sleep_until(math.ceil(waiting[0][0] / _TICK_S) * _TICK_S)
                continue
            _, _, i = heapq.heappop(ready)
            job = jobs[i]
            readings = await self._poll(here, job)
            if readings:
                self._intake.accept(readings)
            self._schedule(here.line, job)
            heapq.heappush(waiting, (job.due, i))

    async def _sleep_until(self, at: float) -> None:
        """Sleep until a loop time, or until stopped. `asyncio.timeout` would cost as much as the poll."""
        woken = self._loop.create_future()
        timer = self._loop.call_at(at, _wake, woken)
        self._asleep.add(woken)
        try:
            await woken
        finally:
            timer.cancel()
            self._asleep.discard(woken)

    async def _poll(self, here: _LineJobs, job: Job) -> list[Reading]:
        """Poll the job's group; where the device or bus is out of reach, probe it, or leave it alone."""
        line, address = here.line, job.device.address
        if line.ready_at(address) > self._loop.time():
            return []
        try:
            if line.device(address).breaker.is_open or line.is_down:
                await job.driver.probe()
            began_at = self._loop.time()
            readings = await job.driver.poll(job.group)
            job.polls += 1
            job.last_took_s = self._loop.time() - began_at
        except EXCHANGE_FAILURES as failure:
            readings = self._unreachable(here, job.device, failure)
        self._note_reach(here, job.device)
        return readings

    def _unreachable(self, here: _LineJobs, device: DeviceConfig, failure: Exception) -> list[Reading]:
        """Return failed readings for all that the failed probe stood for: the device, or the whole bus."""
        is_bus = isinstance(failure, LineDown)
        return [
            reading
            for job in here.jobs
            if is_bus or job.device.device_id == device.device_id
            for reading in failed_readings(job.device, points_of(job.device, job.group), failure, self._clock)
        ]

    def _note_reach(self, here: _LineJobs, device: DeviceConfig) -> None:
        line = here.line
        self._intake.note(LINE_DOWN, here.line_id, is_offline=line.is_down, reason=line.down_reason)
        if not line.is_down:
            breaker = line.device(device.address).breaker
            reason = f"no answer to {breaker.failures} questions in a row"
            self._intake.note(DEVICE_OFFLINE, device.device_id, is_offline=breaker.is_open, reason=reason)

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


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _phase_s(device: DeviceConfig, group: str, interval_s: float) -> float:
    """Return how far off the multiple short intervals are begun, so that they do not all begin at once."""
    if interval_s >= _ALIGNED_FROM_S:
        return 0.0
    return interval_s * (zlib.crc32(f"{device.device_id}/{group}".encode()) % _SLOTS) / _SLOTS
