"""Service sheets: no item is passed over, longer cycles do shorter ones' work, a link leads to one sheet."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from cloud.checklists import shipped_checklists
from cloud.domain.checklist import (
    CheckItem,
    Checklist,
    Cycle,
    checked_answers,
    checked_list,
    checklist_from_json,
    is_within,
    items_of,
)
from cloud.domain.equipment import Equipment, EquipmentKind
from cloud.domain.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.domain.ids import EquipmentId, PlanId, SiteId, UserId
from cloud.domain.maintenance import ClockState, MaintenancePlan
from cloud.domain.service_sheet import ServiceSheet, Signing, sheet_digest
from cloud.domain.user import Role, User, system_user
from cloud.domain.work_order import WorkOrderState
from cloud.services import maintenance, service_sheets
from cloud.services.service_sheets import Said
from cloud.store import equipment as equipment_store
from cloud.store import plans as plan_store
from cloud.store.db import Database, Tx
from tests.cloud.garden import add_site
from tests.databases import TENANT, FakeClock

SYSTEM = system_user(TENANT)
AUDITOR = User(UserId("a"), TENANT, Role.AUDITOR, "审计")
# The clock of tests stands at 2026-11-24 08:00 in Shanghai.
TODAY = date(2026, 11, 24)
STROKES = "M10 100L200 40L380 160L590 90"
SIGNING = Signing("恒安电梯 李工、王工", STROKES, "门机皮带 1 条", 18_000)
LIST = "elevator-traction"
# Items of TSG T5002-2017, annex A, by cycle: each longer one includes the shorter.
ITEMS = {Cycle.HALF_MONTH: 31, Cycle.QUARTER: 44, Cycle.HALF_YEAR: 59, Cycle.YEAR: 76}


def lift(database: Database, **cycles: Cycle) -> tuple[SiteId, dict[str, PlanId]]:
    """A lift that was due twenty days ago, with one plan a cycle."""
    site_id = add_site(database)

    def work(tx: Tx) -> dict[str, PlanId]:
        equipment_id = EquipmentId(tx.new_id())
        equipment_store.insert_equipment(
            tx,
            Equipment(
                equipment_id, site_id, None, None, None, "lift-1", EquipmentKind.LIFT, "1 号梯", "", "", ""
            ),
        )
        plans = {}
        for code, cycle in cycles.items():
            plans[code] = PlanId(tx.new_id())
            interval = {Cycle.HALF_MONTH: 15, Cycle.QUARTER: 91}.get(cycle, 365)
            starts_on = TODAY - timedelta(days=20)
            plan = MaintenancePlan(
                plans[code], equipment_id, code, code, "", interval, 3, starts_on, None, LIST, cycle
            )
            plan_store.insert_plan(tx, plan)
        return plans

    return site_id, database.write_now(TENANT, work)


def answered(cycle: Cycle) -> dict[str, tuple[str, str, str]]:
    """Every item of a visit found in order, with a value where one is asked for."""
    items = items_of(shipped_checklists()[LIST], cycle)
    return {item.code: ("ok", "5 mm" if item.needs_value else "", "") for item in items}


def sign(database: Database, plan_id: PlanId, said: Said, signing: Signing = SIGNING) -> ServiceSheet:
    return database.write_now(TENANT, service_sheets.sign, SYSTEM, plan_id, said, signing)


def states(database: Database, site_id: SiteId) -> dict[str, ClockState]:
    clocks = database.read_now(TENANT, maintenance.clocks, SYSTEM, site_id)
    return {clock.plan.code: clock.state for clock in clocks}


@pytest.mark.parametrize(("cycle", "count"), ITEMS.items(), ids=[one.value for one in ITEMS])
def test_a_longer_visit_answers_all_shorter_ones_too(cycle: Cycle, count: int) -> None:
    items = items_of(shipped_checklists()[LIST], cycle)

    assert len(items) == count
    assert all(is_within(item.cycle, cycle) for item in items)
    assert next(item.cycle for item in items) is Cycle.HALF_MONTH


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param({}, "A-1 has no answer: 机房", id="left out"),
        pytest.param({"A-1": ("maybe", "", "")}, "A-1 has no answer", id="no known answer"),
        pytest.param({"A-1": ("failed", "", " ")}, "A-1 needs a note", id="failed without a word"),
        pytest.param({"A-1": ("not_applicable", "", "")}, "A-1 needs a note", id="left out without a word"),
        pytest.param({"A-1": ("ok", "", "")}, "A-1 needs the measured value", id="no proof"),
        pytest.param({"A-1": ("ok", "5" * 61, "")}, "says more than is kept", id="too long"),
        pytest.param({"A-1": ("ok", "5", ""), "B": ("ok", "", "")}, "B is not on this list", id="not asked"),
    ],
)
def test_an_item_is_not_passed_over(said: Said, expected: str) -> None:
    items = [CheckItem(code="A-1", cycle=Cycle.HALF_MONTH, zh="机房", needs_value=True)]

    with pytest.raises(Invalid) as refused:
        checked_answers(items, said)

    assert any(expected in problem.detail for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        pytest.param("", "not signed", id="nothing"),
        pytest.param("M1 1", "not signed", id="a dot"),
        pytest.param("M1 1L2 2" * 2_000, "not signed", id="a drawing"),
        pytest.param('M1 1L2 2"/><script>alert(1)', "not signed", id="something else"),
    ],
)
def test_a_signature_is_strokes(signature: str, expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        replace(SIGNING, signature=signature)


def test_after_twenty_days_away_the_overdue_visit_is_asked_for_and_signed(
    database: Database, clock: FakeClock
) -> None:
    site_id, plans = lift(database, half_month=Cycle.HALF_MONTH)
    sign(database, plans["half_month"], answered(Cycle.HALF_MONTH))
    assert states(database, site_id) == {"half_month": ClockState.OK}

    clock.advance(days=20)  # nothing of ours ran

    assert states(database, site_id) == {"half_month": ClockState.OVERDUE}
    assert database.write_now(TENANT, maintenance.generate_work_orders, SYSTEM, site_id) == 1
    sheet = sign(database, plans["half_month"], answered(Cycle.HALF_MONTH))
    [order] = database.read_now(
        TENANT, maintenance.list_work_orders, SYSTEM, site_id, frozenset(WorkOrderState)
    ).items
    assert (order.work_order_id, order.due_on) == (sheet.work_order_id, date(2026, 12, 9))
    assert order.completed_at_ms == clock.now_ms
    assert states(database, site_id) == {"half_month": ClockState.OK}


def test_a_quarters_visit_starts_the_half_months_clock_and_not_the_years(database: Database) -> None:
    site_id, plans = lift(database, half_month=Cycle.HALF_MONTH, quarter=Cycle.QUARTER, year=Cycle.YEAR)

    sign(database, plans["quarter"], answered(Cycle.QUARTER))

    assert states(database, site_id) == {
        "half_month": ClockState.OK, "quarter": ClockState.OK, "year": ClockState.OVERDUE,
    }  # fmt: skip


def test_a_sheet_with_a_gap_signs_nothing(database: Database) -> None:
    site_id, plans = lift(database, half_month=Cycle.HALF_MONTH)
    said = answered(Cycle.HALF_MONTH)
    said.pop("A-1-03")

    with pytest.raises(Invalid, match="1 items cannot be signed yet: A-1-03 has no answer"):
        sign(database, plans["half_month"], said)
    with pytest.raises(Conflict, match="has an item list"):
        database.write_now(TENANT, maintenance.complete, SYSTEM, plans["half_month"], "李工")

    assert states(database, site_id) == {"half_month": ClockState.OVERDUE}


def test_a_signed_sheet_keeps_its_words_its_hash_and_cannot_be_changed(database: Database) -> None:
    _, plans = lift(database, half_month=Cycle.HALF_MONTH)
    signed = sign(database, plans["half_month"], answered(Cycle.HALF_MONTH))
    own = shipped_checklists()[LIST]
    shorter = Checklist(code=LIST, name_zh=own.name_zh, items=own.items[1:])
    database.write_now(TENANT, service_sheets.set_checklist, SYSTEM, shorter, "制造单位说明书")

    kept, plan, owner, _ = database.read_now(TENANT, service_sheets.get_sheet, AUDITOR, signed.sheet_id)

    assert kept == signed
    assert len(kept.answers) == 31
    digest = sheet_digest(owner.code, plan.code, kept.signed_at_ms, kept.signing, LIST, kept.answers)
    assert kept.sha256 == digest
    changed = replace(kept.signing, cost_fen=1)
    assert sheet_digest(owner.code, plan.code, kept.signed_at_ms, changed, LIST, kept.answers) != digest
    assert len(database.read_now(TENANT, service_sheets.draft, SYSTEM, plans["half_month"]).items) == 30

    def rewrite(tx: Tx) -> None:
        tx.conn.execute(sa.text("UPDATE service_sheet SET cost_fen = 1"))

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        database.write_now(TENANT, rewrite)


def test_a_contractors_link_leads_to_one_sheet_once(database: Database, clock: FakeClock) -> None:
    _, plans = lift(database, half_month=Cycle.HALF_MONTH, quarter=Cycle.QUARTER)
    plan_id = plans["half_month"]
    first = database.write_now(TENANT, service_sheets.open_link, SYSTEM, plan_id, "恒安电梯", 3)
    secret = database.write_now(TENANT, service_sheets.open_link, SYSTEM, plan_id, "恒安电梯", 3)

    found, link, _ = database.read_now(TENANT, service_sheets.draft_by_link, secret)
    assert (found.clock.plan.plan_id, link.contractor) == (plan_id, "恒安电梯")
    said = answered(Cycle.HALF_MONTH)
    sheet = database.write_now(TENANT, service_sheets.sign_by_link, secret, said, SIGNING)
    assert (sheet.link_id, sheet.recorded_by) == (link.link_id, None)

    for gone in (first, secret, "1-made-up"):
        with pytest.raises(NotFound, match="this link is over"):
            database.read_now(TENANT, service_sheets.draft_by_link, gone)
    late = database.write_now(TENANT, service_sheets.open_link, SYSTEM, plan_id, "恒安电梯", 3)
    clock.advance(days=3)
    with pytest.raises(NotFound, match="this link is over"):
        database.write_now(TENANT, service_sheets.sign_by_link, late, said, SIGNING)
    told = database.read_now(TENANT, service_sheets.links_of, SYSTEM, plan_id)
    assert [one.used_at_ms is not None for one in told] == [False, True, False]
    assert told[2].revoked_at_ms is not None


@pytest.mark.parametrize("days", [0, 31])
def test_a_link_holds_a_month_at_most(database: Database, days: int) -> None:
    _, plans = lift(database, half_month=Cycle.HALF_MONTH)

    with pytest.raises(Invalid, match=f"not {days}"):
        database.write_now(TENANT, service_sheets.open_link, SYSTEM, plans["half_month"], "恒安电梯", days)
    with pytest.raises(Forbidden):
        database.write_now(TENANT, service_sheets.open_link, AUDITOR, plans["half_month"], "x", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"{", "no checklist", id="no JSON"),
        pytest.param(
            b'{"code": "x", "name_zh": "x", "items": [], "more": 1}', "no checklist", id="unknown key"
        ),
    ],
)
def test_a_list_says_where_it_is_wrong(text: bytes, expected: str) -> None:
    with pytest.raises(Invalid, match=expected):
        checklist_from_json(text)


def test_an_item_is_in_a_list_once() -> None:
    item = CheckItem(code="A-1", cycle=Cycle.YEAR, zh="机房")

    with pytest.raises(Invalid, match="'A-1' is in the list twice"):
        checked_list(Checklist(code="x", name_zh="x", items=(item, item)))
