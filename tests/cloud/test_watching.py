"""Plans due by hours, trips or a condition: what the equipment said counts, whenever it reached us."""

from datetime import date, timedelta
from typing import Any

import pytest

from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.errors import Conflict, Invalid
from cloud.domain.gateway import GatewayIdentity
from cloud.domain.ids import EquipmentId, PlanId, SeriesId
from cloud.domain.maintenance import (
    ClockState,
    MaintenanceClock,
    MaintenancePlan,
    Trigger,
    TriggerKind,
    Watched,
    clock_on,
    expected_day,
)
from cloud.domain.user import SessionLimits, system_user
from cloud.services import calendar, equipment, maintenance, plans
from cloud.store import points
from cloud.store.db import Database, Tx
from protocol.quantity import MICRO
from protocol.reading import Reading
from tests.cloud.garden import add_gateway, add_site, history_block, post
from tests.databases import START_MS, TENANT, FakeClock

SYSTEM = system_user(TENANT)
TODAY = date(2026, 11, 24)
DAY_MS = 24 * 3_600_000
_LIMITS = SessionLimits(1, 1)


class Lift:
    """A lift that tells its trips and its vibration, under one plan of 180 days."""

    def __init__(self, database: Database, kind: TriggerKind, limit: int) -> None:
        self.database = database
        self.site_id = add_site(database)
        self.gateway: GatewayIdentity = add_gateway(database, self.site_id)[0]
        self.seq = 1
        self.say(0, trip_count=328_000, temperature=38)
        name = "trip_count" if kind is TriggerKind.USAGE else "temperature"

        def work(tx: Tx) -> MaintenanceClock:
            [device] = points.list_devices(tx, self.gateway.gateway_id)
            one = Equipment(
                EquipmentId(tx.new_id()), self.site_id, None, None, device.device_id, "lift-1",
                EquipmentKind.LIFT, "1 号电梯", "", "", "",
            )  # fmt: skip
            equipment.add_equipment(tx, SYSTEM, one)
            watchable = {p.name: p.series_id for p in plans.points_of(tx, SYSTEM, one.equipment_id)}
            self.series = watchable
            trigger = Trigger(kind, watchable[name], limit * MICRO)
            return plans.add_plan(tx, SYSTEM, _plan(one.equipment_id, PlanId(tx.new_id()), trigger))

        added = database.write_now(TENANT, work)
        self.plan_id = added.plan.plan_id
        database.write_now(TENANT, maintenance.complete, SYSTEM, self.plan_id, "李工")

    def say(self, day: float, **values: int) -> None:
        """Deliver what the lift measured so many days after the start of the test, whenever that is now."""
        at_ms = START_MS + int(day * DAY_MS)
        rows = [Reading(f"lift-1/{name}", at_ms, value * MICRO) for name, value in values.items()]
        post(self.database, self.gateway, [history_block(self.seq, rows)])
        self.seq += len(rows)

    def clock(self) -> MaintenanceClock:
        return self.database.read_now(TENANT, plans.get_plan, SYSTEM, self.plan_id)

    def turn(self) -> int:
        return self.database.write_now(TENANT, calendar.turn, SYSTEM, _LIMITS)["work_orders"]


def _plan(
    equipment_id: EquipmentId, plan_id: PlanId, trigger: Trigger | None, **more: Any
) -> MaintenancePlan:
    terms: dict[str, Any] = {"interval_days": 180, "lead_days": 7, **more}
    return MaintenancePlan(
        plan_id, equipment_id, "ropes", "曳引绳检查", "产品说明书", starts_on=TODAY, ends_on=None,
        trigger=trigger, **terms,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("watched", "due_on", "is_by_trigger"),
    [
        pytest.param(Watched(None, None, None, None), TODAY + timedelta(170), False, id="nothing heard"),
        pytest.param(Watched(1, 1, TODAY, None), TODAY, True, id="reached"),
        pytest.param(Watched(1, 1, None, TODAY + timedelta(5)), TODAY + timedelta(5), True, id="expected"),
        pytest.param(Watched(1, 1, None, TODAY + timedelta(900)), TODAY + timedelta(170), False, id="later"),
    ],
)
def test_what_is_heard_only_makes_it_due_earlier(watched: Watched, due_on: date, is_by_trigger: bool) -> None:
    trigger = Trigger(TriggerKind.USAGE, SeriesId(1), MICRO)
    plan = _plan(EquipmentId("e"), PlanId("p"), trigger)

    clock = clock_on(plan, TODAY - timedelta(days=10), TODAY, watched)

    assert (clock.due_on, clock.is_by_trigger, clock.day_number) == (due_on, is_by_trigger, 10)


def test_a_total_is_expected_at_its_limit_by_how_fast_it_has_grown() -> None:
    assert expected_day(4_000, 20_000, TODAY - timedelta(days=10), TODAY) == TODAY + timedelta(days=40)
    assert expected_day(4_000, 20_001, TODAY - timedelta(days=10), TODAY) == TODAY + timedelta(days=41)
    assert expected_day(4_000, 20_000, TODAY, TODAY) is None, "a first day tells nothing"
    assert expected_day(0, 20_000, TODAY - timedelta(days=10), TODAY) is None, "it stands still"


