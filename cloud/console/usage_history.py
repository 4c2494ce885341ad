"""The resident's page of usage: every month as a bar, this month so far, and homes alike."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.pictures.curve import Bar, draw_bars
from cloud.domain.errors import NotFound
from cloud.domain.people import Account
from cloud.domain.usage_history import UsageHistory
from cloud.domain.user import User
from cloud.services import premises, usage_history
from cloud.store.db import Tx


@dataclass(frozen=True, slots=True)
class UsagePicture:
    """One commodity's months and their bars; a month without a figure has none."""

    history: UsageHistory
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True, slots=True)
class UsageView:
    """The usage of one of the reader's homes."""

    accounts: tuple[Account, ...]
    account: Account
    until: date
    pictures: tuple[UsagePicture, ...]


async def show_usage(desk: Desk) -> web.StreamResponse:
    """Show what a home used month by month."""
    view = await desk.read(_usage, desk.request.query.get("account", ""), desk.format.today)
    return await desk.page("home/usage.html", tab="/home", view=view)


def _usage(tx: Tx, actor: User, number: str, today: date) -> UsageView:
    accounts = tuple(premises.own_accounts(tx, actor))
    if not accounts:
        raise NotFound("no home is tied to this login: ask the property office")
    account = next((one for one in accounts if one.number == number), accounts[0])
    found = usage_history.usage_of_account(tx, actor, account.account_id)
    return UsageView(accounts, account, today, tuple(_picture(one) for one in found))


def _picture(history: UsageHistory) -> UsagePicture:
    bars = draw_bars([float(one.quantity or 0) for one in history.months], 326, 84)
    drawn = zip(bars, history.months, strict=True)
    return UsagePicture(history, tuple(bar if one.quantity is not None else None for bar, one in drawn))
