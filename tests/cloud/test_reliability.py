"""How reliable equipment is and what it costs: hours count once, money never disappears."""

from datetime import date
from decimal import Decimal

import pytest

from cloud.domain.equipment import Equipment, EquipmentDetail, EquipmentKind
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.ids import EquipmentId, SiteId, UserId
from cloud.domain.reliability import Cost, CostKind, Outage, Reliability, reliability_of
from cloud.domain.user import Role, User, system_user
from cloud.services import equipment, reliability
from cloud.store import points
from cloud.store.db import Database, Tx
from protocol.event import Event, EventState, Severity
from protocol.reading import Reading
from protocol.sync import Stream
from tests.cloud.garden import add_gateway, add_site, event_block, history_block, post
from tests.databases import START_MS, TENANT, FakeClock

SYSTEM = system_user(TENANT)
GUARD = User(UserId("00000000-0000-7000-8000-000000000001"), TENANT, Role.GUARD, "保安")
TODAY = date(2026, 11, 24)
HOUR_MS = 3_600_000
_LIFT = Equipment(
    EquipmentId("e"), SiteId("s"), None, None, None, "lift-1", EquipmentKind.LIFT, "1 号电梯", "", "", ""
)


def outage(start_h: int, end_h: int | None) -> Outage:
    return Outage(start_h * HOUR_MS, None if end_h is None else end_h * HOUR_MS, "x", is_from_alarm=False)


@pytest.mark.parametrize(
    ("outages", "down_h", "failures", "is_down"),
    [
        pytest.param([], 0, 0, False, id="nothing"),
        pytest.param([outage(10, 12)], 2, 1, False, id="once"),
        pytest.param([outage(10, 14), outage(12, 16)], 6, 1, False, id="two reasons at once count once"),
        pytest.param([outage(10, 12), outage(20, 25)], 7, 2, False, id="twice"),
        pytest.param([outage(-5, 3)], 3, 1, False, id="begun before"),
        pytest.param([outage(90, None)], 10, 1, True, id="still"),
        pytest.param([outage(-9, 0)], 0, 0, False, id="over before"),
    ],
)
def test_hours_out_of_service_count_once(
    outages: list[Outage], down_h: int, failures: int, is_down: bool
) -> None:
    found = reliability_of(_LIFT, outages, [], 0, 100 * HOUR_MS)

    assert (found.down_ms // HOUR_MS, found.failures, found.is_down) == (down_h, failures, is_down)
    assert found.availability == Decimal(100 - down_h) / 100


def test_means_are_told_only_where_something_failed() -> None:
    never = reliability_of(_LIFT, [], [], 0, 100 * HOUR_MS)
    twice = reliability_of(_LIFT, [outage(10, 12), outage(20, 26)], [], 0, 100 * HOUR_MS)

    assert (never.between_failures_ms, never.to_repair_ms) == (None, None)
    assert (twice.between_failures_ms, twice.to_repair_ms) == (46 * HOUR_MS, 4 * HOUR_MS)


def _lift(database: Database) -> tuple[SiteId, EquipmentDetail]:
    """A lift whose device reported a fault at 08:00 that was gone at 11:00."""
    site_id = add_site(database)
    gateway, _ = add_gateway(database, site_id)
    post(database, gateway, [history_block(1, [Reading("lift-1/fault_code", START_MS, 0)])])
    at_ms = START_MS
    for seq, (state, hours) in enumerate(((EventState.RAISED, 0), (EventState.CLEARED, 3)), start=1):
        event = Event(
            "lift_fault", state, Severity.MAJOR, "lift-1/fault_code", at_ms + hours * HOUR_MS, "E-07"
        )
        post(database, gateway, [event_block(seq, [event])], Stream.EVENT)

    def work(tx: Tx) -> EquipmentDetail:
        [device] = points.list_devices(tx, gateway.gateway_id)
        added = Equipment(
            EquipmentId(tx.new_id()), site_id, None, None, device.device_id, "lift-1", EquipmentKind.LIFT,
            "1 号电梯", "", "", "",
        )  # fmt: skip
        return equipment.add_equipment(tx, SYSTEM, added)

    return site_id, database.write_now(TENANT, work)


def _of(database: Database, site_id: SiteId) -> Reliability:
    [found] = database.read_now(TENANT, reliability.of_site, SYSTEM, site_id, 10)
    return found


def test_what_a_device_reports_and_what_people_tell_are_one_account(
    database: Database, clock: FakeClock
) -> None:
    site_id, lift = _lift(database)
    equipment_id = lift.status.equipment.equipment_id
    clock.advance(hours=2)
    database.write_now(TENANT, reliability.begin_outage, SYSTEM, equipment_id, "等抱闸线圈")
    with pytest.raises(Conflict, match="out of service already"):
        database.write_now(TENANT, reliability.begin_outage, SYSTEM, equipment_id, "again")
    clock.advance(hours=4)
    assert _of(database, site_id).is_down

    database.write_now(TENANT, reliability.end_outage, SYSTEM, equipment_id)
    with pytest.raises(Conflict, match="in service already"):
        database.write_now(TENANT, reliability.end_outage, SYSTEM, equipment_id)

    found = _of(database, site_id)
    record = database.read_now(TENANT, reliability.of_equipment, GUARD, equipment_id, 10)
    assert (found.down_ms, found.failures, found.is_down) == (6 * HOUR_MS, 1, False)
    assert [(one.reason, one.is_from_alarm) for one in record.outages] == [
        ("等抱闸线圈", False),
        ("E-07", True),
    ]


def test_costs_add_up_by_what_they_were_for_and_a_mistake_is_taken_back(database: Database) -> None:
    site_id, lift = _lift(database)
    equipment_id = lift.status.equipment.equipment_id
    for kind, fen, note in (
        (CostKind.PARTS, 128_000, "抱闸线圈 2 只"),
        (CostKind.LABOUR, 40_000, "两人四小时"),
        (CostKind.PARTS, 9_900, "记错"),
        (CostKind.PARTS, -9_900, "冲销记错"),
    ):
        cost = Cost(TODAY, kind, fen, note)
        database.write_now(TENANT, reliability.record_cost, SYSTEM, equipment_id, cost)

    found = _of(database, site_id)

    assert dict(found.costs) == {CostKind.CONTRACTOR: 0, CostKind.LABOUR: 40_000, CostKind.PARTS: 128_000}
    assert found.cost_fen == 168_000


def test_what_cannot_be_a_cost_is_refused(database: Database) -> None:
    _, lift = _lift(database)
    equipment_id = lift.status.equipment.equipment_id

    with pytest.raises(Invalid, match="that is not 0"):
        Cost(TODAY, CostKind.PARTS, 0, "x")
    with pytest.raises(Invalid, match="note has 0 characters"):
        Cost(TODAY, CostKind.PARTS, 1, " ")
    ahead = Cost(date(2026, 11, 25), CostKind.PARTS, 1, "x")
    with pytest.raises(Invalid, match="has not come yet"):
        database.write_now(TENANT, reliability.record_cost, SYSTEM, equipment_id, ahead)
    with pytest.raises(Forbidden):
        today = Cost(TODAY, CostKind.PARTS, 1, "x")
        database.write_now(TENANT, reliability.record_cost, GUARD, equipment_id, today)
