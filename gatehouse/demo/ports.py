"""Where the parts of a demonstration listen, and that no other one on this machine does.

A port is chosen minutes before the last part listens on it. The invariant: until a demonstration ends,
however it ends, no other one chooses a port of its own: each holds a name for every port, in the same
network namespace as the port itself, which the kernel takes back with the process.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.demo.errors import DemoError
from gatehouse.demo.local_http import HOST
from simulator.__main__ import DEFAULT_CONTROL_PORT, DEFAULT_MQTT_PORT
from simulator.cashier_command import DEFAULT_PORT as DEFAULT_CASHIER_PORT
from simulator.simulation import free_port

DEFAULT_CLOUD_PORT, DEFAULT_GATEWAY_PORT, DEFAULT_EDGE_PAGE_PORT = 8080, 8443, 8070
# A port the kernel calls free is only another demonstration's by rare chance, and not so often in a row.
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen."""

    cashier: int
    cloud: int
    gateways: int
    control: int
    mqtt: int
    edge_page: int


@contextlib.contextmanager
def chosen_ports(cloud: int | None) -> Iterator[Ports]:
    """Hold ports that are free: those people know where they can be had; DemoError if `cloud` cannot."""
    with contextlib.ExitStack() as held:
        if cloud is not None and not _hold(held, cloud):
            raise DemoError(f"port {cloud} is taken; name another with --port")
        yield Ports(
            cashier=_any_port(held, DEFAULT_CASHIER_PORT),
            cloud=cloud or _any_port(held, DEFAULT_CLOUD_PORT),
            gateways=_any_port(held, DEFAULT_GATEWAY_PORT),
            control=_any_port(held, DEFAULT_CONTROL_PORT),
            mqtt=_any_port(held, DEFAULT_MQTT_PORT),
            edge_page=_any_port(held, DEFAULT_EDGE_PAGE_PORT),
        )


def _any_port(held: contextlib.ExitStack, wanted: int) -> int:
    if _hold(held, wanted):
        return wanted
    for _ in range(_TRIES):
        port = free_port(HOST)
        if _hold(held, port):
            return port
    raise DemoError(f"no free port was found in {_TRIES} tries")


def _hold(held: contextlib.ExitStack, port: int) -> bool:
    """Take a port's name if nobody has it or listens on the port; an abstract socket leaves no file."""
    name = socket.socket(socket.AF_UNIX)
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            name.bind(f"\0gatehouse-demo-port-{port}")
            probe.bind((HOST, port))
        except OSError:
            name.close()
            return False
    held.callback(name.close)
    return True
