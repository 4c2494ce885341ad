"""The shelf of actuators: which devices can act, by what they are.

The invariant: a device acts only if its profile has the point by which the act is read back; an act
nobody can confirm is not offered. Lifts and fire panels are on no shelf: they are only ever read.
"""

from collections.abc import Callable, Iterable, Mapping

from edge.actuator import Actuator
from edge.actuators.valve import Cjt188Valve
from edge.actuators.zigbee_lock import ZigbeeLock
from edge.driver import Driver
from edge.drivers.cjt188 import Cjt188Driver
from edge.intake import Intake
from edge.listener import MqttListener
from provisioning.config import DeviceId

PolledActuator = Callable[[Driver, Intake], Actuator | None]


def _valve(driver: Driver, intake: Intake) -> Actuator | None:
    has_valve = any(point.name == "valve_state" for point in driver.device.profile.points)
    return Cjt188Valve(driver, intake) if isinstance(driver, Cjt188Driver) and has_valve else None


# By the protocol a polled device speaks.
ACTUATORS: Mapping[str, PolledActuator] = {
    "cjt188": _valve,
}


def actuators_of(
    drivers: Iterable[Driver], listeners: Iterable[MqttListener], intake: Intake
) -> dict[DeviceId, Actuator]:
    """Return every device that can act."""
    found: dict[DeviceId, Actuator] = {}
    for driver in drivers:
        make = ACTUATORS.get(driver.device.profile.protocol)
        actuator = None if make is None else make(driver, intake)
        if actuator is not None:
            found[driver.device.device_id] = actuator
    for listener in listeners:
        for device in listener.devices:
            if any(point.name == "lock_state" for point in device.profile.points):
                found[device.device_id] = ZigbeeLock(device, listener)
    return found
