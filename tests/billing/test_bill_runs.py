"""A period is checked, looked at, approved by a person, and only then billed."""

from dataclasses import replace
from datetime import date

import pytest

from cloud.domain.bill_run import BillRun, BillRunState, DoubtKind, Preview
from cloud.domain.errors import Conflict, Forbidden, Invalid
from cloud.domain.periods import PeriodState
from cloud.domain.usage import ProblemKind
from cloud.domain.user import Role
from cloud.services import bill_runs, billing, checking
from cloud.store import people
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


async def check(estate: Estate, code: str, group_size: int = 100) -> BillRun:
    return await checking.check_period(
        estate.database, TENANT, SYSTEM, estate.period(code), group_size=group_size
    )


def preview(estate: Estate, run: BillRun) -> Preview:
    return estate.database.read_now(TENANT, bill_runs.preview, SYSTEM, run.run_id)


def read(estate: Estate, flat: str, *values: tuple[date, str]) -> None:
    for on, value in values:
        estate.read(f"E-{flat}", at(on), value)


async def test_what_is_previewed_is_what_is_issued(estate: Estate) -> None:
    for flat, end in (("101", "250"), ("102", "310.5"), ("201", "99")):
        estate.add_flat(flat, water=None)
        read(estate, flat, (SEPTEMBER, "0"), (OCTOBER, end))
    run = await check(estate, "2026-09", group_size=2)
    seen = preview(estate, run)

    estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, run.run_id, "看过")
    report = await estate.close("2026-09")

    assert run.state is BillRunState.CHECKED
    assert seen.total_fen == report.issued_fen == sum(seen.sums.values())
    assert seen.billable == report.invoices_issued == 3
    assert estate.database.read_now(TENANT, bill_runs.differences, SYSTEM, run.run_id) == []


