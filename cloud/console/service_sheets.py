"""Service sheets: answered on a phone and signed with a finger, by staff or through a contractor's link."""

from collections.abc import Mapping
from dataclasses import dataclass

import segno
from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.language import language_of
from cloud.console.login import frame_of
from cloud.console.preferences import preferences_of
from cloud.console.templating import render
from cloud.console.typed import fen_of
from cloud.console.uploads import Sent, read_form
from cloud.domain.checklist import ITEMS_MAX, CheckItem, Checklist, CheckResult, Cycle
from cloud.domain.equipment import Equipment
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import PhotoId, PlanId, ServiceSheetId, TenantId, is_uuid, tenant_numbered
from cloud.domain.maintenance import MaintenancePlan
from cloud.domain.periods import time_zone
from cloud.domain.photo import PhotoRecord
from cloud.domain.service_sheet import ServiceLink, ServiceSheet, SheetDraft, Signing
from cloud.domain.user import User
from cloud.keys import CLOCK, DATABASE
from cloud.services import service_sheets
from cloud.services.premises import site_of
from cloud.services.service_sheets import Said
from cloud.store.db import Tx
from cloud.web.origin import own_origin

# Result, value and note of every item a list may have, and what is said besides.
_FIELDS_MAX = 3 * ITEMS_MAX + 20
_FEN_PER_YUAN = 100
_TENANT_DIGITS_MAX = 8


@dataclass(frozen=True, slots=True)
class SheetView:
    """A sheet to fill in; `said` and `typed` are what came back, `contractor` is set on a link's page."""

    draft: SheetDraft
    base: str
    said: Said
    typed: Mapping[str, str]
    contractor: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class SignedView:
    """A sheet as it was signed."""

    sheet: ServiceSheet
    plan: MaintenancePlan
    equipment: Equipment
    photos: tuple[PhotoRecord, ...]
    failed: int
    english: Mapping[str, str]  # of items whose list still says what was signed


