"""The parts between the wire and the disk, made from one configuration and closed in order.

The invariant: nothing here touches a port or a broker before its part is run; only the buffer is
opened, since what the rules remember is in it.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edge.actuator import Actuator
from edge.actuators import actuators_of
from edge.buffer import Buffer
from edge.clock import Clock
from edge.counters import CounterGuard, CounterLimits
from edge.dial_in import DialInPorts
from edge.driver import Driver, EvidenceKeeper, point_key
from edge.drivers import DRIVERS
from edge.intake import Intake
from edge.line import Line
from edge.listener import MqttListener
from edge.osdp_line import OsdpListener
from edge.poller import Poller
from edge.reactions import Reactions
from edge.reception import PanelReceiver
from edge.rule import RuleScope
from edge.rules import load_rules
from edge.rules.device_alarm import DeviceAlarm
from edge.rules.offline import Offline
from edge.stations import station_for
from edge.transports import transport_for
from protocol.quantity import Quantity
from provisioning.config import BusLine, Config, DeviceId, LineId, ListenLine, MqttLine, OsdpLine
from provisioning.strict import Malformed

# What listens rather than asks.
Unasked: TypeAlias = MqttListener | OsdpListener | PanelReceiver


@dataclass(frozen=True, slots=True)
class Field:
    """All of them."""

    buffer: Buffer
    lines: Mapping[LineId, Line]
    listeners: tuple[Unasked, ...]
    intake: Intake
    poller: Poller
    actuators: Mapping[DeviceId, Actuator]
    reactions: Reactions


def quantities_of(config: Config) -> dict[str, Quantity]:
    """Return every point of the configuration with its quantity."""
    return {
        point_key(device, point): point.quantity
        for device in config.devices
        for point in device.profile.points
    }


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
async def open_field(config: Config, clock: Clock, rng: random.Random) -> AsyncIterator[Field]:
    """Make the parts and open the buffer; close the lines and then the buffer at the end."""
    points = quantities_of(config)
    rules = load_rules(config.rules, RuleScope(points, config.time_zone))
    alarms = {
        point_key(device, point): point.alarm
        for device in config.devices
        for point in device.profile.points
        if point.alarm is not None
    }
    limits = counter_limits(config)
    async with Buffer(config.buffer, clock, rng, frozenset(limits)) as buffer:
        guard = CounterGuard(limits)
        stations = {
            line: station_for(line, config.devices, clock, config.time_zone)
            for line in config.lines.values()
            if isinstance(line, ListenLine)
        }
        panels = [panel for station in stations.values() for panel in station.panels]
        reactions = Reactions(config.reactions)
        intake = Intake(buffer, [*rules, DeviceAlarm(alarms), *panels], Offline(), guard, clock, reactions)
        await intake.restore()
        ports = DialInPorts()
        lines = {
            line_id: Line(line.bus, transport_for(line, ports), clock, rng)
            for line_id, line in config.lines.items()
            if isinstance(line, BusLine)
        }
        evidence = EvidenceKeeper(config.time_zone)
        drivers: list[Driver] = [
            DRIVERS[device.profile.protocol](device, lines[device.line_id], evidence)
            for device in config.devices
            if device.line_id in lines
        ]
        listeners = tuple(
            MqttListener(
                line,
                [device for device in config.devices if device.line_id == line_id],
                intake,
                evidence,
                clock,
                rng,
                client_id=f"gatehouse-{config.gateway_code}-{line_id}",
            )
            for line_id, line in config.lines.items()
            if isinstance(line, MqttLine)
        )
        try:
            receivers = tuple(PanelReceiver(line, at, intake, clock) for line, at in stations.items())
            readers = tuple(
                OsdpListener(line, [d for d in config.devices if d.line_id == line_id], intake, clock)
                for line_id, line in config.lines.items()
                if isinstance(line, OsdpLine)
            )
            poller = Poller(lines, drivers, intake, clock)
            actuators = actuators_of(drivers, listeners, intake, config.time_zone)
            _check_reactions(config, actuators)
            unasked: tuple[Unasked, ...] = (*listeners, *receivers, *readers)
            yield Field(buffer, lines, unasked, intake, poller, actuators, reactions)
        finally:
            for line in lines.values():
                line.close()
            ports.close()


def _check_reactions(config: Config, actuators: Mapping[DeviceId, Actuator]) -> None:
    """Refuse to start with a reaction that could never be carried out: it would be relied upon."""
    problems = [
        f"reaction {reaction.reaction_id}: {device_id} cannot {reaction.act.value}"
        for reaction in config.reactions
        for device_id in reaction.devices
        if device_id not in actuators or reaction.act not in actuators[device_id].actions
    ]
    if problems:
        raise Malformed(str(config.origin), problems)
