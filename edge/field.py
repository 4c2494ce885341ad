"""The parts between the wire and the disk: made from a configuration, changed into another's while they run.

The invariants: nothing here touches a port or a broker before its part is run; only the buffer is
opened, since what the rules remember is in it. A change replaces the parts whose configuration
differs and no other, so that a device that stays as it was misses no poll, and no row leaves the buffer.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge.actuator import Actuator
from edge.actuators import actuators_of
from edge.buffer import Buffer
from edge.buffer_file import Connect, connect_file
from edge.calendar import WorkingDays, spans_from_texts
from edge.cameras import CameraListener
from edge.clock import Clock
from edge.counters import CounterGuard, CounterLimits
from edge.dial_in import DialInPorts
from edge.driver import Driver, EvidenceKeeper, point_key
from edge.drivers import DRIVERS
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.dlt645_either import EitherEditionDriver
from edge.drivers.modbus import ModbusDriver
from edge.intake import Intake
from edge.line import Line
from edge.listener import MqttListener
from edge.osdp_line import OsdpListener
from edge.panel import Panel
from edge.pictures import FOLDER as PICTURES_FOLDER
from edge.pictures import PictureShelf
from edge.poller import Poller
from edge.porter import Doorway
from edge.reactions import Reactions
from edge.reception import PanelReceiver
from edge.rule import Rule, RuleScope
from edge.rules import load_rules
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import Offline
from edge.stations import station_for
from edge.supervise import keep_running
from edge.transports import transport_for
from protocol.quantity import Quantity
from provisioning.config import Config, DeviceConfig, DeviceId, RuleEntry
from provisioning.lines import (
    BusLine,
    DialInLine,
    LineConfig,
    LineId,
    ListenLine,
    MqttLine,
    OnvifLine,
    OsdpLine,
)
from provisioning.strict import Malformed

# What listens rather than asks.
Unasked: TypeAlias = CameraListener | MqttListener | OsdpListener | PanelReceiver


@dataclass(frozen=True, slots=True)
class _Ear:
    """What hears devices that speak unasked on one line, and what it was made from."""

    line: LineConfig
    devices: tuple[DeviceConfig, ...]
    listener: Unasked
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class _Watch:
    """A configured rule, and what it was made from."""

    entry: RuleEntry
    points: dict[str, Quantity]
    rule: Rule


class Field:
    """All of them. `config` is what they are made from at this moment."""

    def __init__(self, config: Config, buffer: Buffer, clock: Clock, rng: random.Random) -> None:
        self.config = config
        self.buffer = buffer
        self.lines: dict[LineId, Line] = {}
        self.actuators: dict[DeviceId, Actuator] = {}
        self.breaks, self.last_break = 0, ""  # parts of the agent that failed and were begun again
        self.changed = asyncio.Event()  # set when another configuration has taken this one's place
        self._clock = clock
        self._random = rng
        self._ports = DialInPorts()
        self._evidence = EvidenceKeeper(config.time_zone)
        self._guard = CounterGuard({})
        self._line_configs: dict[LineId, BusLine] = {}
        self._drivers: dict[DeviceId, Driver] = {}
        self._ears: dict[LineId, _Ear] = {}
        self._watches: dict[str, _Watch] = {}
        self._listening: dict[LineId, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.doorway = Doorway()
        self.pictures = PictureShelf(config.buffer.path.with_name(PICTURES_FOLDER))
        self.reactions = Reactions(config.reactions)
        self.intake = Intake(buffer, (), Offline(), self._guard, clock, self.reactions)
        self.poller = Poller({}, (), self.intake, clock)
        self._fit(config)

    @property
    def listeners(self) -> tuple[Unasked, ...]:
        """Return what hears devices that speak unasked."""
        return tuple(ear.listener for ear in self._ears.values())

    def meters_of(self, line_id: LineId) -> Sequence[Dlt645Driver | EitherEditionDriver]:
        """Return the DL/T 645 meters of a line, by the configuration of this moment."""
        return [
            driver
            for driver in self._drivers.values()
            if driver.device.line_id == line_id and isinstance(driver, Dlt645Driver | EitherEditionDriver)
        ]

    async def run(self) -> None:
        """Listen on every line whose devices speak unasked, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._listen()
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._listening.clear()

    async def change(self, config: Config) -> None:
        """Take on another configuration; what it leaves as it was goes on undisturbed."""
        leaving = [line_id for line_id, ear in self._ears.items() if _ear_of(config, line_id) != _made(ear)]
        for line_id in leaving:
            # Two clients of one name at a broker, two owners of one port: the old one goes first.
            task = self._listening.pop(line_id, None)
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._fit(config)
        self._listen()
        self.changed.set()
        self.changed = asyncio.Event()

    def undisturbed(self, config: Config) -> frozenset[DeviceId]:
        """Return the devices that another configuration would leave as they are, lines and all."""
        now = {device.device_id: device for device in self.config.devices}
        return frozenset(
            device.device_id
            for device in config.devices
            if now.get(device.device_id) == device
            and self.config.lines[device.line_id] == config.lines[device.line_id]
        )

    def note_break(self, part: str, error: Exception) -> None:
        """Take note that a part of the agent failed and is begun again."""
        self.breaks += 1
        self.last_break = f"{part}: {type(error).__name__}: {error}"

    def close(self) -> None:
        """Let go of every bus."""
        for line in self.lines.values():
            line.close()
        self._ports.close()

    def _fit(self, config: Config) -> None:
        """Make the parts that are missing, drop those that are not wanted, keep the others."""
        watches = self._fitting_rules(config)
        self._fit_lines(config)
        self._fit_ears(config)
        limits = counter_limits(config)
        self._guard.change(limits)
        self.buffer.keep_billing(frozenset(limits))
        alarms = {
            point_key(device, point): point.alarm
            for device in config.devices
            for point in device.profile.points
            if point.alarm is not None
        }
        self._watches = watches
        rules = [watch.rule for watch in watches.values()]
        panels = [panel for ear in self._ears.values() for panel in ear.panels]
        names = {*(device.device_id for device in config.devices), *config.lines}
        self.reactions.change(config.reactions)
        self.intake.change([*rules, DeviceAlarm(alarms), *panels], names)
        settled = {
            device_id: driver
            for device_id, driver in self._drivers.items()
            if isinstance(driver, ModbusDriver) and driver.device.settings_micro
        }
        self.poller.change(self.lines, self._drivers.values(), settled)
        actuators = actuators_of(self._drivers.values(), self.listeners, self.intake, config.time_zone)
        _check_reactions(config, actuators)
        self.actuators.clear()
        self.actuators.update(actuators)
        self.config = config

    def _fitting_rules(self, config: Config) -> dict[str, _Watch]:
        points = quantities_of(config)
        made = zip(config.rules, load_rules(config.rules, scope_of(config)), strict=True)
        same_days = (config.days_off, config.worked) == (self.config.days_off, self.config.worked)
        watches: dict[str, _Watch] = {}
        for entry, rule in made:
            watched = {key: points[key] for key in rule.point_keys if key in points}
            earlier = self._watches.get(rule.rule_id)
            is_same = (
                earlier is not None and (earlier.entry, earlier.points) == (entry, watched) and same_days
            )
            watches[rule.rule_id] = earlier if earlier and is_same else _Watch(entry, watched, rule)
        return watches

    def _fit_lines(self, config: Config) -> None:
        wanted = {i: line for i, line in config.lines.items() if isinstance(line, BusLine)}
        for line_id, was in list(self._line_configs.items()):
            if wanted.get(line_id) != was:
                self.lines.pop(line_id).close()
                if isinstance(was, DialInLine):
                    self._ports.forget(was)
                self._drivers = {i: d for i, d in self._drivers.items() if d.device.line_id != line_id}
        for line_id, line in wanted.items():
            if line_id not in self.lines:
                transport = transport_for(line, self._ports)
                self.lines[line_id] = Line(line.bus, transport, self._clock, self._random)
        self._line_configs = wanted
        drivers: dict[DeviceId, Driver] = {}
        for device in config.devices:
            if device.line_id not in self.lines:
                continue
            kept = self._drivers.get(device.device_id)
            if kept is None or kept.device != device:
                # What the line knows of an address is of the device that had it.
                if kept is not None and kept.device.line_id in self.lines:
                    self.lines[kept.device.line_id].forget(kept.device.address)
                kept = DRIVERS[device.profile.protocol](device, self.lines[device.line_id], self._evidence)
            drivers[device.device_id] = kept
        self._drivers = drivers

    def _fit_ears(self, config: Config) -> None:
        ears: dict[LineId, _Ear] = {}
        for line_id, line in config.lines.items():
            if isinstance(line, BusLine):
                continue
            devices = _devices_on(config, line_id)
            kept = self._ears.get(line_id)
            if kept is None or _made(kept) != (line, devices):
                kept = self._ear(config, line, devices)
            ears[line_id] = kept
        self._ears = ears

    def _ear(self, config: Config, line: LineConfig, devices: tuple[DeviceConfig, ...]) -> _Ear:
        match line:
            case MqttLine():
                name = f"gatehouse-{config.gateway_code}-{line.line_id}"
                listener: Unasked = MqttListener(
                    line,
                    devices,
                    self.intake,
                    self._evidence,
                    self._clock,
                    self._random,
                    client_id=name,
                    doorway=self.doorway,
                )
            case OnvifLine():
                listener = CameraListener(line, devices, self.intake, self._clock, self.pictures)
            case OsdpLine():
                listener = OsdpListener(line, devices, self.intake, self._clock, self.doorway)
            case ListenLine():
                station = station_for(line, devices, self._clock, config.time_zone)
                receiver = PanelReceiver(line, station, self.intake, self._clock)
                return _Ear(line, devices, receiver, tuple(station.panels))
            case _:
                raise AssertionError(f"nobody listens on {line}")
        return _Ear(line, devices, listener, ())

    def _listen(self) -> None:
        if self._group is None:
            return  # not running: a replay asks only, and `run` begins them all
        for line_id, ear in self._ears.items():
            if line_id not in self._listening:
                name = f"listener {line_id}"
                task = self._group.create_task(
                    keep_running(name, ear.listener.run, self.note_break), name=name
                )
                self._listening[line_id] = task


