"""Equipment: the register of what there is, where its maintenance stands, what its device says.

The invariant: what the register said before a change stays to be read; nothing is ever deleted from it,
equipment that is no more is retired.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from typing import Any

from cloud.domain.access import Action, require
from cloud.domain.attachment import AttachmentRecord, AttachmentSubject
from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentStatus, RegisterChange
from cloud.domain.errors import Conflict, Invalid, NotFound
from cloud.domain.ids import AttachmentId, DeviceId, EquipmentId, SiteId
from cloud.domain.maintenance import MaintenanceClock
from cloud.domain.premises import Building, Site, Space
from cloud.domain.user import User
from cloud.domain.work_order import WorkOrderState
from cloud.services import attachments
from cloud.services.maintenance import clocks_of, today_at
from cloud.services.premises import site_of
from cloud.store import alarms, audit, equipment, points, premises, work_orders
from cloud.store import attachments as attachment_store
from cloud.store import plans as plan_store
from cloud.store.db import Tx

# A year of half-monthly visits, and then some.
COMPLETIONS_SHOWN = 30
WORK_ORDERS_SHOWN = 30
_SUBJECT = AttachmentSubject.EQUIPMENT
# What cannot be said anew of a piece of equipment: a label on it carries it.
_FIXED = frozenset({"equipment_id", "site_id", "code"})
_BEFORE = "_before"


def list_equipment(tx: Tx, actor: User, site_id: SiteId) -> list[EquipmentStatus]:
    """Return a site's equipment, what is due soonest first, then what has no plan, by kind and code.

    What is retired is there too; it has no clocks.
    """
    require(actor, Action.READ_EQUIPMENT)
    site = site_of(tx, site_id)
    clocks: dict[EquipmentId, list[MaintenanceClock]] = {}
    for clock in clocks_of(tx, site, plan_store.list_plans(tx, site_id, today_at(tx, site))):
        clocks.setdefault(clock.plan.equipment_id, []).append(clock)
    open_alarms = alarms.count_open_by_device(tx, site_id)
    statuses = [
        EquipmentStatus(
            one,
            tuple(sorted(clocks.get(one.equipment_id, []), key=lambda clock: clock.due_on)),
            0 if one.device_id is None else open_alarms.get(one.device_id, 0),
        )
        for one in equipment.list_equipment(tx, site_id)
    ]
    return sorted(statuses, key=lambda status: (not status.clocks, *(c.due_on for c in status.clocks[:1])))


def get_equipment(tx: Tx, actor: User, equipment_id: EquipmentId) -> EquipmentDetail:
    """Return one piece of equipment with its clocks, what it says now, and what was and is to be done."""
    require(actor, Action.READ_EQUIPMENT)
    found = _find(tx, equipment_id)
    site = site_of(tx, found.site_id)
    status = _status(tx, site, found)
    completions = [
        completion
        for clock in status.clocks
        for completion in plan_store.completions_of(tx, clock.plan.plan_id, COMPLETIONS_SHOWN)
    ]
    orders = work_orders.list_work_orders(
        tx, site.site_id, frozenset(WorkOrderState), None, WORK_ORDERS_SHOWN, equipment_id
    )
    return EquipmentDetail(
        status,
        () if found.device_id is None else tuple(points.values_of_device(tx, found.device_id)),
        tuple(sorted(completions, key=lambda completion: -completion.completed_at_ms)),
        tuple(orders),
        tuple(attachment_store.list_attachments(tx, _SUBJECT, equipment_id)),
        tuple(_register_change(one) for one in reversed(audit.entries_of(tx, "equipment", equipment_id))),
    )


def add_equipment(tx: Tx, actor: User, added: Equipment) -> EquipmentDetail:
    """Add a piece of equipment to the register; Conflict if the site has one of that code."""
    require(actor, Action.MANAGE_EQUIPMENT)
    site_of(tx, added.site_id)
    _check_place(tx, added)
    if not equipment.insert_equipment(tx, added):
        raise Conflict(f"the site has equipment {added.code!r} already")
    audit.record(tx, actor.user_id, "add_equipment", "equipment", added.equipment_id, {"code": added.code})
    return get_equipment(tx, actor, added.equipment_id)


def change_equipment(
    tx: Tx, actor: User, equipment_id: EquipmentId, changes: Mapping[str, Any]
) -> EquipmentDetail:
    """Let the register say something else of a piece of equipment; retiring it ends its plans."""
    require(actor, Action.MANAGE_EQUIPMENT)
    before = _find(tx, equipment_id)
    unknown = set(changes) - ({field.name for field in fields(Equipment)} - _FIXED)
    assert not unknown, f"{unknown} cannot be changed"
    after = replace(before, **changes)
    _check_place(tx, after)
    said, now = _plain(tx, before), _plain(tx, after)
    changed = [name for name in now if said[name] != now[name]]
    if not changed:
        return get_equipment(tx, actor, equipment_id)
    equipment.update_equipment(tx, after)
    if after.retired_on is not None and before.retired_on is None:
        plan_store.end_plans(tx, equipment_id, after.retired_on)
        work_orders.cancel_of_equipment(tx, equipment_id)
    detail = {f"{name}{_BEFORE}": said[name] for name in changed} | {name: now[name] for name in changed}
    audit.record(tx, actor.user_id, "change_equipment", "equipment", equipment_id, detail)
    return get_equipment(tx, actor, equipment_id)


def equipment_by_code(tx: Tx, actor: User, site_id: SiteId, code: str) -> EquipmentDetail:
    """Return one piece of equipment by what is written on its label."""
    require(actor, Action.READ_EQUIPMENT)
    site_of(tx, site_id)
    found = equipment.find_by_code(tx, site_id, code)
    if found is None:
        raise NotFound(f"the site has no equipment {code!r}")
    return get_equipment(tx, actor, found.equipment_id)


def places(
    tx: Tx, actor: User, site_id: SiteId
) -> tuple[list[Building], list[Space], Mapping[DeviceId, str]]:
    """Return where equipment of a site stands or may stand, and what it may be connected as (gateway/device).

    It stands in common parts; what somebody put into a flat is found there all the same.
    """
    require(actor, Action.READ_EQUIPMENT)
    site_of(tx, site_id)
    common = premises.list_common_parts(tx, site_id)
    stood_in = {one.space_id for one in equipment.list_equipment(tx, site_id) if one.space_id is not None}
    elsewhere = premises.find_spaces(tx, stood_in - {one.space_id for one in common})
    return (
        premises.list_buildings(tx, site_id),
        [*common, *elsewhere.values()],
        equipment.devices_of_site(tx, site_id, with_meters_of_flats=False),
    )


def attach(tx: Tx, actor: User, equipment_id: EquipmentId, title: str, content: bytes) -> AttachmentId:
    """Keep a paper about a piece of equipment: its manual, a test report, the contract."""
    require(actor, Action.MANAGE_EQUIPMENT)
    _find(tx, equipment_id)
    return attachments.attach(tx, actor, _SUBJECT, equipment_id, title, content)


def fetch_attachment(
    tx: Tx, actor: User, equipment_id: EquipmentId, attachment_id: AttachmentId
) -> tuple[AttachmentRecord, bytes]:
    """Return a paper about a piece of equipment."""
    require(actor, Action.READ_EQUIPMENT)
    _find(tx, equipment_id)
    return attachments.fetch(tx, _SUBJECT, equipment_id, attachment_id)


def withdraw_attachment(tx: Tx, actor: User, equipment_id: EquipmentId, attachment_id: AttachmentId) -> None:
    """Show a paper about a piece of equipment no more."""
    require(actor, Action.MANAGE_EQUIPMENT)
    _find(tx, equipment_id)
    attachments.withdraw(tx, actor, _SUBJECT, equipment_id, attachment_id)


def _find(tx: Tx, equipment_id: EquipmentId) -> Equipment:
    found = equipment.find_equipment(tx, equipment_id)
    if found is None:
        raise NotFound(f"there is no equipment {equipment_id}")
    return found


def _check_place(tx: Tx, one: Equipment) -> None:
    """Refuse a building, space or device that is not the site's."""
    building = None if one.building_id is None else premises.find_building(tx, one.building_id)
    if one.building_id is not None and (building is None or building.site_id != one.site_id):
        raise Invalid(f"the site has no building {one.building_id}")
    if one.space_id is not None:
        space = premises.find_space(tx, one.space_id)
        if space is None or space.building_id != one.building_id:
            raise Invalid(f"the building has no space {one.space_id}")
    if one.device_id is not None and one.device_id not in equipment.devices_of_site(tx, one.site_id):
        raise Invalid(f"the site has no device {one.device_id}")


