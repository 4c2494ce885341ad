"""Equipment: the register, each with its papers, and where its maintenance stands."""

from datetime import date
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta

from cloud.api.maintenance import (
    CompletionView,
    MaintenanceClockView,
    WorkOrderView,
    clock_view,
    completion_view,
    order_view,
)
from cloud.api.parse import read_bytes
from cloud.api.readings import PointValueView, point_value_view
from cloud.api.route import Call, Id, Nothing, Page, PageQuery, Request, Route, View, cut, view_of
from cloud.api.space_views import AttachmentQuery, AttachmentView
from cloud.domain.access import Action
from cloud.domain.attachment import ATTACHMENT_BYTES_MAX, ATTACHMENT_TYPES
from cloud.domain.equipment import (
    CODE_LENGTH_MAX,
    PRICE_FEN_MAX,
    TEXT_LENGTH_MAX,
    Equipment,
    EquipmentDetail,
    EquipmentKind,
    EquipmentStatus,
    Purchase,
    RegisterChange,
)
from cloud.domain.ids import AttachmentId, BuildingId, DeviceId, EquipmentId, SiteId, SpaceId
from cloud.domain.user import User
from cloud.services import equipment
from cloud.store.db import Tx

Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]
_TEXTS = ("name", "brand", "model", "serial_number", "place")


class EquipmentFacts(Request, frozen=True, kw_only=True):
    """What the register says of a piece of equipment; what is left out is not known."""

    kind: EquipmentKind
    name: Annotated[str, Meta(min_length=1, max_length=TEXT_LENGTH_MAX)]
    building_id: Id | None = None
    space_id: Id | None = None
    device_id: Id | None = None
    brand: Text = ""
    model: Text = ""
    serial_number: Text = ""
    place: Text = ""
    purchased_on: date | None = None
    price_fen: Annotated[int, Meta(ge=0, le=PRICE_FEN_MAX)] | None = None
    supplier: Text = ""
    warranty_until_on: date | None = None


class NewEquipment(EquipmentFacts, frozen=True, kw_only=True):
    """A piece of equipment to be added; its code stays, it is on the label."""

    code: Annotated[str, Meta(min_length=1, max_length=CODE_LENGTH_MAX)]


class ChangedEquipment(EquipmentFacts, frozen=True, kw_only=True):
    """What the register says of it from now on. Retired equipment has no plans any more."""

    retired_on: date | None = None


class EquipmentView(View, frozen=True):
    """One piece of equipment and where its plans stand, the soonest due first."""

    equipment_id: str
    site_id: str
    building_id: str | None
    space_id: str | None
    device_id: str | None
    code: str
    kind: EquipmentKind
    name: str
    brand: str
    model: str
    serial_number: str
    place: str
    purchased_on: date | None
    price_fen: int | None
    supplier: str
    warranty_until_on: date | None
    retired_on: date | None
    alarms_open: int
    clocks: tuple[MaintenanceClockView, ...]


class FieldChangeView(View, frozen=True):
    """What one field of the register said before and says since."""

    field: str
    before: str
    after: str


class RegisterChangeView(View, frozen=True):
    """What somebody changed in the register."""

    at_ms: int
    user_name: str
    action: str
    fields: tuple[FieldChangeView, ...]


class EquipmentDetailView(View, frozen=True):
    """A piece of equipment, what its device says now, and what was and is to be done."""

    equipment: EquipmentView
    values: tuple[PointValueView, ...]
    completions: tuple[CompletionView, ...]
    work_orders: tuple[WorkOrderView, ...]
    attachments: tuple[AttachmentView, ...]
    changes: tuple[RegisterChangeView, ...]


async def list_equipment(call: Call[PageQuery, Nothing]) -> Page[EquipmentView]:
    """List a site's equipment by code."""
    found = await call.read(equipment.list_equipment, SiteId(call.id("site_id")))
    return cut(found, call.query, lambda status: status.equipment.code, _equipment_view)


async def get_equipment(call: Call[Nothing, Nothing]) -> EquipmentDetailView:
    """Show a piece of equipment."""
    return _detail_view(await call.read(equipment.get_equipment, EquipmentId(call.id("equipment_id"))))


async def add_equipment(call: Call[Nothing, NewEquipment]) -> web.Response:
    """Add a piece of equipment to the register."""
    site_id = SiteId(call.id("site_id"))

    def add(tx: Tx, actor: User) -> EquipmentDetail:
        body = call.body
        added = Equipment(EquipmentId(tx.new_id()), site_id, code=body.code.strip(), **_facts(body))
        return equipment.add_equipment(tx, actor, added)

    return await call.create(_detail_view, add)


async def change_equipment(call: Call[Nothing, ChangedEquipment]) -> web.Response:
    """Let the register say something else of a piece of equipment."""
    changes = {**_facts(call.body), "retired_on": call.body.retired_on}
    return await call.change(
        _detail_view, equipment.get_equipment, equipment.change_equipment, _equipment_id(call), changes
    )


