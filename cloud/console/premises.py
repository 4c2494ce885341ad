"""The property: buildings as a picture, accounts as a list, one account's whole story on a page."""

from dataclasses import dataclass
from datetime import date

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.houses import houses_of
from cloud.console.pictures.building import BuildingPicture, draw_buildings
from cloud.console.running import RunningPart, running_parts
from cloud.domain.errors import NotFound
from cloud.domain.ids import AccountId, SiteId, is_uuid
from cloud.domain.invoice import InvoiceSummary
from cloud.domain.meter import MeterRow
from cloud.domain.people import Account
from cloud.domain.running_charge import RunningCharge
from cloud.domain.user import User
from cloud.services import invoices, ledger, meters, premises, running, tariffs
from cloud.store.db import Tx

_ACCOUNTS_SHOWN = 500
_INVOICES_SHOWN = 24


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account in the list."""

    account: Account
    area_dm2: int


@dataclass(frozen=True, slots=True)
class PremisesView:
    """The site's buildings and accounts."""

    picture: BuildingPicture
    flat_paths: dict[str, str]
    buildings: int
    flats: int
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


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the buildings and accounts of the site."""
    view = await desk.read(_premises, desk.site.site_id, desk.request.query.get("q", ""))
    return await desk.page("premises/list.html", view=view)


async def show_account(desk: Desk) -> web.StreamResponse:
    """Show one account, named by its number."""
    view = await desk.read(_account, desk.site.site_id, desk.request.match_info["account"], desk.format)
    return await desk.page("premises/account.html", view=view)


async def show_running(desk: Desk) -> web.StreamResponse:
    """Show what an account comes to so far, anew."""
    view = await desk.read(_account, desk.site.site_id, desk.request.match_info["account"], desk.format)
    return desk.part("premises/running.html", view=view)


def _premises(tx: Tx, actor: User, site_id: SiteId, search: str) -> PremisesView:
    houses, paths = houses_of(tx, actor, site_id)
    areas = {space.code: space.built_area_dm2 for space in premises.list_spaces(tx, actor, site_id)}
    found = premises.list_accounts(tx, actor, site_id, search, None, _ACCOUNTS_SHOWN).items
    return PremisesView(
        draw_buildings(houses),
        paths,
        len(houses),
        sum(len(unit.flats) for house in houses for unit in house.units),
        tuple(AccountRow(account, areas.get(account.space_code, 0)) for account in found),
        search,
    )


def _account(tx: Tx, actor: User, site_id: SiteId, name: str, fmt: Format) -> AccountView:
    account_id = find_account_id(tx, actor, site_id, name)
    account, supplies = premises.get_account(tx, actor, account_id)
    names = {one.code: one for one in tariffs.list_tariffs(tx, actor)}
    charge = running.running_charge(tx, actor, account_id)
    areas = {space.code: space.built_area_dm2 for space in premises.list_spaces(tx, actor, site_id)}
    lines = []
    for supply in supplies:
        tariff = names.get(supply.tariff_code)
        name_of = supply.tariff_code
        if tariff is not None:
            name_of = tariff.name_zh if fmt.is_chinese else tariff.name_en
        lines.append(SupplyLine(supply.tariff_code, name_of, supply.from_on, supply.to_on))
    return AccountView(
        account,
        areas.get(account.space_code, 0),
        ledger.balance(tx, actor, account_id),
        charge,
        running_parts(charge, fmt),
        tuple(meters.meters_of_account(tx, actor, account_id)),
        tuple(lines),
        invoices.list_invoices(tx, actor, account_id=account_id, limit=_INVOICES_SHOWN).items,
    )


def find_account_id(tx: Tx, actor: User, site_id: SiteId, name: str) -> AccountId:
    """Return the account a page's address names: by its number, or by its id."""
    if is_uuid(name):
        return AccountId(name)
    found = premises.list_accounts(tx, actor, site_id, name, None, 50).items
    account = next((account for account in found if account.number == name), None)
    if account is None:
        raise NotFound(f"the site has no account {name!r}")
    return account.account_id
