"""What must hold for any input: quantities and money are conserved, oracles agree."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloud.billing_cases.tariff_builder import build, tiered
from cloud.domain import money
from cloud.domain.allocation import Owed, allocate
from cloud.domain.apportionment import apportion
from cloud.domain.estimate import SpreadPolicy, TrueUp
from cloud.domain.ids import InstallationId, MeterId, SeriesId, ServicePointId
from cloud.domain.ladder import climb
from cloud.domain.late_fee import Debt, LateFeeRule, Payment, Step, late_fee
from cloud.domain.meter import Installation, Meter
from cloud.domain.periods import ServicePeriod, month_of
from cloud.domain.premises import Commodity
from cloud.domain.rating import SliceUsage, plan, rate, share_by_days, total_fen
from cloud.domain.tariff import LadderPosition, PastUsage
from cloud.domain.tariff_document import Tariff
from cloud.domain.usage import DAY_MS, Dial, DialReading, Judgement, ProblemKind, Usage, judge, measure

quantities = st.decimals(min_value=0, max_value=20_000, places=4)
prices = st.decimals(min_value=0, max_value=10, places=8)
fen = st.integers(min_value=0, max_value=10**9)
JULY = month_of(date(2026, 7, 1))


@st.composite
def ladders(draw: st.DrawFn) -> tuple[list[Decimal], list[Decimal]]:
    """Bounds that rise, and a price for each tier."""
    steps = draw(st.lists(st.decimals(min_value="0.0001", max_value=3000, places=4), max_size=5))
    bounds, at = [], Decimal(0)
    for step in steps:
        at += step
        bounds.append(at)
    return bounds, draw(st.lists(prices, min_size=len(bounds) + 1, max_size=len(bounds) + 1))


def integral(bounds: Sequence[Decimal], unit_prices: Sequence[Decimal], upto: Decimal) -> Fraction:
    """The cost of everything from zero on: the area under the price."""
    area, lower = Fraction(0), Decimal(0)
    for bound, price in zip([*bounds, max([upto, *bounds])], unit_prices, strict=True):
        upper = min(bound, upto)
        area += Fraction(max(upper - lower, Decimal(0))) * Fraction(price)
        lower = max(lower, upper)
    return area


def annual(bounds: Sequence[Decimal], unit_prices: Sequence[Decimal]) -> list[Tariff]:
    charge = tiered("energy", [str(b) for b in bounds], [f"{p:f}" for p in unit_prices], {"cycle": "year"})
    return build([charge])


@given(ladders(), quantities, quantities)
def test_graduated_price_is_the_integral_of_the_ladder(
    ladder: tuple[list[Decimal], list[Decimal]], before: Decimal, quantity: Decimal
) -> None:
    bounds, unit_prices = ladder
    versions = annual(bounds, unit_prices)
    history = [PastUsage(ServicePeriod(date(2026, 1, 1), JULY.start_on), before)] if before else []

    lines = rate(plan(versions, JULY), [SliceUsage(quantity)], history=history)

    exact = sum((Fraction(line.charge.amount) for line in lines), Fraction(0))
    expected = integral(bounds, unit_prices, before + quantity) - integral(bounds, unit_prices, before)
    assert exact == expected
    assert sum(line.charge.quantity or 0 for line in lines) == quantity


@given(ladders(), st.lists(quantities, min_size=1, max_size=12))
def test_monthly_bills_cost_the_year_but_for_rounding(
    ladder: tuple[list[Decimal], list[Decimal]], months: list[Decimal]
) -> None:
    versions = annual(*ladder)
    history: list[PastUsage] = []
    billed = lines_count = 0
    for number, quantity in enumerate(months, start=1):
        dates = month_of(date(2026, number, 1))
        lines = rate(plan(versions, dates), [SliceUsage(quantity)], history=history)
        billed += total_fen(lines)
        lines_count += len(lines)
        history.append(PastUsage(dates, quantity))

    whole = integral(*ladder, upto=sum(months, Decimal(0))) * 100
    assert abs(billed - whole) <= Fraction(lines_count, 2)


@given(ladders(), quantities, quantities)
def test_credit_undoes_from_the_top_what_was_charged(
    ladder: tuple[list[Decimal], list[Decimal]], before: Decimal, quantity: Decimal
) -> None:
    bounds, _ = ladder
    up = climb(LadderPosition(JULY.start_on, before, tuple(bounds)), quantity)

    down = climb(LadderPosition(JULY.start_on, before + quantity, tuple(bounds)), -quantity)

    assert down == [(tier, -part) for tier, part in reversed(up)]


@given(fen, st.dictionaries(st.text(min_size=1, max_size=4), quantities, min_size=1, max_size=40))
def test_shares_add_up_and_are_less_than_a_fen_from_exact(total: int, weights: dict[str, Decimal]) -> None:
    whole = sum(Fraction(weight) for weight in weights.values())
    if not whole:
        weights = dict.fromkeys(weights, Decimal(1))
        whole = Fraction(len(weights))

    shares = apportion(total, weights)

    assert sum(shares.values()) == total
    assert all(abs(shares[room] - total * Fraction(weights[room]) / whole) < 1 for room in weights)
    assert apportion(total, dict(reversed(weights.items()))) == shares


@given(quantities, st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=6))
def test_days_divide_usage_without_residue(quantity: Decimal, days: list[int]) -> None:
    start = JULY.start_on
    slices = []
    for count in days:
        slices.append(ServicePeriod(start, start + timedelta(days=count)))
        start += timedelta(days=count)

    parts = share_by_days(quantity, slices)

    assert money.add([part.quantity for part in parts]) == quantity


@given(st.lists(quantities, min_size=1, max_size=6), quantities, st.sampled_from(SpreadPolicy))
def test_true_up_spreads_exactly_what_was_measured(
    settled: list[Decimal], actual: Decimal, policy: SpreadPolicy
) -> None:
    assert money.add(TrueUp(actual, tuple(settled)).spread(policy)) == actual


@given(ladders(), st.lists(quantities, min_size=1, max_size=4), st.lists(quantities, min_size=1, max_size=4))
def test_trued_up_bills_cost_what_one_bill_on_the_real_path_costs(
    ladder: tuple[list[Decimal], list[Decimal]], estimates: list[Decimal], real: list[Decimal]
) -> None:
    actual = money.add(real)
    spread = TrueUp(actual, tuple(estimates)).spread(SpreadPolicy.PROPORTIONAL)
    versions = annual(*ladder)
    history: list[PastUsage] = []
    exact = Fraction(0)
    for number, quantity in enumerate(spread, start=2):
        dates = month_of(date(2026, number, 1))
        # All to current may leave the last period negative: a credit, priced from the top.
        lines = rate(plan(versions, dates), [SliceUsage(quantity)], history=history)
        exact += sum((Fraction(line.charge.amount) for line in lines), Fraction(0))
        history.append(PastUsage(dates, quantity))

    assert exact == integral(*ladder, upto=actual)


@given(
    fen,
    st.lists(st.tuples(fen, fen, fen, st.integers(0, 60), st.integers(0, 2)), max_size=8),
    st.integers(0, 60),
)
def test_payment_is_spread_without_loss(
    payment: int, owed: list[tuple[int, int, int, int, int]], today: int
) -> None:
    day = date(2026, 1, 1)
    debts = [
        Owed(str(number), day + timedelta(days=due), principal, interest, costs, rank)
        for number, (principal, interest, costs, due, rank) in enumerate(owed)
    ]

    outcome = allocate(payment, debts, day + timedelta(days=today))

    by_id = {debt.debt_id: debt for debt in debts}
    assert sum(part.total_fen for part in outcome.parts) + outcome.credit_fen == payment
    for part in outcome.parts:
        debt = by_id[part.debt_id]
        assert part.costs_fen <= debt.costs_fen
        assert part.interest_fen <= debt.interest_fen
        assert part.principal_fen <= debt.principal_fen
        assert part.interest_fen == 0 or part.costs_fen == debt.costs_fen
        assert part.principal_fen == 0 or part.interest_fen == debt.interest_fen
    if outcome.credit_fen:
        assert sum(part.total_fen for part in outcome.parts) == sum(debt.total_fen for debt in debts)


@given(fen, st.lists(st.tuples(st.integers(0, 120), fen), max_size=5), st.integers(0, 200))
def test_late_fee_is_the_sum_of_its_days(principal: int, paid: list[tuple[int, int]], days_late: int) -> None:
    due = date(2026, 1, 31)
    payments = [Payment(due + timedelta(days=day), amount) for day, amount in paid]
    rule = LateFeeRule((Step(1, Fraction(1, 1000)), Step(31, Fraction(2, 1000))), cap=Fraction(1))

    fee = late_fee(Debt(due, principal), payments, rule, due + timedelta(days=days_late))

    exact = Fraction(0)
    for day_no in range(1, days_late + 1):
        arrived = sum(amount for day, amount in paid if day < day_no)
        exact += max(0, principal - arrived) * Fraction(1 if day_no < 31 else 2, 1000)
    assert fee.computed_fen == int(exact + Fraction(1, 2))
    assert fee.fee_fen == min(fee.computed_fen, principal)


@given(st.integers(0, 999_999), st.integers(0, 5_000), st.integers(1, 40))
def test_dial_that_moves_plausibly_is_billed_across_its_zero(start: int, used: int, days: int) -> None:
    modulus = 1_000_000
    dial = Dial(modulus, 5_000)

    difference = judge(start, (start + used) % modulus, dial, days * DAY_MS)

    if start + used < modulus:
        assert (difference.judgement, difference.modular_micro) == (Judgement.NORMAL, used)
    elif start > modulus * 9 // 10:
        assert (difference.judgement, difference.modular_micro) == (Judgement.ROLLOVER, used)
    else:
        assert difference.judgement is Judgement.REGISTER_DROP


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Installation], dict[tuple[str, int], int], Decimal, int]:
    """A service point's meters over some days with what each really passed, rollovers included.

    Returns the installations, what the dials showed at midnight of every day, the true usage in the
    service point's unit, and the number of days.
    """
    modulus = 100_000 * 10**6
    days = draw(st.integers(2, 20))
    swaps = sorted(draw(st.sets(st.integers(1, days - 1), max_size=3))) if days > 2 else []
    spans = list(pairwise([0, *swaps, days]))
    installations, shown, truth = [], {}, Decimal(0)
    for number, (first, last) in enumerate(spans):
        multiplier = Decimal(draw(st.sampled_from(["1", "10", "40", "1.5"])))
        dial = draw(st.sampled_from([0, 5_000 * 10**6, modulus - 3 * 10**6]))
        opening = dial
        for day in range(first, last):
            shown[f"m{number}", day] = dial % modulus
            used = draw(st.integers(0, 200 * 100)) * 10_000  # dials move in hundredths
            dial += used
            truth += Decimal(used).scaleb(-6) * multiplier
        shown[f"m{number}", last] = dial % modulus
        is_open = last == days
        installations.append(
            Installation(
                InstallationId(str(number)),
                ServicePointId("p"),
                Meter(MeterId(str(number)), f"m{number}", Commodity.WATER, "", modulus, 200 * 10**6),
                SeriesId(number),
                first * DAY_MS,
                None if is_open else last * DAY_MS,
                opening % modulus,
                None if is_open else dial % modulus,
                multiplier,
                "",
            )
        )
    return installations, shown, truth, days


@given(histories())
def test_usage_of_a_random_history_is_what_really_flowed(
    history: tuple[list[Installation], dict[tuple[str, int], int], Decimal, int],
) -> None:
    installations, shown, truth, days = history

    def reading_at(installation: Installation, at_ms: int) -> DialReading | tuple[ProblemKind, str]:
        return DialReading(shown[installation.meter.serial, at_ms // DAY_MS], at_ms)

    outcome = measure(installations, 0, days * DAY_MS, reading_at)

    assert isinstance(outcome, Usage), outcome
    assert outcome.quantity == truth


@st.composite
def estimated_histories(
    draw: st.DrawFn,
) -> tuple[list[Installation], dict[tuple[str, int], DialReading], list[int], Decimal]:
    """A history cut into bills, at some of whose ends nobody read the dial and an estimate stands.

    Returns the installations, the readings, the days bills begin and end, and the true usage. What an
    estimate is off by may exceed what follows; where the dial passes zero next, it stays short of it.
    """
    installations, shown, truth, days = draw(histories())
    # An estimate far too low makes the next rise steep: what is held for that is another test's.
    installations = [
        replace(one, meter=replace(one.meter, max_per_day_micro=4_200 * 10**6)) for one in installations
    ]
    cuts = [0, *sorted(draw(st.sets(st.integers(1, days - 1), max_size=4))), days]
    estimated = draw(st.sets(st.sampled_from(cuts[1:-1]))) if len(cuts) > 2 else set()
    readings = {key: DialReading(value, key[1] * DAY_MS) for key, value in shown.items()}
    for one in installations:
        first = one.from_at_ms // DAY_MS
        last = days if one.to_at_ms is None else one.to_at_ms // DAY_MS
        serial = one.meter.serial
        for cut in sorted(cut for cut in estimated if first < cut < last):
            read = [day for day in cuts if first < day < last and day not in estimated]
            anchor = shown[serial, max([first, *(day for day in read if day < cut)])]
            actual = shown[serial, min([last, *(day for day in read if day > cut)])]
            modulus = one.meter.register_modulus_micro
            assert modulus is not None
            most = modulus - 1 if actual < anchor else min(actual + 50 * 10**6, modulus - 1)
            value = draw(st.integers(anchor // 10_000, most // 10_000)) * 10_000
            readings[serial, cut] = DialReading(value, cut * DAY_MS, "estimate", anchor_micro=anchor)
    return installations, readings, cuts, truth


@given(estimated_histories())
def test_bills_with_estimates_rollovers_and_exchanges_add_up_to_what_really_flowed(
    history: tuple[list[Installation], dict[tuple[str, int], DialReading], list[int], Decimal],
) -> None:
    installations, readings, cuts, truth = history

    def reading_at(installation: Installation, at_ms: int) -> DialReading | tuple[ProblemKind, str]:
        return readings[installation.meter.serial, at_ms // DAY_MS]

    bills = [measure(installations, a * DAY_MS, b * DAY_MS, reading_at) for a, b in pairwise(cuts)]

    assert all(isinstance(bill, Usage) for bill in bills), bills
    assert sum((bill.quantity for bill in bills if isinstance(bill, Usage)), Decimal(0)) == truth


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=8))
def test_rounding_is_half_up_away_from_zero(amount: Decimal) -> None:
    rounded = money.round_fen(amount)

    assert abs(Fraction(amount) * 100 - rounded) <= Fraction(1, 2)
    assert money.round_fen(-amount) == -rounded
    assert money.round_fen(Fraction(amount)) == rounded
