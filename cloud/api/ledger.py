"""The ledger: whether the books balance."""

from cloud.api.route import Call, Nothing, Route, View
from cloud.domain.access import Action
from cloud.domain.ledger import CHART
from cloud.services import ledger


class LedgerBalanceView(View, frozen=True):
    """One ledger account's sum of postings: debit positive, credit negative."""

    code: str
    name: str
    balance_fen: int


class TrialBalanceView(View, frozen=True):
    """Every ledger account's sum; together they are zero."""

    items: tuple[LedgerBalanceView, ...]
    total_fen: int


async def get_trial_balance(call: Call[Nothing, Nothing]) -> TrialBalanceView:
    """Sum every ledger account."""
    found = await call.read(ledger.trial_balance)
    items = tuple(
        LedgerBalanceView(code=code, name=CHART.get(code, ""), balance_fen=balance_fen)
        for code, balance_fen in sorted(found.balances.items())
    )
    return TrialBalanceView(items=items, total_fen=found.total_fen)


ROUTES = (
    Route(
        "GET",
        "/api/v1/ledger/trial_balance",
        "Show the trial balance",
        Action.READ_LEDGER,
        get_trial_balance,
        TrialBalanceView,
    ),
)
