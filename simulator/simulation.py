"""The wiring: one building, its clock, faults and ledger, and every place where it can be reached.

The invariant: whatever was opened is closed, in reverse order, also when opening the rest failed.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from protocol.fieldbus.modbus import Framing
from simulator.answer import Slaves
from simulator.broker import Broker
from simulator.building import (
    ALARM_CALLS,
    BUS_1,
    BUS_2,
    DEVICE_BY_ID,
    DTU_1,
    DTU_HEARTBEAT,
    DTU_REGISTRATION,
    FIRE_CALLS,
    FIRE_TCP,
    GARAGE_UDP,
    LIFT_TCP,
    MBUS_1,
    METERS_TCP,
    WATER_ROLES,
    devices_on,
)
from simulator.bus import Bus
from simulator.callers import DtuCaller, UdpEndpoint
from simulator.cameras import Discovery
from simulator.cjt188_slaves import Cjt188Slaves
from simulator.clock import Clock
from simulator.dlt645_slaves import Dlt645Slaves
from simulator.door_calls import DoorCalls, people_at_the_door
from simulator.endpoints import (
    TURNAROUND_MS,
    Hearing,
    ModbusTcpStream,
    PtyLine,
    Speaker,
    TcpEndpoint,
)
from simulator.faults import Fault, FaultBook, FaultKind
from simulator.hung_cameras import hung_cameras
from simulator.ledger import Ledger
from simulator.maps import MODBUS
from simulator.mbus_slaves import MbusSlaves
from simulator.modbus_slaves import ModbusSlaves
from simulator.models import Building
from simulator.panel_calls import PanelCalls
from simulator.talkers import Talkers
from simulator.wireless import Zigbee2mqtt

DEFAULT_SEED = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the simulator is told; a port of 0 means any that is free.

    An `mqtt_port` of None means no radio, a `discovery_port` of None cameras that nobody finds by a probe.
    """

    host: str = "127.0.0.1"
    bus_1_link: Path | None = None
    bus_2_port: int = 0
    meters_port: int = 0
    lift_port: int = 0
    fire_port: int = 0
    garage_port: int = 0
    mbus_port: int = 0
    dtu_port: int = 0  # where the gateway is to listen for the DTU's call
    mqtt_port: int | None = None
    mqtt_host: str = "127.0.0.1"
    has_broker: bool = False
    seed: int = DEFAULT_SEED
    turnaround_ms: int = TURNAROUND_MS
    has_callers: bool = False
    has_door_reader: bool = False
    has_cameras: bool = False
    discovery_port: int | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is, for people and for an edge's configuration."""

    host: str
    bus_1_path: Path
    bus_2_port: int
    meters_port: int
    lift_port: int
    fire_port: int
    garage_port: int
    mbus_port: int
    dtu_port: int
    mqtt_host: str
    mqtt_port: int | None
    # Where the gateway is to listen, because panels call it there; None: nobody calls.
    fire_calls_port: int | None = None
    alarm_calls_port: int | None = None
    doors_path: Path | None = None  # None: no door reader
    cameras: Mapping[str, str] = field(default_factory=dict)  # host and port of each
    discovery_port: int | None = None  # None: nobody finds them


