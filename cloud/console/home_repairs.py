"""The resident's repairs: telling of one with photos, following it, agreeing to a quote, saying it works."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.repair_sheet import RepairSheet
from cloud.console.repair_view import (
    RepairRow,
    new_key,
    rows_of,
)
from cloud.console.repairs import photo_response
from cloud.console.typed import instant_of
from cloud.console.uploads import Sent, read_form
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import SiteId
from cloud.domain.people import Account
from cloud.domain.repair import UNFINISHED, Channel, Repair, RepairCategory, RepairState, Urgency
from cloud.domain.user import User
from cloud.services import premises, repair_work, repairs
from cloud.services.repairs import RepairRequest
from cloud.store.db import Tx

_TAB = "/home/repairs"
_SHEET = RepairSheet("home/repair.html", "/home/repairs", photos="/home/repairs", tab=_TAB)
_ROWS = 50
_FIELDS = ("account", "category", "urgency", "place", "description", "wanted_at", "once", "another")


@dataclass(frozen=True, slots=True)
class HomeRepairsView:
    """The resident's repairs: under way, and over."""

    open: tuple[RepairRow, ...]
    over: tuple[RepairRow, ...]


@dataclass(frozen=True, slots=True)
class AskView:
    """The form; `similar` is one just like it that is under way."""

    accounts: tuple[Account, ...]
    categories: tuple[str, ...]
    typed: Mapping[str, str]
    similar: Repair | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


class _Similar(Exception):
    def __init__(self, found: Repair) -> None:
        super().__init__(found.number)
        self.found = found


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the resident's repairs."""
    view = await desk.read(_list, desk.site.site_id, desk.format)
    return await desk.page("home/repairs.html", tab=_TAB, view=view)


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show the form."""
    view = await desk.read(_form, {"account": desk.request.query.get("account", "")})
    return await desk.page("home/repair_new.html", tab=_TAB, view=view)


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Take a request with its photos, or show the form again with what does not fit."""
    typed: dict[str, str] = {}
    try:
        sent = await read_form(desk.request)
        typed = {name: sent.values.get(name, "").strip() for name in _FIELDS}
        added = await desk.write(_ask, desk.site.site_id, typed, sent, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, typed, None, {"": str(error)})
        return await desk.page("home/repair_new.html", status=422, tab=_TAB, view=view)
    except _Similar as similar:
        view = await desk.read(_form, typed, similar.found)
        return await desk.page("home/repair_new.html", status=422, tab=_TAB, view=view)
    return desk.go(f"/home/repairs/{added.number}", "repair-taken", number=added.number)


async def show_one(desk: Desk) -> web.StreamResponse:
    """Show how far a repair is."""
    return await _SHEET.show(desk)


async def act(desk: Desk) -> web.StreamResponse:
    """Do what a form on the page asks for."""
    return await _SHEET.act(desk)


async def show_photo(desk: Desk) -> web.StreamResponse:
    """Show a photo of one's own repair."""
    return await photo_response(desk)


def _list(tx: Tx, actor: User, site_id: SiteId, fmt: Format) -> HomeRepairsView:
    found = repairs.list_repairs(tx, actor, site_id, frozenset(RepairState), None, _ROWS).items
    # What is done waits for the resident's word, so it is not over for them.
    own = UNFINISHED | {RepairState.DONE}
    return HomeRepairsView(
        rows_of([one for one in found if one.state in own], fmt.now_ms),
        rows_of([one for one in found if one.state not in own], fmt.now_ms),
    )


def _form(
    tx: Tx,
    actor: User,
    typed: Mapping[str, str],
    similar: Repair | None = None,
    errors: Mapping[str, str] | None = None,
) -> AskView:
    accounts = tuple(premises.own_accounts(tx, actor))
    if not accounts:
        raise NotFound("no home is tied to this login: ask the property office")
    filled = {
        "account": accounts[0].number,
        "category": "",
        "urgency": Urgency.NORMAL.value,
        "once": new_key(),
        **{name: value for name, value in typed.items() if value},
    }
    return AskView(accounts, tuple(one.value for one in RepairCategory), filled, similar, errors or {})


def _ask(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], sent: Sent, fmt: Format) -> Repair:
    gettext = fmt.language.gettext
    accounts = premises.own_accounts(tx, actor)
    account = next((one for one in accounts if one.number == typed["account"]), None)
    if account is None:
        raise Invalid(gettext("Choose which home it is about."))
    try:
        category = RepairCategory(typed["category"])
        urgency = Urgency(typed["urgency"])
    except ValueError as error:
        raise Invalid(gettext("Choose what kind of thing is broken.")) from error
    if not typed["description"]:
        raise Invalid(gettext("Say in a few words what is broken."))
    similar = repairs.similar(tx, actor, account.account_id, category)
    if similar is not None and not typed["another"] and not _is_sent_again(tx, actor, similar, typed):
        raise _Similar(similar)
    asked = RepairRequest(
        category,
        urgency,
        Channel.WEB,
        typed["description"],
        typed["place"],
        account.account_id,
        wanted_at_ms=_wanted_ms(typed["wanted_at"], fmt),
        request_key=typed["once"] or None,
    )
    added = repairs.request(tx, actor, site_id, asked)
    for photo in sent.photos:
        repair_work.add_photo(tx, actor, added.repair_id, photo)
    return added


def _is_sent_again(tx: Tx, actor: User, similar: Repair, typed: Mapping[str, str]) -> bool:
    known = repairs.find_own_request(tx, actor, typed["once"])
    return known is not None and known.repair_id == similar.repair_id


def _wanted_ms(text: str, fmt: Format) -> int | None:
    if not text:
        return None
    at_ms = instant_of(text, fmt)
    if at_ms < fmt.now_ms:
        raise Invalid(fmt.language.gettext("That time has passed: choose a later one."))
    return at_ms
