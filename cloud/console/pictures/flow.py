"""A flow drawn to scale: one bar on the left, and the parts it went into on the right, joined by bands.

The invariant: heights are quantities, so that what is not explained can be seen for what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 640.0
_BAR = 22.0
_GAP = 5.0
_HEIGHT = 180.0
_THIN = 1.5  # a part that is almost nothing is still seen


@dataclass(frozen=True, slots=True)
class Band:
    """A part: where its bar is on the right, and the path of the band that leads there."""

    y: float
    height: float
    path: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What the template draws."""

    height: float
    source_height: float
    bar: float
    bands: tuple[Band, ...]


def draw_flow(parts: Sequence[float]) -> Flow:
    """Return the flow of these parts, none of them negative, from top to bottom."""
    total = sum(parts) or 1.0
    left = top = 0.0
    bands = []
    for part in parts:
        height = max(part / total * _HEIGHT, _THIN if part else 0.0)
        bands.append(Band(top, height, _path(left, top, height)))
        left += height
        top += height + _GAP
    return Flow(max(top - _GAP, 0.0), left, _BAR, tuple(bands))


def _path(left: float, right: float, height: float) -> str:
    start, end, middle = _BAR, WIDTH - _BAR, WIDTH / 2
    return (
        f"M{start:.1f} {left:.1f}C{middle:.1f} {left:.1f} {middle:.1f} {right:.1f} {end:.1f} {right:.1f}"
        f"V{right + height:.1f}C{middle:.1f} {right + height:.1f} {middle:.1f} {left + height:.1f} "
        f"{start:.1f} {left + height:.1f}Z"
    )
