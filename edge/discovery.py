"""Looking for cameras: one probe to everybody on the network, and whoever answers within a few seconds.

The invariant: an answer is believed only if it names our probe; what else comes to the port is passed over.
"""

import asyncio
import logging
import socket
import uuid
from contextlib import ExitStack

from protocol import onvif
from protocol.errors import ProtocolError

log = logging.getLogger(__name__)

# WS-Discovery lets a device wait up to half a second; cameras by radio need longer.
LOOK_S = 3.0
# A probe is a datagram and may be lost.
_PROBES = 2
# More than this is no building, it is somebody who makes cameras up.
MATCHES_MAX = 256


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, message_id: str) -> None:
        self.found: dict[str, onvif.Match] = {}
        self._message_id = message_id

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            matches = onvif.read_matches(data, self._message_id)
        except ProtocolError as error:
            log.debug("no answer to a probe", extra={"from": addr[0], "reason": str(error)})
            return
        for match in matches:
            if len(self.found) < MATCHES_MAX:
                self.found.setdefault(match.endpoint, match)


async def find_cameras(
    interface: str = "", look_s: float = LOOK_S, port: int = onvif.DISCOVERY_PORT
) -> list[onvif.Match]:
    """Return the cameras that answer, by their addresses; `interface` is an address of ours, "" any."""
    message_id = f"urn:uuid:{uuid.uuid4()}"
    loop = asyncio.get_running_loop()
    with ExitStack() as opened:
        asking = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        asking.bind((interface, 0))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        if interface:
            asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        asking.setblocking(False)
        transport, answers = await loop.create_datagram_endpoint(lambda: _Answers(message_id), sock=asking)
        opened.pop_all()
    try:
        for _ in range(_PROBES):
            transport.sendto(onvif.probe(message_id), (onvif.DISCOVERY_GROUP, port))
            await asyncio.sleep(look_s / _PROBES)
    finally:
        transport.close()
    return sorted(answers.found.values(), key=lambda match: match.addresses)