def _devices_on(config: Config, line_id: LineId) -> tuple[DeviceConfig, ...]:
    return tuple(device for device in config.devices if device.line_id == line_id)


def _made(ear: _Ear) -> tuple[LineConfig, tuple[DeviceConfig, ...]]:
    return ear.line, ear.devices


def _ear_of(config: Config, line_id: LineId) -> tuple[LineConfig | None, tuple[DeviceConfig, ...]]:
    return config.lines.get(line_id), _devices_on(config, line_id)


def quantities_of(config: Config) -> dict[str, Quantity]:
    """Return every point of the configuration with its quantity."""
    return {
        point_key(device, point): point.quantity
        for device in config.devices
        for point in device.profile.points
    }


def scope_of(config: Config) -> RuleScope:
    """Return what the rules may know; Malformed where the calendar has a date that is none."""
    try:
        calendar = WorkingDays(spans_from_texts(config.days_off), spans_from_texts(config.worked))
    except ValueError as error:
        raise Malformed(str(config.origin), [f"calendar: {error}"]) from None
    return RuleScope(quantities_of(config), config.time_zone, calendar)


def counter_limits(config: Config) -> dict[str, CounterLimits]:
    """Return what each billed point can count."""
    return {
        point_key(device, point): CounterLimits(
            point.modulus_micro, device.max_per_h_micro.get(point.name, point.max_per_h_micro)
        )
        for device in config.devices
        for point in device.profile.points
        if point.is_billing
    }


@contextlib.asynccontextmanager
async def open_field(
    config: Config,
    clock: Clock,
    rng: random.Random,
    connect: Connect = connect_file,
    boot_id: str = "",
) -> AsyncIterator[Field]:
    """Make the parts and open the buffer; close the lines and then the buffer at the end."""
    rehearse(config)
    billed = frozenset(counter_limits(config))
    async with Buffer(config.buffer, clock, rng, billed, connect, boot_id) as buffer:
        field = Field(config, buffer, clock, rng)
        await field.intake.restore()
        try:
            yield field
        finally:
            field.close()


def rehearse(config: Config) -> None:
    """Refuse what only shows when rules are made; Malformed lists it, and nothing has been touched."""
    load_rules(config.rules, scope_of(config))


def _check_reactions(config: Config, actuators: dict[DeviceId, Actuator]) -> None:
    """Refuse to start with a reaction that could never be carried out: it would be relied upon."""
    problems = [
        f"reaction {reaction.reaction_id}: {device_id} cannot {reaction.act.value}"
        for reaction in config.reactions
        for device_id in reaction.devices
        if device_id not in actuators or reaction.act not in actuators[device_id].actions
    ]
    if problems:
        raise Malformed(str(config.origin), problems)
