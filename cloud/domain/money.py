"""Money: whole fen, exact unit prices, and the few places where something is rounded.

The invariant: nothing between a meter reading and a charge is ever rounded. A charge is rounded
once, by the policy its tariff names (half up unless it says otherwise), and a total is the sum of
its lines. "Fen" stands for the smallest unit of whatever currency a tariff is in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import assert_never

from cloud.domain.errors import Invalid

# Shenzhen's published residential price has eight decimals (0.66286875 yuan); nothing seen has more.
PRICE_DECIMALS_MAX = 8
# A price of a million yuan for one unit is a slip of the keyboard.
PRICE_LIMIT = Decimal(1_000_000)
# Shares of a quantity by days are stated to four decimals, as utilities print them.
QUANTITY_DECIMALS = 4

# A 12-digit quantity with 12 decimals times a price with 6+8 digits needs 38; `Inexact` traps the rest.
EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])

Number = Decimal | Fraction | int

# How many decimals the smallest unit of a currency has (ISO 4217).
MINOR_DIGITS = MappingProxyType(
    {"AUD": 2, "CNY": 2, "GBP": 2, "HKD": 2, "JPY": 0, "MOP": 2, "MYR": 2, "SGD": 2, "TWD": 2}
)


class Direction(Enum):
    """Which way an amount between two fen goes."""

    CEILING = "ceiling"
    FLOOR = "floor"
    HALF_EVEN = "half_even"
    HALF_UP = "half_up"  # away from zero at exactly half, for credits as for charges


class Scope(Enum):
    """What is rounded: every line, or only the total, the lines then being completed by one more."""

    LINE = "line"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Rounding:
    """A named rounding policy: direction, scope and the step in fen (10 for "cut below ten yen")."""

    direction: Direction = Direction.HALF_UP
    scope: Scope = Scope.LINE
    step_fen: int = 1

    def __post_init__(self) -> None:
        if self.step_fen < 1:
            raise Invalid(f"a rounding step is at least 1, not {self.step_fen}")


HALF_UP = Rounding()

ROUNDINGS = MappingProxyType(
    {
        "ceiling_line": Rounding(Direction.CEILING),
        "ceiling_total": Rounding(Direction.CEILING, Scope.TOTAL),
        "floor_line": Rounding(Direction.FLOOR),
        "floor_total": Rounding(Direction.FLOOR, Scope.TOTAL),
        "half_even_line": Rounding(Direction.HALF_EVEN),
        "half_even_total": Rounding(Direction.HALF_EVEN, Scope.TOTAL),
        "half_up_line": HALF_UP,
        "half_up_total": Rounding(Direction.HALF_UP, Scope.TOTAL),
    }
)


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency by its ISO 4217 code; refuses one whose smallest unit we do not know."""

    code: str = "CNY"

    def __post_init__(self) -> None:
        if self.code not in MINOR_DIGITS:
            raise Invalid(f"currency {self.code!r} is not known; known are {', '.join(MINOR_DIGITS)}")

    @property
    def fen_per_unit(self) -> int:
        """Return how many of its smallest units make one: 100 for yuan, 1 for yen."""
        return int(10 ** MINOR_DIGITS[self.code])

    def fen(self, text: str | Decimal) -> int:
        """Return an amount such as "188.75" in fen; Invalid where that would lose a digit."""
        scaled = EXACT.multiply(decimal(text), Decimal(self.fen_per_unit))
        if scaled != (whole := int(scaled)):
            raise Invalid(f"{text} {self.code} is not a whole number of the smallest unit")
        return whole

    def text(self, amount_fen: int) -> str:
        """Return fen as people write it: "188.75", "-5.00", "5518" for yen."""
        digits = MINOR_DIGITS[self.code]
        if digits == 0:
            return str(amount_fen)
        whole, part = divmod(abs(amount_fen), self.fen_per_unit)
        return f"{'-' if amount_fen < 0 else ''}{whole}.{part:0{digits}}"


CNY = Currency("CNY")