def _plain(tx: Tx, one: Equipment) -> dict[str, str | int | None]:
    """Return what the register says of a piece of equipment, as its history keeps it: names, not ids."""
    said: dict[str, Any] = {field.name: getattr(one, field.name) for field in fields(one)}
    building, space = said.pop("building_id"), said.pop("space_id")
    found_building = None if building is None else premises.find_building(tx, building)
    found_space = None if space is None else premises.find_space(tx, space)
    said["building"] = None if found_building is None else found_building.code
    said["space"] = None if found_space is None else found_space.code
    said["device"] = equipment.devices_of_site(tx, one.site_id).get(said.pop("device_id"))
    bought = said.pop("purchase")
    said |= {field.name: getattr(bought, field.name) for field in fields(bought)}
    said["kind"] = one.kind.value
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in said.items()
        if name not in _FIXED
    }


def _register_change(entry: audit.AuditEntry) -> RegisterChange:
    said = entry.detail
    names = [name for name in said if f"{name}{_BEFORE}" in said]
    changed = tuple((name, _word(said[f"{name}{_BEFORE}"]), _word(said[name])) for name in names)
    return RegisterChange(entry.at_ms, entry.user_name, entry.action, changed)


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _status(tx: Tx, site: Site, one: Equipment) -> EquipmentStatus:
    clocks = clocks_of(tx, site, plan_store.plans_of(tx, one.equipment_id, today_at(tx, site)))
    open_alarms = alarms.count_open_by_device(tx, site.site_id)
    return EquipmentStatus(
        one,
        tuple(sorted(clocks, key=lambda clock: clock.due_on)),
        0 if one.device_id is None else open_alarms.get(one.device_id, 0),
    )
