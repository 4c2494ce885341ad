"""Proration: a month's charge when somebody came or left in the middle of it.

The invariant: a lone part is the exact month times its days, rounded once. Where two holders share
the month, the rounded month is split between them, so that their bills add up to it; rounding each
alone may create or lose a fen.
"""

from collections.abc import Mapping
from fractions import Fraction

from cloud.domain import money
from cloud.domain.errors import Invalid
from cloud.domain.money import CNY, Currency, Number


def prorate(month: Number, days: int, month_days: int, currency: Currency = CNY) -> int:
    """Return the fen of `days` out of `month_days` of an exact monthly amount."""
    if not 0 <= days <= month_days:
        raise Invalid(f"{days} days are no part of a month of {month_days}")
    return money.round_fen(Fraction(month) * days / month_days, currency)


def prorate_between(month_fen: int, days: Mapping[str, int]) -> dict[str, int]:
    """Return each holder's part of a month's amount; the parts add up to it, ties go to the first."""
    holders = list(days)
    parts = money.split_fen(month_fen, [days[holder] for holder in holders])
    return dict(zip(holders, parts, strict=True))