@dataclass(frozen=True, slots=True)
class LinksView:
    """A plan's links; `address` is that of a new one, shown this once."""

    draft: SheetDraft
    links: tuple[ServiceLink, ...]
    address: str = ""
    qr_svg: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ChecklistView:
    """One item list, to be read or changed."""

    checklist: Checklist
    cycles: tuple[str, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_form(desk: Desk) -> web.StreamResponse:
    """Show the sheet of a plan's next visit."""
    found = await desk.read(service_sheets.draft, _plan_id(desk))
    view = SheetView(found, desk.request.path, {}, {"signed_by": desk.actor.display_name})
    return await desk.page("equipment/sheet.html", tab="/equipment", view=view)


async def sign(desk: Desk) -> web.StreamResponse:
    """Sign a sheet, or show it again with what is missing."""
    sent, said, error = Sent({}), {}, ""
    try:
        sent = await read_form(desk.request, _FIELDS_MAX)
        said = _said(sent.values)
        signing = _signing(sent.values, desk.format)
        sheet = await desk.write(service_sheets.sign, _plan_id(desk), said, signing, sent.photos)
    except (Conflict, Invalid) as refused:
        error = str(refused)
        found = await desk.read(service_sheets.draft, _plan_id(desk))
        view = SheetView(found, desk.request.path, said, sent.values, error=error)
        return await desk.page("equipment/sheet.html", status=422, tab="/equipment", view=view)
    return desk.go(f"/sheets/{sheet.sheet_id}", "sheet-signed")


async def show_signed(desk: Desk) -> web.StreamResponse:
    """Show a sheet as it was signed."""
    text = desk.request.match_info["sheet"]
    sheet, plan, equipment, photos = await desk.read(service_sheets.get_sheet, _sheet_id(text))
    failed = sum(1 for one in sheet.answers if one.result is CheckResult.FAILED)
    signed = {one.item_code: one.text for one in sheet.answers}
    now = await desk.read(service_sheets.get_checklist, sheet.checklist_code)
    english = {one.code: one.en for one in now.items if one.en and signed.get(one.code) == one.zh}
    view = SignedView(sheet, plan, equipment, photos, failed, english)
    return await desk.page("equipment/signed.html", view=view)


async def show_photo(desk: Desk) -> web.StreamResponse:
    """Show a photo of a signed sheet."""
    text = desk.request.match_info["photo"]
    if not is_uuid(text):
        raise NotFound(f"there is no photo {text!r}")
    sheet_id = _sheet_id(desk.request.match_info["sheet"])
    content = await desk.read(service_sheets.photo, sheet_id, PhotoId(text))
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return web.Response(body=content, content_type="image/jpeg", headers=headers)


async def show_links(desk: Desk) -> web.StreamResponse:
    """Show who was let in to a plan's sheet without a login."""
    return await desk.page("equipment/links.html", view=await desk.read(_links, _plan_id(desk)))


async def change_links(desk: Desk) -> web.StreamResponse:
    """Make a link for a contractor, or let those there are lead nowhere."""
    form = await desk.request.post()
    plan_id = _plan_id(desk)
    if form.get("act") == "revoke":
        await desk.write(service_sheets.revoke_link, plan_id)
        return await desk.page("equipment/links.html", view=await desk.read(_links, plan_id))
    days = str(form.get("days", ""))
    try:
        contractor, count = str(form.get("contractor", "")), int(days) if days.isdecimal() else 0
        secret = await desk.write(service_sheets.open_link, plan_id, contractor, count)
    except (Conflict, Invalid) as error:
        view = await desk.read(_links, plan_id, error=str(error))
        return await desk.page("equipment/links.html", status=422, view=view)
    address = f"{own_origin(desk.request)}/contractor/{secret}"
    return await desk.page("equipment/links.html", view=await desk.read(_links, plan_id, address=address))


async def show_lists(desk: Desk) -> web.StreamResponse:
    """Show the item lists there are."""
    return await desk.page("equipment/checklists.html", lists=await desk.read(service_sheets.list_checklists))


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show one item list."""
    view = await desk.read(_list, desk.request.match_info["code"], {}, "")
    return await desk.page("equipment/checklist.html", view=view)


async def change_list(desk: Desk) -> web.StreamResponse:
    """Add an item to a list, or let one be asked no more."""
    code = desk.request.match_info["code"]
    form = {name: str(value).strip() for name, value in (await desk.request.post()).items()}
    try:
        await desk.write(_change_list, code, form)
    except (Conflict, Invalid) as error:
        view = await desk.read(_list, code, form, str(error))
        return await desk.page("equipment/checklist.html", status=422, view=view)
    return desk.go(f"/checklists/{code}", "checklist-changed")


async def show_work(request: web.Request) -> web.StreamResponse:
    """Show a contractor the sheet their link leads to."""
    return await _work(request, {}, {}, "")


async def sign_work(request: web.Request) -> web.StreamResponse:
    """Sign the sheet a contractor's link leads to."""
    tenant_id, secret = _token(request)
    fmt = _format(request, "UTC")
    sent, said = Sent({}), {}
    # Known to lead somewhere before a megabyte of photos is read.
    await request.app[DATABASE].read(tenant_id, service_sheets.draft_by_link, secret)
    try:
        sent = await read_form(request, _FIELDS_MAX)
        said = _said(sent.values)
        signing = _signing(sent.values, fmt)
        sheet = await request.app[DATABASE].write(
            tenant_id, service_sheets.sign_by_link, secret, said, signing, sent.photos
        )
    except (Conflict, Invalid) as error:
        return await _work(request, said, sent.values, str(error))
    return _public(request, "equipment/work_done.html", fmt, sheet=sheet)


async def _work(request: web.Request, said: Said, typed: Mapping[str, str], error: str) -> web.StreamResponse:
    tenant_id, secret = _token(request)
    found, link, zone = await request.app[DATABASE].read(tenant_id, _by_link, secret)
    typed = {"signed_by": link.contractor, **typed}
    view = SheetView(found, request.path, said, typed, link.contractor, error)
    return _public(
        request, "equipment/work.html", _format(request, zone), status=422 if error else 200, view=view
    )


def _by_link(tx: Tx, secret: str) -> tuple[SheetDraft, ServiceLink, str]:
    found, link, site_id = service_sheets.draft_by_link(tx, secret)
    return found, link, site_of(tx, site_id).time_zone


def _public(
    request: web.Request, template: str, fmt: Format, *, status: int = 200, **view: object
) -> web.Response:
    language = preferences_of(request, None).language
    context: dict[str, object] = {"page": frame_of(request), "fmt": fmt, "tab": "", **view}
    response = render(request, language, template, context, status=status)
    # The address is the key: it must not be told on, nor kept.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _format(request: web.Request, zone: str) -> Format:
    language = language_of(preferences_of(request, None).language)
    return Format(language, time_zone(zone), request.app[CLOCK]())


def _token(request: web.Request) -> tuple[TenantId, str]:
    """Return whose link it is, and the link; NotFound for what cannot be one."""
    secret = request.match_info["secret"]
    tenant, dash, _ = secret.partition("-")
    is_hex = tenant and len(tenant) <= _TENANT_DIGITS_MAX and not set(tenant) - set("0123456789abcdef")
    tenant_id = tenant_numbered(int(tenant, 16)) if dash and is_hex else None
    if tenant_id is None:
        raise NotFound("this link is over, was used, or never was: ask the property office for a new one")
    return tenant_id, secret


def _links(tx: Tx, actor: User, plan_id: PlanId, address: str = "", error: str = "") -> LinksView:
    qr = ""
    if address:
        drawn = segno.make(address, error="m")
        qr = drawn.svg_inline(omitsize=True, dark="#000", light="#fff", border=4)
    found = service_sheets.links_of(tx, actor, plan_id)
    return LinksView(service_sheets.draft(tx, actor, plan_id), tuple(found), address, qr, error)


def _list(tx: Tx, actor: User, code: str, typed: Mapping[str, str], error: str) -> ChecklistView:
    cycles = tuple(cycle.value for cycle in Cycle if cycle is not Cycle.NONE)
    return ChecklistView(service_sheets.get_checklist(tx, actor, code), cycles, typed, error)


def _change_list(tx: Tx, actor: User, code: str, form: Mapping[str, str]) -> None:
    now = service_sheets.get_checklist(tx, actor, code)
    if form.get("act") == "withdraw":
        items = tuple(item for item in now.items if item.code != form.get("item"))
    else:
        cycle = next((one for one in Cycle if one.value == form.get("cycle") and one.value), None)
        if cycle is None or not 1 <= len(form.get("zh", "")) <= 200:
            raise Invalid("an item has a cycle and 1 to 200 characters")
        taken = {item.code for item in now.items}
        own = next(f"own-{number}" for number in range(1, ITEMS_MAX + 2) if f"own-{number}" not in taken)
        needs_value = "needs_value" in form
        added = CheckItem(
            code=own, cycle=cycle, zh=form["zh"], en=form.get("en", "")[:300], needs_value=needs_value
        )
        items = (*now.items, added)
    wanted = Checklist(code=now.code, name_zh=now.name_zh, name_en=now.name_en, basis=now.basis, items=items)
    service_sheets.set_checklist(tx, actor, wanted, form.get("reason", ""))


def _said(values: Mapping[str, str]) -> dict[str, tuple[str, str, str]]:
    """Return what a form says about each item; those without a result stay unanswered."""
    codes = [name.removeprefix("r-") for name in values if name.startswith("r-")]
    return {
        code: (values[f"r-{code}"], values.get(f"v-{code}", ""), values.get(f"n-{code}", ""))
        for code in codes
    }


def _signing(values: Mapping[str, str], fmt: Format) -> Signing:
    return Signing(
        values.get("signed_by", "").strip(),
        values.get("signature", ""),
        values.get("parts", "").strip(),
        fen_of(values.get("cost") or "0", fmt, "cost", least_fen=0),
        values.get("note", "").strip(),
    )


def _plan_id(desk: Desk) -> PlanId:
    text = desk.request.match_info["plan_id"]
    if not is_uuid(text):
        raise NotFound(f"there is no maintenance plan {text!r}")
    return PlanId(text)


def _sheet_id(text: str) -> ServiceSheetId:
    if not is_uuid(text):
        raise NotFound(f"there is no service sheet {text!r}")
    return ServiceSheetId(text)
