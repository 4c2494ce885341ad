"""The part of a site document that must be looked after: equipment, plans, and signatures so far."""

from collections.abc import Sequence
from decimal import Decimal

from cloud.domain.equipment import Equipment, Purchase
from cloud.domain.errors import Invalid
from cloud.domain.ids import EquipmentId, PlanId
from cloud.domain.maintenance import Completion, MaintenancePlan, Trigger
from cloud.domain.site_document import EquipmentEntry, PlanEntry
from cloud.services.setup_known import Known
from cloud.store import equipment
from cloud.store import plans as plan_store
from protocol.quantity import micro_from_decimal


def load_equipment(known: Known, entries: Sequence[EquipmentEntry]) -> None:
    """Add equipment with its plans and what was signed before."""
    there = {one.code: one for one in equipment.list_equipment(known.tx, known.site_id)}
    for number, entry in enumerate(entries):
        place = f"/equipment/{number}"
        said = _said(known, place, entry)
        if said is None:
            continue
        found = there.get(entry.code)
        if found is None:
            equipment.insert_equipment(known.tx, said)
            there[entry.code] = found = said
        else:
            known.compare(
                place,
                kind=(found.kind.value, said.kind.value),
                name=(found.name, said.name),
                model=(found.model, said.model),
                serial_number=(found.serial_number, said.serial_number),
                device=(found.device_id, said.device_id),
            )
        for plan_number, plan in enumerate(entry.plans):
            _load_plan(known, f"{place}/plans/{plan_number}", found.equipment_id, plan)


def _said(known: Known, place: str, entry: EquipmentEntry) -> Equipment | None:
    try:
        return Equipment(
            EquipmentId(known.tx.new_id()),
            known.site_id,
            known.find(known.buildings, entry.building, f"{place}/building", "building"),
            known.find(known.spaces, entry.space, f"{place}/space", "space"),
            known.find(known.devices, entry.device, f"{place}/device", "device"),
            entry.code,
            entry.kind,
            entry.name,
            entry.brand,
            entry.model,
            entry.serial_number,
            entry.place,
            Purchase(entry.purchased_on, entry.price_fen, entry.supplier, entry.warranty_until_on),
        )
    except Invalid as error:
        known.wrong(place, str(error))
        return None


def _load_plan(known: Known, place: str, equipment_id: EquipmentId, entry: PlanEntry) -> None:
    # A plan that has ended still has its code.
    there = {plan.code: plan for plan in plan_store.plans_of(known.tx, equipment_id, entry.starts_on)}
    found = there.get(entry.code)
    if found is None:
        found = MaintenancePlan(
            PlanId(known.tx.new_id()),
            equipment_id,
            entry.code,
            entry.title,
            entry.basis,
            entry.interval_days,
            entry.lead_days,
            entry.starts_on,
            None,
            entry.checklist,
            entry.cycle,
            _trigger(known, place, entry),
        )
        if not plan_store.insert_plan(known.tx, found):
            known.wrong(place, f"the plan {entry.code!r} has ended: give the new one another code")
            return
    else:
        known.compare(
            place,
            interval_days=(found.interval_days, entry.interval_days),
            lead_days=(found.lead_days, entry.lead_days),
        )
    for number, done in enumerate(entry.completions):
        if done.completed_at_ms > known.tx.now_ms:
            known.wrong(f"{place}/completions/{number}", "a signature cannot be from the future")
            continue
        # The same signature again is the same.
        plan_store.insert_completion(
            known.tx,
            Completion(found.plan_id, done.completed_at_ms, done.signed_by, done.note),
            known.actor.person_id,
        )


def _trigger(known: Known, place: str, entry: PlanEntry) -> Trigger | None:
    said = entry.trigger
    if said is None:
        return None
    series_id = known.find(known.series, said.point, f"{place}/trigger/point", "point")
    limit_micro = micro_from_decimal(Decimal(said.limit))
    return None if series_id is None else Trigger(said.kind, series_id, limit_micro)
