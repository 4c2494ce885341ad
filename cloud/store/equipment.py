"""Equipment, maintenance plans, and the completions their clocks are counted from."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.checklist import Cycle
from cloud.domain.equipment import Equipment, EquipmentKind, Purchase
from cloud.domain.ids import (
    BuildingId,
    DeviceId,
    EquipmentId,
    GatewayId,
    PlanId,
    SiteId,
    SpaceId,
    UserId,
    WorkOrderId,
)
from cloud.domain.maintenance import Completion, MaintenancePlan
from cloud.store.db import Tx
from cloud.store.schema import device, equipment, gateway, maintenance_completion, maintenance_plan


def insert_equipment(tx: Tx, added: Equipment) -> bool:
    """Add a piece of equipment; False if the site has one of that code."""
    # Add one piece of equipment, unless the code is taken.
    return bool(
        tx.conn.execute(
            tx.insert(equipment)
            .values(
                tenant_id=tx.tenant_id,
                id=added.equipment_id,
                site_id=added.site_id,
                code=added.code,
                **_facts(added),
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "site_id", "code"])
        ).rowcount
    )


def update_equipment(tx: Tx, changed: Equipment) -> None:
    """Let the register say what a piece of equipment is like; its site and code stay."""
    # Correct one entry of the register.
    tx.conn.execute(
        sa.update(equipment)
        .where(equipment.c.tenant_id == tx.tenant_id, equipment.c.id == changed.equipment_id)
        .values(_facts(changed))
    )


def list_equipment(tx: Tx, site_id: SiteId) -> list[Equipment]:
    """Return a site's equipment by kind and code."""
    # What must be kept in working order here?
    return _equipment(tx, equipment.c.site_id == site_id)


def find_equipment(tx: Tx, equipment_id: EquipmentId) -> Equipment | None:
    """Return one piece of equipment, or None."""
    # Which piece of equipment is this?
    found = _equipment(tx, equipment.c.id == equipment_id)
    return found[0] if found else None


def find_by_code(tx: Tx, site_id: SiteId, code: str) -> Equipment | None:
    """Return a site's equipment of this code, or None."""
    # Which equipment carries this label?
    found = _equipment(tx, sa.and_(equipment.c.site_id == site_id, equipment.c.code == code))
    return found[0] if found else None


def devices_of_site(tx: Tx, site_id: SiteId) -> dict[DeviceId, str]:
    """Return a site's devices as `<gateway>/<device>`, by that name."""
    # What may equipment be connected as?
    rows = tx.conn.execute(
        sa.select(device.c.id, gateway.c.code.label("gateway_code"), device.c.code)
        .join(
            gateway, sa.and_(gateway.c.tenant_id == device.c.tenant_id, gateway.c.id == device.c.gateway_id)
        )
        .where(device.c.tenant_id == tx.tenant_id, gateway.c.site_id == site_id)
        .order_by(gateway.c.code, device.c.code)
    )
    return {DeviceId(row.id): f"{row.gateway_code}/{row.code}" for row in rows}


def find_by_device(tx: Tx, gateway_id: GatewayId, device_code: str) -> Equipment | None:
    """Return the equipment a gateway's device belongs to, or None; the first by code if there are several."""
    # Which equipment does this device speak for?
    own = sa.select(device.c.id).where(
        device.c.tenant_id == tx.tenant_id, device.c.gateway_id == gateway_id, device.c.code == device_code
    )
    found = _equipment(tx, equipment.c.device_id.in_(own))
    return found[0] if found else None


def insert_plan(tx: Tx, added: MaintenancePlan) -> bool:
    """Add a plan; False if the equipment has one of that code."""
    # Add one plan, unless the code is taken.
    return bool(
        tx.conn.execute(
            tx.insert(maintenance_plan)
            .values(
                tenant_id=tx.tenant_id,
                id=added.plan_id,
                equipment_id=added.equipment_id,
                code=added.code,
                title=added.title,
                basis=added.basis,
                interval_days=added.interval_days,
                lead_days=added.lead_days,
                starts_on=added.starts_on,
                ends_on=added.ends_on,
                checklist_code=added.checklist_code or None,
                cycle=added.cycle.value or None,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "equipment_id", "code"])
        ).rowcount
    )


