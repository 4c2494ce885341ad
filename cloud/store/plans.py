"""Maintenance plans, the completions their clocks count from, and when their points asked for service."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.checklist import Cycle
from cloud.domain.ids import EquipmentId, PlanId, SeriesId, SiteId, UserId, WorkOrderId
from cloud.domain.maintenance import Completion, MaintenancePlan, Trigger, TriggerKind
from cloud.store.db import Tx
from cloud.store.schema import equipment, maintenance_completion, maintenance_plan, plan_reach


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
                **_terms(added),
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "equipment_id", "code"])
        ).rowcount
    )


def update_plan(tx: Tx, changed: MaintenancePlan) -> None:
    """Let a plan say something else from now on; its code and its completions stay."""
    # Correct one plan.
    tx.conn.execute(
        sa.update(maintenance_plan)
        .where(maintenance_plan.c.tenant_id == tx.tenant_id, maintenance_plan.c.id == changed.plan_id)
        .values(_terms(changed))
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


def completions_since(tx: Tx, site_id: SiteId, from_ms: int) -> list[tuple[EquipmentId, str, Completion]]:
    """Return what was signed on a site since an instant, oldest first, with whose and which it was."""
    # What was looked after lately?
    rows = tx.conn.execute(
        sa.select(
            maintenance_plan.c.equipment_id,
            maintenance_plan.c.title,
            maintenance_completion.c.plan_id,
            maintenance_completion.c.completed_at_ms,
            maintenance_completion.c.signed_by,
            maintenance_completion.c.note,
        )
        .join(
            maintenance_plan,
            sa.and_(
                maintenance_plan.c.tenant_id == maintenance_completion.c.tenant_id,
                maintenance_plan.c.id == maintenance_completion.c.plan_id,
            ),
        )
        .join(
            equipment,
            sa.and_(
                equipment.c.tenant_id == maintenance_plan.c.tenant_id,
                equipment.c.id == maintenance_plan.c.equipment_id,
            ),
        )
        .where(
            maintenance_completion.c.tenant_id == tx.tenant_id,
            equipment.c.site_id == site_id,
            maintenance_completion.c.completed_at_ms >= from_ms,
        )
        .order_by(maintenance_completion.c.completed_at_ms)
    )
    return [
        (
            EquipmentId(row.equipment_id),
            row.title,
            Completion(PlanId(row.plan_id), row.completed_at_ms, row.signed_by, row.note),
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


def reaches(tx: Tx, plan_ids: Collection[PlanId]) -> dict[PlanId, list[tuple[int, int]]]:
    """Return when the points of plans reached their limits, and with which values, by plan, oldest first."""
    found: dict[PlanId, list[tuple[int, int]]] = {}
    if plan_ids:
        # When did the equipment itself ask for service?
        rows = tx.conn.execute(
            sa.select(plan_reach.c.plan_id, plan_reach.c.reached_at_ms, plan_reach.c.value_micro)
            .where(plan_reach.c.tenant_id == tx.tenant_id, plan_reach.c.plan_id.in_(sorted(plan_ids)))
            .order_by(plan_reach.c.reached_at_ms)
        )
        for row in rows:
            found.setdefault(PlanId(row.plan_id), []).append((row.reached_at_ms, row.value_micro))
    return found


def note_reach(tx: Tx, plan_id: PlanId, reached_at_ms: int, value_micro: int) -> None:
    """Note that a plan's point reached its limit at a moment; noted once."""
    # Remember what asked for the service.
    tx.conn.execute(
        tx.insert(plan_reach)
        .values(
            tenant_id=tx.tenant_id,
            plan_id=plan_id,
            reached_at_ms=reached_at_ms,
            value_micro=value_micro,
            noted_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "plan_id", "reached_at_ms"])
    )


def _is_in_force(today: date) -> sa.ColumnElement[bool]:
    return sa.or_(maintenance_plan.c.ends_on.is_(None), maintenance_plan.c.ends_on > today)


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
            maintenance_plan.c.trigger_kind,
            maintenance_plan.c.trigger_series_id,
            maintenance_plan.c.trigger_limit_micro,
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
            None
            if row.trigger_kind is None
            else Trigger(
                TriggerKind(row.trigger_kind), SeriesId(row.trigger_series_id), row.trigger_limit_micro
            ),
        )
        for row in rows
    ]


def _terms(plan: MaintenancePlan) -> dict[str, Any]:
    trigger = plan.trigger
    return {
        "title": plan.title,
        "basis": plan.basis,
        "interval_days": plan.interval_days,
        "lead_days": plan.lead_days,
        "starts_on": plan.starts_on,
        "ends_on": plan.ends_on,
        "checklist_code": plan.checklist_code or None,
        "cycle": plan.cycle.value or None,
        "trigger_kind": None if trigger is None else trigger.kind.value,
        "trigger_series_id": None if trigger is None else trigger.series_id,
        "trigger_limit_micro": None if trigger is None else trigger.limit_micro,
    }
