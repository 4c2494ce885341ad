"""The frame viewer: bytes in rows, and under them what each stretch of bytes means.

A field's bracket hangs under its bytes; where two meanings would touch, the later one is written a
line lower on a longer stem. A protocol that disguises its data bytes (DL/T 645 adds 33H) has them a
second time below, undisguised. The invariant: every byte is drawn once and lies under one field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from unicodedata import east_asian_width

CELL = 30.17
BYTE_WIDTH = 28.2
BYTES_A_ROW = 24
_LEFT = 1.0
_BYTES_TOP = 15.0
_BYTES_HEIGHT = 28.0
_PLAIN_HEIGHT = 18.0
_NOTHING_DISGUISED: Mapping[int, int] = MappingProxyType({})
_STEM = 9.0
_LABEL_HEIGHT = 36.0  # two lines: the meaning, and under it the value
_LABEL_GAP = 8.0
_WIDE = 12.4  # a Chinese character at 12 px
_NARROW = 6.9  # a Latin one, bold


@dataclass(frozen=True, slots=True)
class Meaning:
    """A field to draw: where, what kind, the words under it, and its decoded value if it has one."""

    offset: int
    length: int
    role: str
    label: str
    value: str = ""
    is_minor: bool = False  # framing: its words are left out where they would need a second line


@dataclass(frozen=True, slots=True)
class ByteCell:
    """One byte; `plain` is what it is without its disguise, empty if it has none."""

    offset: int
    digits: str
    plain: str
    role: str
    field: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bracket:
    """A field's bracket in one row; `label_y` is None for the part of a field that goes on below."""

    meaning: Meaning
    field: int
    left: float
    right: float
    y: float
    label_x: float
    label_y: float | None
    anchor: str


@dataclass(frozen=True, slots=True)
class FramePicture:
    """Everything the template draws."""

    width: float
    height: float
    cells: tuple[ByteCell, ...]
    brackets: tuple[Bracket, ...]
    plain_notes: tuple[tuple[float, float], ...]  # where each row says what its second line is


def draw_frame(
    frame: bytes,
    meanings: Sequence[Meaning],
    bytes_a_row: int = BYTES_A_ROW,
    plain: Mapping[int, int] = _NOTHING_DISGUISED,
) -> FramePicture:
    """Return the picture of `frame`; `meanings` cover each of its bytes once, in order.

    `plain` holds, by offset, the bytes that mean something else than what was sent.
    """
    width = _LEFT + min(max(len(frame), 1), bytes_a_row) * CELL
    cells: list[ByteCell] = []
    brackets: list[Bracket] = []
    notes: list[tuple[float, float]] = []
    field_of = {
        offset: number
        for number, meaning in enumerate(meanings)
        for offset in range(meaning.offset, meaning.offset + meaning.length)
    }
    top = 0.0
    for start in range(0, max(len(frame), 1), bytes_a_row):
        row = range(start, min(start + bytes_a_row, len(frame)))
        for offset in row:
            number = field_of[offset]
            x = _LEFT + (offset - start) * CELL
            second = f"{plain[offset]:02X}" if offset in plain else ""
            digits, role = f"{frame[offset]:02X}", meanings[number].role
            cells.append(ByteCell(offset, digits, second, role, number, x, top + _BYTES_TOP))
        disguised = [offset for offset in row if offset in plain]
        if disguised:
            notes.append((_LEFT + (disguised[0] - start) * CELL - 8, top + _BYTES_TOP + _BYTES_HEIGHT + 14))
        below = top + _BYTES_TOP + _BYTES_HEIGHT + (_PLAIN_HEIGHT if disguised else 0) + 4
        top = _row_brackets(brackets, meanings, row, below, width) + 12
    return FramePicture(width, top, tuple(cells), tuple(brackets), tuple(notes))


def _row_brackets(
    brackets: list[Bracket], meanings: Sequence[Meaning], row: range, y: float, width: float
) -> float:
    """Add the brackets of one row; return how far down they reach."""
    taken: list[float] = []  # the right end of the last label on each level
    lowest = y + _STEM
    for number, meaning in enumerate(meanings):
        first, last = max(meaning.offset, row.start), min(meaning.offset + meaning.length, row.stop) - 1
        if first > last:
            continue
        left = _LEFT + (first - row.start) * CELL + 1
        right = _LEFT + (last - row.start) * CELL + BYTE_WIDTH - 1
        middle = (left + right) / 2
        goes_on = meaning.offset + meaning.length > row.stop
        if goes_on or not (meaning.label or meaning.value):
            brackets.append(Bracket(meaning, number, left, right, y, middle, None, "middle"))
            continue
        wide = max(text_width(meaning.label), text_width(meaning.value))
        x = min(max(middle, wide / 2), width - wide / 2)
        level = next((i for i, end in enumerate(taken) if x - wide / 2 >= end), len(taken))
        if level > 0 and meaning.is_minor:
            brackets.append(Bracket(meaning, number, left, right, y, middle, None, "middle"))
            continue
        if level == len(taken):
            taken.append(0.0)
        taken[level] = x + wide / 2 + _LABEL_GAP
        label_y = y + 6 + _STEM + level * _LABEL_HEIGHT + 8
        brackets.append(Bracket(meaning, number, left, right, y, x, label_y, "middle"))
        lowest = max(lowest, label_y + (18 if meaning.value else 4))
    return lowest


def text_width(text: str) -> float:
    """Return about how wide 12 px text is: enough to keep labels apart."""
    return sum(_WIDE if east_asian_width(letter) in "WF" else _NARROW for letter in text)
