"""Service sheets: what a visit must answer, signing it, contractors' links, and the item lists."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from cloud.api.route import Call, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.domain.access import Action
from cloud.domain.checklist import (
    NOTE_LENGTH_MAX,
    VALUE_LENGTH_MAX,
    CheckItem,
    Checklist,
    CheckResult,
    Cycle,
)
from cloud.domain.errors import Invalid
from cloud.domain.ids import PlanId, ServiceSheetId
from cloud.domain.service_sheet import (
    COST_FEN_MAX,
    LINK_DAYS_MAX,
    SIGNATURE_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    ServiceSheet,
    SheetDraft,
    Signing,
)
from cloud.services import service_sheets
from cloud.web.origin import own_origin

Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]


class AnswerBody(Request, frozen=True, kw_only=True):
    """What a visit found at one item; a note says why it is not in order or does not apply."""

    item_code: Annotated[str, Meta(min_length=1, max_length=40)]
    result: CheckResult
    value: Annotated[str, Meta(max_length=VALUE_LENGTH_MAX)] = ""
    note: Annotated[str, Meta(max_length=NOTE_LENGTH_MAX)] = ""


class SheetBody(Request, frozen=True, kw_only=True):
    """A sheet to be signed, now; `signature` is its strokes as an SVG path of moves and lines."""

    signed_by: Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
    signature: Annotated[str, Meta(max_length=SIGNATURE_LENGTH_MAX)]
    answers: Annotated[tuple[AnswerBody, ...], Meta(max_length=300)]
    parts: Text = ""
    cost_fen: Annotated[int, Meta(ge=0, le=COST_FEN_MAX)] = 0
    note: Text = ""


class LinkBody(Request, frozen=True, kw_only=True):
    """For whom a link is, and for how many days it holds."""

    contractor: Annotated[str, Meta(min_length=1, max_length=200)]
    days: Annotated[int, Meta(ge=1, le=LINK_DAYS_MAX)] = 3


class ReasonQuery(Request, frozen=True, kw_only=True):
    """Why a list says something else."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class LinkView(View, frozen=True):
    """The address of a new link; it is told this once."""

    address: str


class ItemView(View, frozen=True):
    """One thing to look at; one that `needs_value` asks for a measured value."""

    code: str
    cycle: Cycle
    zh: str
    en: str
    needs_value: bool


class ChecklistView(View, frozen=True):
    """An item list as it is now."""

    code: str
    name_zh: str
    name_en: str
    basis: str
    items: tuple[ItemView, ...]


class DraftView(View, frozen=True):
    """The sheet of a plan's next visit."""

    plan_id: str
    equipment_id: str
    title: str
    checklist_name: str
    basis: str
    items: tuple[ItemView, ...]


class AnswerView(View, frozen=True):
    """What a visit found at one item, in the words the list had then."""

    item_code: str
    text: str
    result: CheckResult
    value: str
    note: str


class SheetView(View, frozen=True):
    """A sheet as it was signed; `sha256` is over everything on it."""

    sheet_id: str
    plan_id: str
    work_order_id: str | None
    signed_at_ms: int
    signed_by: str
    signature: str
    checklist_code: str
    cycle: Cycle
    answers: tuple[AnswerView, ...]
    parts: str
    cost_fen: int
    note: str
    sha256: str


async def get_draft(call: Call[Nothing, Nothing]) -> DraftView:
    """Show what a plan's next visit must answer."""
    return _draft_view(await call.read(service_sheets.draft, _plan_id(call)))


async def sign_sheet(call: Call[Nothing, SheetBody]) -> web.Response:
    """Sign a sheet: its plan's clock starts again, and those of shorter cycles."""
    # Known to exist for the caller before what they say is looked at.
    await call.read(service_sheets.draft, _plan_id(call))
    body = call.body
    said = {one.item_code: (one.result.value, one.value, one.note) for one in body.answers}
    signing = Signing(body.signed_by, body.signature, body.parts, body.cost_fen, body.note)
    return await call.create(_sheet_view, service_sheets.sign, _plan_id(call), said, signing)


async def list_sheets(call: Call[PageQuery, Nothing]) -> Page[SheetView]:
    """List a plan's signed sheets by id, so by time."""
    found = await call.read(service_sheets.sheets_of, _plan_id(call))
    return cut(found, call.query, lambda one: one.sheet_id, _sheet_view)


async def get_sheet(call: Call[Nothing, Nothing]) -> SheetView:
    """Show a signed sheet."""
    found, _, _, _ = await call.read(service_sheets.get_sheet, ServiceSheetId(call.id("sheet_id")))
    return _sheet_view(found)


