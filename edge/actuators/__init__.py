"""The shelf of actuators: which devices can act, by what they are.

The invariant: a device switches something only if its profile has the point by which that is read
back; an act nobody can confirm is not offered. Lifts and fire panels are on no shelf: they are only
ever read.
"""

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from edge.actuator import Actuator
from edge.actuators.camera import CameraShutter
from edge.actuators.meter_clock import MeterClock
from edge.actuators.meter_freeze import MeterFreeze
from edge.actuators.mqtt_plug import PLUGS, MqttPlug
from edge.actuators.osdp_door import OsdpDoor
from edge.actuators.polled import Doer, PolledActuator
from edge.actuators.raw_read import RawRead
from edge.actuators.relay import MeterRelay
from edge.actuators.set_point import SetPoint
from edge.actuators.switched_point import SwitchedPoint
from edge.actuators.valve import Cjt188Valve
from edge.actuators.zigbee_lock import ZigbeeLock
from edge.cameras import CameraListener
from edge.driver import Driver
from edge.drivers.cjt188 import Cjt188Driver
from edge.drivers.dlt645 import Dlt645Driver
from edge.drivers.dlt645_either import EitherEditionDriver
from edge.drivers.modbus import ModbusDriver
from edge.drivers.modbus_write import switched_points
from edge.intake import Intake
from edge.listener import MqttListener
from edge.osdp_line import OsdpListener
from provisioning.config import DeviceConfig, DeviceId


def _electricity(driver: Driver, zone: ZoneInfo, intake: Intake) -> Iterable[Doer]:
    del intake
    assert isinstance(driver, Dlt645Driver | EitherEditionDriver), driver
    yield MeterClock(driver, zone)
    if driver.device.profile.protocol != "dlt645-1997":
        yield MeterFreeze(driver)
    yield RawRead(driver)
    if driver.device.relay is not None:
        yield MeterRelay(driver, driver.device.relay, zone)


def _water(driver: Driver, zone: ZoneInfo, intake: Intake) -> Iterable[Doer]:
    del zone, intake
    assert isinstance(driver, Cjt188Driver), driver
    yield RawRead(driver)
    if driver.device.profile.point_named("valve_state") is not None:
        yield Cjt188Valve(driver)


def _registers(driver: Driver, zone: ZoneInfo, intake: Intake) -> Iterable[Doer]:
    del zone
    assert isinstance(driver, ModbusDriver), driver
    yield RawRead(driver)
    switched = switched_points(driver.device.profile)
    if switched:
        yield SwitchedPoint(driver)
    if any(p.write is not None and p.name not in switched for p in driver.device.profile.points):
        yield SetPoint(driver, intake)


def _read_only(driver: Driver, zone: ZoneInfo, intake: Intake) -> Iterable[Doer]:
    del zone, intake
    yield RawRead(driver)


# By the protocol a polled device speaks.
ACTUATORS: Mapping[str, Callable[[Driver, ZoneInfo, Intake], Iterable[Doer]]] = {
    "cjt188": _water,
    "dlt645": _electricity,
    "dlt645-1997": _electricity,
    "dlt645-2007": _electricity,
    "mbus": _read_only,
    "modbus": _registers,
}


def _unasked(device: DeviceConfig, listener: CameraListener | MqttListener | OsdpListener) -> Actuator | None:
    """Return what makes a device act that speaks by itself."""
    profile = device.profile
    match listener, profile.protocol:
        case CameraListener(), _:
            return CameraShutter(device, listener)
        case OsdpListener(), _ if profile.point_named("lock_state") is not None:
            return OsdpDoor(device, listener)
        case MqttListener(), "mqtt-zigbee2mqtt" if profile.point_named("lock_state") is not None:
            return ZigbeeLock(device, listener)
        case MqttListener(), protocol if protocol in PLUGS and profile.point_named("relay_state") is not None:
            return MqttPlug(device, listener)
    return None


def actuators_of(
    drivers: Iterable[Driver], listeners: Iterable[object], intake: Intake, zone: ZoneInfo
) -> dict[DeviceId, Actuator]:
    """Return every device that can act."""
    found: dict[DeviceId, Actuator] = {}
    for driver in drivers:
        make = ACTUATORS.get(driver.device.profile.protocol)
        if make is not None:
            doers = tuple(make(driver, zone, intake))
            found[driver.device.device_id] = PolledActuator(driver, doers, intake)
    for listener in listeners:
        if isinstance(listener, CameraListener | MqttListener | OsdpListener):
            for device in listener.devices:
                actuator = _unasked(device, listener)
                if actuator is not None:
                    found[device.device_id] = actuator
    return found
