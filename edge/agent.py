"""The wiring of the agent: the real clock, chance and sockets are handed to the parts, and run.

Nothing is decided here. The one invariant is the order of ending: whoever reads stops first, what
was read is committed and, if the cloud is there, sent, and the store is closed last.
"""

import asyncio
import contextlib
import gc
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.access import Judge
from edge.buffer_file import Connect, connect_file
from edge.clock import Clock
from edge.cloud_client import CloudClient
from edge.configurations import Configurations
from edge.configurator import Configurator, Trust, config_at_start, open_configurations, trust_of
from edge.downlink import Downlink, open_downlink
from edge.field import Field, open_field
from edge.gatekeeper import Gatekeeper
from edge.grants import FOLDER as GRANTS_FOLDER
from edge.grants import GrantFetcher, GrantShelf
from edge.greeter import Greeter
from edge.hatch import serve_hatch
from edge.health import AGENT_VERSION, Inspector, count_devices
from edge.home_assistant import HomeAssistant
from edge.identity import Identity, open_identity
from edge.intake import Intake
from edge.keeper import Keeper
from edge.local_outputs import GuardedActuators, LocalOutputs
from edge.meter_rounds import MeterRounds
from edge.page import serve_page
from edge.picture_lane import PictureLane
from edge.self_report import SelfReport
from edge.supervise import keep_running
from edge.system_clock import SystemClock
from edge.uplink import Cloud, Lane
from edge.watchdog import this_watchdog
from protocol.greeting import Hello, Welcome
from protocol.sync import Stream
from provisioning.config import Config
from provisioning.lines import MqttLine

log = logging.getLogger(__name__)

TICK_S = 1.0
_CLOCK_WATCH_S = 60.0
# A stop may take this long; systemd kills after 90 s, a person at the terminal loses patience before.
_ENDING_MAX_S = 8.0
_ENDING_LOOK_S = 0.05
# Linux names each boot; every start of the agent in it reads the same.
_MACHINE_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Opening a port or resolving a name may hang for long; each line hangs at most one thread.
_BLOCKING_CALLS_MAX = 64


