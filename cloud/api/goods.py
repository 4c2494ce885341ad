"""Goods release: asked for by a home, approved, checked and let out at the gate."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.goods import COUNT_MAX, ITEM_LENGTH_MAX, ITEMS_MAX, NOTE_LENGTH_MAX, GoodsItem, GoodsSlip
from cloud.domain.ids import AccountId, GoodsSlipId, SiteId
from cloud.keys import DATABASE
from cloud.services import goods

Instant = Annotated[int, Meta(ge=0, le=2**48 - 1)]
Note = Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)]


class GoodsItemBody(Request, frozen=True):
    """One line of a slip."""

    name: Annotated[str, Meta(min_length=1, max_length=ITEM_LENGTH_MAX)]
    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)] = 1


class NewGoodsSlip(Request, frozen=True, kw_only=True):
    """What is to be carried out, from when until when; a week at most."""

    items: Annotated[tuple[GoodsItemBody, ...], Meta(min_length=1, max_length=ITEMS_MAX)]
    from_ms: Instant
    until_ms: Instant
    note: Note = ""


class GoodsDecision(Request, frozen=True, kw_only=True):
    """Whether the goods may go out; a refusal says why."""

    is_approved: bool
    refusal: Note = ""


class GoodsCode(Request, frozen=True, kw_only=True):
    """The six digits of a slip, and what the guard notes when the goods go out."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]
    gate_note: Note = ""


class GoodsItemView(View, frozen=True):
    """One line of a slip."""

    name: str
    count: int


class GoodsSlipView(View, frozen=True):
    """One slip; `code` is told to its home alone, once it is approved."""

    slip_id: str
    account_id: str
    space_code: str
    items: tuple[GoodsItemView, ...]
    note: str
    from_ms: int
    until_ms: int
    asked_at_ms: int
    asked_by: str
    decided_at_ms: int | None
    decided_by: str
    is_approved: bool | None
    refusal: str
    code: str
    released_at_ms: int | None
    released_by: str
    gate_note: str
    withdrawn_at_ms: int | None


async def ask_release(call: Call[Nothing, NewGoodsSlip]) -> web.Response:
    """Ask for goods to be let out."""
    body, account_id = call.body, AccountId(call.id("account_id"))
    items = [GoodsItem(one.name, one.count) for one in body.items]
    return await call.create(_view, goods.ask, account_id, items, body.from_ms, body.until_ms, body.note)


async def list_slips(call: Call[PageQuery, Nothing]) -> Page[GoodsSlipView]:
    """List a site's slips."""
    found = await call.read(goods.list_slips, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda one: one.slip_id, _view)


async def decide(call: Call[Nothing, GoodsDecision]) -> GoodsSlipView:
    """Approve a slip or refuse it."""
    body, slip_id = call.body, GoodsSlipId(call.id("goods_slip_id"))
    return _view(await call.write(goods.decide, slip_id, is_approved=body.is_approved, refusal=body.refusal))


async def look_up(call: Call[Nothing, GoodsCode]) -> GoodsSlipView:
    """Show what a slip lets out, to check the goods against it."""
    database, site_id = call.request.app[DATABASE], SiteId(call.id("site_id"))
    return _view(await goods.look(database, call.actor, site_id, call.body.code))


async def release(call: Call[Nothing, GoodsCode]) -> GoodsSlipView:
    """Let the goods out, once."""
    database, site_id = call.request.app[DATABASE], SiteId(call.id("site_id"))
    body = call.body
    return _view(await goods.release_by_code(database, call.actor, site_id, body.code, body.gate_note))


async def take_back(call: Call[Nothing, Nothing]) -> None:
    """Take a slip back while the goods are inside."""
    await call.write(goods.take_back, GoodsSlipId(call.id("goods_slip_id")))


def _view(one: GoodsSlip) -> GoodsSlipView:
    items = tuple(GoodsItemView(name=item.name, count=item.count) for item in one.items)
    return view_of(one, GoodsSlipView, items=items)


_OF_SITE, _ONE = "/api/v1/sites/{site_id}/goods_slips", "/api/v1/goods_slips/{goods_slip_id}"

ROUTES = (
    Route(
        "POST",
        "/api/v1/accounts/{account_id}/goods_slips",
        "Ask for goods to be let out",
        Action.ASK_GOODS_RELEASE,
        ask_release,
        GoodsSlipView,
        body=NewGoodsSlip,
        status=201,
        creates=True,
        description="A manager's slip is approved with it; a home's waits for a manager.",
    ),
    Route(
        "GET",
        _OF_SITE,
        "List goods slips",
        Action.CHECK_OUT_GOODS,
        list_slips,
        Page[GoodsSlipView],
        query=PageQuery,
    ),
    Route(
        "POST",
        _ONE + "/decision",
        "Approve or refuse a goods slip",
        Action.APPROVE_GOODS,
        decide,
        GoodsSlipView,
        body=GoodsDecision,
    ),
    Route(
        "POST",
        _OF_SITE + "/lookup",
        "Look a goods slip up by its code",
        Action.CHECK_OUT_GOODS,
        look_up,
        GoodsSlipView,
        body=GoodsCode,
    ),
    Route(
        "POST",
        _OF_SITE + "/release",
        "Let goods out",
        Action.CHECK_OUT_GOODS,
        release,
        GoodsSlipView,
        body=GoodsCode,
        description="Once, within the slip's time; the home is told.",
    ),
    Route("DELETE", _ONE, "Take a goods slip back", Action.ASK_GOODS_RELEASE, take_back, None),
)