def test_work_is_asked_for_before_the_trips_are_used_up(database: Database, clock: FakeClock) -> None:
    lift = Lift(database, TriggerKind.USAGE, 20_000)
    assert lift.turn() == 0

    clock.advance(days=20)
    lift.say(20, trip_count=344_000)
    ahead = lift.clock()

    assert ahead.watched is not None
    assert (ahead.watched.value_micro, ahead.due_on) == (16_000 * MICRO, TODAY + timedelta(days=25))
    assert (ahead.state, lift.turn()) == (ClockState.DUE_SOON, 1)


def test_trips_counted_while_the_server_was_away_are_not_forgotten(
    database: Database, clock: FakeClock
) -> None:
    lift = Lift(database, TriggerKind.USAGE, 20_000)

    clock.advance(days=20)  # nobody runs anything; then the box delivers what it kept
    for day in range(1, 20):
        lift.say(day, trip_count=328_000 + 1_500 * day)

    assert lift.turn() == 1
    late = lift.clock()
    assert (late.due_on, late.state) == (TODAY + timedelta(days=14), ClockState.OVERDUE)
    assert lift.turn() == 0, "asked once"

    database.write_now(TENANT, maintenance.complete, SYSTEM, lift.plan_id, "李工")
    fresh = lift.clock()
    assert fresh.watched is not None
    assert (fresh.watched.value_micro, fresh.watched.reached_on, fresh.days_left) == (0, None, 180)


def test_heat_that_has_gone_again_while_the_server_was_away_still_asks(
    database: Database, clock: FakeClock
) -> None:
    lift = Lift(database, TriggerKind.ABOVE, 70)

    clock.advance(days=20)
    for day, celsius in ((3, 52), (8, 76), (9, 41), (19, 40)):
        lift.say(day, temperature=celsius)

    assert lift.turn() == 1
    late = lift.clock()
    assert late.watched is not None
    assert (late.watched.value_micro, late.watched.reached_on) == (40 * MICRO, TODAY + timedelta(days=8))
    assert (late.state, late.is_by_trigger) == (ClockState.OVERDUE, True)


def test_a_sensor_that_falls_silent_postpones_nothing(database: Database, clock: FakeClock) -> None:
    lift = Lift(database, TriggerKind.BELOW, 5)

    clock.advance(days=181)

    assert lift.turn() == 1
    assert (lift.clock().state, lift.clock().is_by_trigger) == (ClockState.OVERDUE, False)


def test_a_plan_is_changed_and_counts_on_from_its_signature(database: Database, clock: FakeClock) -> None:
    lift = Lift(database, TriggerKind.USAGE, 20_000)
    clock.advance(days=40)

    changes = {"interval_days": 30, "trigger": None, "title": "月度检查"}
    changed = database.write_now(TENANT, plans.change_plan, SYSTEM, lift.plan_id, changes)

    assert (changed.plan.title, changed.state, changed.days_left) == ("月度检查", ClockState.OVERDUE, -10)
    assert changed.watched is None


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        pytest.param({"interval_days": 0}, "due every 0 days", id="no interval"),
        pytest.param({"interval_days": 3_661}, "due every 3661 days", id="beyond ten years"),
        pytest.param({"lead_days": 367}, "made 367 days before", id="too far ahead"),
        pytest.param({"title": " "}, "title has 0 characters", id="no title"),
        pytest.param({"ends_on": TODAY - timedelta(1)}, "before it starts", id="over before it starts"),
        pytest.param({"checklist_code": "elevator-traction"}, "goes with a cycle", id="a list, no cycle"),
        pytest.param(
            {"trigger": Trigger(TriggerKind.ABOVE, SeriesId(999), 1)}, "no value 999", id="another's point"
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(database: Database, terms: dict[str, Any], expected: str) -> None:
    lift = Lift(database, TriggerKind.USAGE, 20_000)

    with pytest.raises(Invalid, match=expected):
        database.write_now(TENANT, plans.change_plan, SYSTEM, lift.plan_id, terms)


def test_a_total_takes_a_limit_of_growth_and_a_code_is_given_once(database: Database) -> None:
    lift = Lift(database, TriggerKind.USAGE, 20_000)
    plan = lift.clock().plan

    with pytest.raises(Invalid, match="takes a limit for what it grows by"):
        heat = Trigger(TriggerKind.ABOVE, lift.series["trip_count"], MICRO)
        database.write_now(TENANT, plans.change_plan, SYSTEM, lift.plan_id, {"trigger": heat})
    with pytest.raises(Invalid, match="takes a limit above or below"):
        grows = Trigger(TriggerKind.USAGE, lift.series["temperature"], MICRO)
        database.write_now(TENANT, plans.change_plan, SYSTEM, lift.plan_id, {"trigger": grows})
    with pytest.raises(Invalid, match="must be above 0"):
        Trigger(TriggerKind.USAGE, SeriesId(1), 0)
    with pytest.raises(Conflict, match="has a plan 'ropes' already"):
        again = _plan(plan.equipment_id, PlanId("00000000-0000-7000-8000-00000000abcd"), None)
        database.write_now(TENANT, plans.add_plan, SYSTEM, again)
