"""The register of equipment: found, added, changed, with papers; the page a label leads to.

The invariant: what was typed comes back with what is wrong; what the register said before stays readable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloud.console.desk import Desk
from cloud.console.formats import Format
from cloud.console.preferences import SITE_COOKIE, choose
from cloud.console.typed import day_of, fen_of, texts_of
from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentKind, EquipmentStatus, Purchase
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import EquipmentId, SiteId, is_uuid
from cloud.domain.premises import Building, Space
from cloud.domain.user import User
from cloud.press.label import label_sheet
from cloud.services import equipment
from cloud.store.db import Tx
from cloud.web.origin import own_origin
from cloud.web.papers import pdf_response

_TEXTS = ("name", "brand", "model", "serial_number", "place")
_DAYS = ("purchased_on", "warranty_until_on", "retired_on")
_TYPED_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class RegisterView:
    """The register, or what is left of it after the filter; `kinds` counts all that is in use by kind."""

    rows: tuple[EquipmentStatus, ...]
    places: Mapping[str, str]
    kinds: Mapping[str, int]
    typed: Mapping[str, str]
    total: int
    retired: int


@dataclass(frozen=True, slots=True)
class FormView:
    """The form of one entry; `code` is empty for a new one."""

    code: str
    name: str
    buildings: tuple[Building, ...]
    spaces: tuple[Space, ...]
    devices: Mapping[str, str]
    kinds: tuple[str, ...]
    typed: Mapping[str, str]
    error: str = ""


async def show_list(desk: Desk) -> web.StreamResponse:
    """Show the register."""
    typed = {name: desk.request.query.get(name, "").strip()[:100] for name in ("q", "kind", "show")}
    return await desk.page(
        "equipment/register.html", view=await desk.read(_register, desk.site.site_id, typed, desk.format)
    )


async def show_new(desk: Desk) -> web.StreamResponse:
    """Show an empty form."""
    return await desk.page("equipment/form.html", view=await desk.read(_form, desk.site.site_id, "", {}, ""))


async def submit_new(desk: Desk) -> web.StreamResponse:
    """Add a piece of equipment, or show the form again with what does not fit."""
    typed = await texts_of(desk)
    try:
        code = await desk.write(_add, desk.site.site_id, typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, desk.site.site_id, "", typed, str(error))
        return await desk.page("equipment/form.html", status=422, view=view)
    return desk.go(f"/equipment/{code}", "equipment-noted", code=code)


async def show_edit(desk: Desk) -> web.StreamResponse:
    """Show what the register says of one piece of equipment, to be changed."""
    view = await desk.read(_form, desk.site.site_id, _code(desk), None, "")
    return await desk.page("equipment/form.html", view=view)


async def submit_edit(desk: Desk) -> web.StreamResponse:
    """Let the register say something else, or show the form again with what does not fit."""
    typed, code = await texts_of(desk), _code(desk)
    try:
        await desk.write(_change, desk.site.site_id, code, typed, desk.format)
    except (Conflict, Invalid) as error:
        view = await desk.read(_form, desk.site.site_id, code, typed, str(error))
        return await desk.page("equipment/form.html", status=422, view=view)
    return desk.go(f"/equipment/{code}", "equipment-noted", code=code)


async def print_labels(desk: Desk) -> web.StreamResponse:
    """Print labels: of what the list shows, or of the one piece that is named."""
    query = desk.request.query
    typed = {name: query.get(name, "").strip()[:100] for name in ("q", "kind", "show")}
    view = await desk.read(_register, desk.site.site_id, typed, desk.format)
    code = query.get("code", "")
    pieces = [
        (one.equipment, view.places[one.equipment.code])
        for one in view.rows
        if not code or one.equipment.code == code
    ]
    if not pieces:
        raise NotFound("there is no equipment to print a label of")
    sheet = label_sheet(desk.site, pieces, desk.preferences.language, own_origin(desk.request))
    return await pdf_response(desk.request, sheet, f"{desk.site.code}-labels")


async def open_label(desk: Desk) -> web.StreamResponse:
    """Lead whoever scanned a label to the equipment's page, on whichever of their sites it is."""
    text = desk.request.match_info["equipment_id"]
    if not is_uuid(text):
        raise NotFound(f"there is no equipment {text!r}")
    item = (await desk.read(equipment.get_equipment, EquipmentId(text))).status.equipment
    response = desk.go(f"/equipment/{item.code}")
    site = next((one for one in desk.sites if one.site_id == item.site_id), None)
    if site is not None and site.code != desk.site.code:
        choose(desk.request, response, SITE_COOKIE, site.code)
    return response


