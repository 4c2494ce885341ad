"""Hears the reply of a meter whose protocol frames begin with 68: DL/T 645 and CJ/T 188.

Whatever is no answer to the request is passed over: noise, our own echo, other meters, late
answers. It is remembered, so that a failure can say what was on the bus instead. An answer behind
the head of another that never ended is not believed: their checksums are sums, which cannot tell
two spliced frames from one.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edge.errors import BadFrame, EdgeError, NoReply
from protocol.errors import FrameError

FrameT = TypeVar("FrameT")


class _Reader(Protocol[FrameT]):
    def feed(self, data: bytes) -> list[FrameT]: ...

    def flush(self) -> list[FrameT]: ...

    @property
    def has_torn_head(self) -> bool: ...


class FrameReceiver(Generic[FrameT]):
    """`check` returns the payload of a frame that answers, or raises FrameError or Refused."""

    def __init__(
        self,
        reader: _Reader[FrameT],
        check: Callable[[FrameT], bytes],
        encode: Callable[[FrameT], bytes],
        is_echo: Callable[[FrameT], bool],
    ) -> None:
        self._reader = reader
        self._check = check
        self._encode = encode
        self._is_echo = is_echo
        self._heard = 0  # bytes that belong to no frame heard so far
        self._foreign = ""
        self._has_echo = False
        self.frame: FrameT | None = None
        self.payload = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived; return the answering frame's bytes."""
        self._heard += len(data)
        return self._sift(self._reader.feed(data))

    def _sift(self, frames: list[FrameT]) -> bytes | None:
        for frame in frames:
            wire = self._encode(frame)
            self._heard -= len(wire)
            if self._is_echo(frame):
                self._has_echo = True
                continue
            try:
                self.payload = self._check(frame)
            except FrameError as error:
                self._foreign = str(error)
                continue
            if self._reader.has_torn_head:
                raise FrameError("two answers ran into each other: asked again rather than believed")
            self.frame = frame
            return wire
        return None

    def failure(self) -> EdgeError:
        """Say what was heard instead of an answer."""
        try:
            is_late = self._sift(self._reader.flush()) is not None
        except FrameError as error:
            return BadFrame(str(error))
        if is_late or self._heard > 0:
            return BadFrame(f"{max(self._heard, 1)} bytes that are no frame")
        if self._foreign:
            return NoReply(f"no reply; heard instead: {self._foreign}")
        return NoReply("no reply; only our own echo" if self._has_echo else "no reply")
