"""The old system's bills beside ours: equal, different with the reason, missing on either side."""

import io
from datetime import date

import pytest
from python_calamine import CalamineWorkbook

from cloud.domain.errors import NotFound
from cloud.domain.imports.plan import Outcome
from cloud.domain.parallel_run import Charged, ParallelRun, Place, Verdict, compare
from cloud.services import bill_runs, checking, parallel_run
from cloud.workbook.parallel import parallel_workbook
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT
from tests.exchange.conftest import workbook
from tests.exchange.test_imports import bring, check, outcomes, undo

HEADER = ("户号", "账期", "项目", "金额（元）", "用量")
ROWS = (
    ("A-00101", "2026-09", "电费", 97.66, 200),
    ("A-00102", "2026-09", "电费", "48.80", ""),
    ("A-00103", "2026-09", "电费", 50, 100),
    ("A-00103", "2026-09", "物业费", 120, ""),
    ("A-00104", "2026-09", "电费", 30, ""),
)


@pytest.fixture
def twice(estate: Estate) -> Estate:
    """Five flats: three read, one without a reading, one the old system forgot; its bills are here."""
    for flat, used in (("101", "200"), ("102", "100"), ("103", "101"), ("104", None), ("105", "1")):
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        if used is not None:
            estate.read(f"E-{flat}", at(date(2026, 10, 1)), used)
    bring(estate, "former_charges", *ROWS, header=HEADER)
    return estate


def run_of(estate: Estate) -> ParallelRun:
    return estate.database.read_now(TENANT, parallel_run.parallel_run, SYSTEM, estate.site_id, "2026-09")


async def test_every_charge_of_either_system_has_one_verdict(twice: Estate) -> None:
    await checking.check_period(twice.database, TENANT, SYSTEM, twice.period("2026-09"))
    checked = run_of(twice)
    run = twice.database.read_now(TENANT, bill_runs.newest_run, SYSTEM, twice.period("2026-09"))
    assert run is not None
    twice.database.write_now(TENANT, bill_runs.approve, SYSTEM, run.run_id)
    await twice.close("2026-09")

    found = run_of(twice)

    assert (checked.is_issued, checked.ours_fen) == (False, found.ours_fen)
    assert found.is_issued
    assert {(row.place.account_number, row.charge_code): row.verdict for row in found.rows} == {
        ("A-00101", "electricity"): Verdict.EQUAL,
        ("A-00102", "electricity"): Verdict.ROUNDING,
        ("A-00103", "electricity"): Verdict.USAGE,
        ("A-00103", "property"): Verdict.MISSING_HERE,
        ("A-00104", "electricity"): Verdict.HELD,
        ("A-00105", "electricity"): Verdict.MISSING_THERE,
    }
    assert found.ours_fen - found.theirs_fen == sum(row.difference_fen for row in found.rows)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(parallel_workbook(found, {}, is_chinese=True)))
    assert [row[-1] for row in sheet.get_sheet_by_index(1).to_python()[1:]] == [
        "一致", "舍入差异", "用量不同", "本系统没有", "本系统暂缓出账", "原系统没有",
    ]  # fmt: skip


def test_the_old_bills_can_be_put_right_and_taken_back(twice: Estate) -> None:
    again = check(twice, "former_charges", workbook(HEADER, *ROWS))
    mended = bring(twice, "former_charges", ("A-00103", "2026-09", "电费", 49.32, 101), header=HEADER)

    assert outcomes(again) == [Outcome.UNCHANGED] * 5
    assert run_of(twice).theirs_fen == 34_578
    undo(twice, mended)
    assert run_of(twice).theirs_fen == 34_646


def test_without_old_bills_there_is_nothing_to_compare(estate: Estate) -> None:
    with pytest.raises(NotFound, match="nothing that the system before charged for 2026-09"):
        run_of(estate)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        (Charged(10_000), Verdict.EQUAL),
        (Charged(10_003), Verdict.ROUNDING),
        (Charged(10_004), Verdict.PRICE),
        (None, Verdict.MISSING_HERE),
    ],
)
def test_a_difference_has_its_likeliest_reason(ours: Charged | None, verdict: Verdict) -> None:
    key = ("A-1", "water")
    places = {"A-1": Place("A-1", "王建国", "1-101")}

    found = compare(
        "2026-09", places, {key: Charged(10_000)}, {} if ours is None else {key: ours}, is_issued=True
    )

    assert [row.verdict for row in found.rows] == [verdict]