class Simulation:
    """A running building. Use as an async context manager."""

    def __init__(self, settings: Settings, real_ms: Callable[[], int]) -> None:
        self.settings = settings
        self.clock = Clock(real_ms)
        self.faults = FaultBook()
        self.building = Building(settings.seed, self.faults)
        self.ledger = Ledger()
        self.zigbee: Zigbee2mqtt | None = None
        self.doors: DoorCalls | None = None
        self._speaker = Speaker(self.clock, self.ledger, settings.turnaround_ms)
        self._broker: Broker | None = None
        self._broker_turn = asyncio.Lock()
        self._places: Places | None = None
        self._stack = AsyncExitStack()

    @property
    def places(self) -> Places:
        """Return where everything is; only while it runs."""
        assert self._places is not None, "the simulation has not been started"
        return self._places

    async def __aenter__(self) -> "Simulation":
        async with AsyncExitStack() as stack:
            line = PtyLine(self._speaker, self._bus(BUS_1), self.settings.bus_1_link)
            line.open()
            stack.callback(line.close)
            bus_2 = await self._serve(stack, self.settings.bus_2_port, self._transparent(BUS_2))
            meters = await self._serve(stack, self.settings.meters_port, self._modbus_tcp(METERS_TCP))
            lift = await self._serve(stack, self.settings.lift_port, self._modbus_tcp(LIFT_TCP))
            fire = await self._serve(stack, self.settings.fire_port, self._modbus_tcp(FIRE_TCP))
            mbus = await self._serve(stack, self.settings.mbus_port, self._transparent(MBUS_1))
            garage = UdpEndpoint(self._speaker, self._transparent(GARAGE_UDP))
            await garage.open(self.settings.host, self.settings.garage_port)
            stack.callback(garage.close)
            dtu_port = await self._call(stack)
            mqtt_port = await self._start_radio(stack)
            calls = await self._start_callers(stack)
            self.doors = await self._start_doors(stack)
            cameras, discovery_port = await self._hang_cameras(stack)
            self._places = Places(
                self.settings.host,
                line.path,
                bus_2,
                meters,
                lift,
                fire,
                garage.port,
                mbus,
                dtu_port,
                self.settings.mqtt_host,
                mqtt_port,
                calls.get(FIRE_CALLS),
                calls.get(ALARM_CALLS),
                None if self.doors is None else self.doors.path,
                cameras,
                discovery_port,
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def add_fault(self, device_id: str, wanted: Fault) -> Fault:
        """Let something go wrong now; ValueError where that cannot be."""
        device = DEVICE_BY_ID.get(device_id)
        if device is None:
            raise ValueError(f"there is no device {device_id!r}")
        if wanted.kind is FaultKind.BROKER_OFFLINE and self._broker is None:
            raise ValueError("broker_offline needs the simulator's own broker (start it with --broker)")
        fault = self.faults.add(device, replace(wanted, since_ms=self.clock.now_ms()))
        await self._after_change()
        return fault

    async def end_fault(self, fault_id: int) -> Fault:
        """Put something right again; KeyError where there is no such fault, ValueError where it cannot be."""
        fault = self.faults.end(fault_id, self.clock.now_ms())
        await self._after_change()
        return fault

    async def _after_change(self) -> None:
        self.building.forget_shown()
        if self._broker is not None:
            async with self._broker_turn:
                if self.faults.any_active(FaultKind.BROKER_OFFLINE):
                    await self._broker.stop()
                else:
                    await self._broker.start()
        if self.zigbee is not None:
            self.zigbee.wake()

    def _slaves(self, line_id: str) -> list[Slaves]:
        devices = devices_on(line_id)
        electricity = [device for device in devices if device.profile.startswith("dlt645")]
        water = [device for device in devices if device.role in WATER_ROLES]
        registers = [device for device in devices if device.profile in MODBUS]
        if line_id == MBUS_1:
            return [MbusSlaves(devices, self.building)]
        return [
            Dlt645Slaves(electricity, self.building),
            Cjt188Slaves(water, self.building),
            ModbusSlaves(registers, self.building, Framing.RTU),
        ]

    def _bus(self, line_id: str) -> Bus:
        return Bus(self._slaves(line_id), self.faults)

    def _transparent(self, line_id: str) -> Callable[[], Hearing]:
        slaves = self._slaves(line_id)
        return lambda: Bus(slaves, self.faults)

    def _modbus_tcp(self, line_id: str) -> Callable[[], Hearing]:
        slaves = ModbusSlaves(devices_on(line_id), self.building, Framing.TCP)
        return lambda: ModbusTcpStream(slaves, self.faults)

    async def _serve(self, stack: AsyncExitStack, port: int, made: Callable[[], Hearing]) -> int:
        endpoint = TcpEndpoint(self._speaker, made)
        await endpoint.open(self.settings.host, port)
        stack.callback(endpoint.close)
        return endpoint.port

    async def _call(self, stack: AsyncExitStack) -> int:
        """Let the DTU call the gateway; return the port it calls."""
        settings = self.settings
        port = settings.dtu_port or free_port(settings.host)
        caller = DtuCaller(
            self._speaker,
            self._transparent(DTU_1),
            settings.host,
            port,
            DTU_REGISTRATION.encode(),
            DTU_HEARTBEAT.encode(),
        )
        group = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(group.create_task(caller.run()).cancel)
        return port

    async def _start_radio(self, stack: AsyncExitStack) -> int | None:
        settings = self.settings
        if settings.mqtt_port is None:
            return None
        port = settings.mqtt_port or free_port(settings.mqtt_host)
        if settings.has_broker:
            self._broker = Broker(settings.mqtt_host, port)
            await self._broker.start()
            stack.push_async_callback(self._broker.stop)
        broker = self._broker
        self.zigbee = Zigbee2mqtt(
            settings.mqtt_host,
            port,
            self.clock,
            self.building,
            self.faults,
            self.ledger,
            lambda: broker is None or broker.has_listener,  # of another's broker we cannot know
        )
        talkers = Talkers(
            settings.mqtt_host,
            port,
            self.clock,
            self.building,
            self.faults,
            self.ledger,
            lambda: broker is None or broker.has_listener,
        )
        group = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(group.create_task(self.zigbee.run()).cancel)
        stack.callback(group.create_task(talkers.run()).cancel)
        return port

    async def _start_callers(self, stack: AsyncExitStack) -> dict[str, int]:
        """Let panels call the gateway, on ports that are free now, whenever it listens there."""
        if not self.settings.has_callers:
            return {}
        host = self.settings.host
        ports = {line_id: free_port(host) for line_id in (FIRE_CALLS, ALARM_CALLS)}
        calls = PanelCalls(host, ports, self.clock, self.faults)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        stack.callback(group.create_task(calls.run()).cancel)
        return ports

    async def _start_doors(self, stack: AsyncExitStack) -> DoorCalls | None:
        """Put the door reader on its line, and let people come to it."""
        if not self.settings.has_door_reader:
            return None
        doors = stack.enter_context(people_at_the_door(self.building, self.clock))
        if doors is not None:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(group.create_task(doors.run()).cancel)
        return doors

    async def _hang_cameras(self, stack: AsyncExitStack) -> tuple[dict[str, str], int | None]:
        if not self.settings.has_cameras:
            return {}, None
        hung = await stack.enter_async_context(hung_cameras(self.clock, self.settings.host, self.faults))
        addresses = {camera.make.device_id: camera.address for camera in hung}
        if self.settings.discovery_port is None:
            return addresses, None
        discovery = Discovery(hung)
        try:
            port = await discovery.open(self.settings.host, self.settings.discovery_port)
        except OSError as error:  # no multicast here, or the port is another program's: they are known anyway
            _log.warning("nobody finds the cameras by a probe", extra={"reason": str(error)})
            return addresses, None
        stack.callback(discovery.close)
        return addresses, port


def free_port(host: str) -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