async def open_link(call: Call[Nothing, LinkBody]) -> LinkView:
    """Make a link by which a contractor signs one sheet without a login."""
    body = call.body
    secret = await call.write(service_sheets.open_link, _plan_id(call), body.contractor, body.days)
    return LinkView(address=f"{own_origin(call.request)}/contractor/{secret}")


async def revoke_link(call: Call[Nothing, Nothing]) -> None:
    """Let nobody in by a plan's links any more."""
    await call.write(service_sheets.revoke_link, _plan_id(call))


async def list_checklists(call: Call[PageQuery, Nothing]) -> Page[ChecklistView]:
    """List the item lists by code."""
    found = await call.read(service_sheets.list_checklists)
    return cut(found, call.query, lambda one: one.code, _checklist_view)


async def get_checklist(call: Call[Nothing, Nothing]) -> ChecklistView:
    """Show an item list."""
    return _checklist_view(await call.read(service_sheets.get_checklist, call.code("checklist_code")))


async def add_checklist(call: Call[ReasonQuery, Checklist]) -> ChecklistView:
    """Add an item list."""
    return _checklist_view(await call.write(service_sheets.add_checklist, call.body, call.query.reason))


async def set_checklist(call: Call[ReasonQuery, Checklist]) -> ChecklistView:
    """Let an item list say something else from now on."""
    code = call.code("checklist_code")
    await call.read(service_sheets.get_checklist, code)
    if call.body.code != code:
        raise Invalid(f"the list is called {call.body.code!r}, the address says {code!r}")
    return _checklist_view(await call.write(service_sheets.set_checklist, call.body, call.query.reason))


def _plan_id(call: Call[Any, Any]) -> PlanId:
    return PlanId(call.id("plan_id"))


def _item_view(item: CheckItem) -> ItemView:
    return view_of(item, ItemView)


def _draft_view(found: SheetDraft) -> DraftView:
    return DraftView(
        plan_id=found.clock.plan.plan_id,
        equipment_id=found.equipment.equipment_id,
        title=found.clock.plan.title,
        checklist_name=found.checklist_name,
        basis=found.basis,
        items=tuple(map(_item_view, found.items)),
    )


def _checklist_view(found: Checklist) -> ChecklistView:
    return view_of(found, ChecklistView, items=tuple(map(_item_view, found.items)))


def _sheet_view(sheet: ServiceSheet) -> SheetView:
    signing = sheet.signing
    return view_of(
        sheet,
        SheetView,
        answers=tuple(view_of(one, AnswerView) for one in sheet.answers),
        signed_by=signing.signed_by,
        signature=signing.signature,
        parts=signing.parts,
        cost_fen=signing.cost_fen,
        note=signing.note,
    )


_PLAN, _LISTS = "/api/v1/maintenance_plans/{plan_id}", "/api/v1/checklists"
_READ, _MANAGE = Action.READ_EQUIPMENT, Action.MANAGE_MAINTENANCE

ROUTES = (
    Route("GET", _PLAN + "/sheet", "Show what a visit must answer", _READ, get_draft, DraftView),
    Route(
        "POST",
        _PLAN + "/sheets",
        "Sign a service sheet",
        Action.COMPLETE_MAINTENANCE,
        sign_sheet,
        SheetView,
        body=SheetBody,
        status=201,
        creates=True,
        description="Refused while an item has no answer; counts from now, for no other day.",
    ),
    Route(
        "GET",
        _PLAN + "/sheets",
        "List a plan's signed sheets",
        _READ,
        list_sheets,
        Page[SheetView],
        query=PageQuery,
    ),
    Route(
        "GET", "/api/v1/service_sheets/{sheet_id}", "Show a signed service sheet", _READ, get_sheet, SheetView
    ),
    Route(
        "POST",
        _PLAN + "/link",
        "Make a link for a contractor",
        _MANAGE,
        open_link,
        LinkView,
        body=LinkBody,
        status=201,
        description="Leads to this one sheet without a login until it is signed or its time is over.",
    ),
    Route("DELETE", _PLAN + "/link", "End a plan's links", _MANAGE, revoke_link, None, status=204),
    Route("GET", _LISTS, "List item lists", _READ, list_checklists, Page[ChecklistView], query=PageQuery),
    Route(
        "POST",
        _LISTS,
        "Add an item list",
        _MANAGE,
        add_checklist,
        ChecklistView,
        query=ReasonQuery,
        body=Checklist,
        status=201,
    ),
    Route("GET", _LISTS + "/{checklist_code}", "Show an item list", _READ, get_checklist, ChecklistView),
    Route(
        "PUT",
        _LISTS + "/{checklist_code}",
        "Change an item list",
        _MANAGE,
        set_checklist,
        ChecklistView,
        query=ReasonQuery,
        body=Checklist,
        description="Sheets signed before keep the words they were signed with.",
    ),
)
