"""Charges by formula: units checked when read, exact when computed, an error never a zero."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cloud.billing_cases.tariff_builder import build
from cloud.domain.errors import Invalid
from cloud.domain.expression import parse_expression, parse_unit, unit_text
from cloud.domain.periods import month_of
from cloud.domain.rating import Customer, RatedLine, SliceUsage, asks_usage, plan, rate, total_fen

OCTOBER = month_of(date(2026, 10, 1))

# 曲阜市人民政府 2021-05-14: average price settled with the grid / (1 - loss), a loss of at most 12 %.
PASSED_ON: dict[str, Any] = {
    "kind": "formula",
    "component": "energy",
    "currency": "CNY",
    "quantity_unit": "unit",
    "formula": "quantity * average_price / (1 - min(loss, loss_most))",
    "parameters": {
        "average_price": {"value": "0.6812", "unit": "CNY/unit", "source": "grid invoice"},
        "loss": {"value": "0.20", "unit": "1"},
        "loss_most": {"value": "0.12", "unit": "1"},
    },
}


def changed(**parts: Any) -> dict[str, Any]:
    return {**PASSED_ON, **parts}


def rated(charge: dict[str, Any], quantity: str = "100", customer: Customer | None = None) -> list[RatedLine]:
    versions = build([charge])
    return rate(plan(versions, OCTOBER), [SliceUsage(Decimal(quantity))], customer or Customer())


def test_electricity_is_passed_on_with_a_loss_of_at_most_twelve_percent() -> None:
    lines = rated(PASSED_ON)

    assert total_fen(lines) == 7741  # 100 x 0.6812 / 0.88 = 77.409...
    assert lines[0].charge.amount == Fraction(10000 * 6812, 100 * 88 * 100)


def test_a_formula_with_the_quantity_needs_a_meter_and_one_without_does_not() -> None:
    parking = changed(
        formula="count * price * months",
        quantity_unit="",
        parameters={"price": {"value": "80", "unit": "CNY/month"}},
    )

    assert asks_usage(build([PASSED_ON])[0])
    assert not asks_usage(build([parking])[0])
    assert total_fen(rated(parking, customer=Customer(count=2))) == 16_000


def test_floor_area_is_one_of_its_names() -> None:
    fee = changed(
        formula="max(area, least) * price * months",
        quantity_unit="",
        parameters={
            "least": {"value": "50", "unit": "m2"},
            "price": {"value": "2.80", "unit": "CNY/m2/month"},
        },
    )

    assert total_fen(rated(fee, customer=Customer(area_m2=Decimal("89.43")))) == 25_040
    assert total_fen(rated(fee, customer=Customer(area_m2=Decimal(30)))) == 14_000
    with pytest.raises(Invalid, match="energy: area is not known"):
        rated(fee)


def test_a_divisor_of_zero_is_an_error_and_no_amount() -> None:
    parameters = {**PASSED_ON["parameters"], "loss_most": {"value": "1", "unit": "1"},
                  "loss": {"value": "1", "unit": "1"}}  # fmt: skip

    with pytest.raises(Invalid, match=r"1 - min\(loss, loss_most\) is zero"):
        rated(changed(parameters=parameters))


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("quantity * average_price + loss", "only what has one unit is added"),
        ("quantity * loss * loss_most * average_price * average_price", "the formula comes to"),
        ("quantity", "the formula comes to unit, expected CNY"),
        ("quantity * average_price", "does not use its parameter 'loss'"),
        ("quantity * average_price / price", "'price' is not known"),
        ("__import__('os')", "and nothing else"),
        ("quantity ** 2", "and nothing else"),
        ("quantity.real", "and nothing else"),
        ("quantity * (", "is no expression"),
        ("quantity * 1e9", "is no number such as"),
        ("quantity * True", "is no number such as"),
        ("min(quantity)", "and nothing else"),
        ("[quantity][0]", "and nothing else"),
        ("(" * 300 + "quantity" + ")" * 300, "at most 500 characters"),
    ],
)
def test_a_formula_that_does_not_come_to_money_is_refused_when_it_is_read(formula: str, told: str) -> None:
    with pytest.raises(Invalid, match="versions/0/charges/0") as refused:
        build([changed(formula=formula)])

    assert told in str(refused.value)


def test_a_formula_in_another_currency_or_quantity_is_refused_when_it_is_priced() -> None:
    parameters = {**PASSED_ON["parameters"], "average_price": {"value": "1", "unit": "HKD/kWh"}}

    with pytest.raises(Invalid, match="in HKD, the tariff in CNY"):
        rated(changed(currency="HKD", quantity_unit="kWh", parameters=parameters))


def test_a_name_of_the_bill_is_not_taken_by_a_parameter() -> None:
    parameters = {**PASSED_ON["parameters"], "days": {"value": "1", "unit": "1"}}

    with pytest.raises(Invalid, match="'days' is a name of the bill's own"):
        build([changed(parameters=parameters)])


@pytest.mark.parametrize("text", ["CNY/kWh", "CNY/m2/month", "m2*month", "1", "1/day"])
def test_a_unit_is_written_as_it_was_read(text: str) -> None:
    assert unit_text(parse_unit(text)) == text


def test_numbers_are_those_written_and_never_floats() -> None:
    expression = parse_expression("0.1 + 0.2", {})

    assert expression.value({}) == Fraction(3, 10)
