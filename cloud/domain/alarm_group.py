"""Many alarms of one kind from one gateway at about one time, shown as one line.

A tripped breaker or a radio that jams raises forty alarms with one cause. The invariants: what may cost
a life or is a crime under way always has a line of its own; every alarm is in exactly one group, and a
group stands where its latest alarm would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.domain.alarm import Alarm, AlarmState
from cloud.domain.ids import GatewayId
from protocol.event import Severity

# Two or three are read as quickly as their sum.
SIZE_MIN = 4
# From one alarm to the next; devices of one cause fall silent as they are polled, minute by minute.
GAP_MAX_MS = 2 * 60_000
_OWN_LINE = frozenset(
    {
        "door_forced",
        "fire_alarm",
        "gas_alarm",
        "intrusion_alarm",
        "lift_fault",
        "manual_alarm",
        "medical_alarm",
        "panic_alarm",
        "trapped_person",
    }
)


@dataclass(frozen=True, slots=True)
class AlarmGroup:
    """One line of a list: an alarm alone, or many with one cause; the last raised first."""

    alarms: tuple[Alarm, ...]

    @property
    def latest(self) -> Alarm:
        """Return the alarm that stands for all."""
        return self.alarms[0]

    @property
    def since_ms(self) -> int:
        """Return when the first of them was raised."""
        return self.alarms[-1].raised_at_ms


def has_own_line(alarm: Alarm) -> bool:
    """Tell whether an alarm is never shown or acknowledged among others."""
    return alarm.severity is Severity.CRITICAL or alarm.kind in _OWN_LINE


def grouped(alarms: Sequence[Alarm]) -> tuple[AlarmGroup, ...]:
    """Return the lines of a list of alarms, in the list's order of each line's latest alarm."""
    lines: list[list[Alarm]] = []
    open_line: dict[tuple[GatewayId, str, AlarmState], list[Alarm]] = {}
    for alarm in sorted(alarms, key=lambda one: (one.raised_at_ms, one.alarm_id), reverse=True):
        key = (alarm.gateway_id, alarm.kind, alarm.state)
        line = open_line.get(key)
        if has_own_line(alarm) or line is None or line[-1].raised_at_ms - alarm.raised_at_ms > GAP_MAX_MS:
            line = []
            lines.append(line)
            if not has_own_line(alarm):
                open_line[key] = line
        line.append(alarm)
    groups = [
        AlarmGroup(part)
        for line in lines
        for part in ([tuple(line)] if len(line) >= SIZE_MIN else [(one,) for one in line])
    ]
    place = {alarm.alarm_id: number for number, alarm in enumerate(alarms)}
    return tuple(sorted(groups, key=lambda group: min(place[one.alarm_id] for one in group.alarms)))
