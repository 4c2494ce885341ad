"""Counter sanity: what is billed must count as a meter counts, or it waits for a person.

In a manager's words: "if a meter suddenly stands lower than before, or has counted more than can
flow through it, do not bill that; tell me". Such a reading is *held*: it keeps its value, it is
shown, it is not billed by itself, and it does not become the measure of the next one. A register
that passes its largest value and begins at zero is no surprise. What is held stays held until the
register fits again, or until a person has recorded a new meter at this point (`accept`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from protocol.event import Event, EventState, Severity
from protocol.quantity import decimal_from_micro
from protocol.reading import ClockQuality, Quality, Reading

COUNTER_DOUBTFUL = "counter_doubtful"

_HOUR_MS = 3_600_000
# Meters renew their registers late and are asked early: so much more than the time that passed counts.
_SLACK_MS = 5 * 60_000
# A register may only be said to have rolled over from the last tenth of its range.
_ROLLOVER_SHARE = 10
# What is remembered over a restart is written this often: flash wears, and an older baseline still holds.
_SAVE_EVERY_MS = 600_000


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """What a counter can do; 0 where it is not known."""

    modulus_micro: int = 0
    max_per_h_micro: int = 0


class _Baseline(msgspec.Struct, array_like=True):
    """The last reading that counts, and whether later ones are held."""

    value_micro: int
    at_ms: int  # 0 where the clock was not confirmed
    is_held: bool = False


class CounterGuard:
    """Judges the readings of billed points."""

    rule_id = "counters"

    def __init__(self, limits: Mapping[str, CounterLimits]) -> None:
        self.limits = limits  # by point key: what is billed, and nothing else
        self._baselines: dict[str, _Baseline] = {}
        self._saved_at_ms = 0
        self._state = b""
        self._is_changed = False

    def change(self, limits: Mapping[str, CounterLimits]) -> None:
        """Go on with these limits; a point that stays keeps its measure, whatever now reads it."""
        self.limits = limits
        self._baselines = {key: base for key, base in self._baselines.items() if key in limits}
        self._is_changed = True

    def judge(self, reading: Reading) -> tuple[Reading, Sequence[Event]]:
        """Return the reading, held where it must be, and an event where that begins or ends."""
        value, at_ms = reading.value_micro, reading.measured_at_ms
        if value is None or reading.quality is not Quality.GOOD:
            return reading, ()
        is_timed = reading.clock_quality is ClockQuality.SYNCED
        timed_at_ms = at_ms if is_timed else 0
        base = self._baselines.get(reading.point_key)
        if base is None:
            self._baselines[reading.point_key] = _Baseline(value, timed_at_ms)
            return reading, ()
        if is_timed and at_ms < base.at_ms:
            return reading, ()  # of a past before the baseline, which cannot judge it
        doubt = self._doubt(reading, base)
        if not doubt:
            base.value_micro, base.at_ms = value, timed_at_ms
            if not base.is_held:
                return reading, ()
            base.is_held, self._is_changed = False, True
            return reading, (_event(reading, EventState.CLEARED, "the register fits again"),)
        held = msgspec.structs.replace(reading, quality=Quality.HELD, reason=doubt)
        if base.is_held:
            return held, ()
        base.is_held = self._is_changed = True
        return held, (_event(reading, EventState.RAISED, doubt),)

    def _doubt(self, reading: Reading, base: _Baseline) -> str:
        """Say what is impossible about the reading, or nothing."""
        assert reading.value_micro is not None
        limits = self.limits[reading.point_key]
        counted = reading.value_micro - base.value_micro
        # Elapsed time is only known where the clock was right, both times.
        is_timed = base.at_ms and reading.clock_quality is ClockQuality.SYNCED
        passed_ms = reading.measured_at_ms - base.at_ms + _SLACK_MS if is_timed else 0
        most = limits.max_per_h_micro * passed_ms // _HOUR_MS
        before, now = decimal_from_micro(base.value_micro), decimal_from_micro(reading.value_micro)
        stood = f"stood at {before:f}, now {now:f}"
        if counted < 0:
            modulus = limits.modulus_micro
            is_near_end = modulus and base.value_micro >= modulus - modulus // _ROLLOVER_SHARE
            counted += modulus
            if not is_near_end or counted > (most or modulus // _ROLLOVER_SHARE):
                return f"the register went back: {stood}"
        if is_timed and limits.max_per_h_micro and counted > most:
            return f"more than can be: {stood}, at most {decimal_from_micro(most):f} were possible"
        return ""

    def accept(self, point_key: str, from_ms: int, opening_value_micro: int) -> None:
        """Take a person's word that at `from_ms` a meter began at this value; older word changes nothing."""
        base = self._baselines.get(point_key)
        if base is not None and base.is_held and from_ms > base.at_ms:
            base.value_micro, base.at_ms = opening_value_micro, from_ms
            self._is_changed = True

    def state(self, now_ms: int) -> bytes:
        """Return what must survive a restart: renewed when something was held, else now and then."""
        if self._is_changed or now_ms - self._saved_at_ms >= _SAVE_EVERY_MS:
            self._is_changed, self._saved_at_ms = False, now_ms
            self._state = msgspec.msgpack.encode(self._baselines)
        return self._state

    def restore(self, state: bytes) -> None:
        """Take up the baselines."""
        baselines = msgspec.msgpack.decode(state, type=dict[str, _Baseline])
        self._baselines = {key: base for key, base in baselines.items() if key in self.limits}


def _event(reading: Reading, state: EventState, message: str) -> Event:
    return Event(
        COUNTER_DOUBTFUL,
        state,
        Severity.MAJOR,
        reading.point_key,
        reading.measured_at_ms,
        message,
        CounterGuard.rule_id,
        reading.value_micro,
        evidence=reading.evidence,
    )