def end_plans(tx: Tx, equipment_id: EquipmentId, on: date) -> None:
    """Let every plan of a piece of equipment be in force no longer than before a day."""
    # Nothing is to be done to it any more.
    tx.conn.execute(
        sa.update(maintenance_plan)
        .where(
            maintenance_plan.c.tenant_id == tx.tenant_id,
            maintenance_plan.c.equipment_id == equipment_id,
            sa.or_(maintenance_plan.c.ends_on.is_(None), maintenance_plan.c.ends_on > on),
        )
        .values(ends_on=on)
    )


def list_plans(tx: Tx, site_id: SiteId, today: date) -> list[MaintenancePlan]:
    """Return the plans of a site that are in force on `today`."""
    # What must be done regularly here?
    return _plans(tx, sa.and_(equipment.c.site_id == site_id, _is_in_force(today)))


def plans_of(tx: Tx, equipment_id: EquipmentId, today: date) -> list[MaintenancePlan]:
    """Return the plans of one piece of equipment that are in force on `today`."""
    # What must be done regularly to this?
    return _plans(tx, sa.and_(equipment.c.id == equipment_id, _is_in_force(today)))


def find_plan(tx: Tx, plan_id: PlanId) -> MaintenancePlan | None:
    """Return one plan, or None."""
    # Which plan is this?
    found = _plans(tx, maintenance_plan.c.id == plan_id)
    return found[0] if found else None


def lock_plan(tx: Tx, plan_id: PlanId) -> MaintenancePlan | None:
    """Return one plan and hold it until the end of the transaction, or None."""
    # Two people must not complete one plan at once.
    held = tx.conn.execute(
        sa.select(maintenance_plan.c.id)
        .where(maintenance_plan.c.tenant_id == tx.tenant_id, maintenance_plan.c.id == plan_id)
        .with_for_update()
    ).scalar_one_or_none()
    return _plans(tx, maintenance_plan.c.id == plan_id)[0] if held is not None else None


def last_completions(tx: Tx, plan_ids: Collection[PlanId]) -> dict[PlanId, int]:
    """Return when each plan was last completed; plans that never were are left out."""
    if not plan_ids:
        return {}
    # When was each plan's work last signed?
    rows = tx.conn.execute(
        sa.select(
            maintenance_completion.c.plan_id,
            sa.func.max(maintenance_completion.c.completed_at_ms).label("last_at_ms"),
        )
        .where(
            maintenance_completion.c.tenant_id == tx.tenant_id,
            maintenance_completion.c.plan_id.in_(sorted(plan_ids)),
        )
        .group_by(maintenance_completion.c.plan_id)
    )
    return {PlanId(row.plan_id): row.last_at_ms for row in rows}


def completions_of(tx: Tx, plan_id: PlanId, limit: int = 100) -> list[Completion]:
    """Return a plan's completions, newest first."""
    # When was this work signed, and by whom?
    rows = tx.conn.execute(
        sa.select(
            maintenance_completion.c.completed_at_ms,
            maintenance_completion.c.signed_by,
            maintenance_completion.c.note,
            maintenance_completion.c.work_order_id,
        )
        .where(
            maintenance_completion.c.tenant_id == tx.tenant_id, maintenance_completion.c.plan_id == plan_id
        )
        .order_by(maintenance_completion.c.completed_at_ms.desc())
        .limit(limit)
    )
    return [
        Completion(
            plan_id,
            row.completed_at_ms,
            row.signed_by,
            row.note,
            None if row.work_order_id is None else WorkOrderId(row.work_order_id),
        )
        for row in rows
    ]


