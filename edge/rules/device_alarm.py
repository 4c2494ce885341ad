"""Device alarm: a condition the device itself reports, as its profile says.

In a manager's words: "when the fire panel says fire, tell me". Needs no rule in the configuration;
the profile's `alarm` entries are enough.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from protocol.event import Event, EventState
from protocol.quantity import MICRO
from protocol.reading import Quality, Reading
from provisioning.profile import AlarmWhen


class DeviceAlarm:
    """All points whose profile names an alarm; an event of theirs has no rule id."""

    rule_id = "device-alarm"

    def __init__(self, alarms: Mapping[str, AlarmWhen]) -> None:
        self._alarms = alarms
        self._raised: set[str] = set()

    @property
    def point_keys(self) -> Iterable[str]:
        """Return the points with an alarm."""
        return self._alarms

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Raise while the device says so, clear when it says otherwise; silence says nothing."""
        del now_ms
        if reading.value_micro is None or reading.quality is not Quality.GOOD:
            return ()
        key = reading.point_key
        alarm = self._alarms[key]
        is_alarm = reading.value_micro // MICRO in alarm.codes
        if is_alarm == (key in self._raised):
            return ()
        if is_alarm:
            self._raised.add(key)
        else:
            self._raised.discard(key)
        state = EventState.RAISED if is_alarm else EventState.CLEARED
        return (
            Event(
                alarm.kind,
                state,
                alarm.severity,
                key,
                reading.measured_at_ms,
                alarm.message,
                value_micro=reading.value_micro,
                evidence=reading.evidence,
            ),
        )

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: only the device knows."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return the points that are raised."""
        return msgspec.json.encode(sorted(self._raised))

    def restore(self, state: bytes) -> None:
        """Take up what was raised."""
        self._raised = {key for key in msgspec.json.decode(state, type=list[str]) if key in self._alarms}
