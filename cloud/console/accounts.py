"""Accounts: a list of who pays, and one account's whole story on a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.payments import PaymentsPart, Typed, payments_part, record, typed_values
from cloud.console.running import RunningPart, running_parts
from cloud.console.typed import BadField
from cloud.domain.ids import AccountId, SiteId, is_uuid
from cloud.domain.invoice import InvoiceSummary
from cloud.domain.meter import MeterRow
from cloud.domain.people import Account
from cloud.domain.running_charge import RunningCharge
from cloud.domain.user import User
from cloud.services import invoices, ledger, meters, premises, running, tariffs
from cloud.services.payments import Recorded
from cloud.store.db import Tx

_ACCOUNTS_SHOWN = 500
_INVOICES_SHOWN = 24


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in the list."""

    account: Account
    area_dm2: int


@dataclass(frozen=True, slots=True)
class AccountsView:
    """The site's accounts."""

    rows: tuple[AccountRow, ...]
    query: str


@dataclass(frozen=True, slots=True)
class SupplyLine:
    """What is supplied to an account, by which tariff."""

    tariff_code: str
    tariff_name: str
    from_on: date
    to_on: date | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account's page."""

    account: Account
    area_dm2: int
    balance_fen: int
    running: RunningCharge | None
    parts: tuple[RunningPart, ...]
    meters: tuple[MeterRow, ...]
    supplies: tuple[SupplyLine, ...]
    invoices: tuple[InvoiceSummary, ...]
    payments: PaymentsPart
    is_paying: bool


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the accounts of the site."""
    view = await desk.read(_accounts, desk.site.site_id, desk.request.query.get("q", ""))
    return await desk.page("premises/accounts.html", view=view)


async def show_account(desk: Desk) -> web.StreamResponse:
    """Show one account, named by its number."""
    view = await _read_account(desk, is_paying="pay" in desk.request.query)
    return await desk.page("premises/account.html", view=view)


async def record_payment(desk: Desk) -> web.StreamResponse:
    """Record money that came in; what does not fit comes back with the form as it was typed."""
    values = await typed_values(desk)
    name = desk.request.match_info["account"]
    try:
        recorded = await desk.write(_record, desk.site.site_id, name, values, desk.format)
    except BadField as error:
        typed = Typed(values, {error.name: str(error)})
        view = await _read_account(desk, typed, is_paying=True)
        return await desk.page("premises/account.html", status=422, view=view)
    amount = desk.format.money(recorded.receipt.amount_fen)
    number = recorded.receipt.number
    if not recorded.credit_fen:
        return desk.go(f"/accounts/{name}", "payment-recorded", number=number, amount=amount)
    credit = desk.format.money(recorded.credit_fen)
    return desk.go(f"/accounts/{name}", "payment-credited", number=number, amount=amount, credit=credit)


async def show_running(desk: Desk) -> web.StreamResponse:
    """Show what an account comes to so far, anew."""
    view = await _read_account(desk)
    return desk.part("premises/running.html", view=view)


async def _read_account(desk: Desk, typed: Typed | None = None, *, is_paying: bool = False) -> AccountView:
    name = desk.request.match_info["account"]
    return await desk.read(
        _account, desk.site.site_id, name, desk.format, typed or Typed(), is_paying=is_paying
    )


def _record(
    tx: Tx, actor: User, site_id: SiteId, name: str, values: Mapping[str, str], fmt: Format
) -> Recorded:
    return record(tx, actor, find_account_id(tx, actor, site_id, name), values, fmt)


def _accounts(tx: Tx, actor: User, site_id: SiteId, search: str) -> AccountsView:
    found = premises.list_accounts(tx, actor, site_id, search, None, _ACCOUNTS_SHOWN).items
    spaces = premises.find_spaces(tx, actor, {one.space_id for one in found if one.space_id is not None})
    areas = {space_id: space.built_area_dm2 for space_id, space in spaces.items()}
    rows = tuple(
        AccountRow(account, 0 if account.space_id is None else areas.get(account.space_id, 0))
        for account in found
    )
    return AccountsView(rows, search)


def _account(
    tx: Tx, actor: User, site_id: SiteId, name: str, fmt: Format, typed: Typed, *, is_paying: bool
) -> AccountView:
    account_id = find_account_id(tx, actor, site_id, name)
    account, supplies = premises.get_account(tx, actor, account_id)
    names = {one.code: one for one in tariffs.list_tariffs(tx, actor)}
    charge = running.running_charge(tx, actor, account_id)
    home = None if account.space_id is None else premises.find_spaces(tx, actor, [account.space_id])
    lines = []
    for supply in supplies:
        tariff = names.get(supply.tariff_code)
        name_of = supply.tariff_code
        if tariff is not None:
            name_of = tariff.name_zh if fmt.is_chinese else tariff.name_en
        lines.append(SupplyLine(supply.tariff_code, name_of, supply.from_on, supply.to_on))
    return AccountView(
        account,
        sum(space.built_area_dm2 for space in (home or {}).values()),
        ledger.balance(tx, actor, account_id),
        charge,
        running_parts(charge, fmt),
        tuple(meters.meters_of_account(tx, actor, account_id)),
        tuple(lines),
        invoices.list_invoices(tx, actor, account_id=account_id, limit=_INVOICES_SHOWN).items,
        payments_part(tx, actor, account_id, fmt, typed),
        is_paying,
    )


def find_account_id(tx: Tx, actor: User, site_id: SiteId, name: str) -> AccountId:
    """Return the account a page's address names: by its number, or by its id."""
    if is_uuid(name):
        return AccountId(name)
    return premises.account_numbered(tx, actor, site_id, name).account_id
