"""Charge by a formula: "what was used, at the grid's average price over one less the loss, at most 12 %".

Its names are `quantity`, `area`, `count`, `days` and `months` of the bill, and parameters stated with a
value, a unit and where it comes from. Units are checked when the tariff is read: a formula that does not
come to money is refused. Where it cannot be computed the account is held; it is never charged 0 for it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.expression import NO_UNIT, Expression, Unit, parse_expression, parse_unit, unit_text
from cloud.domain.periods import ServicePeriod
from cloud.domain.tariff import Basis, Charge, LadderPosition, PastUsage, PricedLine

_DAYS, _MONTHS, _AREA = "days", "months", "area"


class Parameter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A figure of the formula: the grid's price this month, the loss ratio, with where it was read."""

    value: Decimal
    unit: str
    source: str = ""

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError(f"a parameter is a number, not {self.value}")
        parse_unit(self.unit)


class Formula(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="formula", tag_field="kind"):
    """`formula` in `currency`; `quantity_unit` is the tariff's unit if it asks for the quantity."""

    component: str
    formula: str
    currency: str
    quantity_unit: str = ""
    parameters: dict[str, Parameter] = {}
    name_zh: str = ""
    name_en: str = ""

    def __post_init__(self) -> None:
        if taken := sorted(set(self.parameters) & set(_built_in(self.quantity_unit))):
            raise ValueError(f"{taken[0]!r} is a name of the bill's own; call the parameter something else")
        expression = self._parsed()
        if dict(expression.unit) != {self.currency: 1}:
            raise ValueError(f"the formula comes to {unit_text(expression.unit)}, expected {self.currency}")
        if unused := sorted(set(self.parameters) - expression.names):
            raise ValueError(f"the formula does not use its parameter {unused[0]!r}")

    @property
    def asks_quantity(self) -> bool:
        """Tell whether it prices what a meter measured."""
        return "quantity" in self._parsed().names

    def breaks(self, _period: ServicePeriod) -> list[date]:
        """Return nothing: the formula is the same all year."""
        return []

    def place(self, _basis: Basis, _history: Sequence[PastUsage]) -> LadderPosition | None:
        """Return None: there is no ladder."""
        return None

    def charge(
        self, basis: Basis, _position: LadderPosition | None, _so_far: Sequence[PricedLine]
    ) -> list[Charge]:
        """Return one charge; Invalid where a name has no value, a divisor is zero, or the unit is another."""
        if self.currency != basis.currency.code:
            raise Invalid(
                f"{self.component}: the formula is in {self.currency}, the tariff in {basis.currency.code}"
            )
        expression = self._parsed()
        if "quantity" in expression.names and self.quantity_unit != basis.unit:
            raise Invalid(
                f"{self.component}: the formula counts {self.quantity_unit}, the tariff {basis.unit}"
            )
        try:
            amount = expression.value(self._values(basis))
        except Invalid as error:
            raise Invalid(f"{self.component}: {error}") from error
        if "quantity" in expression.names:
            return [Charge(self.component, amount, basis.quantity, basis.unit)]
        return [Charge(self.component, amount, Decimal(basis.count), "count")]

    def _parsed(self) -> Expression:
        units = {name: parse_unit(one.unit) for name, one in self.parameters.items()}
        return parse_expression(self.formula, {**_built_in(self.quantity_unit), **units})

    def _values(self, basis: Basis) -> Mapping[str, Decimal]:
        months = sum((share for _, share in basis.dates.months()), Fraction(0))
        values = {
            "count": Decimal(basis.count),
            _DAYS: Decimal(basis.dates.days),
            # A part of a month is its days' share, to the decimals a bill prints.
            _MONTHS: money.round_quantity(months),
            "quantity": basis.quantity,
        }
        if basis.area_m2 is not None:
            values[_AREA] = basis.area_m2
        return values | {name: one.value for name, one in self.parameters.items()}


def _built_in(quantity_unit: str) -> dict[str, Unit]:
    known = {
        _AREA: parse_unit("m2"),
        "count": NO_UNIT,
        _DAYS: parse_unit("day"),
        _MONTHS: parse_unit("month"),
    }
    return known | ({"quantity": parse_unit(quantity_unit)} if quantity_unit else {})
