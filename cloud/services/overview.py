"""The manager's first page: a few numbers, and one queue of what needs a person now.

The invariant: everything is read in one snapshot, and every number is either measured and fresh or None.
"""

from collections.abc import Sequence
from types import MappingProxyType

from cloud.domain.access import Action, require
from cloud.domain.alarm import OPEN_STATES, Alarm
from cloud.domain.alarm_group import AlarmGroup, grouped
from cloud.domain.gateway import Gateway, GatewayState
from cloud.domain.ids import SiteId
from cloud.domain.maintenance import ClockState, MaintenanceClock
from cloud.domain.meter import FRESH_WITHIN_MS, Freshness, MeterRow
from cloud.domain.overview import Consequence, Need, NeedKind, Overview, in_order
from cloud.domain.periods import midnight_ms, time_zone
from cloud.domain.premises import Commodity, Site
from cloud.domain.user import User
from cloud.services.maintenance import clocks_of, today_at
from cloud.services.premises import site_of
from cloud.services.waiting import office_needs
from cloud.store import (
    alarms,
    equipment,
    events,
    gateways,
    ingest,
    meter_rows,
    meters,
    points,
    readings,
    work_orders,
)
from cloud.store import plans as plan_store
from cloud.store.db import Tx
from protocol.event import Severity
from protocol.reading import Quality

EVENTS_SHOWN = 12
# A queue longer than a screen is a list: pages of their own show the rest.
ALARMS_SHOWN = 20
ALARMS_READ = 500
METERS_READ = 500

# What each condition puts at stake; a kind not named here is judged by its severity.
_AT_STAKE = MappingProxyType(
    {
        "command_result_refused": Consequence.SAFETY,
        "device_offline": Consequence.MONEY,
        "door_forced": Consequence.SAFETY,
        "fire_alarm": Consequence.SAFETY,
        "gateway_certificate_expiring": Consequence.MONEY,
        "gateway_clock": Consequence.MONEY,
        "gateway_doubled": Consequence.SAFETY,
        "gateway_offline": Consequence.MONEY,
        "gateway_rolled_back": Consequence.SAFETY,
        "gateway_storage_fault": Consequence.SAFETY,
        "lift_fault": Consequence.SAFETY,
        "line_down": Consequence.MONEY,
        "line_silent": Consequence.MONEY,
        "stale": Consequence.MONEY,
        "system_fault": Consequence.SAFETY,
        "tamper": Consequence.SAFETY,
        "trapped_person": Consequence.SAFETY,
        "water_leak": Consequence.SAFETY,
    }
)
_BY_SEVERITY = MappingProxyType(
    {
        Severity.INFO: Consequence.RECORD,
        Severity.MINOR: Consequence.RECORD,
        Severity.MAJOR: Consequence.MONEY,
        Severity.CRITICAL: Consequence.SAFETY,
    }
)


def overview(tx: Tx, actor: User, site_id: SiteId) -> Overview:
    """Return the first page of a site as it is now."""
    require(actor, Action.READ_OVERVIEW)
    site = site_of(tx, site_id)
    today = today_at(tx, site)
    boxes = gateways.list_gateways(tx, site_id)
    grades = meter_rows.count_by_freshness(tx, site_id)
    masters = meter_rows.master_rows(tx, site_id, today)
    open_count, unacknowledged, worst = alarms.count_open(tx, site_id)
    unfinished, overdue = work_orders.count_unfinished(tx, site_id, today)
    load = _load(tx, masters)
    return Overview(
        site_id,
        site.code,
        site.name,
        site.time_zone,
        tx.now_ms,
        today,
        sum(box.state is GatewayState.ONLINE for box in boxes),
        sum(box.state is not GatewayState.REVOKED for box in boxes),
        grades[Freshness.FRESH],
        sum(grades.values()),
        None if load is None else load[0],
        None if load is None else load[1],
        _grown_today(tx, site, masters, Commodity.WATER),
        _grown_today(tx, site, masters, Commodity.ELECTRICITY),
        open_count,
        unacknowledged,
        worst,
        unfinished,
        overdue,
        needs(tx, actor, site_id),
        tuple(events.list_events(tx, site_id, None, EVENTS_SHOWN)),
    )


def needs(tx: Tx, actor: User, site_id: SiteId) -> tuple[Need, ...]:
    """Return what needs a person now, the gravest consequence first, then the nearest deadline."""
    require(actor, Action.READ_OVERVIEW)
    site = site_of(tx, site_id)
    open_alarms = _open_alarms(tx, site_id)
    found = [_from_alarms(group) for group in grouped(open_alarms)[:ALARMS_SHOWN]]
    told = {alarm.gateway_id for alarm in open_alarms if alarm.kind == "gateway_offline"}
    names = {one.equipment_id: one.name for one in equipment.list_equipment(tx, site_id)}
    plans = plan_store.list_plans(tx, site_id, today_at(tx, site))
    found += [
        _from_clock(clock, names[clock.plan.equipment_id])
        for clock in clocks_of(tx, site, plans)
        if clock.state is not ClockState.OK
    ]
    found += [
        _from_gateway(box)
        for box in gateways.list_gateways(tx, site_id)
        if box.state is GatewayState.OFFLINE and box.gateway_id not in told
    ]
    found += _from_meters(meter_rows.doubtful_rows(tx, site_id, today_at(tx, site), METERS_READ))
    problems = ingest.list_problems(tx, None, only_open=True, limit=100)
    if problems:
        first = problems[0]
        found.append(
            Need(
                NeedKind.INGEST_PROBLEM,
                Consequence.RECORD,
                first.problem_id,
                first.gateway_code,
                first.code,
                first.detail,
                Severity.MINOR,
                min(problem.received_at_ms for problem in problems),
                None,
                len(problems),
            )
        )
    return in_order(found + office_needs(tx, site_id))


