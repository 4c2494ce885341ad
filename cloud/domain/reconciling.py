"""Two books beside each other: what the system before said it had, and what is here now.

The invariant: a figure agrees only when both are known and equal to the last unit; what nobody has said
of the old system is open, not right.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum

from cloud.domain.errors import Invalid

SAID_MAX = 10**18  # in a figure's smallest unit: what a database's integer keeps


class Figure(Enum):
    """What is counted or summed of a site, in the order it is brought over."""

    SPACES = "spaces"
    BUILT_AREA = "built_area"
    ACCOUNTS = "accounts"
    HOUSEHOLD_MEMBERS = "household_members"
    PEOPLE = "people"
    RELATIONS = "relations"
    METERS = "meters"
    FIRST_REGISTERS = "first_registers"
    READINGS = "readings"
    READINGS_SUM = "readings_sum"
    OWED = "owed"
    PREPAID = "prepaid"
    EQUIPMENT = "equipment"


# How many decimals people write of a figure; the others are whole numbers.
_PLACES: dict[Figure, int] = {
    Figure.BUILT_AREA: 2,
    Figure.FIRST_REGISTERS: 6,
    Figure.READINGS_SUM: 6,
    Figure.OWED: 2,
    Figure.PREPAID: 2,
}


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One figure in its smallest unit: here, and by the system before if anybody has said."""

    figure: Figure
    here: int
    said: int | None

    @property
    def difference(self) -> int | None:
        """Return what is here beyond what was there; None while that is open."""
        return None if self.said is None else self.here - self.said

    @property
    def agrees(self) -> bool:
        """Tell whether both books say the same."""
        return self.difference == 0


def places_of(figure: Figure) -> int:
    """Return how many decimals a figure has."""
    return _PLACES.get(figure, 0)


def figure_from_decimal(figure: Figure, value: Decimal) -> int:
    """Return a figure in its smallest unit; Invalid for what it cannot be."""
    if not value.is_finite() or value < 0 or value.adjusted() > len(str(SAID_MAX)):
        raise Invalid(f"{value} is not between 0 and {SAID_MAX // 10 ** places_of(figure)}")
    scaled = value.scaleb(places_of(figure))
    if scaled != scaled.to_integral_value():
        places = places_of(figure)
        # What is counted in whole pieces is said so: "more than 0 decimals" helps nobody.
        raise Invalid(f"{value} has more than {places} decimals" if places else f"{value} is no whole number")
    if scaled > SAID_MAX:
        raise Invalid(f"{value} is not between 0 and {SAID_MAX // 10 ** places_of(figure)}")
    return int(scaled)


def figure_from_text(figure: Figure, text: str) -> int:
    """Return a figure as somebody typed it, in its smallest unit."""
    try:
        value = Decimal(text.strip().replace(",", "").replace("，", ""))
    except InvalidOperation:
        raise Invalid(f"{text!r} is no number") from None
    return figure_from_decimal(figure, value)


def text_from_figure(figure: Figure, value: int | None) -> str:
    """Return a figure as people write it; nothing for one that is open."""
    if value is None:
        return ""
    places = places_of(figure)
    written = f"{Decimal(value).scaleb(-places):,.{places}f}"
    # Registers have as many decimals as their meters; sums of money and areas always two.
    return written.rstrip("0").rstrip(".") if places > 2 else written
