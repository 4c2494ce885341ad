"""Work orders; at most one a plan and due date, which the database itself sees to."""

from collections.abc import Collection
from datetime import date
from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AlarmId, EquipmentId, PlanId, SiteId, WorkOrderId
from cloud.domain.work_order import WorkOrder, WorkOrderKind, WorkOrderState
from cloud.store.db import Tx
from cloud.store.schema import equipment, work_order

UNFINISHED = frozenset({WorkOrderState.OPEN, WorkOrderState.IN_PROGRESS})


def has_unfinished(tx: Tx, plan_id: PlanId) -> bool:
    """Tell whether somebody has already been asked to do a plan's work."""
    # Is there a work order for this plan?
    return bool(
        tx.conn.execute(
            sa.select(sa.literal(1))
            .where(
                work_order.c.tenant_id == tx.tenant_id,
                work_order.c.plan_id == plan_id,
                work_order.c.state.in_([state.value for state in UNFINISHED]),
            )
            .limit(1)
        ).scalar_one_or_none()
    )


def insert_work_order(
    tx: Tx,
    site_id: SiteId,
    number: str,
    kind: WorkOrderKind,
    equipment_id: EquipmentId,
    title: str,
    due_on: date,
    plan_id: PlanId | None = None,
    alarm_id: AlarmId | None = None,
) -> WorkOrderId | None:
    """Ask for work; None if the plan has a work order for that day."""
    work_order_id = WorkOrderId(tx.new_id())
    # Add one work order, unless the plan has one for the day.
    added = tx.conn.execute(
        tx.insert(work_order)
        .values(
            tenant_id=tx.tenant_id,
            id=work_order_id,
            site_id=site_id,
            number=number,
            kind=kind.value,
            equipment_id=equipment_id,
            plan_id=plan_id,
            alarm_id=alarm_id,
            state=WorkOrderState.OPEN.value,
            title=title,
            due_on=due_on,
            created_at_ms=tx.now_ms,
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "plan_id", "due_on"])
    ).rowcount
    return work_order_id if added else None


def set_state(tx: Tx, work_order_id: WorkOrderId, state: WorkOrderState) -> bool:
    """Move an unfinished work order on; tell whether it was unfinished."""
    # Move one work order on.
    return bool(
        tx.conn.execute(
            sa.update(work_order)
            .where(
                work_order.c.tenant_id == tx.tenant_id,
                work_order.c.id == work_order_id,
                work_order.c.state.in_([unfinished.value for unfinished in UNFINISHED]),
            )
            .values(
                state=state.value,
                completed_at_ms=tx.now_ms if state is WorkOrderState.DONE else None,
            )
        ).rowcount
    )


def finish_plan(tx: Tx, plan_id: PlanId) -> None:
    """Finish whatever has been asked for a plan: its work is done."""
    # The plan's work is done, by whichever order.
    tx.conn.execute(
        sa.update(work_order)
        .where(
            work_order.c.tenant_id == tx.tenant_id,
            work_order.c.plan_id == plan_id,
            work_order.c.state.in_([unfinished.value for unfinished in UNFINISHED]),
        )
        .values(state=WorkOrderState.DONE.value, completed_at_ms=tx.now_ms)
    )


def cancel_of_equipment(tx: Tx, equipment_id: EquipmentId) -> None:
    """Cancel whatever is still asked for a piece of equipment: it is no more."""
    # Nobody needs to do this any more.
    tx.conn.execute(
        sa.update(work_order)
        .where(
            work_order.c.tenant_id == tx.tenant_id,
            work_order.c.equipment_id == equipment_id,
            work_order.c.state.in_([unfinished.value for unfinished in UNFINISHED]),
        )
        .values(state=WorkOrderState.CANCELLED.value)
    )


def find_work_order(tx: Tx, work_order_id: WorkOrderId) -> WorkOrder | None:
    """Return one work order, or None."""
    # Which work order is this?
    row = tx.conn.execute(_select(tx).where(work_order.c.id == work_order_id)).one_or_none()
    return None if row is None else _from_row(row)


def list_work_orders(
    tx: Tx,
    site_id: SiteId,
    states: Collection[WorkOrderState],
    after: tuple[date, str] | None,
    limit: int,
    equipment_id: EquipmentId | None = None,
) -> list[WorkOrder]:
    """Return work orders in any of `states`, the earliest due first, those after `(due_on, number)`."""
    query = _select(tx).where(
        work_order.c.site_id == site_id, work_order.c.state.in_(sorted(state.value for state in states))
    )
    if equipment_id is not None:
        query = query.where(work_order.c.equipment_id == equipment_id)
    if after is not None:
        query = query.where(sa.tuple_(work_order.c.due_on, work_order.c.number) > after)
    # What is to be done, and by when?
    rows = tx.conn.execute(query.order_by(work_order.c.due_on, work_order.c.number).limit(limit))
    return [_from_row(row) for row in rows]


def count_unfinished(tx: Tx, site_id: SiteId, today: date) -> tuple[int, int]:
    """Return how many work orders are unfinished, and how many of them are past their day."""
    # How much work is waiting?
    row = tx.conn.execute(
        sa.select(sa.func.count(), sa.func.sum(sa.case((work_order.c.due_on < today, 1), else_=0))).where(
            work_order.c.tenant_id == tx.tenant_id,
            work_order.c.site_id == site_id,
            work_order.c.state.in_([state.value for state in UNFINISHED]),
        )
    ).one()
    return row[0], int(row[1] or 0)


def _select(tx: Tx) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [
        work_order.c.id,
        work_order.c.site_id,
        work_order.c.number,
        work_order.c.kind,
        work_order.c.equipment_id,
        equipment.c.name,
        work_order.c.plan_id,
        work_order.c.alarm_id,
        work_order.c.state,
        work_order.c.title,
        work_order.c.due_on,
        work_order.c.created_at_ms,
        work_order.c.completed_at_ms,
    ]
    return (
        sa.select(*columns)
        .join(
            equipment,
            sa.and_(
                equipment.c.tenant_id == work_order.c.tenant_id, equipment.c.id == work_order.c.equipment_id
            ),
        )
        .where(work_order.c.tenant_id == tx.tenant_id)
    )


def _from_row(row: Any) -> WorkOrder:
    return WorkOrder(
        WorkOrderId(row.id),
        SiteId(row.site_id),
        row.number,
        WorkOrderKind(row.kind),
        EquipmentId(row.equipment_id),
        row.name,
        None if row.plan_id is None else PlanId(row.plan_id),
        None if row.alarm_id is None else AlarmId(row.alarm_id),
        WorkOrderState(row.state),
        row.title,
        row.due_on,
        row.created_at_ms,
        row.completed_at_ms,
    )