def _open_alarms(tx: Tx, site_id: SiteId) -> list[Alarm]:
    return alarms.list_alarms(tx, site_id, OPEN_STATES, worst_first=True, before=None, limit=ALARMS_READ)


def _from_alarms(group: AlarmGroup) -> Need:
    alarm = group.latest
    return Need(
        NeedKind.ALARM,
        _AT_STAKE.get(alarm.kind, _BY_SEVERITY[alarm.severity]),
        alarm.alarm_id,
        alarm.device_title,
        alarm.kind,
        alarm.message,
        alarm.severity,
        group.since_ms,
        None,
        len(group.alarms),
    )


def _from_clock(clock: MaintenanceClock, name: str) -> Need:
    is_overdue = clock.state is ClockState.OVERDUE
    return Need(
        NeedKind.MAINTENANCE_OVERDUE if is_overdue else NeedKind.MAINTENANCE_DUE,
        Consequence.LAW,
        clock.plan.plan_id,
        name,
        clock.plan.title,
        clock.plan.basis,
        Severity.MAJOR if is_overdue else Severity.MINOR,
        None,
        clock.due_on,
    )


def _from_gateway(box: Gateway) -> Need:
    return Need(
        NeedKind.GATEWAY_OFFLINE,
        Consequence.MONEY,
        box.gateway_id,
        box.name,
        box.code,
        "",
        Severity.MAJOR,
        box.last_seen_at_ms,
        None,
        box.device_count,
    )


def _from_meters(rows: Sequence[MeterRow]) -> list[Need]:
    """Return one line for all meters that are silent, and one for each whose value a person must decide."""
    silent = [row for row in rows if row.freshness in (Freshness.SILENT, Freshness.NEVER)]
    found = [
        Need(
            NeedKind.READING_HELD,
            Consequence.MONEY,
            row.installation_id,
            row.space_code or row.service_point_code,
            row.serial,
            row.reason,
            Severity.MAJOR,
            row.measured_at_ms,
            None,
        )
        for row in rows
        if row.quality is Quality.HELD
    ]
    if silent:
        # The one silent for longest speaks for all of them.
        row = silent[0]
        found.append(
            Need(
                NeedKind.METER_SILENT,
                Consequence.MONEY,
                row.installation_id,
                row.space_code or row.service_point_code,
                row.serial,
                row.reason,
                Severity.MINOR,
                row.valued_at_ms,
                None,
                len(silent),
            )
        )
    return found


def _load(tx: Tx, masters: Sequence[MeterRow]) -> tuple[int, int] | None:
    """Return the power of all electricity masters together and the age of its oldest part.

    None unless every one of them is fresh: part of a building's load is not its load.
    """
    total_micro, oldest_ms = 0, tx.now_ms
    electricity = [row for row in masters if row.commodity is Commodity.ELECTRICITY]
    for row in electricity:
        device_id = None if row.series_id is None else meters.device_of_series(tx, row.series_id)
        values = [] if device_id is None else points.values_of_device(tx, device_id)
        power = next((value for value in values if value.point.quantity == "active_power"), None)
        if power is None or power.value_micro is None or power.measured_at_ms is None:
            return None
        if tx.now_ms - power.measured_at_ms > FRESH_WITHIN_MS:
            return None
        total_micro += int(power.value_micro * row.multiplier)
        oldest_ms = min(oldest_ms, power.measured_at_ms)
    return (total_micro, oldest_ms) if electricity else None


def _grown_today(tx: Tx, site: Site, masters: Sequence[MeterRow], commodity: Commodity) -> int | None:
    """Return what the master registers of a commodity have grown by since local midnight.

    None unless each was read near midnight and has been read since.
    """
    begun_ms = midnight_ms(today_at(tx, site), time_zone(site.time_zone))
    grown_micro, count = 0, 0
    for row in masters:
        if row.commodity is not commodity:
            continue
        count += 1
        if row.series_id is None or row.valued_at_ms is None or row.last_value_micro is None:
            return None
        [(_, register)] = readings.register_at(tx, row.series_id, [begun_ms], FRESH_WITHIN_MS)
        if register is None or row.valued_at_ms < begun_ms or row.last_value_micro < register:
            return None
        grown_micro += int((row.last_value_micro - register) * row.multiplier)
    return grown_micro if count else None
