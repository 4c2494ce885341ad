"""A reading: one value of one point at one time, or the honest statement that there is none.

The invariant: `value_micro` is present exactly when the quality is one that carries a value.
A failure is never a zero and never an old value with a new time.
"""

from enum import IntEnum

import msgspec

from protocol.errors import ProtocolError
from protocol.evidence import Evidence


class Quality(IntEnum):
    """How far a value may be trusted. Stored as the number; numbers are never reused."""

    GOOD = 0
    SUSPECT = 1  # has a value, but a sanity check doubts it: shown, never billed by itself
    HELD = 2  # has a value that a person must decide about before it may be billed
    NO_REPLY = 10  # the device did not answer in time
    BAD_FRAME = 11  # something answered that failed its checksum, length or address
    REFUSED = 12  # the device answered that it has no such data
    ABSENT = 13  # the device says "not available" (FF.., NaN, a not-available code)
    OFFLINE = 14  # the line is down or the device's breaker is open: not asked
    STALE = 15  # a device that speaks unasked has been silent too long

    @property
    def has_value(self) -> bool:
        """Tell whether a reading of this quality carries a value."""
        return self < _FIRST_WITHOUT_VALUE


_FIRST_WITHOUT_VALUE = int(Quality.NO_REPLY)


class ClockQuality(IntEnum):
    """What the box knew about the time when it stamped a reading."""

    SYNCED = 0
    UNSYNCED = 1  # since boot no source has confirmed the time


class Reading(msgspec.Struct, frozen=True):
    """One value of one point. A struct, not a dataclass: thousands a second are made, at a third of the cost.

    `point_key` is `<device id>/<point name>`, unique within a gateway. `measured_at_ms` is the
    middle of the exchange, UTC. `reason` says in a few words why there is no (good) value.
    `booted_at_ms` never travels: where the clock was not confirmed, when the box started by that clock.
    """

    point_key: str
    measured_at_ms: int
    value_micro: int | None
    quality: Quality = Quality.GOOD
    reason: str = ""
    clock_quality: ClockQuality = ClockQuality.SYNCED
    evidence: Evidence | None = None
    booted_at_ms: int | None = None

    def __post_init__(self) -> None:
        # Not `quality.has_value`: this is called for every reading there ever is.
        if (self.value_micro is None) is (self.quality < _FIRST_WITHOUT_VALUE):
            raise ProtocolError(
                f"{self.point_key}: quality {self.quality.name} with value {self.value_micro}"
            )