async def attach_to_equipment(call: Call[AttachmentQuery, Nothing]) -> EquipmentDetailView:
    """Keep a paper about a piece of equipment: the body is the file itself."""
    # Known to exist before a megabyte of it is read.
    await call.read(equipment.get_equipment, _equipment_id(call))
    raw = await read_bytes(call.request, bytes_max=ATTACHMENT_BYTES_MAX)
    await call.write(equipment.attach, _equipment_id(call), call.query.title, raw)
    return _detail_view(await call.read(equipment.get_equipment, _equipment_id(call)))


async def get_equipment_attachment(call: Call[Nothing, Nothing]) -> web.Response:
    """Return a paper about a piece of equipment."""
    attachment_id = AttachmentId(call.id("attachment_id"))
    record, content = await call.read(equipment.fetch_attachment, _equipment_id(call), attachment_id)
    return web.Response(
        body=content, content_type=record.media_type, headers={"Content-Disposition": "attachment"}
    )


async def withdraw_equipment_attachment(call: Call[Nothing, Nothing]) -> None:
    """Show a paper about a piece of equipment no more."""
    await call.write(
        equipment.withdraw_attachment, _equipment_id(call), AttachmentId(call.id("attachment_id"))
    )


def _equipment_view(status: EquipmentStatus) -> EquipmentView:
    clocks = tuple(clock_view(clock) for clock in status.clocks)
    one, bought = status.equipment, status.equipment.purchase
    return view_of(
        one,
        EquipmentView,
        purchased_on=bought.purchased_on,
        price_fen=bought.price_fen,
        supplier=bought.supplier,
        warranty_until_on=bought.warranty_until_on,
        alarms_open=status.alarms_open,
        clocks=clocks,
    )


def _detail_view(detail: EquipmentDetail) -> EquipmentDetailView:
    return EquipmentDetailView(
        equipment=_equipment_view(detail.status),
        values=tuple(point_value_view(value) for value in detail.values),
        completions=tuple(completion_view(one) for one in detail.completions),
        work_orders=tuple(order_view(order) for order in detail.work_orders),
        attachments=tuple(view_of(one, AttachmentView) for one in detail.attachments),
        changes=tuple(_change_view(one) for one in detail.changes),
    )


def _change_view(change: RegisterChange) -> RegisterChangeView:
    told = tuple(
        FieldChangeView(field=name, before=before, after=after) for name, before, after in change.fields
    )
    return view_of(change, RegisterChangeView, fields=told)


def _facts(body: EquipmentFacts) -> dict[str, Any]:
    """Return what a body says, by the names the register's fields have."""
    return {
        "building_id": None if body.building_id is None else BuildingId(body.building_id),
        "space_id": None if body.space_id is None else SpaceId(body.space_id),
        "device_id": None if body.device_id is None else DeviceId(body.device_id),
        "kind": body.kind,
        **{
            name: getattr(body, name).strip() for name in ("name", "brand", "model", "serial_number", "place")
        },
        "purchase": Purchase(
            body.purchased_on, body.price_fen, body.supplier.strip(), body.warranty_until_on
        ),
    }


def _equipment_id(call: Call[Any, Any]) -> EquipmentId:
    return EquipmentId(call.id("equipment_id"))


_SITE, _EQUIPMENT = "/api/v1/sites/{site_id}", "/api/v1/equipment/{equipment_id}"
_READ, _MANAGE = Action.READ_EQUIPMENT, Action.MANAGE_EQUIPMENT

ROUTES = (
    Route(
        "GET",
        _SITE + "/equipment",
        "List a site's equipment",
        _READ,
        list_equipment,
        Page[EquipmentView],
        query=PageQuery,
    ),
    Route(
        "GET",
        _EQUIPMENT,
        "Show a piece of equipment",
        _READ,
        get_equipment,
        EquipmentDetailView,
    ),
    Route(
        "POST",
        _SITE + "/equipment",
        "Add a piece of equipment",
        _MANAGE,
        add_equipment,
        EquipmentDetailView,
        body=NewEquipment,
        status=201,
        creates=True,
    ),
    Route(
        "PUT",
        _EQUIPMENT,
        "Change a piece of equipment",
        _MANAGE,
        change_equipment,
        EquipmentDetailView,
        body=ChangedEquipment,
        is_guarded=True,
        description="The whole entry but its code; what it said before stays in its history.",
    ),
    Route(
        "POST",
        _EQUIPMENT + "/attachments",
        "Attach a paper to a piece of equipment",
        _MANAGE,
        attach_to_equipment,
        EquipmentDetailView,
        query=AttachmentQuery,
        uploads=ATTACHMENT_TYPES,
        body_bytes_max=ATTACHMENT_BYTES_MAX,
        description="The body is the file: PDF, JPEG or PNG, at most 10 MB.",
    ),
    Route(
        "GET",
        _EQUIPMENT + "/attachments/{attachment_id}",
        "Fetch a paper about a piece of equipment",
        _READ,
        get_equipment_attachment,
        ", ".join(ATTACHMENT_TYPES),
    ),
    Route(
        "DELETE",
        _EQUIPMENT + "/attachments/{attachment_id}",
        "Show a paper about a piece of equipment no more",
        _MANAGE,
        withdraw_equipment_attachment,
        None,
        status=204,
    ),
)
