"""Response plans as sites have written them, and the steps done at alarms."""

from typing import Any

import sqlalchemy as sa

from cloud.domain.ids import AlarmId, SiteId, UserId
from cloud.domain.response_plan import DoneStep, PlanKind, PlanStep, ResponsePlan
from cloud.store.db import Tx
from cloud.store.schema import alarm_step, app_user, response_plan

_P, _S = response_plan.c, alarm_step.c


def insert_plan(tx: Tx, site_id: SiteId, plan: ResponsePlan) -> bool:
    """Add the next version of a plan; False if somebody else has just added it."""
    # Add one version.
    return bool(
        tx.conn.execute(
            tx.insert(response_plan)
            .values(
                tenant_id=tx.tenant_id,
                site_id=site_id,
                kind=plan.kind.value,
                version=plan.version,
                steps=[[step.chinese, step.english] for step in plan.steps],
                written_by=plan.written_by,
                written_at_ms=tx.now_ms,
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def plan_at(tx: Tx, site_id: SiteId, kind: PlanKind, at_ms: int) -> ResponsePlan | None:
    """Return the version of a site's plan that was in force at an instant; None if none was written yet."""
    found = _plans(tx, sa.and_(_P.site_id == site_id, _P.kind == kind.value, _P.written_at_ms <= at_ms), 1)
    return found[0] if found else None


def versions(tx: Tx, site_id: SiteId, kind: PlanKind, limit: int) -> list[ResponsePlan]:
    """Return the versions of a site's plan, the newest first."""
    return _plans(tx, sa.and_(_P.site_id == site_id, _P.kind == kind.value), limit)


def done_steps(tx: Tx, alarm_id: AlarmId) -> list[DoneStep]:
    """Return which steps were done at an alarm, in their order."""
    who = sa.and_(app_user.c.tenant_id == _S.tenant_id, app_user.c.id == _S.user_id)
    # Which steps were done, by whom?
    rows = tx.conn.execute(
        sa.select(_S.step_no, _S.at_ms, _S.user_id, app_user.c.display_name)
        .select_from(alarm_step.join(app_user, who))
        .where(_S.tenant_id == tx.tenant_id, _S.alarm_id == alarm_id)
        .order_by(_S.step_no)
    )
    return [DoneStep(row.step_no, row.at_ms, UserId(row.user_id), row.display_name) for row in rows]


def insert_done(tx: Tx, alarm_id: AlarmId, step_no: int, user_id: UserId) -> bool:
    """Note that a step was done; False if it was already."""
    # Add one tick.
    return bool(
        tx.conn.execute(
            tx.insert(alarm_step)
            .values(
                tenant_id=tx.tenant_id, alarm_id=alarm_id, step_no=step_no, user_id=user_id, at_ms=tx.now_ms
            )
            .on_conflict_do_nothing()
        ).rowcount
    )


def delete_done(tx: Tx, alarm_id: AlarmId, step_no: int) -> bool:
    """Take the tick of a step back; False if there was none."""
    # Forget one tick.
    return bool(
        tx.conn.execute(
            sa.delete(alarm_step).where(
                _S.tenant_id == tx.tenant_id, _S.alarm_id == alarm_id, _S.step_no == step_no
            )
        ).rowcount
    )


def _plans(tx: Tx, which: sa.ColumnElement[bool], limit: int) -> list[ResponsePlan]:
    who = sa.and_(app_user.c.tenant_id == _P.tenant_id, app_user.c.id == _P.written_by)
    # Which versions are there?
    rows: Any = tx.conn.execute(
        sa.select(response_plan, app_user.c.display_name)
        .select_from(response_plan.outerjoin(app_user, who))
        .where(_P.tenant_id == tx.tenant_id, which)
        .order_by(_P.version.desc())
        .limit(limit)
    )
    return [
        ResponsePlan(
            PlanKind(row.kind),
            row.version,
            tuple(PlanStep(chinese, english) for chinese, english in row.steps),
            None if row.written_by is None else UserId(row.written_by),
            row.display_name or "",
            row.written_at_ms,
        )
        for row in rows
    ]
