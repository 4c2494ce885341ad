"""The journal: balanced, complete, the same file again; and the chart it is written in."""

import csv
import io
from datetime import date

import pytest
from python_calamine import CalamineWorkbook

from cloud.domain.errors import Forbidden, Invalid
from cloud.domain.journal import Journal, JournalLine, Subject, Voucher
from cloud.domain.ledger import EntryKind
from cloud.domain.payment import Method
from cloud.domain.trial_balance import MonthTrialBalance, TrialRow, Turnover
from cloud.domain.user import Role, User
from cloud.services import journal, ledger, payments, reports
from cloud.store.db import Database
from cloud.workbook.finance import journal_csv, journal_workbook, trial_workbook
from tests.billing.estate import SYSTEM, Estate, at, make_estate
from tests.databases import TENANT, FakeClock

NOVEMBER = "2026-11"


@pytest.fixture
def estate(database: Database) -> Estate:
    """An empty estate with tariffs in force; 2026-11-24 08:00 in Shanghai."""
    return make_estate(database)


async def billed(estate: Estate) -> None:
    """Two flats with September billed in November, one of them paid with 10 yuan too much."""
    for flat, used in (("101", "100"), ("102", "200")):
        estate.add_flat(flat, water=None)
        estate.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        estate.read(f"E-{flat}", at(date(2026, 10, 1)), used)
    await estate.close("2026-09")
    estate.database.write_now(
        TENANT,
        payments.record_payment,
        SYSTEM,
        estate.accounts["101"],
        Method.CASH,
        5_883,
        date(2026, 11, 20),
    )


def month(estate: Estate, code: str = NOVEMBER) -> Journal:
    return estate.database.read_now(TENANT, journal.month_journal, SYSTEM, code)


async def test_every_voucher_balances_and_the_month_is_the_ledger(estate: Estate) -> None:
    await billed(estate)

    found = month(estate)

    assert [voucher.number for voucher in found.vouchers] == [1, 2, 3]
    assert found.debit_fen == found.credit_fen == 4_883 + 9_766 + 5_883
    by_code = {subject.code: debit - credit for subject, debit, credit in found.by_subject()}
    trial = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM).balances
    assert by_code == {
        "1001": trial["cash"],
        "1122": trial["receivable"],
        "2203": trial["prepayment"],
        "500102": trial["revenue.electricity"],
    }


async def test_a_month_that_is_over_is_the_same_file_whatever_is_posted_later(
    estate: Estate, clock: FakeClock
) -> None:
    await billed(estate)
    before = journal_csv(month(estate), is_chinese=True), journal_workbook(month(estate), is_chinese=True)
    clock.now_ms = at(date(2026, 12, 2))

    # Received in November, posted in December: a voucher of December.
    estate.database.write_now(
        TENANT, payments.record_payment, SYSTEM, estate.accounts["102"], Method.CASH, 100, date(2026, 11, 30)
    )

    after = journal_csv(month(estate), is_chinese=True), journal_workbook(month(estate), is_chinese=True)
    assert after == before
    [late] = month(estate, "2026-12").vouchers
    assert (late.posted_on, late.occurred_on) == (date(2026, 12, 2), date(2026, 11, 30))


async def test_the_csv_has_a_line_a_posting_in_the_mapped_chart(estate: Estate) -> None:
    await billed(estate)
    estate.database.write_now(
        TENANT, journal.set_subjects, SYSTEM, {"receivable": Subject("112201", "应收账款-业主")}
    )

    rows = list(csv.reader(io.StringIO(journal_csv(month(estate), is_chinese=True).decode("utf-8-sig"))))

    assert rows[0][:4] == ["凭证号", "记账日期", "发生日期", "摘要"]
    assert ["2026-11-00001", "112201", "应收账款-业主", "48.83", ""] in [
        [row[0], row[4], row[5], row[7], row[8]] for row in rows[1:]
    ]
    assert sum(float(row[7] or 0) for row in rows[1:]) == pytest.approx(
        sum(float(row[8] or 0) for row in rows[1:])
    )


