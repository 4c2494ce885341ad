"""The building picture: floors by flats, a lift shaft in each unit, only exceptions marked.

The invariant: every flat has one cell whatever its state, in the order people count them: floors
upward, flats from left to right as their codes sort.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

WIDTH = 434.0
_AXIS = 26.0  # floor numbers on the left
_GAP = 3.0
_SHAFT = 12.0
_UNIT_GAP = 10.0
_BUILDING_GAP = 16.0
_TOP = 18.0
_CELL_HEIGHT_MAX = 26.0
_CELLS_HEIGHT = 180.0
# A cell this large carries its number; a smaller one only its colour.
_LABEL_WIDTH_MIN = 30.0
_LABEL_HEIGHT_MIN = 15.0
_FLOOR_LABELS_MAX = 6


class Mark(Enum):
    """What is out of the ordinary about a flat or a lift, worst last."""

    NONE = "none"
    VACANT = "vacant"
    CLOSED = "closed"
    WAITING = "waiting"
    ATTENTION = "attention"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Flat:
    """One flat to draw; `code` is what people call it, `label` what fits into a cell."""

    code: str
    label: str
    floor: int
    mark: Mark = Mark.NONE


@dataclass(frozen=True, slots=True)
class Lift:
    """A lift; `floor` is None where its position is not known."""

    name: str
    floor: int | None
    mark: Mark = Mark.NONE


@dataclass(frozen=True, slots=True)
class Unit:
    """A staircase of a building, with its lift if it has one."""

    name: str
    flats: tuple[Flat, ...]
    lift: Lift | None = None


@dataclass(frozen=True, slots=True)
class House:
    """A building: its name and units from left to right."""

    name: str
    floors: int
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One flat drawn."""

    flat: Flat
    x: float
    y: float
    width: float
    height: float
    has_label: bool

    @property
    def middle(self) -> tuple[float, float]:
        """Return where a label or mark is centred."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Shaft:
    """A lift shaft drawn; `car_y` is None where the car's floor is not known."""

    lift: Lift
    x: float
    y: float
    height: float
    car_y: float | None
    car_height: float


@dataclass(frozen=True, slots=True)
class Caption:
    """A name under a unit or a building, or a floor number on the left."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class BuildingPicture:
    """Everything the template draws."""

    width: float
    height: float
    cells: tuple[Cell, ...]
    shafts: tuple[Shaft, ...]
    floors: tuple[Caption, ...]
    houses: tuple[Caption, ...]
    units: tuple[Caption, ...]
    grounds: tuple[tuple[float, float], ...]  # x of the left and right end of each building
    top: float
    bottom: float


def draw_buildings(houses: Sequence[House], width: float = WIDTH) -> BuildingPicture:
    """Return the picture of the site's buildings, side by side on one ground line."""
    floors = max((house.floors for house in houses), default=1)
    units = [unit for house in houses for unit in house.units]
    columns = [_columns(unit) for unit in units]
    shafts = sum(1 for unit in units if unit.lift)
    free = width - _AXIS - shafts * (_SHAFT + _GAP)
    free -= _BUILDING_GAP * max(0, len(houses) - 1) + _UNIT_GAP * max(0, len(units) - len(houses))
    cell_width = max(6.0, free / max(1, sum(columns)) - _GAP)
    cell_height = min(_CELL_HEIGHT_MAX, _CELLS_HEIGHT / floors - _GAP)
    bottom = _TOP + floors * (cell_height + _GAP)
    has_label = cell_width >= _LABEL_WIDTH_MIN and cell_height >= _LABEL_HEIGHT_MIN

    def y_of(floor: int) -> float:
        return bottom - floor * (cell_height + _GAP)

    cells: list[Cell] = []
    drawn_shafts: list[Shaft] = []
    unit_names: list[Caption] = []
    house_names: list[Caption] = []
    grounds: list[tuple[float, float]] = []
    x = _AXIS
    for house in houses:
        left = x
        for unit in house.units:
            unit_left = x
            order = _order(unit)
            half = len(order) // 2
            for index, label in enumerate(order):
                if unit.lift and index == half:
                    drawn_shafts.append(_shaft(unit.lift, x, y_of, floors, cell_height))
                    x += _SHAFT + _GAP
                cells += [
                    Cell(flat, x, y_of(flat.floor), cell_width, cell_height, has_label)
                    for flat in unit.flats
                    if _column_of(flat) == label
                ]
                x += cell_width + _GAP
            unit_names.append(Caption(unit.name, (unit_left + x - _GAP) / 2, bottom + 30))
            x += _UNIT_GAP
        x += _BUILDING_GAP - _UNIT_GAP
        right = x - _BUILDING_GAP - _GAP
        house_names.append(Caption(house.name, (left + right) / 2, bottom + 17))
        grounds.append((left - 3, right + 3))
    step = max(1, -(-floors // _FLOOR_LABELS_MAX))
    numbers = tuple(
        Caption(f"{floor}F", _AXIS - 8, y_of(floor) + cell_height / 2 + 4)
        for floor in range(1, floors + 1)
        if (floor - 1) % step == 0 or floor == floors
    )
    has_units = len(units) > len(houses)
    return BuildingPicture(
        width,
        bottom + (38 if has_units else 24),
        tuple(cells),
        tuple(drawn_shafts),
        numbers,
        tuple(house_names),
        tuple(unit_names) if has_units else (),
        tuple(grounds),
        _TOP,
        bottom,
    )


def _column_of(flat: Flat) -> str:
    """Return what tells a flat's column: its number without the floor, 502 → 02."""
    digits = str(flat.floor)
    return flat.label.removeprefix(digits) if flat.label.startswith(digits) else flat.label


def _order(unit: Unit) -> list[str]:
    return sorted({_column_of(flat) for flat in unit.flats})


def _columns(unit: Unit) -> int:
    return len(_order(unit))


def _shaft(lift: Lift, x: float, y_of: Callable[[int], float], floors: int, cell_height: float) -> Shaft:
    top = y_of(floors)
    bottom = y_of(1) + cell_height
    car_y = None if lift.floor is None else y_of(min(max(lift.floor, 1), floors))
    return Shaft(lift, x, top, bottom - top, car_y, cell_height)