class UnitPrice:
    """What one unit of a quantity costs, in currency units, with at most eight decimals.

    It may be zero (a free tier) and negative (a discount on another component). Not a dataclass:
    in a document a price is one number, and the parser would look for an object.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Decimal) -> None:
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            raise Invalid(f"a price is a number, not {value}")
        if -exponent > PRICE_DECIMALS_MAX and value != round(value, PRICE_DECIMALS_MAX):
            raise Invalid(f"price {value} has more than {PRICE_DECIMALS_MAX} decimals")
        if abs(value) >= PRICE_LIMIT:
            raise Invalid(f"price {value} is not below {PRICE_LIMIT}")
        self._value = value

    @property
    def value(self) -> Decimal:
        """Return the price in currency units."""
        return self._value

    def amount(self, quantity: Decimal) -> Decimal:
        """Return `quantity` at this price in currency units, exactly."""
        return EXACT.multiply(self._value, quantity)

    def __eq__(self, other: object) -> bool:
        """Two prices are equal when their numbers are: 3.0 and 3."""
        return isinstance(other, UnitPrice) and self._value == other._value

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self._value)

    def __repr__(self) -> str:
        """Show the number."""
        return f"UnitPrice({plain(self._value)})"


def decimal(text: str | Decimal | int) -> Decimal:
    """Return the exact decimal of a number as written; Invalid for anything else, also "NaN"."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Invalid(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise Invalid(f"{text!r} is not a number")
    return value


def plain(value: Decimal) -> str:
    """Return a decimal without exponent and without superfluous zeros: "0.5", "280", "-0.05"."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_fen(amount: Number, currency: Currency = CNY, rounding: Rounding = HALF_UP) -> int:
    """Return an exact amount of currency units in whole fen."""
    step = rounding.step_fen
    if step == 1 and rounding.direction is Direction.HALF_UP and isinstance(amount, Decimal):
        fen = amount.scaleb(MINOR_DIGITS[currency.code], EXACT)
        return int(fen.to_integral_value(ROUND_HALF_UP))
    steps = Fraction(amount) * currency.fen_per_unit / step
    return _whole(steps, rounding.direction) * step


def round_quantity(quantity: Number, decimals: int = QUANTITY_DECIMALS) -> Decimal:
    """Return a quantity that does not end (a share by days, a mean) to `decimals`, half up."""
    scaled = _whole(Fraction(quantity) * 10**decimals, Direction.HALF_UP)
    return Decimal(scaled).scaleb(-decimals, EXACT)


def split_fen(total_fen: int, weights: Sequence[Number]) -> list[int]:
    """Split an amount by weights so that the parts add up to it exactly (largest remainder).

    Everyone gets the whole fen of his exact share; the fen left over go one each to the largest
    remainders, the earlier part first where two are equal, so order the weights by a stable key.
    A credit is split as the charge would be. Each part is less than one fen from exact.
    """
    if not weights:
        raise Invalid(f"{total_fen} fen cannot be split among nobody")
    if any(weight < 0 for weight in weights):
        raise Invalid(f"weights must not be negative: {', '.join(map(str, weights))}")
    exact_weights = [Fraction(weight) for weight in weights]
    whole = sum(exact_weights)
    if whole == 0:
        raise Invalid(f"{total_fen} fen cannot be split: all {len(weights)} weights are zero")
    sign = -1 if total_fen < 0 else 1
    shares = [divmod(abs(total_fen) * weight, whole) for weight in exact_weights]
    parts = [int(part) for part, _ in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: (-shares[index][1], index))
    for index in by_remainder[: abs(total_fen) - sum(parts)]:
        parts[index] += 1
    return [sign * part for part in parts]


def split_quantity(total: Decimal, weights: Sequence[Number]) -> list[Decimal]:
    """Split a quantity by weights; shares are rounded to four decimals, the last takes the residue."""
    whole = sum(Fraction(weight) for weight in weights)
    if whole <= 0:
        raise Invalid(f"{total} cannot be split by weights that add up to {whole}")
    parts = [round_quantity(Fraction(total) * Fraction(weight) / whole) for weight in weights[:-1]]
    rest = total
    for part in parts:
        rest = EXACT.subtract(rest, part)
    return [*parts, rest]


def add(values: Sequence[Decimal]) -> Decimal:
    """Return the exact sum of decimals."""
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def _whole(number: Fraction, direction: Direction) -> int:
    floor = number.numerator // number.denominator
    match direction:
        case Direction.FLOOR:
            return floor
        case Direction.CEILING:
            return -(-number.numerator // number.denominator)
        case Direction.HALF_EVEN:
            return round(number)
        case Direction.HALF_UP:
            magnitude = abs(number)
            up = (2 * magnitude.numerator + magnitude.denominator) // (2 * magnitude.denominator)
            return up if number >= 0 else -up
        case _:
            assert_never(direction)
