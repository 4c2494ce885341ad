"""The transport each kind of bus asks for."""

from typing import assert_never

from edge.dial_in import DialInPorts
from edge.transport import SerialTransport, TcpTransport, Transport, UdpTransport
from provisioning.lines import BusLine, DialInLine, ModbusTcpLine, SerialLine, TcpLine, UdpLine


def transport_for(line: BusLine, ports: DialInPorts) -> Transport:
    """Return the transport of a bus; `ports` are shared by those that are called."""
    match line:
        case SerialLine():
            return SerialTransport(line)
        case TcpLine() | ModbusTcpLine():
            return TcpTransport(line.host, line.port)
        case UdpLine():
            return UdpTransport(line.host, line.port)
        case DialInLine():
            return ports.transport(line)
        case _:
            assert_never(line)
