"""Accounts: who is billed, for what, and how they stand."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from cloud.api.meters import MeterView, meter_view
from cloud.api.route import Call, Nothing, Page, PageQuery, Route, View, page_of, view_of
from cloud.domain.access import Action
from cloud.domain.ids import AccountId, SiteId
from cloud.domain.ledger import EntryKind
from cloud.domain.people import Account, Supply
from cloud.services import ledger, meters, premises


class AccountQuery(PageQuery, frozen=True, kw_only=True):
    """Which accounts; `search` is part of a number, a holder's name or a space's code."""

    search: Annotated[str, Meta(max_length=100)] = ""


class AccountView(View, frozen=True):
    """Who is billed; dates are local, the account no longer open on `closed_on`."""

    account_id: str
    site_id: str
    number: str
    holder_name: str
    space_id: str | None
    space_code: str
    household_size: int
    opened_on: date
    closed_on: date | None


class SupplyView(View, frozen=True):
    """That an account pays for a service point by a tariff, not any more on `to_on`."""

    service_point_id: str
    tariff_code: str
    from_on: date
    to_on: date | None


class AccountDetailView(View, frozen=True):
    """An account, what is supplied to it, and what it owes (negative: its credit)."""

    account: AccountView
    supplies: tuple[SupplyView, ...]
    balance_fen: int


class AccountsView(View, frozen=True):
    """Accounts by number."""

    items: tuple[AccountView, ...]


class AccountMetersView(View, frozen=True):
    """The meters an account pays for now."""

    items: tuple[MeterView, ...]


class StatementRowView(View, frozen=True):
    """What one entry did to the account's balance, and the balance after it."""

    entry_id: str
    kind: EntryKind
    occurred_on: date
    posted_at_ms: int
    memo: str
    invoice_id: str | None
    amount_fen: int
    balance_fen: int


class StatementView(View, frozen=True):
    """Everything that happened on an account, oldest first."""

    items: tuple[StatementRowView, ...]


async def list_accounts(call: Call[AccountQuery, Nothing]) -> Page[AccountView]:
    """List a site's accounts by number."""
    query = call.query
    found = await call.read(
        premises.list_accounts, SiteId(call.id("site_id")), query.search, query.cursor, query.limit
    )
    return page_of(found, _account_view)


async def list_my_accounts(call: Call[Nothing, Nothing]) -> AccountsView:
    """List one's own accounts."""
    found = await call.read(premises.own_accounts)
    return AccountsView(items=tuple(_account_view(account) for account in found))


async def get_account(call: Call[Nothing, Nothing]) -> AccountDetailView:
    """Show an account."""
    account_id = AccountId(call.id("account_id"))
    account, supplies = await call.read(premises.get_account, account_id)
    return AccountDetailView(
        account=_account_view(account),
        supplies=tuple(_supply_view(supply) for supply in supplies),
        balance_fen=await call.read(ledger.balance, account_id),
    )


async def list_account_meters(call: Call[Nothing, Nothing]) -> AccountMetersView:
    """List the meters an account pays for now."""
    found = await call.read(meters.meters_of_account, AccountId(call.id("account_id")))
    return AccountMetersView(items=tuple(meter_view(row) for row in found))


async def get_account_statement(call: Call[Nothing, Nothing]) -> StatementView:
    """Show everything that happened on an account."""
    account_id = AccountId(call.id("account_id"))
    await call.read(premises.get_account, account_id)
    found = await call.read(ledger.statement, account_id)
    return StatementView(items=tuple(view_of(row, StatementRowView) for row in found))


def _account_view(account: Account) -> AccountView:
    return view_of(account, AccountView)


def _supply_view(supply: Supply) -> SupplyView:
    return view_of(supply, SupplyView)


_ONE = "/api/v1/accounts/{account_id}"
_OWN = Action.READ_OWN_ACCOUNTS

ROUTES = (
    Route(
        "GET",
        "/api/v1/sites/{site_id}/accounts",
        "List a site's accounts",
        Action.READ_PREMISES,
        list_accounts,
        Page[AccountView],
        query=AccountQuery,
    ),
    Route("GET", "/api/v1/me/accounts", "List one's own accounts", _OWN, list_my_accounts, AccountsView),
    Route("GET", _ONE, "Show an account", _OWN, get_account, AccountDetailView),
    Route("GET", _ONE + "/meters", "List an account's meters", _OWN, list_account_meters, AccountMetersView),
    Route(
        "GET", _ONE + "/statement", "Show an account's statement", _OWN, get_account_statement, StatementView
    ),
)
