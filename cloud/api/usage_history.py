"""What an account used month by month, and what homes alike used."""

from datetime import date
from decimal import Decimal

from cloud.api.route import Call, Nothing, Route, View, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId
from cloud.domain.usage_history import UsageHistory
from cloud.services import usage_history


class MonthUsedView(View, frozen=True):
    """One month, by its first day; no quantity where nothing was billed, or nothing measured yet."""

    month: date
    quantity: Decimal | None


class AlikeHomesView(View, frozen=True):
    """How many other homes are alike, by `layout` or `area`; no `middle` where they are fewer than ten."""

    by: str
    count: int
    middle: Decimal | None


class UsageHistoryView(View, frozen=True):
    """A commodity's last 13 months, oldest first, the last so far; `alike` is about the month `compared`."""

    commodity: str
    unit: str
    months: tuple[MonthUsedView, ...]
    compared: MonthUsedView | None
    alike: AlikeHomesView | None


class UsageHistories(View, frozen=True):
    """What an account used, a commodity each."""

    items: tuple[UsageHistoryView, ...]


async def list_usage(call: Call[Nothing, Nothing]) -> UsageHistories:
    """List what an account used by month."""
    found = await call.read(usage_history.usage_of_account, AccountId(call.id("account_id")))
    return UsageHistories(tuple(_history_view(one) for one in found))


def _history_view(one: UsageHistory) -> UsageHistoryView:
    return UsageHistoryView(
        one.commodity.value,
        one.unit,
        tuple(view_of(month, MonthUsedView) for month in one.months),
        None if one.compared is None else view_of(one.compared, MonthUsedView),
        None if one.alike is None else AlikeHomesView(one.alike.by.value, one.alike.count, one.alike.middle),
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/accounts/{account_id}/usage",
        "List usage by month",
        Action.READ_OWN_ACCOUNTS,
        list_usage,
        UsageHistories,
    ),
)
