"""An event: something happened, or a condition began or ended, at a point or device.

Events travel on their own stream and connection so that no backlog of readings delays them.
A condition is told twice, RAISED and CLEARED, with the same `(point_key, kind)`; the cloud
keeps at most one alarm open for each such pair.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from protocol.evidence import Evidence


class EventState(Enum):
    """What the event says about its condition."""

    RAISED = "raised"
    CLEARED = "cleared"
    OCCURRED = "occurred"  # no duration: a door was opened, a card was read


class Severity(IntEnum):
    """How much it matters; larger is worse."""

    INFO = 0
    MINOR = 1
    MAJOR = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the edge saw it.

    `kind` is a word of the glossary: `fire_alarm`, `lift_fault`, `trapped_person`, `water_leak`,
    `threshold`, `stale`, `device_offline`, `door_unlocked`, … `rule_id` names the rule that raised it,
    or is empty where the device itself did. `value_micro` is the point's value at that moment.
    `is_historical` marks an event of a replayed or long-buffered past: recorded, never alarmed anew.
    """

    kind: str
    state: EventState
    severity: Severity
    point_key: str
    occurred_at_ms: int
    message: str
    rule_id: str = ""
    value_micro: int | None = None
    is_historical: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    evidence: Evidence | None = None
