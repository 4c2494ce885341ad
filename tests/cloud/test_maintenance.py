"""The compliance clock cannot be stopped: not by an outage of ours, not by a job that did not run."""

from datetime import date, timedelta

import pytest

from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.ids import EquipmentId, PlanId, SiteId
from cloud.domain.maintenance import ClockState, MaintenanceClock, MaintenancePlan, clock_on
from cloud.domain.user import Role, SessionLimits, User, system_user
from cloud.domain.work_order import WorkOrderState
from cloud.services import calendar, equipment, maintenance
from cloud.store import equipment as equipment_store
from cloud.store import plans as plan_store
from cloud.store import schema
from cloud.store.db import Database, Tx
from tests.cloud.garden import add_manager, add_site, count
from tests.databases import TENANT, FakeClock

_LIMITS = SessionLimits(1, 1)

# The clock of tests stands at 2026-11-24 08:00 in Shanghai.
_TODAY = date(2026, 11, 24)


def _plan(starts_on: date = _TODAY, interval_days: int = 15, lead_days: int = 3) -> MaintenancePlan:
    """A lift's half-monthly maintenance, TSG T5002-2017."""
    return MaintenancePlan(
        PlanId("p"),
        EquipmentId("e"),
        "half-month",
        "半月维保",
        "TSG T5002-2017",
        interval_days,
        lead_days,
        starts_on,
        None,
    )


@pytest.mark.parametrize(
    ("days_since", "state", "days_left"),
    [
        pytest.param(0, ClockState.OK, 15, id="signed today"),
        pytest.param(11, ClockState.OK, 4, id="a day before the lead time"),
        pytest.param(12, ClockState.DUE_SOON, 3, id="the lead time begins"),
        pytest.param(14, ClockState.DUE_SOON, 1, id="tomorrow"),
        pytest.param(15, ClockState.DUE_TODAY, 0, id="the last day"),
        pytest.param(16, ClockState.OVERDUE, -1, id="a day late"),
        pytest.param(400, ClockState.OVERDUE, -385, id="a year late"),
    ],
)
def test_a_plan_is_due_its_interval_after_the_last_signature(
    days_since: int, state: ClockState, days_left: int
) -> None:
    clock = clock_on(_plan(), _TODAY - timedelta(days=days_since), _TODAY)

    assert (clock.state, clock.days_left, clock.day_number) == (state, days_left, days_since)


def test_a_plan_never_signed_is_due_when_it_starts() -> None:
    clock = clock_on(_plan(starts_on=_TODAY + timedelta(days=2)), None, _TODAY)

    assert (clock.due_on, clock.state) == (date(2026, 11, 26), ClockState.DUE_SOON)


def _lift(database: Database, site_id: SiteId, starts_on: date, **more: int) -> tuple[EquipmentId, PlanId]:
    def work(tx: Tx) -> tuple[EquipmentId, PlanId]:
        one = Equipment(
            EquipmentId(tx.new_id()),
            site_id,
            None,
            None,
            None,
            f"lift-{tx.new_id()}",
            EquipmentKind.LIFT,
            "1 号电梯",
            "",
            "",
            "",
        )
        equipment_store.insert_equipment(tx, one)
        interval, lead = more.get("interval_days", 15), more.get("lead_days", 3)
        plan = MaintenancePlan(
            PlanId(tx.new_id()),
            one.equipment_id,
            "half-month",
            "半月维保",
            "",
            interval,
            lead,
            starts_on,
            None,
        )
        plan_store.insert_plan(tx, plan)
        return one.equipment_id, plan.plan_id

    return database.write_now(TENANT, work)


def _turn(database: Database) -> dict[str, int]:
    return database.write_now(TENANT, calendar.turn, system_user(TENANT), _LIMITS)


def _clock(database: Database, manager: User, site_id: SiteId) -> MaintenanceClock:
    [clock] = database.read_now(TENANT, maintenance.clocks, manager, site_id)
    return clock