async def test_the_workbook_has_vouchers_and_sums_by_subject(estate: Estate) -> None:
    await billed(estate)

    book = CalamineWorkbook.from_filelike(io.BytesIO(journal_workbook(month(estate), is_chinese=True)))

    assert book.sheet_names == ["凭证", "科目汇总"]
    sums = book.get_sheet_by_index(1).to_python(skip_empty_area=False)
    assert sums[-1] == ["", "合计", 205.32, 205.32]


def test_a_voucher_out_of_balance_cannot_be_built() -> None:
    subject = Subject("1001", "库存现金")
    day = date(2026, 11, 1)

    with pytest.raises(Invalid, match="1 fen"):
        Voucher(1, day, day, EntryKind.PAYMENT, "R1", (JournalLine(subject, 1, ""),))


def test_a_ledger_account_nobody_has_is_refused(estate: Estate) -> None:
    with pytest.raises(Invalid, match="'nothing'"):
        estate.database.write_now(TENANT, journal.set_subjects, SYSTEM, {"nothing": Subject("1", "x")})


def test_a_technician_sees_no_journal(estate: Estate) -> None:
    technician = User(SYSTEM.user_id, TENANT, Role.MAINTENANCE, "x")

    with pytest.raises(Forbidden):
        estate.database.read_now(TENANT, journal.month_journal, technician, NOVEMBER)


async def test_a_month_s_report_is_what_the_books_have(estate: Estate) -> None:
    await billed(estate)

    report = estate.database.read_now(TENANT, reports.month_report, SYSTEM, estate.site_id)

    assert (report.period_code, report.month.billed_fen, report.month.paid_fen) == ("2026-09", 14_649, 4_883)
    assert str(report.month.rate) == "0.3333"
    assert [(one.charge_code, one.amount_fen) for one in report.items] == [("electricity", 14_649)]
    assert [(one.name, one.open_fen) for one in report.buildings] == [("1 号楼", 9_766)]
    assert estate.database.read_now(TENANT, reports.month_energy, SYSTEM, estate.site_id) == ()


async def test_a_month_s_trial_balance_goes_on_where_the_month_before_ended(estate: Estate) -> None:
    await billed(estate)
    estate.database.write_now(
        TENANT, journal.set_subjects, SYSTEM, {"receivable": Subject("112201", "应收账款-业主")}
    )

    def of(code: str) -> MonthTrialBalance:
        return estate.database.read_now(TENANT, ledger.month_trial_balance, SYSTEM, code)

    now, after = of(NOVEMBER), of("2026-12")

    by_account = {row.turnover.ledger_account: row for row in now.rows}
    assert now.debit_fen == now.credit_fen > 0
    assert by_account["receivable"].subject == Subject("112201", "应收账款-业主")
    assert {one.turnover.ledger_account: one.turnover.opening_fen for one in after.rows} == {
        code: row.turnover.closing_fen for code, row in by_account.items()
    }
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(trial_workbook(now, is_chinese=True)))
    total = sheet.get_sheet_by_index(0).to_python()[-1]
    assert total[1] == "合计"
    assert total[2] == total[3]
    assert total[4] == total[5] > 0
    assert total[6] == total[7]


def test_books_that_do_not_balance_are_not_shown() -> None:
    row = TrialRow(Turnover("cash", 0, 1, 0), Subject("1001", "库存现金"))

    with pytest.raises(Invalid, match="the books of 2026-10 are out of balance by 1 fen"):
        MonthTrialBalance("2026-10", (row,))


async def test_one_code_under_two_names_is_refused_and_under_one_name_is_one_subject(estate: Estate) -> None:
    both = {"revenue.sewage": Subject("2241", "代收款项"), "revenue.refuse": Subject("2241", "代收款项")}
    contradicting = {"deposit": Subject("1122", "押金")}

    found = estate.database.write_now(TENANT, journal.set_subjects, SYSTEM, both)
    with pytest.raises(Invalid, match=r"subject '1122' is '押金' \(deposit\) already.*\(receivable\)"):
        estate.database.write_now(TENANT, journal.set_subjects, SYSTEM, contradicting)

    assert found["revenue.sewage"] == found["revenue.refuse"]
    kept = estate.database.read_now(TENANT, journal.chart_subjects, SYSTEM)
    assert kept["deposit"].code == "224101"
