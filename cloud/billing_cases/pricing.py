"""Adapters for prices: tiers, components, time of use, price changes, parts of a month."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud import tariffs as shelf
from cloud.billing_cases import tariff_builder as builder
from cloud.billing_cases.case import AnyOf, Case, Inputs, NotSupported, NotThis
from cloud.billing_cases.plans import example_plans
from cloud.domain import money
from cloud.domain.estimate import SpreadPolicy, true_up
from cloud.domain.money import Currency, Rounding, Scope
from cloud.domain.periods import ServicePeriod, month_of
from cloud.domain.proration import prorate, prorate_between
from cloud.domain.rating import (
    Customer,
    RatedLine,
    SliceUsage,
    plan,
    rate,
    share_by_days,
    total_fen,
)
from cloud.domain.tariff import PastUsage
from cloud.domain.tariff_document import Tariff

# A month in the middle of a year, so that no ladder year begins inside it by accident.
_MONTH = ServicePeriod(date(2026, 7, 1), date(2026, 8, 1))
_YEAR_TO_DATE = ServicePeriod(date(2026, 1, 1), date(2026, 7, 1))


def tiers(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Price a quantity on a ladder: monthly, annual, by period, scaled by days, with other charges."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    policy, step = builder.rounding(inputs, currency)
    if "amount" in inputs:
        alone = money.round_fen(
            inputs.number("amount"), currency, Rounding(money.ROUNDINGS[policy].direction)
        )
        return {"total": currency.text(alone), "amount": currency.text(alone)}
    inputs.take("season")  # a label: the bounds given are those of the season
    charges = [builder.ladder_charge(inputs), *_extras(inputs)]
    versions = builder.build(charges, currency=currency.code, rounding=policy, rounding_step=step)
    lines = _rate(versions, inputs)
    once = Rounding(versions[0].rounding.direction, Scope.TOTAL, versions[0].rounding.step_fen)
    exact = sum((Fraction(line.charge.amount) for line in lines), Fraction(0))
    answer = _answer(lines, currency)
    answer["total_if_rounded_once"] = currency.text(money.round_fen(exact, currency, once))
    answer["bounds"] = [str(bound) for line in lines[:1] if line.position for bound in line.position.bounds]
    return answer


def base_and_parts(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Price listed parts of a quantity and a base charge, rounded by a named policy."""
    if "parts" not in inputs:
        return tiers(inputs, _case)
    currency = Currency(str(inputs.take("currency") or "CNY"))
    policy, step = builder.rounding(inputs, currency)
    parts: list[Mapping[str, Any]] = inputs.need("parts")
    tops = [sum((money.decimal(part["qty"]) for part in parts[: index + 1]), Decimal(0))
            for index in range(len(parts) - 1)]  # fmt: skip
    prices = [str(part["price"]) for part in parts]
    ladder = builder.tiered("energy", [str(top) for top in tops], prices, {"cycle": "bill"})
    charges = [*_extras(inputs), ladder]
    versions = builder.build(charges, currency=currency.code, rounding=policy, rounding_step=step)
    quantity = sum((money.decimal(part["qty"]) for part in parts), Decimal(0))
    return _answer(rate(plan(versions, _MONTH), [SliceUsage(quantity)]), currency)


def modes(inputs: Inputs, case: Case) -> dict[str, Any]:
    """Price the same slabs graduated and by volume."""
    answer: dict[str, Any] = {}
    for mode in ("graduated", "volume"):
        again = Inputs({**inputs.values, "mode": mode})
        one = tiers(again, case)
        answer[mode] = one["total"]
        answer[f"{mode}_lines"] = one["lines"]
        if mode == "graduated":
            answer |= one
        for name in inputs.values:
            if name not in again.unread():
                inputs.take(name)
    return answer


def components(inputs: Inputs, case: Case) -> dict[str, Any]:
    """Price every component of a tariff: stated in the case, named by code, or known by its components."""
    versions = _stated_components(inputs)
    candidates = [versions] if versions else _named_tariffs(inputs, case)
    currency = candidates[0][0].currency
    lines = _rate(candidates[0], inputs)
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.charge.component] = totals.get(line.charge.component, 0) + line.amount_fen
    by_component = {name: currency.text(fen) for name, fen in totals.items()}
    return {**_answer(lines, currency), "components": by_component}


