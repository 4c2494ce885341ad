"""Finding a home, a meter or an invoice by what people call it; the palette and its page without script."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.navigation import menu_for
from cloud.domain.access import Action, may
from cloud.domain.errors import NotFound
from cloud.domain.ids import SiteId
from cloud.domain.meter import MeterRow
from cloud.domain.people import Account
from cloud.domain.user import User
from cloud.services import invoices, meters, premises
from cloud.store.db import Tx

_EACH = 6
_QUERY_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found and where it is."""

    name: str
    detail: str
    path: str


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind."""

    title: str
    icon: str
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class FindView:
    """What a search found."""

    query: str
    groups: tuple[Group, ...]


async def show(desk: Desk) -> web.StreamResponse:
    """Show the search as a page of its own."""
    view = await desk.read(_find, desk.site.site_id, _query(desk), desk.format)
    return await desk.page("find.html", view=view)


async def show_results(desk: Desk) -> web.StreamResponse:
    """Show what was found, for the palette."""
    view = await desk.read(_find, desk.site.site_id, _query(desk), desk.format)
    return desk.part("find_results.html", view=view)


def _query(desk: Desk) -> str:
    return desk.request.query.get("q", "").strip()[:_QUERY_LENGTH_MAX]


def _find(tx: Tx, actor: User, site_id: SiteId, query: str, fmt: Format) -> FindView:
    gettext = fmt.language.gettext
    pages = tuple(
        Found(gettext(entry.label), "", entry.path)
        for group in menu_for(actor)
        for entry in group.entries
        if query.lower() in gettext(entry.label).lower()
    )
    if not query:
        return FindView("", (Group(gettext("Pages"), "list", pages),))
    reads_ledger = may(actor, Action.READ_LEDGER)
    accounts: Sequence[Account] = ()
    hung: Sequence[MeterRow] = ()
    if reads_ledger:
        accounts = premises.list_accounts(tx, actor, site_id, query, None, _EACH).items
    if may(actor, Action.READ_METERS):
        hung = meters.list_meters(tx, actor, site_id, search=query, limit=_EACH).items
    homes = tuple(
        Found(account.space_code or account.number, account.holder_name, f"/accounts/{account.number}")
        for account in accounts
    )
    dials = tuple(
        Found(
            row.serial,
            f"{row.space_code or row.service_point_code} {gettext(row.commodity.value)}",
            _path(row.serial),
        )
        for row in hung
    )
    papers = _invoices(tx, actor, query, fmt) if reads_ledger else ()
    if len(accounts) == 1:
        own = invoices.list_invoices(tx, actor, account_id=accounts[0].account_id, limit=3).items
        papers += tuple(Found(row.number, fmt.money(row.total_fen), f"/invoices/{row.number}") for row in own)
    return FindView(
        query,
        (
            Group(gettext("Homes"), "home", homes),
            Group(gettext("Meters"), "meter", dials),
            Group(gettext("Invoices"), "invoice", papers),
            Group(gettext("Pages"), "list", pages),
        ),
    )


def _path(serial: str) -> str:
    return f"/meters/{serial}"


def _invoices(tx: Tx, actor: User, query: str, fmt: Format) -> tuple[Found, ...]:
    try:
        invoice = invoices.get_by_number(tx, actor, query.upper())
    except NotFound:
        return ()
    return (Found(invoice.number, fmt.money(invoice.total_fen), f"/invoices/{invoice.number}"),)
