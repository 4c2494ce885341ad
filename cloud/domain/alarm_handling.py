"""What people do about an alarm, and what happens when nobody does: assigned, noted, shelved, escalated.

The invariant: how far an alarm should have been escalated follows from its times alone, so a step that
was missed while nothing ran is taken when it runs again, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from cloud.domain.alarm import Alarm, AlarmState
from cloud.domain.ids import UserId
from protocol.event import Severity

_MINUTE_MS = 60_000
TEXT_LENGTH_MAX = 500
# A night and a day: whatever is put aside for longer wants mending, not shelving.
SHELVED_FOR_MAX_MS = 24 * 60 * _MINUTE_MS

# After how long without an acknowledgement each further circle of people is told. A fire control room must
# answer at once (GB 25506); half a minute is what walking to the screen takes.
ESCALATION_MS: Mapping[Severity, tuple[int, ...]] = MappingProxyType(
    {
        Severity.CRITICAL: (30_000, 2 * _MINUTE_MS, 5 * _MINUTE_MS),
        Severity.MAJOR: (5 * _MINUTE_MS, 20 * _MINUTE_MS),
        Severity.MINOR: (4 * 60 * _MINUTE_MS,),
        Severity.INFO: (),
    }
)


class AlarmActKind(Enum):
    """What was done about an alarm."""

    ASSIGNED = "assigned"
    COMMENTED = "commented"
    ESCALATED = "escalated"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"


@dataclass(frozen=True, slots=True)
class AlarmAct:
    """One act; `about` is whom it was given to, `until_ms` until when it is put aside."""

    at_ms: int
    kind: AlarmActKind
    text: str
    user_id: UserId | None
    user_name: str
    about_id: UserId | None
    about_name: str
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Handling:
    """Where the handling of an alarm stands."""

    assignee_id: UserId | None
    assignee_name: str
    shelved_until_ms: int | None
    escalations: int
    next_escalation_at_ms: int | None


def handling_of(alarm: Alarm, acts: Sequence[AlarmAct], now_ms: int) -> Handling:
    """Return where the handling stands by its acts, oldest first."""
    assignee_id: UserId | None = None
    assignee_name = ""
    shelved_until_ms: int | None = None
    told = 0
    for act in acts:
        match act.kind:
            case AlarmActKind.ASSIGNED:
                assignee_id, assignee_name = act.about_id, act.about_name
            case AlarmActKind.SHELVED:
                shelved_until_ms = act.until_ms
            case AlarmActKind.UNSHELVED:
                shelved_until_ms = None
            case AlarmActKind.ESCALATED:
                told += 1
            case AlarmActKind.COMMENTED:
                pass
    if shelved_until_ms is not None and shelved_until_ms <= now_ms:
        shelved_until_ms = None
    steps = ESCALATION_MS[alarm.severity]
    is_waiting = alarm.state is AlarmState.ACTIVE and not alarm.is_historical and shelved_until_ms is None
    following = alarm.raised_at_ms + steps[told] if is_waiting and told < len(steps) else None
    return Handling(assignee_id, assignee_name, shelved_until_ms, told, following)


def escalations_due(alarm: Alarm, handling: Handling, now_ms: int) -> int:
    """Return how many circles should have been told by now."""
    if handling.next_escalation_at_ms is None:
        return handling.escalations
    waited_ms = now_ms - alarm.raised_at_ms
    return sum(waited_ms >= after_ms for after_ms in ESCALATION_MS[alarm.severity])
