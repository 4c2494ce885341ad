"""The tier ladder: where a year's use stands, and the period's charge drawn to scale.

Above, a strip of the year: what was used before, then this period, the tiers as it crosses them.
Below, the period alone: width is quantity, height is price, so an area is money. The invariant:
areas of one picture are in the ratio of the amounts they stand for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH = 700.0
_STRIP_ROOM = Decimal("1.1")  # how much of an open last tier is drawn beyond the last bound or use
_AREA_LEFT = 150.0
_AREA_RIGHT = 4.0
_AREA_TOP = 60.0
_AREA_BOTTOM = 108.0
_AREA_HEIGHT_MIN = 41.0
_AREA_HEIGHT_MAX = 46.0


@dataclass(frozen=True, slots=True)
class Step:
    """One tier: its number, where it ends (None: never), and its price."""

    number: int
    upper: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Part:
    """What of the period fell into one tier, and what it came to."""

    number: int
    quantity: Decimal
    price: Decimal
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the strip that belongs to one tier."""

    step: Step
    x: float
    width: float
    fits_label: bool


@dataclass(frozen=True, slots=True)
class Area:
    """One part drawn to scale."""

    part: Part
    x: float
    y: float
    width: float
    height: float
    fits_sum: bool


@dataclass(frozen=True, slots=True)
class Ladder:
    """Everything the template draws."""

    width: float
    bands: tuple[Band, ...]
    before_width: float
    used: tuple[tuple[int, float, float], ...]  # tier, x, width of this period on the strip
    now_x: float
    areas: tuple[Area, ...]
    bounds: tuple[tuple[float, Decimal], ...]  # x in the lower picture of each bound crossed
    first: Decimal
    last: Decimal
    area_left: float
    area_right: float
    area_bottom: float


def draw_ladder(
    steps: Sequence[Step], before: Decimal, parts: Sequence[Part], width: float = WIDTH
) -> Ladder:
    """Return the ladder for a period that began with `before` already used in the year."""
    quantity = sum((part.quantity for part in parts), Decimal(0))
    after = before + quantity
    bounds = [step.upper for step in steps if step.upper is not None]
    end = max([after, *bounds]) * _STRIP_ROOM or Decimal(1)
    per_unit = width / float(end)
    bands = []
    lower = Decimal(0)
    for step in steps:
        upper = end if step.upper is None else step.upper
        x, wide = float(lower) * per_unit, float(upper - lower) * per_unit
        bands.append(Band(step, x, max(0.0, wide - 1), wide >= 96))
        lower = upper
    used = []
    at = before
    for part in parts:
        used.append((part.number, float(at) * per_unit, max(2.0, float(part.quantity) * per_unit)))
        at += part.quantity
    right = width - _AREA_RIGHT
    areas, crossed = _areas(parts, before, right)
    return Ladder(
        width,
        tuple(bands),
        float(before) * per_unit,
        tuple(used),
        float(after) * per_unit,
        areas,
        crossed,
        before,
        after,
        _AREA_LEFT,
        right,
        _AREA_BOTTOM,
    )


def _areas(
    parts: Sequence[Part], before: Decimal, right: float
) -> tuple[tuple[Area, ...], tuple[tuple[float, Decimal], ...]]:
    total = float(sum((part.quantity for part in parts), Decimal(0)))
    if not total:
        return (), ()
    dearest = float(max(part.price for part in parts))
    x = _AREA_LEFT
    at = before
    areas = []
    crossed = []
    for index, part in enumerate(parts):
        wide = float(part.quantity) / total * (right - _AREA_LEFT)
        # Height is the price itself, from zero: an area is money only if no baseline is cut off.
        height = float(part.price) / dearest * _AREA_HEIGHT_MAX if dearest else _AREA_HEIGHT_MIN
        areas.append(Area(part, x, _AREA_BOTTOM - height, wide, height, wide >= 150))
        x += wide
        at += part.quantity
        if index < len(parts) - 1:
            crossed.append((x, at))
    return tuple(areas), tuple(crossed)
