"""Replaying a past against a simulated building, through the real lines, buffer and lanes.

The simulator's clock is stepped through the control port; at each instant everything is polled once
and stamped with that instant. Events of a replay are historical. The invariant: when the replay
ends, every reading it took has been acknowledged by the cloud, or it raises.
"""

import asyncio
import contextlib
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import aiohttp

from edge.agent import open_cloud
from edge.errors import CloudFault, EdgeError
from edge.field import Field, open_field
from edge.identity import open_identity
from edge.supervise import keep_running
from edge.uplink import Cloud
from protocol.reading import ClockQuality
from protocol.sync import Stream
from provisioning.config import Config

# Readings may run ahead of the cloud by this much before the replay waits for it.
_BACKLOG_ROWS_MAX = 20_000
_CLOCK_STEP_TIMEOUT_S = 30.0
# A cloud that acknowledges nothing for so long is not there.
_DRAIN_TIMEOUT_S = 120.0
_DRAIN_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is, told after each step and at the end."""

    at_ms: int
    step: int
    steps: int
    readings: int  # taken so far
    good: int  # of these, with a value
    acked: int  # rows of history the cloud has acknowledged in this replay
    is_done: bool = False


class ReplayClock:
    """The time being replayed; confirmed by definition."""

    quality = ClockQuality.SYNCED

    def __init__(self, at_ms: int) -> None:
        self._at_ms = at_ms

    def wall_ms(self) -> int:
        """Return the instant being replayed."""
        return self._at_ms

    def monotonic_ms(self) -> int:
        """Return the same: durations of rules are of replayed time."""
        return self._at_ms

    def set(self, at_ms: int) -> None:
        """Go on to a later instant."""
        if at_ms < self._at_ms:
            raise EdgeError(f"a replay goes forward only: from {self._at_ms} to {at_ms}")
        self._at_ms = at_ms


async def replay(
    config: Config,
    instants_ms: Sequence[int],
    *,
    clock_control_url: str,
    tell: Callable[[Progress], None],
) -> Progress:
    """Poll everything at each of the instants, which rise, and see it acknowledged."""
    clock, rng = ReplayClock(instants_ms[0]), random.SystemRandom()
    identity = None
    if config.credential_file is not None:
        # Of the present, whatever time is replayed: dates of certificates are the cloud's to check.
        identity = open_identity(config.credential_file, instants_ms[0])
    async with (
        open_field(config, clock, rng) as field,
        open_cloud(identity, field, clock, rng, str(uuid.uuid4()), lambda _: None) as cloud,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_CLOCK_STEP_TIMEOUT_S)) as control,
        _running(field, cloud),
    ):
        field.intake.is_historical = True
        steps = len(instants_ms)
        for step, at_ms in enumerate(instants_ms, start=1):
            await _step_clock(control, clock_control_url, at_ms)
            clock.set(at_ms)
            await field.poller.poll_all()
            _refuse_down_lines(field)
            field.intake.tick()
            if cloud.lanes and _ahead(field, cloud) > _BACKLOG_ROWS_MAX:
                await _drain(field, _BACKLOG_ROWS_MAX // 2)
            tell(_progress(field, cloud, at_ms, step, steps))
        await field.buffer.flush()
        if cloud.lanes:
            await _drain(field, 0)
        done = replace(_progress(field, cloud, instants_ms[-1], steps, steps), is_done=True)
        tell(done)
        return done


@contextlib.asynccontextmanager
async def _running(field: Field, cloud: Cloud) -> AsyncIterator[None]:
    """Keep the buffer and the lanes going meanwhile."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "buffer": field.buffer.run,
        **{f"lane {stream.value}": lane.run for stream, lane in cloud.lanes.items()},
    }
    if cloud.greeter is not None:
        parts["greeter"] = cloud.greeter.run
    if cloud.keep_identity is not None:
        parts["identity"] = cloud.keep_identity
    failure: EdgeError | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_running(name, run), name=name) for name, run in parts.items()]
        try:
            yield
        except EdgeError as error:
            failure = error  # raised below, where no group wraps it
        finally:
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure


async def _step_clock(control: aiohttp.ClientSession, url: str, at_ms: int) -> None:
    try:
        async with control.put(f"{url.rstrip('/')}/clock", json={"at_ms": at_ms}) as response:
            if response.status != 200:
                raise EdgeError(f"{url}: the simulator answered {response.status}: {await response.text()}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise EdgeError(f"{url}: cannot set the simulator's clock: {error!r}") from error


def _refuse_down_lines(field: Field) -> None:
    """Raise where a bus cannot be used: a replay with a hole is of no use to anybody."""
    for line_id, line in field.lines.items():
        if line.down_reason:
            raise EdgeError(f"line {line_id}: {line.down_reason}")


def _ahead(field: Field, cloud: Cloud) -> int:
    """Return how many rows were read in this replay and not yet acknowledged in it."""
    return field.buffer.read[Stream.HISTORY] - cloud.lanes[Stream.HISTORY].state.acked_rows


async def _drain(field: Field, rows: int) -> None:
    """Wait until no more than `rows` are pending; CloudFault if the cloud stops taking them."""
    least, least_at = None, asyncio.get_running_loop().time()
    while True:
        state = await field.buffer.state()
        pending = sum(here.pending_rows for here in state.streams.values())
        if pending <= rows:
            return
        now = asyncio.get_running_loop().time()
        if least is None or pending < least:
            least, least_at = pending, now
        elif now - least_at > _DRAIN_TIMEOUT_S:
            raise CloudFault(
                f"the cloud has acknowledged nothing for {_DRAIN_TIMEOUT_S:g} s; {pending} rows wait"
            )
        await asyncio.sleep(_DRAIN_LOOK_S)


def _progress(field: Field, cloud: Cloud, at_ms: int, step: int, steps: int) -> Progress:
    lane = cloud.lanes.get(Stream.HISTORY)
    return Progress(
        at_ms,
        step,
        steps,
        readings=field.buffer.read[Stream.HISTORY],
        good=field.intake.good_readings,
        acked=0 if lane is None else lane.state.acked_rows,
    )
