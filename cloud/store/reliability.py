"""Outages and costs of equipment: told by people, by alarms of its device, by signed sheets."""

from collections.abc import Collection
from datetime import date

import sqlalchemy as sa

from cloud.domain.ids import EquipmentId, SiteId, UserId
from cloud.domain.reliability import Cost, CostKind, Outage
from cloud.store.db import Tx
from cloud.store.schema import (
    alarm,
    device,
    equipment,
    equipment_cost,
    equipment_outage,
    maintenance_plan,
    point,
    service_sheet,
)


def begin_outage(tx: Tx, equipment_id: EquipmentId, reason: str, recorded_by: UserId | None) -> bool:
    """Note that equipment is out of service from now; False if it is noted already."""
    # Note one outage, unless one is open.
    return bool(
        tx.conn.execute(
            tx.insert(equipment_outage)
            .values(
                tenant_id=tx.tenant_id,
                id=tx.new_id(),
                equipment_id=equipment_id,
                from_ms=tx.now_ms,
                reason=reason,
                recorded_by=recorded_by,
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def end_outage(tx: Tx, equipment_id: EquipmentId, ended_by: UserId | None) -> bool:
    """Note that equipment is in service again; False if nothing was open."""
    # End the open outage.
    return bool(
        tx.conn.execute(
            sa.update(equipment_outage)
            .where(
                equipment_outage.c.tenant_id == tx.tenant_id,
                equipment_outage.c.equipment_id == equipment_id,
                equipment_outage.c.until_ms.is_(None),
            )
            .values(until_ms=tx.now_ms, ended_by=ended_by)
        ).rowcount
    )


def insert_cost(tx: Tx, equipment_id: EquipmentId, cost: Cost, recorded_by: UserId | None) -> None:
    """Add what was paid for a piece of equipment."""
    # Add one cost.
    tx.conn.execute(
        sa.insert(equipment_cost).values(
            tenant_id=tx.tenant_id,
            id=tx.new_id(),
            equipment_id=equipment_id,
            spent_on=cost.spent_on,
            kind=cost.kind.value,
            amount_fen=cost.amount_fen,
            note=cost.note.strip(),
            recorded_at_ms=tx.now_ms,
            recorded_by=recorded_by,
        )
    )


def told_outages(tx: Tx, site_id: SiteId, from_ms: int) -> list[tuple[EquipmentId, Outage]]:
    """Return the outages of a site's equipment people told of that reach beyond an instant, oldest first."""
    # When was something out of service, as people say?
    rows = tx.conn.execute(
        sa.select(
            equipment_outage.c.equipment_id,
            equipment_outage.c.from_ms,
            equipment_outage.c.until_ms,
            equipment_outage.c.reason,
        )
        .join(
            equipment,
            sa.and_(
                equipment.c.tenant_id == equipment_outage.c.tenant_id,
                equipment.c.id == equipment_outage.c.equipment_id,
            ),
        )
        .where(
            equipment_outage.c.tenant_id == tx.tenant_id,
            equipment.c.site_id == site_id,
            sa.or_(equipment_outage.c.until_ms.is_(None), equipment_outage.c.until_ms > from_ms),
        )
        .order_by(equipment_outage.c.from_ms)
    )
    return [
        (EquipmentId(row.equipment_id), Outage(row.from_ms, row.until_ms, row.reason, is_from_alarm=False))
        for row in rows
    ]


def alarm_outages(
    tx: Tx, site_id: SiteId, kinds: Collection[str], from_ms: int
) -> list[tuple[EquipmentId, Outage]]:
    """Return the alarms of some kinds at the devices of a site's equipment that reach beyond an instant."""
    of_point = (
        sa.select(sa.literal(1))
        .where(
            point.c.tenant_id == device.c.tenant_id,
            point.c.device_id == device.c.id,
            point.c.series_id == alarm.c.series_id,
        )
        .correlate(device, alarm)
        .exists()
    )
    as_whole = sa.and_(alarm.c.gateway_id == device.c.gateway_id, alarm.c.point_key == device.c.code)
    # When did devices of equipment say that they do not work?
    rows = tx.conn.execute(
        sa.select(
            equipment.c.id, alarm.c.raised_at_ms, alarm.c.cleared_at_ms, alarm.c.message, alarm.c.number
        )
        .select_from(
            equipment.join(
                device,
                sa.and_(device.c.tenant_id == equipment.c.tenant_id, device.c.id == equipment.c.device_id),
            ).join(alarm, sa.and_(alarm.c.tenant_id == device.c.tenant_id, sa.or_(of_point, as_whole)))
        )
        .where(
            equipment.c.tenant_id == tx.tenant_id,
            equipment.c.site_id == site_id,
            alarm.c.site_id == site_id,
            alarm.c.kind.in_(sorted(kinds)),
            sa.or_(alarm.c.cleared_at_ms.is_(None), alarm.c.cleared_at_ms > from_ms),
        )
        .order_by(alarm.c.raised_at_ms)
    )
    return [
        (
            EquipmentId(row.id),
            Outage(row.raised_at_ms, row.cleared_at_ms, row.message or row.number, is_from_alarm=True),
        )
        for row in rows
    ]


def costs_of_site(
    tx: Tx, site_id: SiteId, from_on: date, from_ms: int
) -> list[tuple[EquipmentId, CostKind, int]]:
    """Return what was paid for a site's equipment since a day, what signed sheets state included."""
    # What did people note?
    told = tx.conn.execute(
        sa.select(equipment_cost.c.equipment_id, equipment_cost.c.kind, equipment_cost.c.amount_fen)
        .join(
            equipment,
            sa.and_(
                equipment.c.tenant_id == equipment_cost.c.tenant_id,
                equipment.c.id == equipment_cost.c.equipment_id,
            ),
        )
        .where(
            equipment_cost.c.tenant_id == tx.tenant_id,
            equipment.c.site_id == site_id,
            equipment_cost.c.spent_on >= from_on,
        )
    )
    found = [(EquipmentId(row.equipment_id), CostKind(row.kind), int(row.amount_fen)) for row in told]
    # What do the sheets state that were signed?
    signed = tx.conn.execute(
        sa.select(equipment.c.id, service_sheet.c.cost_fen)
        .select_from(
            service_sheet.join(
                maintenance_plan,
                sa.and_(
                    maintenance_plan.c.tenant_id == service_sheet.c.tenant_id,
                    maintenance_plan.c.id == service_sheet.c.plan_id,
                ),
            ).join(
                equipment,
                sa.and_(
                    equipment.c.tenant_id == maintenance_plan.c.tenant_id,
                    equipment.c.id == maintenance_plan.c.equipment_id,
                ),
            )
        )
        .where(
            service_sheet.c.tenant_id == tx.tenant_id,
            equipment.c.site_id == site_id,
            service_sheet.c.signed_at_ms >= from_ms,
            service_sheet.c.cost_fen > 0,
        )
    )
    return found + [(EquipmentId(row.id), CostKind.CONTRACTOR, int(row.cost_fen)) for row in signed]


def costs_of(tx: Tx, equipment_id: EquipmentId, limit: int) -> list[Cost]:
    """Return what people noted as paid for one piece of equipment, the newest first."""
    # What was paid for this?
    rows = tx.conn.execute(
        sa.select(
            equipment_cost.c.spent_on,
            equipment_cost.c.kind,
            equipment_cost.c.amount_fen,
            equipment_cost.c.note,
        )
        .where(equipment_cost.c.tenant_id == tx.tenant_id, equipment_cost.c.equipment_id == equipment_id)
        .order_by(equipment_cost.c.spent_on.desc(), equipment_cost.c.id.desc())
        .limit(limit)
    )
    return [Cost(row.spent_on, CostKind(row.kind), row.amount_fen, row.note) for row in rows]