def _register(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> RegisterView:
    statuses = sorted(
        equipment.list_equipment(tx, actor, site_id),
        key=lambda one: (one.equipment.kind.value, one.equipment.code),
    )
    buildings, spaces, _ = equipment.places(tx, actor, site_id)
    in_use = [one for one in statuses if one.equipment.retired_on is None]
    retired = [one for one in statuses if one.equipment.retired_on is not None]
    shown = retired if typed["show"] == "retired" else in_use
    rows = [one for one in shown if _is_wanted(one.equipment, typed, fmt)]
    places = {one.equipment.code: place_of(one.equipment, buildings, spaces) for one in rows}
    kinds: dict[str, int] = {}
    for one in in_use:
        kinds[one.equipment.kind.value] = kinds.get(one.equipment.kind.value, 0) + 1
    return RegisterView(tuple(rows), places, kinds, typed, len(in_use), len(retired))


def place_of(one: Equipment, buildings: Sequence[Building], spaces: Sequence[Space]) -> str:
    """Return where a piece of equipment stands, in words."""
    parts = [
        next((b.name for b in buildings if b.building_id == one.building_id), ""),
        next((s.code for s in spaces if s.space_id == one.space_id), ""),
        one.place,
    ]
    return " · ".join(part for part in parts if part)


def _is_wanted(one: Equipment, typed: Mapping[str, str], fmt: Format) -> bool:
    said = (one.code, one.name, one.brand, one.model, one.serial_number, one.place, one.purchase.supplier)
    if typed["kind"] and one.kind.value != typed["kind"]:
        return False
    if typed["show"] == "warranty" and not one.is_under_warranty(fmt.today):
        return False
    return not typed["q"] or any(typed["q"].lower() in text.lower() for text in said)


def _form(
    tx: Tx, actor: User, site_id: SiteId, code: str, typed: Mapping[str, str] | None, error: str
) -> FormView:
    buildings, spaces, devices = equipment.places(tx, actor, site_id)
    name = ""
    if code:
        one = equipment.equipment_by_code(tx, actor, site_id, code).status.equipment
        name = one.name
        typed = _as_typed(one) if typed is None else typed
    return FormView(
        code,
        name,
        tuple(buildings),
        tuple(spaces),
        {str(device_id): said for device_id, said in devices.items()},
        tuple(kind.value for kind in EquipmentKind),
        typed or {},
        error,
    )


def _as_typed(one: Equipment) -> dict[str, str]:
    bought = one.purchase
    days = {"retired_on": one.retired_on, "purchased_on": bought.purchased_on}
    days["warranty_until_on"] = bought.warranty_until_on
    return {
        **{name: getattr(one, name) for name in _TEXTS},
        **{name: "" if day is None else day.isoformat() for name, day in days.items()},
        "kind": one.kind.value,
        "building": one.building_id or "",
        "space": one.space_id or "",
        "device": one.device_id or "",
        "supplier": bought.supplier,
        "price": ""
        if bought.price_fen is None
        else f"{bought.price_fen // 100}.{bought.price_fen % 100:02d}",
    }


def _add(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> str:
    facts = _facts(tx, actor, site_id, typed, fmt)
    added = Equipment(EquipmentId(tx.new_id()), site_id, code=typed.get("code", ""), **facts)
    equipment.add_equipment(tx, actor, added)
    return added.code


def _change(
    tx: Tx, actor: User, site_id: SiteId, code: str, typed: Mapping[str, str], fmt: Format
) -> EquipmentDetail:
    now = equipment.equipment_by_code(tx, actor, site_id, code)
    facts = _facts(tx, actor, site_id, typed, fmt)
    return equipment.change_equipment(tx, actor, now.status.equipment.equipment_id, facts)


def _facts(tx: Tx, actor: User, site_id: SiteId, typed: Mapping[str, str], fmt: Format) -> dict[str, Any]:
    """Return what a form says of a piece of equipment, by the names the register's fields have."""
    kind = next((one for one in EquipmentKind if one.value == typed.get("kind")), None)
    if kind is None:
        raise Invalid(fmt.language.gettext("Choose what kind of equipment it is."))
    _, spaces, _ = equipment.places(tx, actor, site_id)
    space = next((one for one in spaces if one.space_id == typed.get("space")), None)
    days = {name: day_of(typed[name], fmt) if typed.get(name) else None for name in _DAYS}
    return {
        "kind": kind,
        **{name: typed.get(name, "") for name in _TEXTS},
        # A space says which building it is in, whatever else was chosen.
        "building_id": space.building_id if space else typed.get("building") or None,
        "space_id": None if space is None else space.space_id,
        "device_id": typed.get("device") or None,
        "purchase": Purchase(
            days["purchased_on"],
            fen_of(typed["price"], fmt, "price", least_fen=0) if typed.get("price") else None,
            typed.get("supplier", ""),
            days["warranty_until_on"],
        ),
        "retired_on": days["retired_on"],
    }


def _code(desk: Desk) -> str:
    return desk.request.match_info["code"]
