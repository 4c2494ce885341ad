"""Adapters for money owed: shares, late fees, the order of payments, corrections."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from cloud.billing_cases.case import Case, Either, Inputs, NotSupported
from cloud.domain import money
from cloud.domain.allocation import Owed, allocate
from cloud.domain.apportionment import Room, ShareBasis, adjustments, apportion, apportion_by
from cloud.domain.correction import correct, payment_state, prepay
from cloud.domain.late_fee import Debt, LateFeeRule, Payment, Step, late_fee, late_fees, per_day
from cloud.domain.money import Currency

_ANY_DAY = date(2025, 1, 1)
# The published stepwise rule: 30 days free, then 1/300 of the rate a day, from the 91st day 1/130.
_STEPS = [("1", "0"), ("31", "1/300"), ("91", "1/130")]


def shares(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Share an amount by weights, by rooms with a basis, or equally."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    total_fen, weights, answer = _total_and_weights(inputs, currency)
    parts = apportion(total_fen, weights) if isinstance(weights, dict) else weights[0]
    answer["shares"] = {room: currency.text(fen) for room, fen in parts.items()}
    answer["sum"] = currency.text(sum(parts.values()))
    for fen, count in Counter(parts.values()).items():
        answer[f"rooms_at_{currency.text(fen).replace('.', '_')}"] = count
    if isinstance(weights, dict):
        whole = sum(Fraction(weight) for weight in weights.values())
        alone = [
            money.round_fen(Fraction(total_fen, currency.fen_per_unit) * Fraction(weight) / whole, currency)
            for weight in weights.values()
        ]
        answer["independent_rounding_sum"] = answer["independent_rounding_sum_wrong"] = currency.text(
            sum(alone)
        )
    later = inputs.first("weights_after", "corrected_weights", "new_weights", "corrected")
    if later is not None and isinstance(weights, dict):
        changed = {room: money.decimal(weight) for room, weight in later.items()}
        again = apportion(total_fen, {**weights, **changed})
        answer["shares_after"] = {room: currency.text(fen) for room, fen in again.items()}
        moved = adjustments(parts, again)
        answer["adjustments"] = {room: currency.text(fen) for room, fen in moved.items()}
    return answer


def late(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Charge one debt's days at a rate, with minimum and cap."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    principal_fen = currency.fen(inputs.need("principal"))
    cap, cap_fen = _cap(inputs, principal_fen, currency)
    next_year = inputs.first("next_year_rate", "rate_next_year", "rate_cross_year", "cross_year_rate")
    rate = inputs.first("rate", "rate_same_year", "same_year_rate") or inputs.need("rate")
    rule = LateFeeRule(
        per_day(_ratio(rate)),
        next_year_rate=None if next_year is None else _ratio(next_year),
        cap=cap,
        cap_fen=cap_fen,
        minimum_fen=currency.fen(inputs.take("minimum") or "0"),
    )
    due, as_of = _days_late(inputs)
    payments = _payments(inputs, currency)
    fee = late_fee(Debt(due, principal_fen), payments, rule, as_of, currency)
    across = max(0, (as_of - max(due, date(due.year, 12, 31))).days)
    return {
        "days": fee.days_overdue,
        "days_same_year": fee.days_overdue - across,
        "days_cross_year": across,
        "days_next_year": across,
        "late_fee": currency.text(fee.fee_fen),
        "computed": currency.text(fee.computed_fen),
        "uncapped": currency.text(fee.computed_fen),
        "outstanding": currency.text(fee.outstanding_fen),
    }


def late_by_steps(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Charge debts by steps of days overdue; payments lower the principal from the next day on."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    rate = Fraction(inputs.number("rate_percent")) / 100
    if (ceiling := inputs.first("rate_cap_percent", "cap_percent")) is not None:
        rate = min(rate, Fraction(money.decimal(ceiling)) / 100)
    stated: list[tuple[str, str]] = inputs.take("steps") or _STEPS
    steps = tuple(Step(int(day), _ratio(part) * rate) for day, part in stated)
    free = frozenset(date.fromisoformat(on) for on in inputs.first("free_days", "holidays") or [])
    debts = _debts(inputs, currency)
    total_fen = sum(debt.principal_fen for debt in debts)
    cap, cap_fen = _cap(inputs, total_fen, currency)
    rule = LateFeeRule(steps, cap=cap, cap_fen=cap_fen, free_days=free,
                       minimum_fen=currency.fen(inputs.take("minimum") or "0"))  # fmt: skip
    payments = _payments(inputs, currency)
    as_of = inputs.need("as_of")
    days = [date.fromisoformat(on) for on in (as_of if isinstance(as_of, list) else [as_of])]
    by_day = [late_fees(debts, payments, rule, on, currency) for on in days]
    totals = [currency.text(sum(fee.fee_fen for fee in fees)) for fees in by_day]
    last = by_day[-1]
    parts = [currency.text(fee.fee_fen) for fee in last]
    left = [currency.text(fee.outstanding_fen) for fee in last]
    return {
        "late_fee": totals if isinstance(as_of, list) else Either((totals[0], parts)),
        "late_fees": parts,
        "penalties": parts,
        "total": totals[-1],
        "outstanding": Either((currency.text(sum(fee.outstanding_fen for fee in last)), left)),
        "outstandings": left,
        "rate_percent": money.round_quantity(rate * 100),
    }


def payment_order(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Spread a payment over one debt's parts, or over several debts."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    payment_fen = currency.fen(inputs.need("payment"))
    if "debts" in inputs:
        return _several_debts(inputs, payment_fen, currency)
    parts = {name: currency.fen(inputs.take(name) or "0") for name in ("costs", "interest", "principal")}
    owed = Owed("debt", _ANY_DAY, parts["principal"], parts["interest"], parts["costs"])
    outcome = allocate(payment_fen, [owed], _ANY_DAY)
    part = outcome.parts[0] if outcome.parts else None
    paid = {
        "costs": part.costs_fen if part else 0,
        "interest": part.interest_fen if part else 0,
        "principal": part.principal_fen if part else 0,
    }
    answer: dict[str, Any] = {"applied": {name: currency.text(fen) for name, fen in paid.items()}}
    answer |= {f"{name}_left": currency.text(parts[name] - fen) for name, fen in paid.items()}
    answer["credit"] = answer["left_over"] = currency.text(outcome.credit_fen)
    return answer


def prepayment(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Clear a debt, keep the rest, and use it for the next bill."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    debt = Owed("debt", _ANY_DAY, currency.fen(inputs.take("debt") or "0"))
    following = Owed("next", _ANY_DAY + timedelta(days=30), currency.fen(inputs.need("next_bill")))
    outcome = prepay(debt, currency.fen(inputs.need("pays")), following)
    return {
        "applied_to_debt": currency.text(outcome.applied_to_debt_fen),
        "debt_left": currency.text(debt.total_fen - outcome.applied_to_debt_fen),
        "top_up": currency.text(outcome.top_up_fen),
        "applied_to_next": currency.text(outcome.applied_to_next_fen),
        "next_bill_left": currency.text(outcome.next_left_fen),
        "balance": currency.text(outcome.balance_fen),
        "status": payment_state(following.total_fen, outcome.applied_to_next_fen).value,
    }


def credit_note(inputs: Inputs, _case: Case) -> dict[str, Any]:
    """Take a document back and replace it."""
    currency = Currency(str(inputs.take("currency") or "CNY"))
    original, paid, right = (
        currency.fen(inputs.take(name) or "0") for name in ("original", "paid", "correct")
    )
    outcome = correct(original, paid, right)
    return {
        "documents": [currency.text(fen) for fen in outcome.documents_fen],
        "net": currency.text(outcome.net_fen),
        "credit": currency.text(outcome.credit_fen),
        "left_to_pay": currency.text(outcome.left_to_pay_fen),
        "due": currency.text(outcome.left_to_pay_fen),
        "status": payment_state(right, outcome.paid_on_replacement_fen).value,
    }


def _total_and_weights(
    inputs: Inputs, currency: Currency
) -> tuple[int, dict[str, Decimal] | tuple[dict[str, int]], dict[str, Any]]:
    answer: dict[str, Any] = {}
    if "kwh" in inputs:
        kwh, price = inputs.number("kwh"), inputs.number("price")
        total_fen = money.round_fen(money.EXACT.multiply(kwh, price), currency)
    else:
        total_fen = currency.fen(inputs.need("total"))
    rooms = inputs.take("rooms")
    basis = inputs.take("basis")
    if isinstance(rooms, list):
        stated = [_room(index, room) for index, room in enumerate(rooms)]
        by = ShareBasis(str(basis or "area"))
        return total_fen, (apportion_by(total_fen, stated, by),), answer
    if rooms is not None:
        area = inputs.number("area", "1")
        width = len(str(rooms))
        weights = {f"{number:0{width}}": area for number in range(1, int(rooms) + 1)}
        if "kwh" in inputs:
            answer |= _divided_first(kwh, price, int(rooms), area)
        return total_fen, weights, answer
    weights = {room: money.decimal(weight) for room, weight in inputs.need("weights").items()}
    for factor in ("coefficients", "floor_coefficients", "areas"):
        if factor in inputs:
            more = inputs.take(factor)
            weights = {room: weight * money.decimal(more[room]) for room, weight in weights.items()}
    excluded = inputs.first("excluded", "exclude") or []
    return total_fen, {room: weights[room] for room in weights if room not in excluded}, answer


def _divided_first(kwh: Decimal, price: Decimal, rooms: int, area: Decimal) -> dict[str, Any]:
    """Return what a program gets that rounds the quantity per square metre before it multiplies."""
    four, two = Decimal("0.0001"), Decimal("0.01")
    per_m2 = (kwh / (area * rooms)).quantize(four, ROUND_HALF_UP)
    room_kwh = (per_m2 * area).quantize(four, ROUND_HALF_UP)
    room_amount = (room_kwh * price).quantize(two, ROUND_HALF_UP)
    return {
        "hc_per_m2": per_m2,
        "hc_room_kwh": room_kwh,
        "hc_kwh_sum": room_kwh * rooms,
        "hc_sum": room_amount * rooms,
    }


def _room(index: int, stated: Mapping[str, Any]) -> Room:
    known = {
        "id",
        "room",
        "area",
        "headcount",
        "persons",
        "coefficient",
        "floor_coefficient",
        "usage",
        "excluded",
    }
    if strange := sorted(set(stated) - known):
        raise NotSupported(f"rooms[{index}]: {strange[0]!r} is not understood")
    return Room(
        str(stated.get("id", stated.get("room", index))),
        money.decimal(stated.get("area", "0")),
        int(stated.get("headcount", stated.get("persons", 0))),
        money.decimal(stated.get("coefficient", stated.get("floor_coefficient", "1"))),
        money.decimal(stated.get("usage", "0")),
        bool(stated.get("excluded", False)),
    )


def _several_debts(inputs: Inputs, payment_fen: int, currency: Currency) -> dict[str, Any]:
    debts = []
    listed = inputs.need("debts")
    if isinstance(listed, dict):
        listed = [{"id": debt_id, "amount": amount} for debt_id, amount in listed.items()]
    for index, stated in enumerate(listed):
        known = {"id", "due", "amount", "principal", "interest", "costs", "security", "burden"}
        if strange := sorted(set(stated) - known):
            raise NotSupported(f"debts[{index}]: {strange[0]!r} is not understood")
        debts.append(
            Owed(
                str(stated.get("id", index)),
                date.fromisoformat(stated["due"]) if "due" in stated else _ANY_DAY,
                currency.fen(stated.get("principal", stated.get("amount", "0"))),
                currency.fen(stated.get("interest", "0")),
                currency.fen(stated.get("costs", "0")),
                int(stated.get("security", 0)),
                int(stated.get("burden", 0)),
            )
        )
    as_of = date.fromisoformat(inputs.first("as_of", "paid_on") or "2999-01-01")
    named = inputs.first("designated", "designation") or []
    outcome = allocate(payment_fen, debts, as_of, [named] if isinstance(named, str) else named)
    applied = {debt.debt_id: 0 for debt in debts}
    for part in outcome.parts:
        applied[part.debt_id] = part.total_fen
    return {
        "applied": {debt_id: currency.text(fen) for debt_id, fen in applied.items()},
        "left": {debt.debt_id: currency.text(debt.total_fen - applied[debt.debt_id]) for debt in debts},
        "credit": currency.text(outcome.credit_fen),
    }


def _cap(inputs: Inputs, principal_fen: int, currency: Currency) -> tuple[Fraction | None, int | None]:
    cap = inputs.take("cap")
    if cap is None:
        return None, None
    text = str(cap).strip()
    if text == "principal":
        return Fraction(1), None
    if text.endswith("%"):
        return Fraction(money.decimal(text[:-1])) / 100, None
    if isinstance(cap, dict):
        raise NotSupported(f"cap {cap} is not understood")
    return None, currency.fen(text) if principal_fen else 0


def _days_late(inputs: Inputs) -> tuple[date, date]:
    if "due" in inputs:
        due = date.fromisoformat(inputs.take("due"))
        until = inputs.first("paid", "as_of")
        if until is None:
            return due, due + timedelta(days=int(inputs.need("days")))
        return due, date.fromisoformat(until)
    return _ANY_DAY, _ANY_DAY + timedelta(days=int(inputs.need("days")))


def _debts(inputs: Inputs, currency: Currency) -> list[Debt]:
    if (stated := inputs.first("debts", "claims")) is None:
        return [Debt(date.fromisoformat(inputs.need("due")), currency.fen(inputs.need("principal")))]
    debts = []
    for entry in stated:
        pair = (entry["due"], entry.get("principal") or entry["amount"]) if isinstance(entry, dict) else entry
        debts.append(Debt(date.fromisoformat(pair[0]), currency.fen(pair[1])))
    return debts


def _payments(inputs: Inputs, currency: Currency) -> list[Payment]:
    payments = []
    for entry in inputs.take("payments") or []:
        on, amount = (entry["date"], entry["amount"]) if isinstance(entry, dict) else entry
        payments.append(Payment(date.fromisoformat(on), currency.fen(amount)))
    return payments


def _ratio(text: object) -> Fraction:
    over, slash, under = str(text).partition("/")
    return Fraction(money.decimal(over)) / (Fraction(money.decimal(under)) if slash else 1)
