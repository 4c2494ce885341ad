"""Late fee: what a debt that is overdue costs, as a function of debt, payments, rule and day.

"One per mille a day from the day after the due date to the day of payment." Nothing is stored and
incremented: the fee of any day can be computed again and shown day by day. The invariant: interest
is simple, on the principal outstanding that day; a payment lowers it from the next day on; a fee is
rounded once and never exceeds its cap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.money import CNY, Currency


@dataclass(frozen=True, slots=True)
class Step:
    """From the `from_day`-th day overdue on (the first is 1) each day costs this share of the principal."""

    from_day: int
    daily_rate: Fraction


@dataclass(frozen=True, slots=True)
class LateFeeRule:
    """Steps in rising order and the limits of the whole fee.

    `next_year_rate` replaces the rate for days in a calendar year after that of the due date (supply
    rules: 2 per mille in the same year, 3 across the year). `cap` is a share of the principal: 1 means
    the fee never exceeds what was owed. A fee above zero is at least `minimum_fen`. `free_days` are
    days that cost nothing: a waiver, a moratorium.
    """

    steps: tuple[Step, ...]
    next_year_rate: Fraction | None = None
    cap: Fraction | None = None
    cap_fen: int | None = None
    minimum_fen: int = 0
    free_days: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        days = [step.from_day for step in self.steps]
        if not days or days[0] < 1 or days != sorted(set(days)):
            raise Invalid(f"late-fee steps start on rising days from 1, not {days}")
        for rate in [step.daily_rate for step in self.steps] + [self.next_year_rate or Fraction(0)]:
            if not 0 <= rate < 1:
                raise Invalid(f"a daily late-fee rate is a share from 0 to 1, not {rate}")
        if (self.cap is not None and self.cap < 0) or (self.cap_fen or 0) < 0 or self.minimum_fen < 0:
            raise Invalid("late-fee limits are not negative")

    def rate_on(self, day_no: int, on: date, due_on: date) -> Fraction:
        """Return the share of the principal that the `day_no`-th day overdue costs."""
        if on in self.free_days:
            return Fraction(0)
        rates = [step.daily_rate for step in self.steps if step.from_day <= day_no]
        rate = rates[-1] if rates else Fraction(0)
        if self.next_year_rate is not None and on.year > due_on.year and rate:
            return self.next_year_rate
        return rate


@dataclass(frozen=True, slots=True)
class Debt:
    """An amount that was due at the end of `due_on`."""

    due_on: date
    principal_fen: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that arrived on a day; it lowers the principal from the next day on."""

    paid_on: date
    amount_fen: int


@dataclass(frozen=True, slots=True)
class FeeStretch:
    """Consecutive days with the same principal and rate: a row of the table a resident is shown."""

    first_on: date
    last_on: date
    days: int
    principal_fen: int
    daily_rate: Fraction

    @property
    def amount(self) -> Fraction:
        """Return the exact fee of these days, in fen."""
        return self.principal_fen * self.daily_rate * self.days


@dataclass(frozen=True, slots=True)
class LateFee:
    """A late fee as of a day, with the table it follows from. `computed_fen` is before the limits."""

    fee_fen: int
    computed_fen: int
    outstanding_fen: int
    days_overdue: int
    stretches: tuple[FeeStretch, ...]


def per_day(rate: Fraction) -> tuple[Step, ...]:
    """Return the steps of a rule with one rate from the first day on."""
    return (Step(1, rate),)


def late_fee(
    debt: Debt,
    payments: Sequence[Payment],
    rule: LateFeeRule,
    as_of: date,
    currency: Currency = CNY,
) -> LateFee:
    """Return the fee of one debt up to and including `as_of`.

    `payments` are those allocated to this debt's principal. Once nothing is outstanding no day costs.
    """
    stretches = tuple(_stretches(debt, payments, rule, as_of))
    exact_fen = sum((stretch.amount for stretch in stretches), Fraction(0))
    computed_fen = money.round_fen(exact_fen / currency.fen_per_unit, currency)
    paid_fen = sum(payment.amount_fen for payment in payments if payment.paid_on <= as_of)
    fee_fen = _limited(computed_fen, bool(exact_fen), debt, rule, currency)
    days = max(0, (as_of - debt.due_on).days)
    return LateFee(fee_fen, computed_fen, max(0, debt.principal_fen - paid_fen), days, stretches)


def late_fees(
    debts: Sequence[Debt],
    payments: Sequence[Payment],
    rule: LateFeeRule,
    as_of: date,
    currency: Currency = CNY,
) -> list[LateFee]:
    """Return the fees of several debts in the given order; payments clear the debt due first, first."""
    allocated: list[list[Payment]] = [[] for _ in debts]
    left = [debt.principal_fen for debt in debts]
    by_due = sorted(range(len(debts)), key=lambda index: (debts[index].due_on, index))
    for payment in sorted(payments, key=lambda payment: payment.paid_on):
        rest = payment.amount_fen
        for index in by_due:
            part = min(rest, left[index])
            if part > 0:
                allocated[index].append(Payment(payment.paid_on, part))
                left[index] -= part
                rest -= part
    pairs = zip(debts, allocated, strict=True)
    return [late_fee(debt, own, rule, as_of, currency) for debt, own in pairs]


def _stretches(debt: Debt, payments: Sequence[Payment], rule: LateFeeRule, as_of: date) -> list[FeeStretch]:
    days = []
    for day_no in range(1, (as_of - debt.due_on).days + 1):
        on = debt.due_on + timedelta(days=day_no)
        paid_fen = sum(payment.amount_fen for payment in payments if payment.paid_on < on)
        owed_fen = max(0, debt.principal_fen - paid_fen)
        days.append((on, owed_fen, rule.rate_on(day_no, on, debt.due_on) if owed_fen else Fraction(0)))
    stretches = []
    for (owed_fen, rate), group in groupby(days, key=lambda day: (day[1], day[2])):
        dates = [on for on, _, _ in group]
        if rate:
            stretches.append(FeeStretch(dates[0], dates[-1], len(dates), owed_fen, rate))
    return stretches


def _limited(computed_fen: int, is_owed: bool, debt: Debt, rule: LateFeeRule, currency: Currency) -> int:  # noqa: FBT001
    fee_fen = max(computed_fen, rule.minimum_fen) if is_owed else computed_fen
    if rule.cap is not None:
        capped = Fraction(debt.principal_fen) * rule.cap / currency.fen_per_unit
        fee_fen = min(fee_fen, money.round_fen(capped, currency))
    if rule.cap_fen is not None:
        fee_fen = min(fee_fen, rule.cap_fen)
    return fee_fen
