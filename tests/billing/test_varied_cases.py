"""Worked examples nobody published: the shapes of the published ones with other figures.

Every expected value is computed here, by fractions and by nothing of the program's, so that an example
which is not in the file comes out right as well. The figures follow from the number of the example.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from cloud.billing_cases.case import Case, Verdict
from cloud.billing_cases.runner import ADAPTERS, run_case

VARIANTS = 6
Example = tuple[str, dict[str, Any], dict[str, Any]]


def half_up(value: Fraction) -> int:
    """Return hundredths, ties away from zero."""
    size = abs(value) * 100
    whole = (2 * size.numerator + size.denominator) // (2 * size.denominator)
    return whole if value >= 0 else -whole


def yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02}"


def figure(value: Fraction) -> str:
    """Return a fraction with at most eight decimals as text; all figures here have no more."""
    scaled = value * 10**8
    assert scaled.denominator == 1
    sign, digits = "-" if scaled < 0 else "", f"{abs(scaled.numerator):09}"
    return f"{sign}{digits[:-8]}.{digits[-8:]}".rstrip("0").rstrip(".")


def some(chance: random.Random, low: int, high: int, decimals: int) -> Fraction:
    return Fraction(chance.randint(low * 10**decimals, high * 10**decimals), 10**decimals)


def rising(chance: random.Random, count: int, top: int, decimals: int = 0) -> list[Fraction]:
    bounds: set[Fraction] = set()
    while len(bounds) < count:
        bounds.add(some(chance, 1, top, decimals))
    return sorted(bounds)


def cut(start: Fraction, quantity: Fraction, bounds: list[Fraction]) -> list[Fraction]:
    """Return how much of what lies above `start` falls into each tier."""
    edges = [Fraction(0), *bounds, Fraction(10**12)]
    return [max(Fraction(0), min(start + quantity, high) - max(start, low)) for low, high in pairwise(edges)]


def figures(values: list[Fraction]) -> list[str]:
    return [figure(value) for value in values]


def ladder_case(chance: random.Random, cycle: str, decimals: int) -> tuple[dict[str, Any], dict[str, Any]]:
    bounds = rising(chance, chance.randint(1, 4), 3000)
    prices = [some(chance, 0, 9, 8 if chance.random() < 0.3 else 4) + 1 for _ in range(len(bounds) + 1)]
    start = some(chance, 0, 3500, decimals) if cycle == "year" else Fraction(0)
    quantity = some(chance, 0, 4000, decimals)
    if chance.random() < 0.3:  # exactly on a bound: it stays in the lower tier
        start, quantity = min(start, bounds[0]), bounds[0] - min(start, bounds[0])
    parts = cut(start, quantity, bounds)
    amounts = [half_up(part * price) for part, price in zip(parts, prices, strict=True)]
    lines = [
        {"tier": tier, "qty": figure(part), "price": figure(price), "amount": yuan(amount)}
        for tier, (part, price, amount) in enumerate(zip(parts, prices, amounts, strict=True), start=1)
        if part
    ]
    given = {"qty": figure(quantity), "ytd": figure(start), "bounds": figures(bounds),
             "prices": figures(prices), "cycle": cycle}  # fmt: skip
    once = half_up(sum((p * q for p, q in zip(parts, prices, strict=True)), Fraction(0)))
    return given, {"lines": lines, "total": yuan(sum(amounts)), "total_if_rounded_once": yuan(once)}


def tier_monthly(chance: random.Random) -> Example:
    return "tier_monthly", *ladder_case(chance, "month", 2)


def tier_annual(chance: random.Random) -> Example:
    return "tier_annual", *ladder_case(chance, "year", 4)


def tier_period(chance: random.Random) -> Example:
    given, expected = ladder_case(chance, "4 months", 1)
    return "tier_period", {**given, "currency": "HKD"}, expected


def household(chance: random.Random) -> Example:
    bounds, prices = [Fraction(180), Fraction(260)], [Fraction(5), Fraction(7), Fraction(9)]
    persons, add = chance.randint(1, 9), [chance.randint(5, 40), chance.randint(40, 60)]
    wider = [bound + max(0, persons - 5) * more for bound, more in zip(bounds, add, strict=True)]
    quantity = some(chance, 0, 700, 3)
    amounts = [half_up(p * q) for p, q in zip(cut(Fraction(0), quantity, wider), prices, strict=True)]
    given = {"qty": figure(quantity), "ytd": "0", "bounds": figures(bounds), "prices": figures(prices),
             "cycle": "year", "persons": persons, "base_persons": 5,
             "per_person": [str(more) for more in add]}  # fmt: skip
    return "tier_annual", given, {"total": yuan(sum(amounts))}


def rounding(chance: random.Random) -> Example:
    # Ties on purpose: half a fen is rounded away from zero, once.
    quantity, price = Fraction(chance.randint(1, 9999) * 5, 1000), Fraction(chance.randint(1, 999), 10)
    expected = {"total": yuan(half_up(quantity * price))}
    return "rounding", {"qty": figure(quantity), "price": figure(price)}, expected


def rounding_floor(chance: random.Random) -> Example:
    base = chance.randint(500, 2000)
    parts = [(some(chance, 1, 300, 1), chance.randint(1, 12)) for _ in range(chance.randint(2, 5))]
    exact = base + sum((price * count for price, count in parts), Fraction(0))
    step = chance.choice((1, 10))
    given = {"base": str(base), "parts": [{"price": figure(p), "qty": str(q)} for p, q in parts],
             "currency": "JPY", "rounding": f"floor, once, unit {step}"}  # fmt: skip
    return "rounding_floor", given, {"total": str(exact // step * step)}


def graduated(chance: random.Random) -> Example:
    bounds = rising(chance, 2, 600)
    prices = [some(chance, 1, 9, 2) for _ in range(3)]
    quantity = some(chance, 1, 1200, 2)
    parts = cut(Fraction(0), quantity, bounds)
    tier = max(index for index, part in enumerate(parts) if part)
    stepwise = sum(half_up(p * q) for p, q in zip(parts, prices, strict=True))
    given = {"qty": figure(quantity), "bounds": figures(bounds), "prices": figures(prices)}
    return (
        "graduated",
        given,
        {"graduated": yuan(stepwise), "volume": yuan(half_up(quantity * prices[tier]))},
    )


def components(chance: random.Random) -> Example:
    bounds, prices = rising(chance, 2, 60), [some(chance, 1, 6, 2) for _ in range(3)]
    sewage = some(chance, 1, 2, 3)
    quantity = some(chance, 1, 90, 2)
    water = sum(half_up(p * q) for p, q in zip(cut(Fraction(0), quantity, bounds), prices, strict=True))
    drained = half_up(quantity * sewage)
    given = {"qty": figure(quantity), "bounds": figures(bounds),
             "components": {"water": figures(prices), "sewage": figure(sewage)}}  # fmt: skip
    parts = {"water": yuan(water), "sewage": yuan(drained)}
    return "components", given, {"components": parts, "total": yuan(water + drained)}


def beijing(chance: random.Random) -> Example:
    """Return a Beijing water bill by the shipped tariff: 2.07/4.07/6.07 and 1.57 and 1.36."""
    start, quantity = some(chance, 0, 300, 1), some(chance, 1, 200, 1)
    water_prices = [Fraction("2.07"), Fraction("4.07"), Fraction("6.07")]
    pairs = list(zip(cut(start, quantity, [Fraction(180), Fraction(260)]), water_prices, strict=True))
    parts = {
        "water": sum(half_up(part * price) for part, price in pairs),
        "resource": half_up(quantity * Fraction("1.57")),
        "sewage": half_up(quantity * Fraction("1.36")),
    }
    given = {"qty": figure(quantity), "ytd": figure(start), "tariff": "cn-beijing-water-res"}
    stated = {name: yuan(fen) for name, fen in parts.items()}
    return "components", given, {"components": stated, "total": yuan(sum(parts.values()))}


def tou_tier(chance: random.Random) -> Example:
    start = some(chance, 0, 3000, 1)
    used = {name: some(chance, 0, 500, 2) for name in ("sharp", "peak", "flat", "valley")}
    base = {name: some(chance, 0, 1, 4) + Fraction(1, 10) for name in used}
    bounds, steps = [Fraction(2760), Fraction(4800)], [Fraction(0), Fraction("0.05"), Fraction("0.30")]
    over = cut(start, sum(used.values(), Fraction(0)), bounds)
    fen = sum(half_up(used[name] * base[name]) for name in used)
    fen += sum(half_up(part * step) for part, step in zip(over, steps, strict=True))
    given = {"ytd": figure(start), "registers": {n: figure(q) for n, q in used.items()},
             "base": {n: figure(p) for n, p in base.items()}, "bounds": figures(bounds),
             "surcharge": figures(steps)}  # fmt: skip
    return "tou_tier", given, {"total": yuan(fen)}


def tou_boundary(chance: random.Random) -> Example:
    edge = chance.randint(7 * 60 + 1, 10 * 60 - 1)  # any minute of the day may be a bound
    begins = chance.randint(6 * 60, edge - 1) // 5 * 5
    length = chance.choice((15, 30, 60))
    energy = Fraction(chance.randint(1, 50) * length, 10)
    first = min(max(edge - begins, 0), length)
    split = {"flat": energy * first / length, "peak": energy * (length - first) / length}
    clock = [f"{m // 60:02}:{m % 60:02}" for m in (begins, edge)]
    given = {"slot_start": f"2026-07-01T{clock[0]}+08:00", "slot_minutes": length, "kwh": figure(energy),
             "periods": [{"k": "flat", "start": "05:00", "end": clock[1], "price": "0.80"},
                         {"k": "peak", "start": clock[1], "end": "12:00", "price": "1.17"}]}  # fmt: skip
    straddles = bool(split["peak"]) and bool(split["flat"])
    expected: dict[str, Any] = {"period": "flat", "flag": "linear_split" if straddles else None}
    expected["split"] = {name: figure(part) for name, part in split.items() if part}
    return "tou_boundary", given, expected


def multiplier(chance: random.Random) -> Example:
    ct, pt = chance.choice((50, 75, 200, 500)), chance.choice((1, 60, 100))
    before, after = some(chance, 0, 500, 2), some(chance, 500, 900, 2)
    factor = Fraction(ct, 5) * pt
    given = {"prev": figure(before), "cur": figure(after), "ct": f"{ct}/5", "pt": f"{pt * 100}/100"}
    return "multiplier", given, {"multiplier": figure(factor), "kwh": figure((after - before) * factor)}


def rollover(chance: random.Random) -> Example:
    modulus = 10 ** chance.randint(4, 6)
    before = modulus - some(chance, 1, modulus // 25, 2)
    after = some(chance, 0, 30, 2)
    given = {"prev": figure(before), "cur": figure(after), "modulus": str(modulus),
             "max_daily": str(modulus // 20), "days": "1"}  # fmt: skip
    return "rollover", given, {"kind": "rollover", "consumption": figure(after + modulus - before)}


def reset(chance: random.Random) -> Example:
    before = some(chance, 2000, 8000, 1)
    after = some(chance, 0, 100, 1)
    given = {"prev": figure(before), "cur": figure(after), "modulus": "100000", "max_daily": "200",
             "days": str(chance.randint(1, 31))}  # fmt: skip
    expected = {"kind": "register_drop_hold", "modular_delta": figure(after - before + 100000)}
    return "reset_or_tamper", given, {**expected, "billable": None}


def meter_swap(chance: random.Random) -> Example:
    parts, moved = [], Fraction(0)
    for name in "ABC"[: chance.randint(2, 3)]:
        opening, used = some(chance, 0, 900, 1), some(chance, 0, 90, 1)
        factor = chance.choice((1, 1, 40))
        parts.append({"meter": name, "prev": figure(opening), "end": figure(opening + used)})
        if factor != 1:
            parts[-1]["multiplier"] = str(factor)
        moved += used * factor
    return "meter_swap", {"components": parts}, {"consumption": figure(moved)}


def estimate(chance: random.Random) -> Example:
    history = [some(chance, 1, 90, 1) for _ in range(3)]
    mean = half_up(sum(history, Fraction(0)) / 3 * 100)  # four decimals
    return "estimate", {"history": figures(history)}, {"estimate": figure(Fraction(mean, 10**4))}


def true_up(chance: random.Random) -> Example:
    bounds, prices = [Fraction(180)], [Fraction(3), Fraction("4.5")]
    start, periods, fixed = some(chance, 1, 200, 0), [some(chance, 0, 120, 2) for _ in range(3)], 10
    at, fens = start, []
    for used in periods:
        parts = cut(at, used, bounds)
        fens.append(fixed * 100 + sum(half_up(p * q) for p, q in zip(parts, prices, strict=True)))
        at += used
    given = {"base_ytd": figure(start), "periods": figures(periods), "bounds": ["180"],
             "prices": ["3.0", "4.5"], "fixed": str(fixed)}  # fmt: skip
    return "true_up", given, {"periods": [yuan(fen) for fen in fens], "correct_charge": yuan(sum(fens))}


def spread(chance: random.Random) -> Example:
    anchor, settled = some(chance, 1, 1000, 0), [some(chance, 1, 60, 0) for _ in range(2)]
    actual = anchor + some(chance, 1, 200, 0)
    used = actual - anchor
    first = Fraction(half_up(used * settled[0] / sum(settled) * 100), 10**4)
    given = {"anchor": figure(anchor), "actual": figure(actual), "settled": figures(settled)}
    expected = {"actual_total": figure(used), "remainder": figure(used - sum(settled)),
                "proportional": figures([first, used - first])}  # fmt: skip
    return "true_up", given, expected


def price_change(chance: random.Random) -> Example:
    start = date(2026, 1, 1) + timedelta(days=chance.randint(0, 300))
    days, before = chance.randint(20, 60), chance.randint(1, 19)
    quantity, old, new = some(chance, 1, 900, 0), some(chance, 1, 9, 2), some(chance, 1, 9, 2)
    first = Fraction(half_up(quantity * before / days * 100), 10**4)
    parts = [(before, first, old), (days - before, quantity - first, new)]
    lines = [{"days": d, "qty": figure(q), "price": figure(p), "amount": yuan(half_up(q * p))}
             for d, q, p in parts]  # fmt: skip
    given = {"read_from": str(start), "read_to": str(start + timedelta(days=days)),
             "change": str(start + timedelta(days=before)), "qty": figure(quantity),
             "old": figure(old), "new": figure(new)}  # fmt: skip
    return "price_change", given, {"lines": lines, "total": yuan(sum(half_up(q * p) for _, q, p in parts))}


def lone_part(chance: random.Random) -> Example:
    start = date(2026, chance.randint(1, 12), chance.randint(2, 28))
    following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    length = (following - start.replace(day=1)).days
    price, area = some(chance, 1, 6, 2), some(chance, 30, 200, 2)
    given = {"price": figure(price), "area": figure(area), "from_": str(start), "month_days": length}
    exact = price * area
    part = half_up(exact * (following - start).days / length)
    return "proration", given, {"month_exact": figure(exact), "prorated": yuan(part)}


def largest_remainder(total: int, weights: dict[str, Fraction]) -> dict[str, int]:
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_rest = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_rest[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def shared_month(chance: random.Random) -> Example:
    month, length = chance.randint(1, 99999), chance.randint(28, 31)
    leaves = chance.randint(1, length - 1)
    days = {"A": leaves, "B": length - leaves}
    shares = largest_remainder(month, {name: Fraction(count) for name, count in days.items()})
    stated = {name: yuan(fen) for name, fen in shares.items()}
    return "proration", {"month": yuan(month), "days": days}, {**stated, "sum": yuan(month)}


def apportion(chance: random.Random) -> Example:
    total = chance.randint(1, 999999)
    weights = {str(100 + n): some(chance, 20, 200, 2) for n in range(1, chance.randint(3, 40))}
    shares = largest_remainder(total, weights)
    given = {"total": yuan(total), "weights": {room: figure(w) for room, w in weights.items()}}
    return "apportion", given, {"shares": {r: yuan(f) for r, f in shares.items()}, "sum": yuan(total)}


def late_fee(chance: random.Random) -> Example:
    principal, days = chance.randint(100, 999999), chance.randint(1, 400)
    due = date(2026, 1, 1) + timedelta(days=chance.randint(0, 364))
    paid = due + timedelta(days=days)
    across = max(0, (paid - max(due, date(due.year, 12, 31))).days)
    exact = Fraction(principal, 100) * (Fraction("0.002") * (days - across) + Fraction("0.003") * across)
    fee = max(half_up(exact), 100)
    given = {"principal": yuan(principal), "due": str(due), "paid": str(paid), "rate": "0.002",
             "next_year_rate": "0.003", "minimum": "1.00"}  # fmt: skip
    return "late_fee", given, {"days": days, "late_fee": yuan(fee), "computed": yuan(half_up(exact))}


def late_fee_cap(chance: random.Random) -> Example:
    principal, days = chance.randint(10000, 999999), chance.randint(100, 900)
    uncapped = half_up(Fraction(principal, 100) * Fraction(3, 1000) * days)
    given = {"principal": yuan(principal), "rate": "0.003", "days": days, "cap": "principal"}
    return "late_fee_cap", given, {"uncapped": yuan(uncapped), "late_fee": yuan(min(uncapped, principal))}


def late_fee_steps(chance: random.Random) -> Example:
    due, principal = date(2026, 6, 15), chance.randint(100, 9999)
    payments = [(due + timedelta(days=chance.randint(1, 120)), chance.randint(1, principal // 3))
                for _ in range(2)]  # fmt: skip
    length = chance.randint(20, 150)
    exact = Fraction(0)
    for day in range(1, length + 1):
        on = due + timedelta(days=day)
        base = principal - sum(amount for paid_on, amount in payments if paid_on < on)
        part = Fraction(0) if day <= 30 else Fraction(1, 300) if day <= 90 else Fraction(1, 130)
        exact += base * Fraction("0.095") * part
    as_of = due + timedelta(days=length)
    left = principal - sum(amount for paid_on, amount in payments if paid_on <= as_of)
    given = {"principal": str(principal), "due": str(due), "as_of": str(as_of), "rate_percent": "9.5",
             "payments": [[str(on), str(amount)] for on, amount in sorted(payments)],
             "steps": [[1, "0"], [31, "1/300"], [91, "1/130"]]}  # fmt: skip
    return "late_fee_steps", given, {"late_fee": yuan(half_up(exact)), "outstanding": f"{left}.00"}


def payment_order(chance: random.Random) -> Example:
    owed = {name: chance.randint(0, 50000) for name in ("costs", "interest", "principal")}
    payment = left = chance.randint(1, 120000)
    applied = {}
    for name, amount in owed.items():
        applied[name] = min(left, amount)
        left -= applied[name]
    given = {name: yuan(amount) for name, amount in owed.items()} | {"payment": yuan(payment)}
    expected = {"applied": {name: yuan(fen) for name, fen in applied.items()}, "credit": yuan(left),
                "principal_left": yuan(owed["principal"] - applied["principal"])}  # fmt: skip
    return "payment_order", given, expected


def prepayment(chance: random.Random) -> Example:
    debt, pays, following = (chance.randint(1, 30000) for _ in range(3))
    cleared = min(debt, pays)
    used = min(pays - cleared, following)
    status = "PAID" if used == following else "PARTIAL_PAID" if used else "UNPAID"
    given = {"debt": yuan(debt), "pays": yuan(pays), "next_bill": yuan(following)}
    expected = {"applied_to_debt": yuan(cleared), "top_up": yuan(pays - cleared),
                "applied_to_next": yuan(used), "next_bill_left": yuan(following - used),
                "balance": yuan(pays - cleared - used)}  # fmt: skip
    return "prepayment", given, expected | ({"status": status} if used else {})


def credit_note(chance: random.Random) -> Example:
    original, right = chance.randint(1, 30000), chance.randint(0, 30000)
    expected = {"documents": [yuan(original), yuan(-original), yuan(right)], "net": yuan(right),
                "credit": yuan(max(0, original - right))}  # fmt: skip
    given = {"original": yuan(original), "paid": yuan(original), "correct": yuan(right)}
    return "credit_note", given, expected


EXAMPLES: tuple[Callable[[random.Random], Example], ...] = (
    apportion, beijing, components, credit_note, estimate, graduated, household, late_fee, late_fee_cap,
    late_fee_steps, lone_part, meter_swap, multiplier, payment_order, prepayment, price_change, reset,
    rollover, rounding, rounding_floor, shared_month, spread, tier_annual, tier_monthly, tier_period,
    tou_boundary, tou_tier, true_up,
)  # fmt: skip


def every_example() -> Iterator[Any]:
    for make in EXAMPLES:
        for number in range(VARIANTS):
            # A digest is the same everywhere; `hash` of a text is not.
            topic, given, expected = make(random.Random(f"{make.__name__} {number}"))
            yield pytest.param(topic, given, expected, id=f"{make.__name__}-{number}")


@pytest.mark.parametrize(("topic", "given", "expected"), list(every_example()))
def test_example_with_other_figures_comes_out_to_the_fen(
    topic: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    outcome = run_case(Case(id="varied", topic=topic, input=given, expected=expected))

    assert outcome.verdict is Verdict.PASSED, (given, outcome.details)


def test_every_topic_is_varied() -> None:
    topics = {make(random.Random(0))[0] for make in EXAMPLES}

    assert topics == set(ADAPTERS)
