"""The raw exchange on the wire from which readings were taken, kept so that a bill can be defended.

Evidence is immutable and named by its hash: SHA-256 over protocol, line, request and reply,
each preceded by its length, so that no two different exchanges share a digest by concatenation.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """One exchange: what we asked (empty for a device that speaks unasked) and what came back."""

    protocol: str  # the codec's name: "dlt645-2007", "cjt188", "modbus-rtu", "modbus-tcp", "mqtt-zigbee2mqtt"
    line: str  # the line's id in the edge configuration
    request: bytes
    reply: bytes
    captured_at_ms: int  # wall clock at the middle of the exchange
    round_trip_us: int  # 0 where nothing was asked

    def digest(self) -> bytes:
        """Return the 32-byte SHA-256 that names this exchange."""
        sha = hashlib.sha256()
        for part in (self.protocol.encode(), self.line.encode(), self.request, self.reply):
            sha.update(len(part).to_bytes(4, "big"))
            sha.update(part)
        return sha.digest()
