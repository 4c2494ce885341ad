"""What a slave says to a request, and what a fault makes of it on its way.

The invariant: `Transmission.issued` is not empty if and only if a whole, unspoilt reply of the asked
device with these values is among the bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.faults import Fault, FaultKind

# Junk that looks like starts of frames, so that a reader must resynchronise.
_NOISE_BEFORE = bytes.fromhex("00ff6813fe")
_NOISE_AFTER = bytes.fromhex("f700")
_TRUNCATED_BYTES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as the device means it; `issued` are its values by point, none in a refusal."""

    device_id: str
    reply: bytes
    issued: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Transmission:
    """Bytes to send `delay_ms` after the request, besides the line's own turnaround."""

    device_id: str
    data: bytes
    issued: tuple[tuple[str, int], ...]
    delay_ms: int = 0


class Slaves(Protocol):
    """All devices of one protocol on one line."""

    def measure(self, buffer: bytes, at: int) -> int:
        """Return the length of the request that may begin at `at`, NOT_A_FRAME or MORE_NEEDED."""

    def answer(self, request: bytes, at_ms: int) -> Answer | None:
        """Return the asked device's answer, None where nobody is asked; FrameError if it is no request."""

    def as_another(self, reply: bytes) -> bytes:
        """Return the reply as if another device had sent it, well formed."""

    def with_bad_checksum(self, reply: bytes) -> bytes:
        """Return the reply with a checksum that does not fit."""


def transmit(answer: Answer, faults: Sequence[Fault], slaves: Slaves) -> Transmission | None:
    """Return what goes onto the line, None where the device is dead.

    Faults add up from the device outwards: whose reply, its checksum, its end, the noise around it.
    """
    kinds = {fault.kind for fault in faults}
    if FaultKind.DEAD in kinds:
        return None
    data, issued = answer.reply, answer.issued
    spoil: dict[FaultKind, Callable[[bytes], bytes]] = {
        FaultKind.FOREIGN_REPLY: slaves.as_another,
        FaultKind.BAD_CHECKSUM: slaves.with_bad_checksum,
        FaultKind.TRUNCATED: lambda reply: reply[:-_TRUNCATED_BYTES],
    }
    for kind, spoilt in spoil.items():
        if kind in kinds:
            data, issued = spoilt(data), ()
    if FaultKind.NOISE in kinds:
        data = _NOISE_BEFORE + data + _NOISE_AFTER
    late = [fault.delay_ms for fault in faults if fault.kind is FaultKind.LATE_REPLY]
    return Transmission(answer.device_id, data, issued, max(late, default=0))
