"""Equipment: what there is, where its maintenance stands, and what its device says."""

from cloud.domain.access import Action, require
from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentStatus
from cloud.domain.errors import NotFound
from cloud.domain.ids import EquipmentId, SiteId
from cloud.domain.maintenance import MaintenanceClock
from cloud.domain.premises import Site
from cloud.domain.user import User
from cloud.domain.work_order import WorkOrderState
from cloud.services.maintenance import clocks_of, today_at
from cloud.services.premises import site_of
from cloud.store import alarms, equipment, points, work_orders
from cloud.store.db import Tx

# A year of half-monthly visits, and then some.
COMPLETIONS_SHOWN = 30
WORK_ORDERS_SHOWN = 30


def list_equipment(tx: Tx, actor: User, site_id: SiteId) -> list[EquipmentStatus]:
    """Return a site's equipment, what is due soonest first, then what has no plan, by kind and code."""
    require(actor, Action.READ_EQUIPMENT)
    site = site_of(tx, site_id)
    clocks: dict[EquipmentId, list[MaintenanceClock]] = {}
    for clock in clocks_of(tx, site, equipment.list_plans(tx, site_id, today_at(tx, site))):
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
    found = equipment.find_equipment(tx, equipment_id)
    if found is None:
        raise NotFound(f"there is no equipment {equipment_id}")
    site = site_of(tx, found.site_id)
    status = _status(tx, site, found)
    completions = [
        completion
        for clock in status.clocks
        for completion in equipment.completions_of(tx, clock.plan.plan_id, COMPLETIONS_SHOWN)
    ]
    orders = work_orders.list_work_orders(
        tx, site.site_id, frozenset(WorkOrderState), None, WORK_ORDERS_SHOWN, equipment_id
    )
    return EquipmentDetail(
        status,
        () if found.device_id is None else tuple(points.values_of_device(tx, found.device_id)),
        tuple(sorted(completions, key=lambda completion: -completion.completed_at_ms)),
        tuple(orders),
    )


def _status(tx: Tx, site: Site, one: Equipment) -> EquipmentStatus:
    clocks = clocks_of(tx, site, equipment.plans_of(tx, one.equipment_id, today_at(tx, site)))
    open_alarms = alarms.count_open_by_device(tx, site.site_id)
    return EquipmentStatus(
        one,
        tuple(sorted(clocks, key=lambda clock: clock.due_on)),
        0 if one.device_id is None else open_alarms.get(one.device_id, 0),
    )