def insert_completion(tx: Tx, done: Completion, recorded_by: UserId | None) -> bool:
    """Note that a plan's work was done; False if it was noted for that very moment already."""
    # Add one completion, once.
    return bool(
        tx.conn.execute(
            tx.insert(maintenance_completion)
            .values(
                tenant_id=tx.tenant_id,
                id=tx.new_id(),
                plan_id=done.plan_id,
                work_order_id=done.work_order_id,
                completed_at_ms=done.completed_at_ms,
                recorded_by=recorded_by,
                signed_by=done.signed_by,
                note=done.note,
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "plan_id", "completed_at_ms"])
        ).rowcount
    )


def _is_in_force(today: date) -> sa.ColumnElement[bool]:
    return sa.or_(maintenance_plan.c.ends_on.is_(None), maintenance_plan.c.ends_on > today)


def _equipment(tx: Tx, which: sa.ColumnElement[bool]) -> list[Equipment]:
    columns: list[sa.ColumnElement[Any]] = [
        equipment.c.id,
        equipment.c.site_id,
        equipment.c.building_id,
        equipment.c.space_id,
        equipment.c.device_id,
        equipment.c.code,
        equipment.c.kind,
        equipment.c.name,
        equipment.c.brand,
        equipment.c.model,
        equipment.c.serial_number,
        equipment.c.place,
        equipment.c.purchased_on,
        equipment.c.price_fen,
        equipment.c.supplier,
        equipment.c.warranty_until_on,
        equipment.c.retired_on,
    ]
    rows = tx.conn.execute(
        sa.select(*columns)
        .where(equipment.c.tenant_id == tx.tenant_id, which)
        .order_by(equipment.c.kind, equipment.c.code)
    )
    return [
        Equipment(
            EquipmentId(row.id),
            SiteId(row.site_id),
            None if row.building_id is None else BuildingId(row.building_id),
            None if row.space_id is None else SpaceId(row.space_id),
            None if row.device_id is None else DeviceId(row.device_id),
            row.code,
            EquipmentKind(row.kind),
            row.name,
            row.brand,
            row.model,
            row.serial_number,
            row.place,
            Purchase(row.purchased_on, row.price_fen, row.supplier, row.warranty_until_on),
            row.retired_on,
        )
        for row in rows
    ]


def _facts(one: Equipment) -> dict[str, Any]:
    return {
        "building_id": one.building_id,
        "space_id": one.space_id,
        "device_id": one.device_id,
        "kind": one.kind.value,
        "name": one.name,
        "brand": one.brand,
        "model": one.model,
        "serial_number": one.serial_number,
        "place": one.place,
        "purchased_on": one.purchase.purchased_on,
        "price_fen": one.purchase.price_fen,
        "supplier": one.purchase.supplier,
        "warranty_until_on": one.purchase.warranty_until_on,
        "retired_on": one.retired_on,
    }


def _plans(tx: Tx, which: sa.ColumnElement[bool]) -> list[MaintenancePlan]:
    rows = tx.conn.execute(
        sa.select(
            maintenance_plan.c.id,
            maintenance_plan.c.equipment_id,
            maintenance_plan.c.code,
            maintenance_plan.c.title,
            maintenance_plan.c.basis,
            maintenance_plan.c.interval_days,
            maintenance_plan.c.lead_days,
            maintenance_plan.c.starts_on,
            maintenance_plan.c.ends_on,
            maintenance_plan.c.checklist_code,
            maintenance_plan.c.cycle,
        )
        .join(
            equipment,
            sa.and_(
                equipment.c.tenant_id == maintenance_plan.c.tenant_id,
                equipment.c.id == maintenance_plan.c.equipment_id,
            ),
        )
        .where(maintenance_plan.c.tenant_id == tx.tenant_id, which)
        .order_by(equipment.c.code, maintenance_plan.c.code)
    )
    return [
        MaintenancePlan(
            PlanId(row.id),
            EquipmentId(row.equipment_id),
            row.code,
            row.title,
            row.basis,
            row.interval_days,
            row.lead_days,
            row.starts_on,
            row.ends_on,
            row.checklist_code or "",
            Cycle(row.cycle or ""),
        )
        for row in rows
    ]
