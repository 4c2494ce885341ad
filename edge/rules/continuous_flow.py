"""Continuous flow: water that never stops, day or night.

In a manager's words: "tell me when a flat's water meter has not stood still for half an hour in the
last twelve hours". A household stops now and then; a running cistern does not. It is over with the
first pause. Beside the night's leak rule this one also sees a burst pipe at noon.

    kind = "continuous_flow"
    points = ["wm-*/water_volume"]
    for_h = 12
    pause_min = 30          # standing still for so long ends it
    minimum_m3 = "0.2"      # less than this in all that time is a meter's creep
"""

from collections.abc import Collection, Sequence
from copy import copy

import msgspec

from edge.rule import RuleScope, micro_of, refused
from edge.rules.condition import Conditions, ConditionSettings
from protocol.event import Event
from protocol.quantity import Kind
from protocol.reading import Quality, Reading
from provisioning.config import RuleEntry
from provisioning.strict import convert


class _Settings(ConditionSettings, forbid_unknown_fields=True, kw_only=True):
    points: list[str]
    for_h: float = 12
    pause_min: float = 30
    minimum_m3: str = "0.2"


class _Flow(msgspec.Struct, array_like=True):
    """Where a flow began, and when the meter last moved; wall clock, since nights are longer than uptimes."""

    from_value_micro: int
    from_ms: int
    value_micro: int
    moved_ms: int


class ContinuousFlow:
    """Watches cumulative volumes by the time of their readings."""

    def __init__(self, entry: RuleEntry, scope: RuleScope) -> None:
        settings = convert(dict(entry.settings), _Settings, f"rule {entry.rule_id}")
        points = scope.matching(entry, settings.points)
        for key, quantity in points.items():
            if quantity.kind is not Kind.CUMULATIVE or quantity.unit != "m3":
                raise refused(entry, f"points: {key} is {quantity.name}, not a running total of m3")
        if settings.for_h <= 0 or settings.pause_min <= 0:
            raise refused(entry, "for_h and pause_min: both must be positive")
        self.rule_id = entry.rule_id
        self.point_keys: Collection[str] = points
        self._for_ms = round(settings.for_h * 3_600_000)
        self._pause_ms = round(settings.pause_min * 60_000)
        self._minimum = micro_of(entry, "minimum_m3", settings.minimum_m3)
        self._flows: dict[str, _Flow] = {}
        self._kept: dict[str, _Flow] = {}
        told = f"water has run for {settings.for_h:g} h without a pause of {settings.pause_min:g} min"
        self._conditions = Conditions(entry, scope, points, settings, told)

    def observe(self, reading: Reading, now_ms: int) -> Sequence[Event]:
        """Follow the flow; readings too far apart to have seen a pause begin it anew."""
        if reading.quality is not Quality.GOOD or reading.value_micro is None:
            return ()
        key, value, at_ms = reading.point_key, reading.value_micro, reading.measured_at_ms
        flow = self._flows.get(key)
        if flow is None or at_ms - flow.moved_ms > self._pause_ms or value < flow.value_micro:
            self._flows[key] = _Flow(value, at_ms, value, at_ms)
            return self._conditions.update(key, reading, now_ms, holds=False)
        if value > flow.value_micro:
            flow.value_micro, flow.moved_ms = value, at_ms
        litres = (flow.value_micro - flow.from_value_micro) // 1000
        is_running = flow.moved_ms - flow.from_ms >= self._for_ms
        is_enough = flow.value_micro - flow.from_value_micro >= self._minimum
        return self._conditions.update(
            key, reading, now_ms, holds=is_running and is_enough, attributes={"volume_l": str(litres)}
        )

    def tick(self, now_ms: int, wall_ms: int) -> Sequence[Event]:
        """Do nothing: without readings nothing is known."""
        del now_ms, wall_ms
        return ()

    def state(self) -> bytes:
        """Return what is raised and the flows, renewed twice a pause: flash wears."""
        for key, flow in self._flows.items():
            kept = self._kept.get(key)
            is_same = kept is not None and kept.from_ms == flow.from_ms
            if kept is None or not is_same or flow.moved_ms - kept.moved_ms >= self._pause_ms // 2:
                self._kept[key] = copy(flow)
        return msgspec.msgpack.encode((self._conditions.state(), self._kept))

    def restore(self, state: bytes) -> None:
        """Take up the flows; a time without us that was longer than a pause ends them."""
        conditions, flows = msgspec.msgpack.decode(state, type=tuple[bytes, dict[str, _Flow]])
        self._conditions.restore(conditions)
        self._flows = {key: flow for key, flow in flows.items() if key in self.point_keys}
