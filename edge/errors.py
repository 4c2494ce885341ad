"""What can go wrong between the edge and its devices, disk and cloud; their fault, not ours.

Each failure to get an answer is one class and maps to one quality, so that no failure is ever
recorded as a value. A device that answers "no" raises `protocol.errors.Refused`.
"""

from protocol.errors import FrameError, Refused
from protocol.reading import Quality


class EdgeError(Exception):
    """Anything the edge reports about its surroundings."""


class NoReply(EdgeError):
    """The device did not answer in time; what others said meanwhile is in the message."""


class BadFrame(EdgeError):
    """Something answered that failed its checksum, length or form."""


class Unconfirmed(EdgeError):
    """The device was told to act, and what it shows afterwards is not what it was told."""


class LineDown(EdgeError):
    """The bus itself cannot be used: port missing, connection refused or lost."""


class Offline(EdgeError):
    """The device was not asked: its breaker is open."""


class StorageFault(EdgeError):
    """The buffer cannot be used: locked by another agent, of a newer version, or the disk failed."""


class CloudFault(EdgeError):
    """The cloud was not reached or did not answer as it must; the same bytes are sent again.

    `retry_after_s` is how long it asked to be left alone, 0 if it did not; `is_turned_away` tells that it
    does not know us (any more).
    """

    retry_after_s = 0.0
    is_turned_away = False


_QUALITIES: tuple[tuple[type[Exception], Quality], ...] = (
    (NoReply, Quality.NO_REPLY),
    (BadFrame, Quality.BAD_FRAME),
    (FrameError, Quality.BAD_FRAME),
    (Refused, Quality.REFUSED),
    (LineDown, Quality.OFFLINE),
    (Offline, Quality.OFFLINE),
)

# What a driver catches around one exchange: the failures that become a quality.
EXCHANGE_FAILURES = tuple(kind for kind, _ in _QUALITIES)


def quality_of(failure: Exception) -> Quality:
    """Return the quality that a reading gets which failed this way."""
    for kind, quality in _QUALITIES:
        if isinstance(failure, kind):
            return quality
    raise failure
