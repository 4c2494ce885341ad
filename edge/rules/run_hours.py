"""Run hours: a machine has run so long that it is due for something.

In a manager's words: "tell me each time a pump has run another 500 hours". A counter of hours in the
device itself (`run_time`) is taken as it is; for anything else the time is counted in which the
value was above `on_above`.

    kind = "run_hours"
    points = ["em-pump/active_power"]
    on_above = "0.2"        # running means: more than this; for states, not the first code
    every_h = 500
"""

from collections.abc import Collection, Sequence

import msgspec

from edge.rule import RuleScope, micro_of, refused, severity_named
from protocol.event import Event, EventState
from protocol.quantity import MICRO, Kind
from protocol.reading import Quality, Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert

_HOUR_MS = 3_600_000
# Between two readings further apart than this it is not known whether the machine ran.
_GAP_MAX_MS = 900_000
# What is counted is written down this often: losing so much in a crash matters to nobody.
_SAVE_EVERY_MS = 600_000


class _Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    every_h: float
    on_above: str = "0"
    severity: str = "info"
    message: str = ""
    event: str = "run_hours"


class _Run(msgspec.Struct, array_like=True):
    """Time run in all, and the multiple last told."""

    ran_ms: int
    told: int


class RunHours:
    """Counts the hours of each of its points."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        if settings.every_h <= 0:
            raise refused(entry, f"every_h: {settings.every_h:g} is not positive")
        points = scope.matching(entry, settings.points)
        self.rule_id = entry.rule_id
        self.point_keys: Collection[str] = points
        self._counters = frozenset(
            key
            for key, quantity in points.items()
            if quantity.kind is Kind.CUMULATIVE and quantity.unit == "h"
        )
        self._every_ms = round(settings.every_h * _HOUR_MS)
        self._on_above = micro_of(entry, "on_above", settings.on_above)
        self._severity = severity_named(entry, settings.severity)
        self._message = settings.message or f"has run another {settings.every_h:g} h"
        self._event = settings.event
        self._runs: dict[str, _Run] = {}
        self._last: dict[str, tuple[int, bool]] = {}  # monotonic time, and whether it ran then
        self._saved: dict[str, _Run] = {}

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Add the time since the last reading if the machine ran then; tell each multiple once."""
        key, value = reading.point_key, reading.value_micro
        if value is None or reading.quality is not Quality.GOOD:
            self._last.pop(key, None)
            return ()
        run = self._runs.get(key)
        if key in self._counters:
            ran_ms = value * _HOUR_MS // MICRO
            if run is None:
                self._runs[key] = _Run(ran_ms, ran_ms // self._every_ms)  # what it ran before us is no news
                return ()
            run.ran_ms = max(run.ran_ms, ran_ms)
        else:
            if run is None:
                run = self._runs[key] = _Run(0, 0)
            before_ms, was_running = self._last.get(key, (now_ms, False))
            if was_running and now_ms - before_ms <= _GAP_MAX_MS:
                run.ran_ms += now_ms - before_ms
            self._last[key] = (now_ms, value > self._on_above)
        return self._due(key, run, reading)

    def _due(self, key: str, run: _Run, reading: Reading) -> Sequence[Event]:
        multiple = run.ran_ms // self._every_ms
        if multiple <= run.told:
            return ()
        run.told = multiple
        hours = str(run.ran_ms // _HOUR_MS)
        return (
            Event(
                self._event,
                EventState.OCCURRED,
                self._severity,
                key,
                reading.measured_at_ms,
                self._message,
                self.rule_id,
                reading.value_micro,
                attributes={"hours": hours},
            ),
        )

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what was counted, renewed now and then, and at once when something was told."""
        for key, run in self._runs.items():
            saved = self._saved.get(key)
            if saved is None or saved.told != run.told or run.ran_ms - saved.ran_ms >= _SAVE_EVERY_MS:
                self._saved[key] = _Run(run.ran_ms, run.told)
        return msgspec.msgpack.encode(self._saved)

    def restore(self, state: bytes) -> None:
        """Take up the counting."""
        runs = msgspec.msgpack.decode(state, type=dict[str, _Run])
        self._runs = {key: run for key, run in runs.items() if key in self.point_keys}
