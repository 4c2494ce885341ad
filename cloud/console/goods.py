"""Goods release: a resident asks, a manager approves, the gate checks against the slip and lets out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web
from markupsafe import Markup

from cloud.console.codes import picture_of_code
from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.typed import day_of, whole_of
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from cloud.domain.goods import GoodsSlip, GoodsState, items_of
from cloud.domain.ids import GoodsSlipId, is_uuid
from cloud.domain.people import Account
from cloud.domain.periods import midnight_ms
from cloud.domain.user import User
from cloud.keys import DATABASE
from cloud.services import goods, premises
from cloud.store.db import Tx

_TAB = "/home/more"
_FIELD_LENGTH_MAX = 5_000


@dataclass(frozen=True, slots=True)
class GoodsRow:
    """A slip, where it stands, and the picture of its code for its home."""

    slip: GoodsSlip
    state: GoodsState
    picture: Markup


@dataclass(frozen=True, slots=True)
class GateGoodsView:
    """The slips of a site; `looked_at` is the one whose code was typed, with that code."""

    rows: tuple[GoodsRow, ...]
    waiting: int
    looked_at: GoodsSlip | None = None
    code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class OwnGoodsView:
    """A resident's slips and the form for one more."""

    accounts: tuple[Account, ...]
    rows: tuple[GoodsRow, ...]
    typed: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


async def show_gate(desk: Desk) -> web.StreamResponse:
    """Show the slips, and the field for a code."""
    return await desk.page("goods.html", view=await _gate(desk))


async def act_gate(desk: Desk) -> web.StreamResponse:
    """Look a code up, let its goods out, or decide a slip."""
    form = await _form(desk)
    database, site_id, code = desk.request.app[DATABASE], desk.site.site_id, form.get("code", "")
    try:
        match form.get("act", ""):
            case "release":
                out = await goods.release_by_code(database, desk.actor, site_id, code, form.get("note", ""))
                return desk.go("/goods", "goods-released", place=out.space_code)
            case "approve" | "refuse" as word:
                slip_id, is_approved = GoodsSlipId(_id(form.get("slip", ""))), word == "approve"
                await desk.write(
                    goods.decide, slip_id, is_approved=is_approved, refusal=form.get("refusal", "")
                )
                return desk.go("/goods", "goods-decided")
            case _:
                found = await goods.look(database, desk.actor, site_id, code)
    except (Conflict, Forbidden, Invalid, NotFound, TooMany) as error:
        return await desk.page("goods.html", status=422, view=await _gate(desk, error=str(error)))
    return await desk.page("goods.html", view=await _gate(desk, found, code))


async def show_own(desk: Desk) -> web.StreamResponse:
    """Show a resident's slips."""
    return await desk.page("home/goods.html", tab=_TAB, view=await desk.read(_own, desk.format, {}, ""))


async def act_own(desk: Desk) -> web.StreamResponse:
    """Ask for goods to be let out, or take that back."""
    form = await _form(desk)
    try:
        if form.get("act") == "take_back":
            await desk.write(goods.take_back, GoodsSlipId(_id(form.get("slip", ""))))
            return desk.go("/home/goods", "goods-taken-back")
        await desk.write(_ask, form, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_own, desk.format, form, str(error))
        return await desk.page("home/goods.html", status=422, tab=_TAB, view=view)
    return desk.go("/home/goods", "goods-asked")


async def _form(desk: Desk) -> dict[str, str]:
    posted = await desk.request.post()
    return {name: str(value).strip()[:_FIELD_LENGTH_MAX] for name, value in posted.items()}


async def _gate(
    desk: Desk, looked_at: GoodsSlip | None = None, code: str = "", error: str = ""
) -> GateGoodsView:
    found = await desk.read(goods.list_slips, desk.site.site_id)
    rows = tuple(GoodsRow(one, one.state_at(desk.format.now_ms), Markup()) for one in found)
    waiting = sum(row.state is GoodsState.ASKED for row in rows)
    return GateGoodsView(rows, waiting, looked_at, code, error)


def _own(tx: Tx, actor: User, fmt: Format, typed: Mapping[str, str], error: str) -> OwnGoodsView:
    rows = tuple(
        GoodsRow(one, one.state_at(fmt.now_ms), picture_of_code(one.code) if one.code else Markup())
        for one in goods.own_slips(tx, actor)
    )
    filled = {"on": fmt.today.isoformat(), "days": "1", **typed}
    return OwnGoodsView(tuple(premises.own_accounts(tx, actor)), rows, filled, error)


def _ask(tx: Tx, actor: User, form: Mapping[str, str], fmt: Format) -> GoodsSlip:
    accounts = premises.own_accounts(tx, actor)
    account = next((one for one in accounts if one.number == form.get("account", "")), None)
    if account is None:
        raise Invalid(fmt.language.gettext("Choose which home it is about."))
    on, days = day_of(form.get("on", ""), fmt), whole_of(form.get("days", ""), fmt)
    items = items_of([line for line in form.get("items", "").splitlines() if line.strip()])
    from_ms, until_ms = (midnight_ms(one, fmt.zone) for one in (on, on + timedelta(days=days)))
    return goods.ask(tx, actor, account.account_id, items, from_ms, until_ms, form.get("note", ""))


def _id(text: str) -> str:
    if not is_uuid(text):
        raise NotFound(f"there is no goods slip {text!r}")
    return text
