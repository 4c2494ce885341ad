"""Allocation: which debts a payment clears, in the order the law gives.

Civil Code 560: first what the payer names; else what is due before what is not; among the due the
least secured, then the most burdensome, then the earliest due, then in proportion. Civil Code 561:
inside one debt costs come before interest and interest before principal. The invariant: what is
allocated and what is left over add up to the payment; nothing is lost, overpayment becomes credit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from cloud.domain import money
from cloud.domain.errors import Invalid


@dataclass(frozen=True, slots=True)
class Owed:
    """A debt as it stands: costs of collecting, interest (late fee) and principal, in fen.

    Between debts due together `security_rank` and `burden_rank` decide where they differ: the lower
    security and the higher burden are cleared first.
    """

    debt_id: str
    due_on: date
    principal_fen: int
    interest_fen: int = 0
    costs_fen: int = 0
    security_rank: int = 0
    burden_rank: int = 0

    def __post_init__(self) -> None:
        if min(self.principal_fen, self.interest_fen, self.costs_fen) < 0:
            raise Invalid(f"debt {self.debt_id}: nobody owes a negative amount")

    @property
    def total_fen(self) -> int:
        """Return costs, interest and principal together."""
        return self.costs_fen + self.interest_fen + self.principal_fen


@dataclass(frozen=True, slots=True)
class Allocated:
    """What of a payment goes to one debt."""

    debt_id: str
    costs_fen: int
    interest_fen: int
    principal_fen: int

    @property
    def total_fen(self) -> int:
        """Return the three parts together."""
        return self.costs_fen + self.interest_fen + self.principal_fen


@dataclass(frozen=True, slots=True)
class Allocation:
    """A payment spread over debts; `credit_fen` is what was paid beyond them."""

    parts: tuple[Allocated, ...]
    credit_fen: int


def allocate(
    payment_fen: int, debts: Sequence[Owed], as_of: date, designated: Sequence[str] = ()
) -> Allocation:
    """Spread a payment over debts in the order of Civil Code 560 and 561.

    `designated` are the debts the payer named, in his order. Debts not yet due on `as_of` are cleared
    last, earliest first: paying ahead is the payer's good right, and the rest is credit.
    """
    if payment_fen < 0:
        raise Invalid(f"a payment is not negative: {payment_fen} fen")
    unknown = set(designated) - {debt.debt_id for debt in debts}
    if unknown:
        raise Invalid(f"the payment names a debt that does not exist: {', '.join(sorted(unknown))}")
    named = {debt_id: position for position, debt_id in enumerate(designated)}

    def rank(debt: Owed) -> tuple[int, int, int, int, date]:
        position = named.get(debt.debt_id, len(named))
        is_later = int(debt.due_on > as_of)
        return (position, is_later, debt.security_rank, -debt.burden_rank, debt.due_on)

    left_fen = payment_fen
    parts: list[Allocated] = []
    for _, group in groupby(sorted(debts, key=rank), key=rank):
        alike = list(group)
        owed_fen = sum(debt.total_fen for debt in alike)
        shares = [debt.total_fen for debt in alike]
        if left_fen < owed_fen:
            shares = money.split_fen(left_fen, shares)
        parts += [_inside(debt, share) for debt, share in zip(alike, shares, strict=True) if share]
        left_fen -= sum(shares)
    return Allocation(tuple(parts), left_fen)


def _inside(debt: Owed, amount_fen: int) -> Allocated:
    costs_fen = min(amount_fen, debt.costs_fen)
    interest_fen = min(amount_fen - costs_fen, debt.interest_fen)
    return Allocated(debt.debt_id, costs_fen, interest_fen, amount_fen - costs_fen - interest_fen)
