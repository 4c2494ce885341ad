"""Bills, receipts and notices: what is on them, that it is right, and that it never changes."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from cloud.domain.authenticity import Standing
from cloud.domain.errors import NotFound
from cloud.domain.payment import Method
from cloud.domain.user import Locale, Role, User
from cloud.press import compiler
from cloud.press.bill import bill_sheet
from cloud.press.compiler import Press, PressError
from cloud.press.notice import notice_sheet
from cloud.press.receipt import receipt_sheet
from cloud.services import bills, corrections, manual_readings, papers, payments
from tests.billing.estate import SYSTEM, Estate
from tests.databases import TENANT
from tests.press.conftest import OCTOBER, billed, newest_bill
from tests.press.reading import pages_of, text_of

ORIGIN = "https://gatehouse.example"
TODAY = date(2026, 11, 24)


async def test_a_bill_shows_amount_capitals_dials_and_tiers(estate: Estate, press: Press) -> None:
    bill = await billed(estate)

    pdf = press.print([bill_sheet(bill, Locale.CHINESE, ORIGIN)])

    text = text_of(pdf)
    # 2880 kWh at 0.4883, 120 kWh at 0.5383
    assert bill.invoice.total_fen == 140_630 + 6_460
    for expected in (
        "DG-2026-09-0001",
        "¥1,470.90",
        "壹仟肆佰柒拾元玖角整",
        "2,880.00 kWh",
        "0.5383",
        "64.60",
        "王建国",
        "期初 2026-09-01",
        "期末 2026-10-01",
        "超过 2,880.00 kWh 的部分每 kWh 贵 0.05 元",
        bill.code,
        "民法典第九百四十四条",
    ):
        assert expected in text, expected
    # Dials are wheels: a digit each.
    assert "0 0 0 1 5 1 9 0" in text or "00015190" in text.replace(" ", "")
    assert pages_of(pdf) == 1


async def test_a_bill_reads_in_english(estate: Estate, press: Press) -> None:
    bill = await billed(estate)

    text = text_of(press.print([bill_sheet(bill, Locale.ENGLISH, ORIGIN)]))

    assert "Beyond 2,880.00 kWh begins tier 2: each kWh costs 0.05 yuan more" in text
    assert "1 Sep 2026 to 30 Sep 2026" in text


async def test_the_same_bill_is_the_same_bytes_from_any_press(estate: Estate, press: Press) -> None:
    bill = await billed(estate)
    sheet = bill_sheet(bill, Locale.CHINESE, ORIGIN)
    first = press.print([sheet])

    press.print([bill_sheet(bill, Locale.ENGLISH, ORIGIN)])

    assert press.print([sheet]) == first
    assert Press().print([bill_sheet(newest_bill(estate), Locale.CHINESE, ORIGIN)]) == first


async def test_what_is_paid_does_not_change_a_bill(estate: Estate, press: Press) -> None:
    bill = await billed(estate)
    before = press.print([bill_sheet(bill, Locale.CHINESE, ORIGIN)])

    pay(estate, 140_000)

    assert press.print([bill_sheet(newest_bill(estate), Locale.CHINESE, ORIGIN)]) == before


async def test_without_its_typeface_nothing_is_printed(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = bill_sheet(await billed(estate), Locale.CHINESE, ORIGIN)
    monkeypatch.setattr(compiler, "FONTS", tmp_path)

    with pytest.raises(PressError, match="unknown font family"):
        Press().print([sheet])


async def test_markup_in_a_name_is_printed_as_it_is(estate: Estate, press: Press) -> None:
    sheet = bill_sheet(await billed(estate), Locale.CHINESE, ORIGIN)

    text = text_of(press.print([msgspec.structs.replace(sheet, site='#panic("x") *a* $b$')]))

    assert '#panic("x") *a* $b$' in text


async def test_many_bills_in_one_file_each_begin_on_a_page_numbered_1(estate: Estate, press: Press) -> None:
    sheet = bill_sheet(await billed(estate), Locale.CHINESE, ORIGIN)

    assert pages_of(press.print([sheet, sheet, sheet])) == 3


async def test_a_receipt_names_amount_in_capitals_and_what_it_paid(estate: Estate, press: Press) -> None:
    bill = await billed(estate)
    recorded = pay(estate, 150_000, memo="李会计代收")

    paid = estate.database.read_now(TENANT, papers.receipt_of, SYSTEM, recorded.receipt.payment_id)
    text = text_of(press.print([receipt_sheet(paid, Locale.CHINESE, ORIGIN)]))

    for expected in (
        "DG-R2026-000001",
        "¥1,500.00",
        "壹仟伍佰元整",
        bill.invoice.number,
        "1,470.90",
        "转入预存",
        "29.10",
        "现金",
        "李会计代收",
        "不是税务发票",
    ):
        assert expected in text, expected


async def test_a_notice_adds_up_what_is_left(estate: Estate, press: Press) -> None:
    await billed(estate)
    pay(estate, 47_090)

    notice = estate.database.read_now(TENANT, papers.notice_of, SYSTEM, estate.accounts["101"], TODAY)
    text = text_of(press.print([notice_sheet(notice, Locale.CHINESE, ORIGIN)]))

    assert notice.total_fen == 100_000
    assert "缴费通知单" in text
    assert "壹仟元整" in text
    late = estate.database.read_now(
        TENANT, papers.notice_of, SYSTEM, estate.accounts["101"], date(2027, 1, 10)
    )
    assert "催缴通知单" in text_of(press.print([notice_sheet(late, Locale.CHINESE, ORIGIN)]))


async def test_nothing_to_pay_is_no_notice(estate: Estate) -> None:
    await billed(estate)
    pay(estate, 147_090)

    with pytest.raises(NotFound):
        estate.database.read_now(TENANT, papers.notice_of, SYSTEM, estate.accounts["101"], TODAY)


async def test_a_resident_prints_only_what_is_theirs(estate: Estate) -> None:
    bill = await billed(estate)
    recorded = pay(estate, 100)
    stranger = User(SYSTEM.user_id, TENANT, Role.RESIDENT, "x")

    for work, thing in (
        (bills.bill_of, bill.invoice.invoice_id),
        (papers.receipt_of, recorded.receipt.payment_id),
        (papers.receipt_by_number, recorded.receipt.number),
    ):
        with pytest.raises(NotFound):
            estate.database.read_now(TENANT, work, stranger, thing)


async def test_a_genuine_bill_stands_until_it_is_corrected(estate: Estate) -> None:
    bill = await billed(estate)
    number, code = bill.invoice.number, bill.code
    assert verify(estate, number, code) is Standing.STANDS
    assert verify(estate, number, code.lower().replace("-", " ")) is Standing.STANDS

    estate.database.write_now(
        TENANT,
        manual_readings.record_reading,
        SYSTEM,
        estate.installations["E-101"],
        OCTOBER,
        Decimal("3100"),
        "复核抄表",
    )
    estate.database.write_now(TENANT, corrections.correct, SYSTEM, bill.invoice.invoice_id, "读数有误")

    assert verify(estate, number, code) is Standing.REPLACED
    replacement = newest_bill(estate)
    assert replacement.corrects
    assert verify(estate, replacement.invoice.number, replacement.code) is Standing.STANDS


async def test_a_receipt_that_was_taken_back_says_so(estate: Estate, press: Press) -> None:
    await billed(estate)
    receipt = pay(estate, 100).receipt
    paid = estate.database.read_now(TENANT, papers.receipt_of, SYSTEM, receipt.payment_id)
    assert verify(estate, receipt.number, paid.code) is Standing.STANDS

    estate.database.write_now(TENANT, payments.reverse_payment, SYSTEM, receipt.payment_id, "支票退回")

    assert verify(estate, receipt.number, paid.code) is Standing.TAKEN_BACK
    again = estate.database.read_now(TENANT, papers.receipt_of, SYSTEM, receipt.payment_id)
    assert "已冲回" in text_of(press.print([receipt_sheet(again, Locale.CHINESE, ORIGIN)]))


async def test_a_wrong_code_and_a_wrong_number_are_the_same_answer(estate: Estate) -> None:
    bill = await billed(estate)

    wrong_code = estate.database.read_now(TENANT, papers.verify, bill.invoice.number, "AAAA-AAAA-AAAA-AAAA")
    wrong_number = estate.database.read_now(TENANT, papers.verify, "DG-2026-09-9999", bill.code)

    assert wrong_code.standing is wrong_number.standing is Standing.UNKNOWN
    assert (wrong_code.kind, wrong_code.amount_fen) == (wrong_number.kind, wrong_number.amount_fen)


async def test_a_verdict_names_no_person(estate: Estate) -> None:
    bill = await billed(estate)

    verdict = estate.database.read_now(TENANT, papers.verify, bill.invoice.number, bill.code)

    told = json.dumps(msgspec.to_builtins(verdict), ensure_ascii=False)
    for secret in ("王建国", "1-101", "A-00101"):
        assert secret not in told


def verify(estate: Estate, number: str, code: str) -> Standing:
    return estate.database.read_now(TENANT, papers.verify, number, code).standing


def pay(estate: Estate, fen: int, memo: str = "") -> payments.Recorded:
    return estate.database.write_now(
        TENANT, payments.record_payment, SYSTEM, estate.accounts["101"], Method.CASH, fen, TODAY, memo=memo
    )