def test_an_outage_of_twenty_days_hides_nothing(database: Database, clock: FakeClock) -> None:
    site_id, manager = add_site(database), add_manager(database)
    _, plan_id = _lift(database, site_id, _TODAY)
    database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工")
    assert _turn(database)["work_orders"] == 0

    clock.advance(days=20)  # nobody runs anything, nobody looks

    late = _clock(database, manager, site_id)
    assert (late.state, late.due_on, late.days_left, late.day_number) == (
        ClockState.OVERDUE,
        date(2026, 12, 9),
        -5,
        20,
    )
    assert _turn(database)["work_orders"] == 1
    [order] = database.read_now(TENANT, maintenance.list_work_orders, manager, site_id).items
    assert (order.due_on, order.is_overdue(date(2026, 12, 14)), order.number) == (
        date(2026, 12, 9),
        True,
        "DG-W-2026-0001",
    )


def test_work_is_asked_for_once_however_often_the_calendar_turns(
    database: Database, clock: FakeClock
) -> None:
    site_id = add_site(database)
    _lift(database, site_id, _TODAY + timedelta(days=3))

    made = []
    for _ in range(8):
        made += [_turn(database)["work_orders"], _turn(database)["work_orders"]]
        clock.advance(days=1)

    assert made == [1] + [0] * 15
    assert count(database, schema.work_order) == 1


def test_work_is_asked_for_when_the_lead_time_begins_and_not_before(
    database: Database, clock: FakeClock
) -> None:
    site_id = add_site(database)
    _lift(database, site_id, _TODAY + timedelta(days=4))

    before = _turn(database)["work_orders"]
    clock.advance(days=1)
    after = _turn(database)["work_orders"]

    assert (before, after) == (0, 1)


def test_a_signature_starts_the_clock_again_and_finishes_what_was_asked_for(
    database: Database, clock: FakeClock
) -> None:
    site_id, manager = add_site(database), add_manager(database)
    equipment_id, plan_id = _lift(database, site_id, _TODAY)
    _turn(database)
    clock.advance(days=2)

    signed = database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工", "换了钢丝绳油")

    assert (signed.due_on, signed.day_number, signed.state) == (date(2026, 12, 11), 0, ClockState.OK)
    page = database.read_now(TENANT, maintenance.list_work_orders, manager, site_id)
    assert page.items == ()
    detail = database.read_now(TENANT, equipment.get_equipment, manager, equipment_id)
    [done] = detail.work_orders
    assert (done.state, done.completed_at_ms) == (WorkOrderState.DONE, clock.now_ms)
    [completion] = detail.completions
    assert (completion.signed_by, completion.note, completion.work_order_id) == (
        "李工",
        "换了钢丝绳油",
        done.work_order_id,
    )


def test_the_day_of_a_signature_is_the_sites_day(database: Database, clock: FakeClock) -> None:
    site_id, manager = add_site(database), add_manager(database)
    _, plan_id = _lift(database, site_id, _TODAY)
    clock.advance(hours=15, minutes=30)  # 23:30 on the 24th in Shanghai, still the 24th in UTC
    database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工")
    clock.advance(hours=1)  # 00:30 on the 25th in Shanghai, 16:30 on the 24th in UTC

    clock_now = _clock(database, manager, site_id)

    assert (clock_now.last_completed_on, clock_now.day_number) == (_TODAY, 1)


def test_maintenance_is_not_signed_twice_in_a_moment_nor_by_nobody(database: Database) -> None:
    site_id, manager = add_site(database), add_manager(database)
    _, plan_id = _lift(database, site_id, _TODAY)
    database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工")

    with pytest.raises(Conflict, match="has just been signed"):
        database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工")
    with pytest.raises(Invalid, match="the signature has 0 characters, expected 1 to 500"):
        database.write_now(TENANT, maintenance.complete, manager, plan_id, "  ")
    with pytest.raises(Invalid, match="the note has 501 characters"):
        database.write_now(TENANT, maintenance.complete, manager, plan_id, "李工", "x" * 501)
    resident = User(manager.user_id, TENANT, Role.RESIDENT, "101")
    with pytest.raises(Forbidden):
        database.write_now(TENANT, maintenance.complete, resident, plan_id, "李工")
    assert count(database, schema.maintenance_completion) == 1


