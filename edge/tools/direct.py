"""The buses of a configuration without an agent: opened for one question, nothing stored."""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence

from edge.clock import Clock
from edge.dial_in import DialInPorts
from edge.driver import EvidenceKeeper
from edge.drivers import DRIVERS
from edge.errors import EdgeError
from edge.line import Line
from edge.transports import transport_for
from protocol.reading import Reading
from provisioning.config import Config
from provisioning.lines import BusLine, LineId


@contextlib.contextmanager
def open_line(config: BusLine, clock: Clock) -> Iterator[Line]:
    """Yield the line, which opens its port with the first question."""
    ports = DialInPorts()
    line = Line(config.bus, transport_for(config, ports), clock, random.SystemRandom())
    try:
        yield line
    finally:
        line.close()
        ports.close()


def bus_of(config: Config, line_id: str) -> BusLine:
    """Return the configuration of a bus; EdgeError says which there are."""
    line = config.lines.get(LineId(line_id))
    if not isinstance(line, BusLine):
        known = ", ".join(name for name, one in config.lines.items() if isinstance(one, BusLine))
        raise EdgeError(f"there is no bus {line_id!r} in {config.origin}; there are {known}")
    return line


async def read_devices(config: Config, names: Sequence[str], clock: Clock) -> list[Reading]:
    """Poll the named devices once, or all; EdgeError for a name that is none."""
    polled = {
        device.device_id: device
        for device in config.devices
        if isinstance(config.lines[device.line_id], BusLine)
    }
    unknown = [name for name in names if name not in polled]
    if unknown:
        raise EdgeError(f"no polled device is called {', '.join(map(repr, unknown))} in {config.origin}")
    evidence = EvidenceKeeper(config.time_zone)
    readings: list[Reading] = []
    with contextlib.ExitStack() as stack:
        lines: Mapping[LineId, Line] = {
            line_id: stack.enter_context(open_line(bus_of(config, line_id), clock))
            for line_id in {polled[name].line_id for name in polled if not names or name in names}
        }
        for name, device in polled.items():
            if names and name not in names:
                continue
            driver = DRIVERS[device.profile.protocol](device, lines[device.line_id], evidence)
            for group in device.intervals_s:
                readings += await driver.poll(group)
    return readings
