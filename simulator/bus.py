"""An RS-485 segment: many slaves of several protocols hearing one stream of bytes.

DL/T 645, CJ/T 188 and Modbus RTU share the line, as they do in a riser cabinet: whichever protocol
can read the bytes as a request of its own answers it. The invariant: a request is answered at most
once, and bytes that are nobody's request cost nothing but themselves.
"""

from collections.abc import Sequence

from protocol.errors import FrameError
from protocol.fieldbus.stream import MORE_NEEDED, NOT_A_FRAME
from simulator.answer import Slaves, Transmission, transmit
from simulator.faults import FaultBook

# A request whose bytes stop coming for this long is abandoned; DL/T 645 allows 500 ms between bytes.
_SILENCE_S = 0.5
_PENDING_BYTES_MAX = 512
_PREAMBLE = 0xFE  # no Modbus unit id: those end at 247


class Bus:
    """Takes the master's bytes, returns what the slaves put on the line."""

    def __init__(self, slaves: Sequence[Slaves], faults: FaultBook) -> None:
        self._slaves = tuple(slaves)
        self._faults = faults
        self._pending = b""
        self._heard_at_s = 0.0

    def feed(self, data: bytes, at_ms: int, now_s: float) -> list[Transmission]:
        """Return the answers to the requests that are complete now; `now_s` is monotonic real time."""
        if now_s - self._heard_at_s > _SILENCE_S:
            self._pending = b""
        self._heard_at_s = now_s
        buffer = self._pending + data
        sent: list[Transmission] = []
        at = 0
        while at < len(buffer):
            length = 1 if buffer[at] == _PREAMBLE else self._hear(buffer, at, at_ms, sent)
            if length == MORE_NEEDED:
                break
            at += length or 1
        self._pending = buffer[at:][-_PENDING_BYTES_MAX:]
        return sent

    def _hear(self, buffer: bytes, at: int, at_ms: int, sent: list[Transmission]) -> int:
        """Return the length of the request that was heard, NOT_A_FRAME or MORE_NEEDED."""
        unheard = NOT_A_FRAME
        for slaves in self._slaves:
            length = slaves.measure(buffer, at)
            if length == NOT_A_FRAME:
                continue
            if length == MORE_NEEDED or at + length > len(buffer):
                unheard = MORE_NEEDED
                continue
            try:
                answer = slaves.answer(buffer[at : at + length], at_ms)
            except FrameError:
                continue
            if answer is not None:
                spoiling = self._faults.on_reply(answer.device_id, at_ms)
                transmission = transmit(answer, spoiling, slaves)
                if transmission is not None:
                    sent.append(transmission)
            return length
        return unheard
