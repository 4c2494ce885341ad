"""Who answers panels on a line, by the protocol the line listens for."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from edge.clock import Clock
from edge.drivers.gb26875 import FirePanels
from edge.drivers.sia_dc09 import AlarmPanels
from edge.panel import Station
from provisioning.config import DeviceConfig
from provisioning.lines import ListenLine

_Maker = Callable[[Sequence[DeviceConfig], ListenLine, Clock, ZoneInfo], Station]

STATIONS: Mapping[str, _Maker] = MappingProxyType(
    {
        "gb26875.3": lambda devices, line, clock, zone: FirePanels(
            devices, line.line_id, clock, zone, line.roll_calls, line.roll_call_answer_min, greets=line.greets
        ),
        "sia-dc09": lambda devices, line, clock, _: AlarmPanels(devices, line.line_id, clock, line.key_file),
    }
)


def station_for(line: ListenLine, devices: Sequence[DeviceConfig], clock: Clock, zone: ZoneInfo) -> Station:
    """Return what answers on the line for the devices of the configuration that are on it."""
    ours = [device for device in devices if device.line_id == line.line_id]
    return STATIONS[line.protocol](ours, line, clock, zone)