async def test_a_checked_period_waits_for_approval(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    read(estate, "101", (SEPTEMBER, "0"), (OCTOBER, "250"))
    run = await check(estate, "2026-09")

    with pytest.raises(Conflict, match="check 1 of period 2026-09 is checked: approve it first"):
        await estate.close("2026-09")

    estate.database.write_now(TENANT, bill_runs.refuse, SYSTEM, run.run_id, "101 的读数不对")
    with pytest.raises(Conflict, match="is refused: approve it first"):
        await estate.close("2026-09")

    overview = estate.database.read_now(TENANT, billing.period_overview, SYSTEM, run.period_id)
    assert overview.invoice_count == 0
    assert overview.period.state is PeriodState.OPEN


async def test_a_later_check_makes_an_earlier_one_void(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    read(estate, "101", (SEPTEMBER, "0"), (OCTOBER, "250"))
    first = await check(estate, "2026-09")
    second = await check(estate, "2026-09")

    with pytest.raises(Conflict, match="check 1 is not the newest"):
        estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, first.run_id)

    assert (first.number, second.number) == (1, 2)


async def test_a_check_that_was_broken_off_goes_on(estate: Estate) -> None:
    for flat in ("101", "102", "201"):
        estate.add_flat(flat, water=None)
        read(estate, flat, (SEPTEMBER, "0"), (OCTOBER, "10"))
    period_id = estate.period("2026-09")
    begun, waiting = estate.database.write_now(TENANT, bill_runs.begin_check, SYSTEM, period_id)
    estate.database.write_now(TENANT, bill_runs.check_accounts, SYSTEM, begun.run_id, waiting[:2])

    run = await check(estate, "2026-09")

    assert run.run_id == begun.run_id
    assert [row.account_number for row in preview(estate, run).rows] == ["A-00101", "A-00102", "A-00201"]


async def test_meters_to_visit_are_listed_riser_by_riser_with_why(estate: Estate) -> None:
    for flat in ("301", "101", "201", "102"):
        estate.add_flat(flat, water=None, max_per_day="2000")
        read(estate, flat, (date(2026, 8, 1), "0"), (SEPTEMBER, "100"))
    await estate.close("2026-08")
    read(estate, "101", (OCTOBER, "100"))  # stands still
    read(estate, "201", (OCTOBER, "900"))  # eight times as much
    read(estate, "102", (OCTOBER, "205"))

    seen = preview(estate, await check(estate, "2026-09"))

    told = [
        (row.space_code, [d.kind for d in row.checked.doubts], [p.kind for p in row.checked.problems])
        for row in seen.to_visit
    ]
    assert told == [
        ("1-101", [DoubtKind.NO_USAGE], []),
        ("1-201", [DoubtKind.JUMP], []),
        ("1-301", [], [ProblemKind.MISSING_READING]),
    ]
    assert seen.billable == 3
    assert {row.space_code: row.checked.before_fen for row in seen.rows} == {
        "1-101": 4883, "1-102": 4883, "1-201": 4883, "1-301": 4883,
    }  # fmt: skip


async def test_a_reading_that_comes_in_between_is_named(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    read(estate, "101", (SEPTEMBER, "0"))
    estate.read("E-101", at(OCTOBER) - 40 * 60_000, "249")
    run = await check(estate, "2026-09")
    estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, run.run_id)
    read(estate, "101", (OCTOBER, "250"))

    await estate.close("2026-09")

    (found,) = estate.database.read_now(TENANT, bill_runs.differences, SYSTEM, run.run_id)
    assert (found.space_code, found.approved_fen, found.issued_fen) == ("1-101", 12159, 12208)


async def test_who_moves_in_is_previewed_on_the_ladder_of_who_moved_out(estate: Estate) -> None:
    middle = date(2026, 9, 16)
    estate.add_flat("101", water=None, max_per_day="4000")
    estate.add_flat("102", water=None)
    read(estate, "101", (SEPTEMBER, "0"), (middle, "2800"), (OCTOBER, "3000"))
    read(estate, "102", (SEPTEMBER, "0"), (OCTOBER, "1"))
    estate.database.write_now(TENANT, people.end_supplies, estate.accounts["101"], middle)
    estate.supply("102", "E-101", "cn-beijing-elec-res", middle)
    run = await check(estate, "2026-09", group_size=1)
    estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, run.run_id)

    await estate.close("2026-09")

    assert estate.database.read_now(TENANT, bill_runs.differences, SYSTEM, run.run_id) == []


async def test_a_check_that_would_bill_nobody_is_not_approved(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    read(estate, "101", (SEPTEMBER, "0"))
    held = await check(estate, "2026-09")

    with pytest.raises(Conflict, match="check 1 would bill nobody: put right what is missing"):
        estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, held.run_id)

    read(estate, "101", (OCTOBER, "1"))
    mended = await check(estate, "2026-09")
    estate.database.write_now(TENANT, bill_runs.approve, SYSTEM, mended.run_id)
    assert (await estate.close("2026-09")).invoices_issued == 1


async def test_a_month_in_which_nobody_is_charged_is_closed_without_approval(estate: Estate) -> None:
    run = await check(estate, "2026-09")

    report = await estate.close("2026-09")

    assert (run.accounts, report.invoices_issued, report.is_closed) == (0, 0, True)


async def test_only_who_handles_money_approves_and_a_refusal_says_why(estate: Estate) -> None:
    estate.add_flat("101", water=None)
    read(estate, "101", (SEPTEMBER, "0"), (OCTOBER, "1"))
    run = await check(estate, "2026-09")
    auditor = replace(SYSTEM, role=Role.AUDITOR)

    with pytest.raises(Forbidden):
        estate.database.write_now(TENANT, bill_runs.approve, auditor, run.run_id)
    with pytest.raises(Invalid, match="what is to be put right"):
        estate.database.write_now(TENANT, bill_runs.refuse, SYSTEM, run.run_id, " ")