class Runs(Protocol):
    """A part of the agent that runs for ever."""

    async def run(self) -> None:
        """Run until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """What the agent is handed of the world: its clocks, chance, a name for this start, and its disk.

    `machine_boot_id` names the time in which the monotonic clock runs on, over starts of the agent.
    """

    clock: SystemClock
    rng: random.Random
    boot_id: str
    connect: Connect = connect_file
    machine_boot_id: str = ""


def this_machine() -> Outside:
    """Return the world as it is."""
    boot_id = str(uuid.uuid4())
    try:
        machine_boot_id = _MACHINE_BOOT_ID.read_text().strip()
    except OSError:
        machine_boot_id = boot_id
    return Outside(SystemClock(), random.SystemRandom(), boot_id, machine_boot_id=machine_boot_id)


@contextlib.asynccontextmanager
async def open_cloud(
    identity: Identity | None,
    field: Field,
    clock: Clock,
    rng: random.Random,
    boot_id: str,
    on_welcome: Callable[[Welcome], None],
    shelf: Configurations | None = None,
    grants: GrantShelf | None = None,
) -> AsyncIterator[Cloud]:
    """Make a lane a stream, each with its own connection, and the greeter with a third."""
    if identity is None:
        yield Cloud({}, None)
        return
    async with contextlib.AsyncExitStack() as stack:
        lanes = {
            stream: Lane(
                stream,
                field.buffer,
                await stack.enter_async_context(CloudClient(identity)),
                boot_id,
                clock,
                rng,
            )
            for stream in Stream
        }
        client = await stack.enter_async_context(CloudClient(identity))
        keeper = Keeper(identity, client, clock)

        async def hello() -> Hello:
            return await _hello(field, clock, boot_id, shelf, grants, identity.credential.lease)

        greeter = Greeter(client, hello, on_welcome, rng, keeper.turned_away)
        greeter.heeders.append(keeper.heed)
        for lane in lanes.values():
            lane.listen_to(greeter)
        yield Cloud(lanes, greeter, keeper.run)


async def _hello(
    field: Field,
    clock: Clock,
    boot_id: str,
    shelf: Configurations | None,
    grants: GrantShelf | None,
    lease: str,
) -> Hello:
    buffer = field.buffer
    state = await buffer.last_state()  # a box whose disk has failed must be able to say so
    online, offline = count_devices(field)
    oldest = [here.oldest_row_at_ms for here in state.streams.values() if here.oldest_row_at_ms is not None]
    return Hello(
        agent_version=AGENT_VERSION,
        boot_id=boot_id,
        epoch=state.epoch,
        config_version=field.config.version,
        clock_quality=int(clock.quality),
        backlog_rows={stream.value: here.pending_rows for stream, here in state.streams.items()},
        oldest_row_at_ms=min(oldest, default=None),
        devices_online=online,
        devices_offline=offline,
        configuration=0 if shelf is None else shelf.trial or shelf.running,
        configuration_highest=0 if shelf is None else shelf.highest,
        lease=lease,
        grants=None if grants is None else (0, 0) if grants.current is None else grants.current.order,
        sent_at_ms=clock.wall_ms(),
        storage_fault=buffer.fault,
    )


class _Stopped(Exception):
    """Ends the task group; not an error."""


async def run_agent(own: Config, stop: asyncio.Event, outside: Outside | None = None) -> None:
    """Run until `stop` is set; on return everything read is on disk.

    `own` is the gateway's own file; a configuration sent from the cloud may run in its place.
    """
    outside = outside or this_machine()
    clock, rng, boot_id = outside.clock, outside.rng, outside.boot_id
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_BLOCKING_CALLS_MAX))
    identity = None
    if own.credential_file is not None:
        identity = open_identity(own.credential_file, clock.wall_ms())
    trust = None if identity is None else trust_of(identity.credential)
    shelf = open_configurations(own, clock)
    config = config_at_start(own, trust, shelf)
    grants = _grants_of(own, trust)
    async with (
        open_field(config, clock, rng, outside.connect, outside.machine_boot_id or boot_id) as field,
        open_cloud(
            identity, field, clock, rng, boot_id, lambda said: _heed(said, clock, field), shelf, grants
        ) as cloud,
    ):
        inspector = Inspector(field, cloud, clock, boot_id)
        number = shelf.trial or shelf.running
        told = {"gateway": own.gateway_code, "epoch": field.buffer.epoch, "configuration": number}
        log.info("agent runs", extra=told)
        async with (
            _open_commands(own, identity, field, clock) as downlink,
            _open_configurator(own, identity, field, cloud, trust, shelf, clock) as configurator,
            _open_gatekeeper(identity, field, cloud, grants, downlink, clock) as fetcher,
            _open_pictures(identity, field, cloud, rng) as pictures,
        ):
            more: dict[str, Runs | None] = {
                "downlink": downlink,
                "configurator": configurator,
                "grants": fetcher,
                "pictures": pictures,
            }
            await _run_parts(own, clock, field, cloud, inspector, more, stop)


def _grants_of(own: Config, trust: Trust | None) -> GrantShelf | None:
    """Return the grants kept beside the buffer, where the box may open doors and knows whose word counts."""
    if own.commands is None or trust is None:
        return None
    return GrantShelf(own.buffer.path.with_name(GRANTS_FOLDER), trust)


@contextlib.asynccontextmanager
async def _open_gatekeeper(
    identity: Identity | None,
    field: Field,
    cloud: Cloud,
    shelf: GrantShelf | None,
    downlink: Downlink | None,
    clock: Clock,
) -> AsyncIterator[GrantFetcher | None]:
    """Put somebody at the doors who decides by the grants, and open the connection they come by."""
    if identity is None or cloud.greeter is None or shelf is None or downlink is None:
        yield None
        return
    judge = Judge(downlink.has_opened)
    keeper = Gatekeeper(judge, downlink, field.intake, clock)
    if shelf.current is not None:
        keeper.take(shelf.current)
    field.doorway.porter = keeper
    async with CloudClient(identity) as client:
        fetcher = GrantFetcher(shelf, client, keeper.take)
        cloud.greeter.heeders.append(fetcher.heed)
        yield fetcher


@contextlib.asynccontextmanager
async def _open_pictures(
    identity: Identity | None, field: Field, cloud: Cloud, rng: random.Random
) -> AsyncIterator[PictureLane | None]:
    """Open the lane of pictures, with a connection of its own."""
    if identity is None or cloud.greeter is None:
        yield None
        return
    async with CloudClient(identity) as client:
        lane = PictureLane(field.pictures, client, rng)
        cloud.greeter.heeders.append(lane.heed)
        yield lane


@contextlib.asynccontextmanager
async def _open_configurator(
    own: Config,
    identity: Identity | None,
    field: Field,
    cloud: Cloud,
    trust: Trust | None,
    shelf: Configurations,
    clock: Clock,
) -> AsyncIterator[Configurator | None]:
    """Open what takes configurations, with a connection of its own, where there is a cloud and its key."""
    if identity is None or cloud.greeter is None or trust is None:
        yield None
        return
    async with CloudClient(identity) as client:
        configurator = Configurator(own, field, shelf, trust, client, clock)
        cloud.greeter.heeders.append(configurator.heed)
        yield configurator


@contextlib.asynccontextmanager
async def _open_commands(
    config: Config, identity: Identity | None, field: Field, clock: Clock
) -> AsyncIterator[Downlink | None]:
    """Open the downlink where the configuration allows commands and the credential has their key."""
    if config.commands is None or identity is None:
        yield None
        return
    if not identity.credential.command_key:
        log.warning("no commands are taken: the credential has no command key; enrol the box anew")
        yield None
        return
    actuators = GuardedActuators(field.actuators, field.reactions)
    async with open_downlink(config.commands, identity, actuators, field.intake, clock) as downlink:
        yield downlink


def _heed(welcome: Welcome, clock: SystemClock, field: Field) -> None:
    """Take the cloud's time, and its people's word on exchanged meters."""
    clock.compare(welcome.server_time_ms)
    field.buffer.know_time(clock.booted_at_ms)
    for key, (from_ms, opening_value_micro) in welcome.counters.items():
        field.intake.accept_counter(key, from_ms, opening_value_micro)


async def _run_parts(
    config: Config,
    clock: SystemClock,
    field: Field,
    cloud: Cloud,
    inspector: Inspector,
    more: Mapping[str, Runs | None],
    stop: asyncio.Event,
) -> None:
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "buffer": field.buffer.run,
        "poller": field.poller.run,
        "clock": lambda: _watch_clock(clock, field),
        "hatch": lambda: serve_hatch(config, field, clock),
        "rules": lambda: _tick(field.intake),
        "meter rounds": MeterRounds(field, clock).run,
        "self report": SelfReport(field.buffer, field.intake, clock).run,
        "watchdog": this_watchdog().run,
        **{f"lane {stream.value}": lane.run for stream, lane in cloud.lanes.items()},
        "listeners": field.run,
        "local outputs": LocalOutputs(field.reactions, field.actuators, field.intake, clock).run,
    }
    if cloud.greeter is not None:
        parts["greeter"] = cloud.greeter.run
    if cloud.keep_identity is not None:
        parts["identity"] = cloud.keep_identity
    parts |= {name: part.run for name, part in more.items() if part is not None}
    parts["home-assistant"] = lambda: _show_in_home_assistant(field)
    if config.page_port:
        parts["page"] = lambda: serve_page(inspector, config.page_port)
    # The program itself is for ever; looking through it for garbage costs a share of every reading.
    gc.collect()
    gc.freeze()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(keep_running(name, run, field.note_break), name=name)
                for name, run in parts.items()
            }
            group.create_task(_end_when(stop, field, cloud, tasks["listeners"]))
    except* _Stopped:
        log.info("agent stops")


async def _show_in_home_assistant(field: Field) -> None:
    """Show the points of whatever configuration runs, if it asks for it."""
    while True:
        config, changed, rng = field.config, field.changed, random.SystemRandom()
        async with asyncio.TaskGroup() as group:
            shown: asyncio.Task[None] | None = None
            if config.home_assistant is not None:
                line = config.lines[config.home_assistant.line_id]
                assert isinstance(line, MqttLine), "the configuration names an MQTT line"
                shower = HomeAssistant(config, config.home_assistant, line, field.intake, rng)
                shown = group.create_task(shower.run())
            await changed.wait()
            if shown is not None:
                shown.cancel()


async def _end_when(stop: asyncio.Event, field: Field, cloud: Cloud, listeners: "asyncio.Task[None]") -> None:
    """End everything when told to; before that let polls end, and send what waits if the cloud is there."""
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ENDING_MAX_S):
            await field.poller.stop()
            # Who listens may have a last word: a door that is left alone says so.
            listeners.cancel()
            await asyncio.wait([listeners])
            await field.buffer.flush()
            await _send_rest(field, cloud)
    raise _Stopped


async def _send_rest(field: Field, cloud: Cloud) -> None:
    """Wait until the lanes have sent everything, or have found that they cannot."""
    while True:
        streams = (await field.buffer.state()).streams
        lanes = cloud.lanes.items()
        if not any(streams[stream].pending_rows and not lane.state.fault for stream, lane in lanes):
            return
        await asyncio.sleep(_ENDING_LOOK_S)


async def _watch_clock(clock: SystemClock, field: Field) -> None:
    while True:
        field.buffer.know_time(clock.booted_at_ms)
        await asyncio.sleep(_CLOCK_WATCH_S)
        clock.ask_kernel()


async def _tick(intake: Intake) -> None:
    while True:
        intake.tick()
        await asyncio.sleep(TICK_S)
