"""What the system before left behind: brought in, posted, collected, undone; the books balance throughout."""

from datetime import date

import pytest

from cloud.domain.errors import Conflict
from cloud.domain.imports.plan import Outcome
from cloud.domain.payment import Method
from cloud.services import invoices, ledger, payments
from cloud.store.db import Tx
from tests.billing.estate import SYSTEM, Estate, at
from tests.databases import TENANT
from tests.exchange.conftest import workbook
from tests.exchange.test_imports import bring, check, outcomes, undo

HEADER = ("户号", "类型", "账期", "金额（元）", "到期日")
ROWS = (
    ("A-00101", "欠费", "2026-06", 136.2, "2026-07-15"),
    ("A-00101", "欠费", "2026年7月", "88.05", ""),
    ("A-00101", "押金", "2026-08", 500, ""),
    ("A-00102", "预存", "202608", "200", ""),
)


@pytest.fixture
def moved(estate: Estate) -> Estate:
    """Two flats whose bills were written by another system until August."""
    estate.add_flat("101", water=None)
    estate.add_flat("102", water=None)
    return estate


def balances(estate: Estate) -> dict[str, int]:
    found = estate.database.read_now(TENANT, ledger.trial_balance, SYSTEM)
    assert found.total_fen == 0
    return {code: fen for code, fen in found.balances.items() if fen}


async def test_what_was_owed_is_collected_and_what_was_prepaid_is_used(moved: Estate) -> None:
    bring(moved, "opening_balances", *ROWS, header=HEADER)
    began = balances(moved)
    owed = moved.database.read_now(TENANT, payments.list_arrears, SYSTEM, moved.site_id, date(2026, 8, 20))
    for flat, end in (("101", "100"), ("102", "200")):
        moved.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        moved.read(f"E-{flat}", at(date(2026, 10, 1)), end)

    await moved.close("2026-09")
    moved.database.write_now(
        TENANT,
        payments.record_payment,
        SYSTEM,
        moved.accounts["101"],
        Method.CASH,
        22_425,
        date(2026, 11, 24),
    )

    assert began == {"deposit": -50_000, "opening": 47_575, "prepayment": -20_000, "receivable": 22_425}
    assert [(one.account_number, one.by_age_fen) for one in owed] == [("A-00101", (8805, 13_620, 0, 0))]
    left = balances(moved)
    assert (left["prepayment"], left["receivable"]) == (9766 - 20_000, 4883)


def test_a_taken_over_invoice_explains_itself(moved: Estate) -> None:
    bring(moved, "opening_balances", *ROWS, header=HEADER)

    def work(tx: Tx) -> tuple[str, int, int, str]:
        one = invoices.list_invoices(tx, SYSTEM, period_code="2026-06").items[0]
        again = invoices.recompute_line(tx, SYSTEM, one.invoice_id, 1)
        trace = invoices.trace(tx, SYSTEM, one.invoice_id, 1)
        return one.number, one.total_fen, again.amount_fen, trace.tariff.code

    assert moved.database.read_now(TENANT, work) == ("DG-2026-06-0001", 13_620, 13_620, "opening-balance")


def test_the_same_balances_again_change_nothing_and_others_are_a_conflict(moved: Estate) -> None:
    bring(moved, "opening_balances", *ROWS, header=HEADER)

    again = check(moved, "opening_balances", workbook(HEADER, *ROWS))
    other = check(moved, "opening_balances", workbook(HEADER, ("A-00101", "欠费", "2026-06", 1, "")))

    assert outcomes(again) == [Outcome.UNCHANGED] * 4
    assert outcomes(other) == [Outcome.CONFLICT]


def test_undoing_posts_the_opposite_and_they_can_be_brought_in_again(moved: Estate) -> None:
    done = bring(moved, "opening_balances", *ROWS, header=HEADER)
    undo(moved, done)
    undone = balances(moved)

    bring(moved, "opening_balances", *ROWS, header=HEADER)

    assert undone == {}
    assert balances(moved)["receivable"] == 22_425


def test_what_was_paid_on_since_is_not_undone(moved: Estate) -> None:
    done = bring(moved, "opening_balances", *ROWS, header=HEADER)
    moved.database.write_now(
        TENANT, payments.record_payment, SYSTEM, moved.accounts["101"], Method.CASH, 1, date(2026, 11, 24)
    )

    with pytest.raises(Conflict, match="DG-2026-06-0001 was paid on since"):
        undo(moved, done)

    assert balances(moved)["opening"] == 47_575


async def test_wrong_rows_say_why(moved: Estate) -> None:
    for flat in ("101", "102"):
        moved.read(f"E-{flat}", at(date(2026, 9, 1)), "0")
        moved.read(f"E-{flat}", at(date(2026, 10, 1)), "1")
    await moved.close("2026-09")
    rows = [
        ("A-9", "欠费", "2026-06", 1, ""),
        ("A-00101", "欠费", "2026-09", 1, ""),
        ("A-00101", "欠费", "2026-11", 1, ""),
        ("A-00101", "预存", "2026-08", 0, ""),
        ("A-00101", "欠费", "六月", 1, ""),
        ("A-00101", "欠费", "1999-12", 1, ""),
    ]

    found = check(moved, "opening_balances", workbook(HEADER, *rows))

    assert found.plan is not None
    assert [row.faults[0].text(is_chinese=True) for row in found.plan.rows] == [
        "没有户号“A-9”",
        "2026-09 由本系统出账，不能再作为期初欠费导入",
        "2026-11-30 还没到",
        "应大于 0",
        "“六月”不是月份，应如 2026-08",
        "“1999-12-1”不是月份，应如 2026-08",
    ]
