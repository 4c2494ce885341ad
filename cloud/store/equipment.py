"""Equipment as the register has it."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.equipment import Equipment, EquipmentKind, Purchase
from cloud.domain.ids import (
    BuildingId,
    DeviceId,
    EquipmentId,
    GatewayId,
    SiteId,
    SpaceId,
)
from cloud.domain.premises import ServicePointKind
from cloud.store.db import Tx
from cloud.store.schema import device, equipment, gateway, installation, point, service_point


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


def devices_of_site(tx: Tx, site_id: SiteId, *, with_meters_of_flats: bool = True) -> dict[DeviceId, str]:
    """Return a site's devices as `<gateway>/<device>`, by that name."""
    query = (
        sa.select(device.c.id, gateway.c.code.label("gateway_code"), device.c.code)
        .join(
            gateway, sa.and_(gateway.c.tenant_id == device.c.tenant_id, gateway.c.id == device.c.gateway_id)
        )
        .where(device.c.tenant_id == tx.tenant_id, gateway.c.site_id == site_id)
        .order_by(gateway.c.code, device.c.code)
    )
    if not with_meters_of_flats:
        query = query.where(device.c.id.not_in(_meters_of_flats(tx)))
    # What may equipment be connected as?
    rows = tx.conn.execute(query)
    return {DeviceId(row.id): f"{row.gateway_code}/{row.code}" for row in rows}


def _meters_of_flats(tx: Tx) -> sa.Select[tuple[DeviceId]]:
    return (
        sa.select(point.c.device_id)
        .join(
            installation,
            sa.and_(
                installation.c.tenant_id == point.c.tenant_id, installation.c.series_id == point.c.series_id
            ),
        )
        .join(
            service_point,
            sa.and_(
                service_point.c.tenant_id == installation.c.tenant_id,
                service_point.c.id == installation.c.service_point_id,
            ),
        )
        .where(
            point.c.tenant_id == tx.tenant_id,
            point.c.device_id.is_not(None),
            service_point.c.kind == ServicePointKind.FLAT.value,
        )
    )


def find_by_device(tx: Tx, gateway_id: GatewayId, device_code: str) -> Equipment | None:
    """Return the equipment a gateway's device belongs to, or None; the first by code if there are several."""
    # Which equipment does this device speak for?
    own = sa.select(device.c.id).where(
        device.c.tenant_id == tx.tenant_id, device.c.gateway_id == gateway_id, device.c.code == device_code
    )
    found = _equipment(tx, equipment.c.device_id.in_(own))
    return found[0] if found else None


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
