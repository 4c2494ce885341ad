"""Finding frames in a stream of bytes that also carries noise, echoes and other frames.

A false start costs one byte, never the frame behind it: the search resumes one byte after a
candidate that fails. What is kept back is bounded by the longest frame and its preamble.

Two answers that run into each other are another matter: checksums that are sums cannot tell the head
of one and the rest of the other from a whole frame. `has_torn_head` says that an answer began and
did not end as one; what is found after it on a line is better asked for again.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from protocol.errors import FrameError

FrameT = TypeVar("FrameT")

NOT_A_FRAME = 0
MORE_NEEDED = -1

# A line that idles at FE must not fill memory; no meter needs more to wake up.
_PREAMBLE_MAX = 255


class FrameStream(Generic[FrameT]):
    """A resynchronising reader for frames that begin with one fixed byte.

    `measure(buffer, at)` returns the whole length of the frame that may begin at `at`, NOT_A_FRAME
    or MORE_NEEDED; `decode` gets the preamble and the frame and raises FrameError if it is none;
    `is_answer(buffer, at)` tells whether what begins there is surely the head of an answer.
    """

    __slots__ = ("_decode", "_is_answer", "_measure", "_pending", "_preamble", "_start", "has_torn_head")

    def __init__(
        self,
        start: bytes,
        measure: Callable[[bytes, int], int],
        decode: Callable[[bytes], FrameT],
        preamble: bytes = b"",
        is_answer: Callable[[bytes, int], bool] = lambda _buffer, _at: False,
    ) -> None:
        self._is_answer = is_answer
        self.has_torn_head = False
        self._start = start
        self._measure = measure
        self._decode = decode
        self._preamble = preamble
        self._pending = b""

    def feed(self, data: bytes) -> list[FrameT]:
        """Take more bytes and return the frames that are now complete, in order."""
        return self._scan(self._pending + data, is_last=False)

    def flush(self) -> list[FrameT]:
        """Return what is found inside an unfinished candidate, now that no more bytes will come."""
        return self._scan(self._pending, is_last=True)

    @property
    def pending_count(self) -> int:
        """Return how many bytes are kept back for a frame that may still be completed."""
        return len(self._pending)

    def _scan(self, buffer: bytes, *, is_last: bool) -> list[FrameT]:
        frames: list[FrameT] = []
        consumed = at = 0
        while (at := buffer.find(self._start, at)) >= 0:
            length = self._measure(buffer, at)
            if length == MORE_NEEDED or at + length > len(buffer):
                if not is_last:
                    break
                at += 1
                continue
            frame = self._try(buffer[self._preamble_start(buffer, consumed, at) : at + length], length)
            if frame is None:
                self.has_torn_head |= length != NOT_A_FRAME and self._is_answer(buffer, at)
                at += 1
                continue
            frames.append(frame)
            consumed = at = at + length
        if is_last:
            self._pending = b""
        else:
            end = len(buffer) if at < 0 else at
            self._pending = buffer[self._preamble_start(buffer, consumed, end) :]
        return frames

    def _try(self, candidate: bytes, length: int) -> FrameT | None:
        if length == NOT_A_FRAME:
            return None
        try:
            return self._decode(candidate)
        except FrameError:
            return None

    def _preamble_start(self, buffer: bytes, floor: int, at: int) -> int:
        if not self._preamble:
            return at
        floor = max(floor, at - _PREAMBLE_MAX)
        return floor + len(buffer[floor:at].rstrip(self._preamble))
