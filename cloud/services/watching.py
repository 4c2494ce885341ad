"""Watching what equipment says of itself: hours and trips that add up, values that leave their bounds.

The invariant: what counts is what was measured since the last signature, whenever it reached us. A total
keeps what it counted while nobody listened; a value that was beyond its limit and has come back was beyond
it all the same, and is noted for ever with its moment.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from cloud.domain.ids import PlanId
from cloud.domain.maintenance import MaintenancePlan, Trigger, TriggerKind, Watched, expected_day
from cloud.domain.periods import local_date, time_zone
from cloud.domain.premises import Site
from cloud.store import plans as plan_store
from cloud.store import readings
from cloud.store.db import Tx


def watched(
    tx: Tx, site: Site, plans: Sequence[MaintenancePlan], last: Mapping[PlanId, int]
) -> dict[PlanId, Watched]:
    """Return, of the plans that watch a point, what it has said since the last signature (or the start)."""
    zone = time_zone(site.time_zone)
    watching = {plan.plan_id: plan.trigger for plan in plans if plan.trigger is not None}
    noted = plan_store.reaches(tx, list(watching))
    found = {}
    for plan in plans:
        if plan.trigger is None:
            continue
        since_ms = last.get(plan.plan_id, _start_ms(plan, zone))
        reached = [at_ms for at_ms, _ in noted.get(plan.plan_id, ()) if at_ms > since_ms]
        heard, value = _said(tx, plan.trigger, since_ms)
        is_reached = value is not None and plan.trigger.is_reached(value)
        today, expected_on = local_date(tx.now_ms, zone), None
        if plan.trigger.kind is TriggerKind.USAGE and value is not None and not (reached or is_reached):
            since = local_date(since_ms, zone)
            expected_on = expected_day(value, plan.trigger.limit_micro, since, today)
        reached_on = local_date(reached[0], zone) if reached else (today if is_reached else None)
        found[plan.plan_id] = Watched(value, heard, reached_on, expected_on)
    return found


def note_reached(tx: Tx, site: Site) -> int:
    """Note when the points of a site's plans first reached their limits since the last signature."""
    zone = time_zone(site.time_zone)
    today = local_date(tx.now_ms, zone)
    plans = [one for one in plan_store.list_plans(tx, site.site_id, today) if one.trigger is not None]
    last = plan_store.last_completions(tx, [one.plan_id for one in plans])
    noted = plan_store.reaches(tx, [one.plan_id for one in plans])
    count = 0
    for plan in plans:
        since_ms = last.get(plan.plan_id, _start_ms(plan, zone))
        if plan.trigger is None or any(at_ms > since_ms for at_ms, _ in noted.get(plan.plan_id, ())):
            continue
        reach = _first_reach(tx, plan.trigger, since_ms)
        if reach is not None:
            plan_store.note_reach(tx, plan.plan_id, *reach)
            count += 1
    return count


def _first_reach(tx: Tx, trigger: Trigger, since_ms: int) -> tuple[int, int] | None:
    """Return when a point first reached its limit after an instant, and what it said then."""
    limit_micro = trigger.limit_micro
    if trigger.kind is TriggerKind.USAGE:
        _, used = _said(tx, trigger, since_ms)
        base = _base(tx, trigger, since_ms)
        # The newest total tells whether there is anything to look for.
        if base is None or used is None or used < limit_micro:
            return None
        limit_micro += base
    is_below = trigger.kind is TriggerKind.BELOW
    found = readings.first_reaching(tx, trigger.series_id, since_ms, limit_micro, is_below=is_below)
    if found is None or found.value_micro is None:
        return None
    return found.measured_at_ms, found.value_micro


def _said(tx: Tx, trigger: Trigger, since_ms: int) -> tuple[int | None, int | None]:
    """Return when a point last spoke and what it says: of a total, what it has grown by since then."""
    now = readings.last_at_or_before(tx, trigger.series_id, tx.now_ms)
    if now is None or now.value_micro is None:
        return None, None
    if trigger.kind is not TriggerKind.USAGE:
        return now.measured_at_ms, now.value_micro
    base = _base(tx, trigger, since_ms)
    if base is None:
        return now.measured_at_ms, None
    # A counter that was exchanged begins anew: what it shows has been used for certain.
    used = now.value_micro - base
    return now.measured_at_ms, used if used >= 0 else now.value_micro


def _base(tx: Tx, trigger: Trigger, since_ms: int) -> int | None:
    """Return what a total showed at an instant: what it said last before, or else first after."""
    before = readings.last_at_or_before(tx, trigger.series_id, since_ms)
    found = before or readings.first_at_or_after(tx, trigger.series_id, since_ms)
    return None if found is None else found.value_micro


def _start_ms(plan: MaintenancePlan, zone: ZoneInfo) -> int:
    """Return the moment a plan that was never signed counts from: a whole round before it is first due."""
    begins_on = plan.starts_on - timedelta(days=plan.interval_days)
    return int(datetime.combine(begins_on, time(), zone).timestamp() * 1000)