def time_of_use_tier(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Price rate registers, with a surcharge by tier or a price for each tier and period."""
    registers = {name: money.decimal(value) for name, value in inputs.need("registers").items()}
    bounds = [str(bound) for bound in inputs.take("bounds") or []]
    matrix = inputs.first("price_by_tier", "matrix", "prices")
    charges: list[dict[str, Any]]
    if matrix is not None:
        split = str(inputs.first("split_rule", "split") or "proportional")
        rows = [
            {period: str(prices[row]) for period, prices in matrix.items()} for row in range(len(bounds) + 1)
        ]
        tops = [*bounds, None]
        charges = [{
            "kind": "matrix", "component": "energy", "ladder": {"cycle": "year"}, "split_rule": split,
            "tiers": [{"to": top, "prices": row} for top, row in zip(tops, rows, strict=True)],
        }]  # fmt: skip
    else:
        prices = {period: str(price) for period, price in inputs.need("base").items()}
        charges = [{"kind": "time_of_use", "component": "energy", "rates": [{"prices": prices}]}]
        if steps := inputs.first("surcharge", "surcharges"):
            steps = [str(step) for step in steps]
            ladder = {"cycle": "year"}
            charges.append(builder.tiered("surcharge", bounds, steps, ladder, is_surcharge=True))
    versions = builder.build([*charges, *_extras(inputs)])
    used = SliceUsage(money.add(list(registers.values())), by_period=registers)
    lines = rate(plan(versions, _MONTH), [used], history=_history(inputs))
    return _answer(lines, versions[0].currency)


def price_change(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Divide usage by days where the price changed between two readings."""
    start, end = (date.fromisoformat(inputs.need(name)) for name in ("read_from", "read_to"))
    changes = [date.fromisoformat(on) for on in inputs.take("changes") or [inputs.need("change")]]
    prices = inputs.take("prices") or [inputs.need("old"), inputs.need("new")]
    if len(prices) != len(changes) + 1:
        raise NotSupported(f"{len(changes)} changes need {len(changes) + 1} prices")
    bounds = [str(bound) for bound in inputs.take("bounds") or []]
    edges = [builder.OPEN_FROM, *changes, None]
    dated = []
    for index, price in enumerate(prices):
        steps = price if isinstance(price, list) else [price]
        charge = builder.tiered("energy", bounds, steps, {"cycle": "bill"})
        begins = edges[index]
        assert begins is not None, "only the last edge is open"
        dated.append((begins, edges[index + 1], [charge]))
    versions = builder.build([], versions=dated)
    planned = plan(versions, ServicePeriod(start, end))
    used = share_by_days(inputs.number("qty"), [part.dates for part in planned])
    return _answer(rate(planned, used), versions[0].currency)


def proration(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Charge a part of a month by area, or share a month between two holders."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    days = inputs.take("days")
    if isinstance(days, dict):
        month_fen = currency.fen(inputs.need("month"))
        parts = prorate_between(month_fen, {holder: int(count) for holder, count in days.items()})
        answer: dict[str, Any] = {holder: currency.text(fen) for holder, fen in parts.items()}
        answer["sum"] = currency.text(sum(parts.values()))
        # Which exact month it was that rounds otherwise, the case does not say.
        answer["independent_rounding_sum_wrong"] = NotThis(answer["sum"])
        return answer
    return _part_of_month(inputs, days, currency)


def repricing(inputs: Inputs, case: Case) -> dict[str, Any]:
    """True up estimates with an actual reading, or charge a span again along the real ladder."""
    if "anchor" in inputs:
        outcome = true_up(
            inputs.number("anchor"),
            inputs.number("actual"),
            [money.decimal(quantity) for quantity in inputs.take("settled") or []],
        )
        return {
            "actual_total": outcome.actual,
            "previously_settled": money.add(outcome.settled),
            "settled_total": money.add(outcome.settled),
            "remainder": outcome.remainder,
            "proportional": outcome.spread(SpreadPolicy.PROPORTIONAL),
            "all_to_current": outcome.spread(SpreadPolicy.ALL_TO_CURRENT),
        }
    return _along_the_ladder(inputs, case)


def _along_the_ladder(inputs: Inputs, _case: Case) -> dict[str, Any]:
    currency = Currency(str(inputs.take("currency") or "CNY"))
    charges = [builder.tiered("energy", inputs.need("bounds"), inputs.need("prices"), {"cycle": "year"})]
    versions = builder.build([*charges, *_extras(inputs)], currency=currency.code)
    stated = inputs.need("periods")
    quantities = [money.decimal(_quantity_of(period)) for period in stated]
    months = _months(inputs, len(quantities), stated)
    opening = inputs.number("base_ytd", "0")
    first = months[0] if months else _MONTH
    before = ServicePeriod(first.start_on - timedelta(days=1), first.start_on)
    if first.start_on.month == 1 and opening:
        raise NotSupported("a span that starts a ladder year has nothing before it")
    history = [PastUsage(before, opening)] if opening else []
    totals = []
    for dates, quantity in zip(months, quantities, strict=True):
        totals.append(total_fen(rate(plan(versions, dates), [SliceUsage(quantity)], history=history)))
        history.append(PastUsage(dates, quantity))
    answer: dict[str, Any] = {
        "periods": [currency.text(fen) for fen in totals],
        "correct_charge": currency.text(sum(totals)),
    }
    if settled := inputs.first("settled_charges", "charged"):
        paid = sum(currency.fen(amount) for amount in (settled if isinstance(settled, list) else [settled]))
        answer["difference"] = answer["adjustment"] = answer["credit"] = currency.text(sum(totals) - paid)
    return answer


def _quantity_of(period: Any) -> Any:
    if not isinstance(period, dict):
        return period
    return next(period[name] for name in ("qty", "usage", "quantity") if name in period)


def _months(inputs: Inputs, count: int, periods: list[Any]) -> list[ServicePeriod]:
    stated = inputs.first("months", "period_codes", "codes")
    if stated is None and isinstance(periods[0], dict):
        stated = [next(period[name] for name in ("period", "month", "code")) for period in periods]
    if stated is not None:
        return [month_of(date.fromisoformat(f"{_month_code(code)}-01")) for code in stated]
    months = [month_of(date(2026, 2, 1))]
    while len(months) < count:
        months.append(month_of(months[-1].end_on))
    return months[:count]


def _month_code(code: object) -> str:
    text = str(code)
    return text if "-" in text else f"{text[:4]}-{text[4:]}"


def _part_of_month(inputs: Inputs, days: Any, currency: Currency) -> dict[str, Any]:
    month_days = int(inputs.need("month_days")) if "month_days" in inputs else None
    if "month" in inputs:
        month = inputs.number("month")
        if days is None or month_days is None:
            raise NotSupported("a part of a month needs days and month_days")
        fen = prorate(month, int(days), month_days, currency)
        return {"month": currency.text(money.round_fen(month, currency)), "prorated": currency.text(fen)}
    price, area = inputs.number("price"), inputs.number("area")
    start = date.fromisoformat(inputs.first("from_", "from") or "2026-06-01")
    until = inputs.first("to_", "to")
    part = ServicePeriod(start, date.fromisoformat(until) if until else month_of(start).end_on)
    if month_days is not None and month_days != month_of(start).days:
        raise NotSupported(f"the month of {start} has {month_of(start).days} days, not {month_days}")
    versions = builder.build([{"kind": "area", "component": "fee", "price": str(price)}])
    customer = Customer(area_m2=area)
    whole = rate(plan(versions, month_of(start)), [SliceUsage(Decimal(0))], customer)
    lone = rate(plan(versions, part), [SliceUsage(Decimal(0))], customer)
    month_fen = total_fen(whole)
    twice = prorate(Fraction(month_fen, currency.fen_per_unit), part.days, month_of(start).days, currency)
    return {
        "month_exact": money.EXACT.multiply(price, area),
        "month": currency.text(month_fen),
        "days": part.days,
        "prorated": currency.text(total_fen(lone)),
        "double_rounded_wrong": currency.text(twice),
    }


def _rate(versions: Sequence[Tariff], inputs: Inputs) -> list[RatedLine]:
    days = inputs.take("days")
    period = _MONTH
    if days is not None:
        period = ServicePeriod(_MONTH.start_on, _MONTH.start_on + timedelta(builder.whole_days(days)))
    persons = inputs.first("household_size", "persons", "people")
    customer = Customer(household_size=None if persons is None else int(persons))
    planned = plan(versions, period)
    used = share_by_days(inputs.number("qty"), [part.dates for part in planned])
    return rate(planned, used, customer, _history(inputs))


def _history(inputs: Inputs) -> list[PastUsage]:
    before = inputs.number("ytd", "0")
    return [PastUsage(_YEAR_TO_DATE, before)] if before else []


def _extras(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the charges beside the main one that a case may state."""
    charges: list[dict[str, Any]] = []
    for name in ("base", "fixed"):
        if name in inputs and not isinstance(inputs.values[name], dict):
            amount = str(inputs.take(name))
            charges.append({"kind": "fixed", "component": name, "price": amount, "per": "bill"})
    if percent := inputs.first("percent", "surcharge_percent", "tax_percent"):
        charges.append({"kind": "percent", "component": "percent", "percent": str(percent)})
    limits = {"minimum": inputs.take("minimum"), "maximum": inputs.first("maximum", "cap")}
    if any(value is not None for value in limits.values()):
        stated = {name: str(value) for name, value in limits.items() if value is not None}
        charges.append({"kind": "limits", "component": "limit", **stated})
    return charges


def _stated_components(inputs: Inputs) -> list[Tariff] | None:
    stated = inputs.take("components")
    if stated is None:
        return None
    bounds = [str(bound) for bound in inputs.take("bounds") or []]
    charges = []
    for name, price in stated.items():
        if isinstance(price, list):
            charges.append(builder.tiered(name, bounds, price, builder.ladder(inputs)))
        else:
            charges.append({"kind": "flat", "component": name, "price": str(price)})
    return builder.build([*charges, *_extras(inputs)])


def _named_tariffs(inputs: Inputs, case: Case) -> list[list[Tariff]]:
    """Return the shipped tariffs a case may mean: by code, or by its components and its title's place."""
    code = inputs.take("tariff")
    wanted = set(case.expected.get("components", {}))
    names = [str(line["k"]) for line in case.expected.get("lines", []) if "k" in line]
    fitting = []
    bodies = [body for _, body in shelf.shipped_documents()] + list(example_plans())
    for body in bodies:
        versions = [version.tariff for version in builder.parse_explained(body)]
        known = {charge.component for tariff in versions for charge in tariff.charges}
        spelled = known | {name for name in names if name.rstrip("0123456789") in known}
        if versions[0].code == code or (code is None and wanted <= known and set(names) <= spelled):
            fitting.append(versions)
    if len(fitting) > 1:
        fitting = [v for v in fitting if v[0].name_zh[:2] in case.title] or fitting
    if len(fitting) != 1:
        codes = ", ".join(versions[0].code for versions in fitting) or "none"
        raise NotSupported(f"the case does not state its tariff; shipped ones that fit: {codes}")
    return fitting


def _answer(lines: Sequence[RatedLine], currency: Currency) -> dict[str, Any]:
    return {
        "lines": [_line(line, currency) for line in lines],
        "total": currency.text(total_fen(lines)),
    }


def _line(line: RatedLine, currency: Currency) -> dict[str, Any]:
    charge = line.charge
    names = {charge.component}
    if charge.tier is not None:
        names |= {
            f"{charge.component}{charge.tier}",
            f"tier{charge.tier}",
            f"tier{charge.tier}_{charge.component}",
        }
    if charge.period is not None:
        names |= {charge.period, f"{charge.component}_{charge.period}"}
        if charge.tier is not None:
            names |= {f"{charge.period}{charge.tier}", f"tier{charge.tier}_{charge.period}",
                      f"{charge.period}_tier{charge.tier}"}  # fmt: skip
    return {
        "k": AnyOf(frozenset(names)),
        "tier": charge.tier,
        "period": charge.period,
        "days": line.basis.dates.days,
        "qty": charge.quantity,
        "price": charge.unit_price,
        "amount": currency.text(line.amount_fen),
    }


Adapter = Callable[[Inputs, Case], dict[str, Any]]