def test_a_repair_is_asked_for_begun_and_done(database: Database) -> None:
    site_id, manager = add_site(database), add_manager(database)
    equipment_id, _ = _lift(database, site_id, _TODAY + timedelta(days=9))

    order = database.write_now(TENANT, maintenance.request_repair, manager, equipment_id, "门机异响", _TODAY)
    begun = database.write_now(
        TENANT, maintenance.move_work_order, manager, order.work_order_id, WorkOrderState.IN_PROGRESS
    )
    done = database.write_now(
        TENANT, maintenance.move_work_order, manager, order.work_order_id, WorkOrderState.DONE
    )

    assert (begun.state, done.state) == (WorkOrderState.IN_PROGRESS, WorkOrderState.DONE)
    with pytest.raises(Conflict, match=f"{order.number} is done already"):
        database.write_now(
            TENANT, maintenance.move_work_order, manager, order.work_order_id, WorkOrderState.OPEN
        )
    with pytest.raises(Invalid, match="2026-11-23 is past"):
        yesterday = _TODAY - timedelta(days=1)
        database.write_now(TENANT, maintenance.request_repair, manager, equipment_id, "x", yesterday)


def test_a_plans_work_is_finished_by_its_signature_alone(database: Database) -> None:
    site_id, manager = add_site(database), add_manager(database)
    _lift(database, site_id, _TODAY)
    _turn(database)
    [order] = database.read_now(TENANT, maintenance.list_work_orders, manager, site_id).items

    with pytest.raises(Conflict, match="sign the plan"):
        database.write_now(
            TENANT, maintenance.move_work_order, manager, order.work_order_id, WorkOrderState.DONE
        )


def test_equipment_due_first_leads_the_list(database: Database) -> None:
    site_id, manager = add_site(database), add_manager(database)
    later, _ = _lift(database, site_id, _TODAY + timedelta(days=5))
    sooner, _ = _lift(database, site_id, _TODAY - timedelta(days=1))

    listed = database.read_now(TENANT, equipment.list_equipment, manager, site_id)

    assert [status.equipment.equipment_id for status in listed] == [sooner, later]
    assert listed[0].clocks[0].state is ClockState.OVERDUE


def test_work_orders_come_in_pages_overdue_first(database: Database) -> None:
    site_id, manager = add_site(database), add_manager(database)
    for days in (3, -2, 0, 1, -9):
        _lift(database, site_id, _TODAY + timedelta(days=days))
    _turn(database)

    first = database.read_now(TENANT, maintenance.list_work_orders, manager, site_id, limit=2)
    second = database.read_now(
        TENANT, maintenance.list_work_orders, manager, site_id, cursor=first.next_cursor, limit=2
    )
    third = database.read_now(
        TENANT, maintenance.list_work_orders, manager, site_id, cursor=second.next_cursor, limit=2
    )

    due = [(order.due_on - _TODAY).days for page in (first, second, third) for order in page.items]
    assert due == [-9, -2, 0, 1, 3]
    assert third.next_cursor is None


def test_the_running_month_is_opened_in_each_sites_own_time(database: Database, clock: FakeClock) -> None:
    add_site(database)
    _turn(database)
    clock.advance(days=6, hours=15, minutes=59)  # 2026-11-30 23:59 in Shanghai
    before = _turn(database)["periods_opened"]
    clock.advance(minutes=1)

    after = _turn(database)["periods_opened"]

    assert (before, after) == (0, 1)
    assert count(database, schema.billing_period) == 2
