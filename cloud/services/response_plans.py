"""Response plans: what is to be done at an alarm, ticked as it is done; a site's own, version by version."""

from collections.abc import Sequence

from cloud.domain.access import Action, require
from cloud.domain.alarm import Alarm
from cloud.domain.errors import Conflict, NotFound
from cloud.domain.ids import AlarmId, SiteId
from cloud.domain.response_plan import PlanAtAlarm, PlanKind, PlanStep, ResponsePlan, plan_kind_of
from cloud.domain.user import User
from cloud.response_plans import built_in
from cloud.services.premises import site_of
from cloud.store import alarms, audit, response_plans
from cloud.store.db import Tx

VERSIONS_SHOWN = 20


def list_plans(tx: Tx, actor: User, site_id: SiteId) -> list[ResponsePlan]:
    """Return what is in force at a site for every kind of emergency."""
    require(actor, Action.READ_ALARMS)
    site_of(tx, site_id)
    return [_at(tx, site_id, kind, tx.now_ms) for kind in PlanKind]


def versions(tx: Tx, actor: User, site_id: SiteId, kind: PlanKind) -> list[ResponsePlan]:
    """Return the versions of a site's plan, the newest first, down to the one the program comes with."""
    require(actor, Action.READ_ALARMS)
    site_of(tx, site_id)
    return [*response_plans.versions(tx, site_id, kind, VERSIONS_SHOWN), built_in(kind)]


def write_plan(
    tx: Tx, actor: User, site_id: SiteId, kind: PlanKind, steps: Sequence[PlanStep]
) -> ResponsePlan:
    """Write the next version of a site's plan; alarms raised before keep the one they had."""
    require(actor, Action.MANAGE_RESPONSE_PLANS)
    site_of(tx, site_id)
    before = _at(tx, site_id, kind, tx.now_ms)
    number = before.version + 1
    written = ResponsePlan(kind, number, tuple(steps), actor.person_id, actor.display_name, tx.now_ms)
    if written.steps == before.steps:
        return before
    if not response_plans.insert_plan(tx, site_id, written):
        raise Conflict("somebody else has just changed this plan: look at it again")
    details = {"kind": kind.value, "version": number}
    audit.record(tx, actor.user_id, "write_response_plan", "site", site_id, details)
    return written


def at_alarm(tx: Tx, actor: User, alarm: Alarm) -> PlanAtAlarm:
    """Return the plan that was in force when the alarm was raised, and which of its steps were done."""
    require(actor, Action.READ_ALARMS)
    plan = _at(tx, alarm.site_id, plan_kind_of(alarm.kind), alarm.raised_at_ms)
    return PlanAtAlarm(plan, {one.step_no: one for one in response_plans.done_steps(tx, alarm.alarm_id)})


def at_alarm_id(tx: Tx, actor: User, alarm_id: AlarmId) -> PlanAtAlarm:
    """Return the plan of an alarm by its id."""
    require(actor, Action.READ_ALARMS)
    return at_alarm(tx, actor, _alarm(tx, alarm_id))


def tick(tx: Tx, actor: User, alarm_id: AlarmId, step_no: int, *, is_done: bool) -> PlanAtAlarm:
    """Say that a step was done, or take that back; said twice, the first one who said it stays."""
    require(actor, Action.ACKNOWLEDGE_ALARM)
    alarm = _alarm(tx, alarm_id)
    found = at_alarm(tx, actor, alarm)
    if not 1 <= step_no <= len(found.plan.steps):
        raise NotFound(f"the plan has {len(found.plan.steps)} steps, there is no step {step_no}")
    if is_done:
        response_plans.insert_done(tx, alarm_id, step_no, actor.user_id)
    elif response_plans.delete_done(tx, alarm_id, step_no):
        audit.record(tx, actor.user_id, "untick_step", "alarm", alarm_id, {"step_no": step_no})
    return at_alarm(tx, actor, alarm)


def _at(tx: Tx, site_id: SiteId, kind: PlanKind, at_ms: int) -> ResponsePlan:
    return response_plans.plan_at(tx, site_id, kind, at_ms) or built_in(kind)


def _alarm(tx: Tx, alarm_id: AlarmId) -> Alarm:
    found = alarms.find_alarm(tx, alarm_id)
    if found is None:
        raise NotFound(f"there is no alarm {alarm_id}")
    return found
