"""The one line that says what is happening, and the news that deserve a line of their own.

The invariant: the figures are the edge's and the cloud's own; nothing is estimated in between.
"""

import collections
import time
from collections.abc import Mapping

import msgspec

from edge.health import PointHealth
from gatehouse.demo.stage import Stage
from protocol.quantity import MICRO

# News that arrive faster than anybody reads; older ones are on the console's pages.
_NEWS_KEPT = 50


class _Alarm(msgspec.Struct):
    kind: str
    act: str
    point_key: str
    message: str


class _Event(msgspec.Struct):
    kind: str
    state: str
    point_key: str
    is_historical: bool


class LiveLine:
    """Listens to the cloud's live changes and asks the edge how it is."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._news: collections.deque[str] = collections.deque(maxlen=_NEWS_KEPT)
        self._last = ""

    def on_change(self, name: str, data: bytes) -> None:
        """Take one live change; called by the thread that follows them."""
        if name == "alarm":
            alarm = msgspec.json.decode(data, type=_Alarm)
            self._news.append(
                f"{_clock()}  ALARM {alarm.act}: {alarm.kind} at {alarm.point_key}, {alarm.message}"
            )
        elif name == "event":
            event = msgspec.json.decode(data, type=_Event)
            if not event.is_historical:
                self._last = f"{event.kind.replace('_', ' ')} {event.state} at {event.point_key}"

    def news(self) -> list[str]:
        """Return what has happened since it was last asked."""
        told = []
        while self._news:
            told.append(self._news.popleft())
        return told

    def now(self) -> str:
        """Return the line."""
        health = self._stage.edge_health()
        if health is None:
            return f"{_clock()}  the edge does not answer"
        devices = [device for line in health.lines for device in line.devices]
        online = sum(device.is_online for device in devices)
        points = {point.key: point for point in health.points}
        parts = [
            f"{_clock()}  {health.streams['history'].read:,} readings",
            f"{online}/{len(devices)} online",
            *_building_told(points),
            *([self._last] if self._last else []),
        ]
        return " · ".join(parts)


def _building_told(points: Mapping[str, PointHealth]) -> list[str]:
    """Return what goes on in the building, as far as it has been read."""
    told = []
    power = points.get("em-main/active_power")
    if power is not None and power.value_micro is not None:
        told.append(f"{power.value_micro / MICRO:.1f} kW")
    floor, direction = points.get("lift-1/floor"), points.get("lift-1/lift_direction")
    if floor is not None and direction is not None and floor.value_micro is not None:
        told.append(f"lift {direction.state} at floor {floor.value_micro // MICRO}")
    return told


def _clock() -> str:
    return time.strftime("%H:%M:%S")
