"""An alarm: a condition at a point that somebody has to know of, from its beginning to its end.

The invariant: at most one alarm is open for each (gateway, point, kind). It is opened by a RAISED
event, closed by a CLEARED one, and acknowledging it says that a person knows, not that it is over.
"""

from dataclasses import dataclass
from enum import Enum

from cloud.domain.ids import AlarmId, GatewayId, SeriesId, SiteId, UserId
from protocol.event import Severity


class AlarmState(Enum):
    """Where an alarm stands; derived from its times, never stored."""

    ACTIVE = "active"  # the condition holds and nobody has acknowledged it
    ACKNOWLEDGED = "acknowledged"  # the condition holds and somebody knows
    CLEARED = "cleared"  # the condition is over


OPEN_STATES = frozenset({AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED})


class AlarmEntryKind(Enum):
    """What an entry in an alarm's history records."""

    RAISED = "raised"
    REPEATED = "repeated"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. `number` is for people: `DG-A-2026-0001`. Times are UTC milliseconds.

    `series_id` is None where the condition is of a device or the gateway, not of a measured point;
    `point_key` then names the device, or is empty for the gateway itself.
    """

    alarm_id: AlarmId
    site_id: SiteId
    gateway_id: GatewayId
    number: str
    point_key: str
    series_id: SeriesId | None
    device_title: str
    kind: str
    severity: Severity
    message: str
    is_historical: bool
    repeat_count: int
    raised_at_ms: int
    received_at_ms: int
    acknowledged_at_ms: int | None
    acknowledged_by: UserId | None
    cleared_at_ms: int | None

    @property
    def state(self) -> AlarmState:
        """Return where the alarm stands."""
        if self.cleared_at_ms is not None:
            return AlarmState.CLEARED
        return AlarmState.ACTIVE if self.acknowledged_at_ms is None else AlarmState.ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """One line of an alarm's history, oldest first; `user_id` for acts of people."""

    at_ms: int
    kind: AlarmEntryKind
    text: str
    user_id: UserId | None
    user_name: str
