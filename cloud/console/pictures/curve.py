"""A day's curve against what is usual, and bars of a few days: the small charts drawn on the server.

The invariant: where there was no reading there is no line; a gap breaks the path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 500.0
HEIGHT = 196.0
_LEFT = 34.0
_RIGHT = 8.0
_TOP = 10.0
_BOTTOM = 160.0
_BAR_MAX = 96.0  # two bars must not look like two walls


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything the template draws; `line` and `band` are SVG path data."""

    width: float
    height: float
    left: float
    right: float
    bottom: float
    line: str
    band: str
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    now: tuple[float, float] | None
    ends_right: bool  # the label of `now` goes to the left of its line


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a small bar chart."""

    x: float
    y: float
    width: float
    height: float
    value: float


def draw_day(
    values: Sequence[float | None],
    usual: Sequence[tuple[float, float] | None],
    now_index: int | None,
    ceiling: float | None = None,
) -> Curve:
    """Return a day's curve: one value a slot from midnight to midnight, None where there is none."""
    slots = max(len(values), len(usual), 1)
    highest = max(
        [value for value in values if value is not None] + [band[1] for band in usual if band],
        default=0.0,
    )
    top_value, ticks = nice_ticks(max(highest, ceiling or 0.0))
    per_slot = (WIDTH - _LEFT - _RIGHT) / slots

    def x_of(index: float) -> float:
        return _LEFT + index * per_slot

    def y_of(value: float) -> float:
        return _BOTTOM - value / top_value * (_BOTTOM - _TOP)

    now = None
    if now_index is not None and (value := values[now_index]) is not None:
        now = (x_of(now_index), y_of(value))
    return Curve(
        WIDTH,
        HEIGHT,
        _LEFT,
        WIDTH - _RIGHT,
        _BOTTOM,
        _path([(x_of(i), y_of(v)) if v is not None else None for i, v in enumerate(values)]),
        _band(
            [(x_of(i), y_of(low), y_of(high)) for i, pair in enumerate(usual) if pair for low, high in [pair]]
        ),
        tuple(Tick(y_of(value), value) for value in ticks),
        tuple(Tick(x_of(slots * hour / 24), hour) for hour in range(0, 25, 4)),
        now,
        now is not None and now[0] > WIDTH * 0.72,
    )


def draw_bars(
    values: Sequence[float], width: float, height: float, bar_max: float = _BAR_MAX
) -> tuple[Bar, ...]:
    """Return zero-based bars that fill `width`, the highest as high as `height`."""
    highest = max(values, default=0.0) or 1.0
    step = width / max(len(values), 1)
    wide = min(step * 0.68, bar_max)
    return tuple(
        Bar(
            index * step + (step - wide) / 2,
            height - value / highest * height,
            wide,
            value / highest * height,
            value,
        )
        for index, value in enumerate(values)
    )


def nice_ticks(highest: float) -> tuple[float, tuple[float, ...]]:
    """Return an axis from zero that holds `highest` in at most five ticks of a round step."""
    if highest <= 0:
        return 1.0, (0.0, 1.0)
    size = 10.0 ** (len(str(int(highest))) - 1) if highest >= 1 else 0.1
    while highest < size:
        size /= 10
    step = next(part * size for part in (0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10) if highest / (part * size) <= 4)
    count = int(-(-highest // step))
    return step * count, tuple(step * number for number in range(count + 1))


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    parts = []
    is_drawing = False
    for point in points:
        if point is None:
            is_drawing = False
            continue
        parts.append(f"{'L' if is_drawing else 'M'}{point[0]:.1f} {point[1]:.1f}")
        is_drawing = True
    return "".join(parts)


def _band(points: Sequence[tuple[float, float, float]]) -> str:
    if len(points) < 2:
        return ""
    up = [f"{x:.1f} {high:.1f}" for x, _, high in points]
    down = [f"{x:.1f} {low:.1f}" for x, low, _ in reversed(points)]
    return "M" + "L".join([*up, *down]) + "Z"
